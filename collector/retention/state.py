"""What retention remembers: documents in the state index.

============================  =========================================================
``archive-<index>``           what was archived of an index, and whether it was proven
``removed-<organization>``    an organization whose entries are gone: its tombstone
============================  =========================================================

Everything else that a run needs to know it reads from the cluster.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from activity_center.errors import ClusterError
from activity_center.setup.cluster import CONFLICT, ask
from activity_center.state_documents import ARCHIVE, documents
from activity_center.streams import STATE_INDEX

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

REMOVED: Final = "organization removed"


@dataclass(frozen=True, slots=True)
class Archive:
    """What was archived of one index.

    Attributes:
        uuid: of the index that was archived: a name can come again.
        snapshot: its name; written down before it is begun.
        documents: counted in the restored copy; ``None``: not proven yet.
        max_seq_no: of the index when it was archived: what changed it since shows in it.
        proven: when the copy was restored and counted, ISO 8601.
        problem: why it is not proven; empty: nothing went wrong.
        seen: when that was seen, ISO 8601.
        version: of the document that this was read from; ``None``: there is none. What
            another run wrote meanwhile is never overwritten.
    """

    index: str
    uuid: str
    repository: str
    snapshot: str
    max_seq_no: int
    documents: int | None = None
    proven: str = ""
    problem: str = ""
    seen: str = ""
    version: tuple[int, int] | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Tombstone:
    """An organization that was removed.

    Attributes:
        removed: when it was begun, ISO 8601.
        done: when nothing was left; empty: not finished.
        deleted: entries deleted, by data stream.
        kept: entries that the law keeps, by data stream.
        opened: indices that take writes only until they are cleared.
    """

    organization: str
    removed: str
    done: str = ""
    deleted: Mapping[str, int] = field(default_factory=dict)
    kept: Mapping[str, int] = field(default_factory=dict)
    opened: tuple[str, ...] = ()


def archives(client: OpenSearch) -> dict[str, Archive]:
    """All archives by index."""
    return {
        hit["_source"]["name"]: Archive(
            **hit["_source"]["data"], version=(hit["_seq_no"], hit["_primary_term"])
        )
        for hit in documents(client, ARCHIVE)
    }


def tombstones(client: OpenSearch) -> dict[str, Tombstone]:
    """All tombstones by organization."""
    found = (hit["_source"]["data"] for hit in documents(client, REMOVED))
    return {
        one["organization"]: Tombstone(**{**one, "opened": tuple(one.get("opened", ()))})
        for one in found
    }


def save_archive(client: OpenSearch, archive: Archive) -> Archive:
    """Write an archive down; searchable when this returns.

    Returns:
        The archive with its new version.

    Raises:
        ClusterError: another run wrote about this index since ``archive`` was read. Who is
            told so may neither rely on the snapshot nor discard it.
    """
    data = asdict(archive)
    del data["version"]
    condition: dict[str, Any] = {"op_type": "create"}
    if archive.version is not None:
        seq_no, term = archive.version
        condition = {"if_seq_no": seq_no, "if_primary_term": term}
    id_ = f"archive-{archive.index}"
    answer = _write(client, id_, ARCHIVE, archive.index, data, condition)
    if answer is None:
        raise ClusterError(
            f"another run has written about the archive of {archive.index} meanwhile",
            where=f"{STATE_INDEX}/_doc/{id_}",
            hint="run it again; what is done stays done",
        )
    return replace(archive, version=(answer["_seq_no"], answer["_primary_term"]))


def save_tombstone(client: OpenSearch, tombstone: Tombstone) -> None:
    """Write a tombstone down; searchable when this returns."""
    name = tombstone.organization
    _write(client, f"removed-{name}", REMOVED, name, asdict(tombstone), {})


def _write(
    client: OpenSearch,
    id_: str,
    kind: str,
    name: str,
    data: Mapping[str, Any],
    condition: Mapping[str, Any],
) -> Mapping[str, Any] | None:
    """Write a document; ``None``: the condition does not hold."""
    answer = ask(
        client,
        "PUT",
        f"/{STATE_INDEX}/_doc/{id_}",
        params={"refresh": "true", **condition},
        body={"kind": kind, "name": name, "data": data},
        allow=(CONFLICT,) if condition else (),
    )
    body: Mapping[str, Any] = answer.body
    return body if answer.ok else None
