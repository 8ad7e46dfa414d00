"""What retention remembers: documents in the state index.

============================  =========================================================
``archive-<index>``           what was archived of an index, and whether it was proven
``removed-<organization>``    an organization whose entries are gone: its tombstone
============================  =========================================================

Everything else that a run needs to know it reads from the cluster.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from activity_center.errors import IncompleteAnswer
from activity_center.setup.cluster import NOT_FOUND, ask
from activity_center.streams import STATE_INDEX

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

ARCHIVE: Final = "retention archive"
REMOVED: Final = "organization removed"
_MOST: Final = 10_000
"""Documents of one kind that are read; more is refused, never cut."""


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
    """

    index: str
    uuid: str
    repository: str
    snapshot: str
    max_seq_no: int
    documents: int | None = None
    proven: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Tombstone:
    """An organization that was removed.

    Attributes:
        removed: when it was begun, ISO 8601.
        done: when nothing was left; empty: not finished.
        deleted: entries deleted, by data stream.
        kept: entries that the law keeps, by data stream.
    """

    organization: str
    removed: str
    done: str = ""
    deleted: Mapping[str, int] = field(default_factory=dict)
    kept: Mapping[str, int] = field(default_factory=dict)


def archives(client: OpenSearch) -> dict[str, Archive]:
    """All archives by index."""
    return {one["index"]: Archive(**one) for one in _read(client, ARCHIVE)}


def tombstones(client: OpenSearch) -> dict[str, Tombstone]:
    """All tombstones by organization."""
    return {one["organization"]: Tombstone(**one) for one in _read(client, REMOVED)}


def save_archive(client: OpenSearch, archive: Archive) -> None:
    """Write an archive down; searchable when this returns."""
    _write(client, f"archive-{archive.index}", ARCHIVE, archive.index, asdict(archive))


def save_tombstone(client: OpenSearch, tombstone: Tombstone) -> None:
    """Write a tombstone down; searchable when this returns."""
    name = tombstone.organization
    _write(client, f"removed-{name}", REMOVED, name, asdict(tombstone))


def _write(client: OpenSearch, id_: str, kind: str, name: str, data: Mapping[str, Any]) -> None:
    ask(
        client,
        "PUT",
        f"/{STATE_INDEX}/_doc/{id_}",
        params={"refresh": "true"},
        body={"kind": kind, "name": name, "data": data},
    )


def _read(client: OpenSearch, kind: str) -> list[dict[str, Any]]:
    answer = ask(
        client,
        "POST",
        f"/{STATE_INDEX}/_search",
        params={"allow_partial_search_results": "false"},
        body={"size": _MOST, "track_total_hits": True, "query": {"term": {"kind": kind}}},
        allow=(NOT_FOUND,),
    )
    if not answer.ok:
        return []
    whole(answer.body, f"{STATE_INDEX}/_search")
    hits = answer.body["hits"]
    if hits["total"]["value"] > len(hits["hits"]):
        raise IncompleteAnswer(f"more than {_MOST} documents of the kind {kind!r}")
    return [hit["_source"]["data"] for hit in hits["hits"]]


def whole(body: Mapping[str, Any], where: str) -> None:
    """Refuse an answer that does not speak for all shards.

    Raises:
        IncompleteAnswer: OpenSearch answered 200 with a part.
    """
    shards = body.get("_shards") or {}
    total, reached = shards.get("total", 0), shards.get("successful", 0)
    if body.get("timed_out") or reached < total or shards.get("failed"):
        raise IncompleteAnswer(
            f"only {reached} of {total} shards answered",
            where=where,
            hint="wait while shards recover, then run it again",
        )
