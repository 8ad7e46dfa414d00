"""Archiving: snapshots of single indices, proven by restoring and counting them.

A snapshot's state proves nothing: OpenSearch 3.3 and 3.4 say ``SUCCESS`` of one that cannot
be restored (OpenSearch issue 20073), and a repository can lose files afterwards. So each is
restored into a scratch index and counted, and only that counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from activity_center.errors import ClusterError, IncompleteAnswer
from activity_center.policies import Action
from activity_center.setup.cluster import NOT_FOUND, ask
from collector.retention.facts import Backing
from collector.retention.state import Archive, save_archive, whole

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

SCRATCH: Final = "activity-center-scratch-"
"""Copies that are counted, or from which organizations are removed; never searched by people."""

RESTORED: Final = "restored-"
"""Copies that people search: brought back from the archive."""

LONG: Final = 3600.0
"""Seconds that restoring or merging one index may take."""

_ERRORS: Final = (400, NOT_FOUND, 500, 503)
_POLL: Final = 0.2
_SLOWEST: Final = 10.0

Check = Callable[[], None]
"""Raises once the lease is lost."""


class Unproven(ClusterError):
    """A snapshot that does not hold what was archived."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One snapshot in the repository.

    Attributes:
        index: the index that it holds.
        begun: when it was made.
        state: what the repository says; proves nothing.
        first, last: times of the oldest and the youngest entry, ISO 8601, if that was noted.
        documents: number of entries, if that was noted.
        uuid: of the index: a stream that was made anew begins with the same names.
    """

    name: str
    index: str
    begun: datetime
    state: str
    first: str | None = None
    last: str | None = None
    documents: int | None = None
    uuid: str | None = None


def archive(
    client: OpenSearch,
    action: Action,
    backing: Backing,
    before: Archive | None,
    check: Check,
) -> Archive:
    """Make sure that a proven copy of the index as it is now is in the repository.

    Args:
        before: what is known of an earlier try.
        check: called before each change.

    Raises:
        ClusterError: there is none; what was seen is written down.
    """
    repository = str(action.parameters["repository"])
    made = before
    if not (
        made is not None
        and made.uuid == backing.uuid
        and made.repository == repository
        and made.max_seq_no == backing.max_seq_no
        and _state(client, made, check) == "SUCCESS"
    ):
        made = _take(client, action, backing, repository, check)
    return prove(client, made, count(client, backing.name), check)


def prove(
    client: OpenSearch, made: Archive, documents: int, check: Check, *, discard: bool = True
) -> Archive:
    """Restore the snapshot into a scratch index, count, and write the result down.

    Args:
        documents: how many it must hold.
        discard: delete a snapshot that lies, if the repository can still do that: the next
            one would else be built on the same missing files.

    Raises:
        Unproven: it cannot be restored, or holds another number of entries.
    """
    where = f"_snapshot/{made.repository}/{made.snapshot}"
    scratch = scratch_name(made.index)
    try:
        restore(client, made.repository, made.snapshot, made.index, scratch, check)
        found = count(client, scratch)
        if found != documents:
            raise Unproven(f"holds {found} entries, the index {documents}", where=where)
    except (Unproven, IncompleteAnswer) as wrong:
        save_archive(client, replace(made, documents=None, problem=wrong.message))
        if discard:
            ask(client, "DELETE", f"/{where}", allow=_ERRORS, timeout=LONG)
        raise
    finally:
        remove_scratch(client, scratch)
    proven = replace(made, documents=found, proven=datetime.now(UTC).isoformat(), problem="")
    save_archive(client, proven)
    return proven


def restore(
    client: OpenSearch, repository: str, snapshot: str, index: str, target: str, check: Check
) -> None:
    """Restore one index of a snapshot as the hidden index ``target``, without copies.

    Raises:
        Unproven: OpenSearch says that it could not restore every shard.
    """
    check()
    remove_scratch(client, target)
    path = f"/_snapshot/{repository}/{snapshot}/_restore"
    answer = ask(
        client,
        "POST",
        path,
        params={"wait_for_completion": "true"},
        body={
            "indices": index,
            "include_global_state": False,
            "include_aliases": False,
            "rename_pattern": ".+",
            "rename_replacement": target,
            # A tier that the original was bound to may be gone, or have no room.
            "ignore_index_settings": ["index.routing.allocation.*"],
            "index_settings": {
                "index.hidden": True,
                "index.blocks.write": False,
                "index.auto_expand_replicas": "false",
                "index.number_of_replicas": 0,
            },
        },
        allow=_ERRORS,
        timeout=LONG,
    )
    if not answer.ok:
        raise Unproven(f"cannot be restored: {answer.why}", where=path)
    shards = (answer.body.get("snapshot") or {}).get("shards") or {}
    if not shards.get("total") or shards.get("successful") != shards["total"]:
        raise Unproven(f"restores with dead shards: {dict(shards)}", where=path)


def count(client: OpenSearch, index: str) -> int:
    """Entries in an index, after a refresh.

    Raises:
        IncompleteAnswer: not every shard answered.
    """
    refreshed = ask(client, "POST", f"/{index}/_refresh", timeout=LONG).body["_shards"]
    if refreshed.get("failed"):
        raise IncompleteAnswer("not every shard could be refreshed", where=index)
    body = ask(client, "GET", f"/{index}/_count").body
    whole(body, f"{index}/_count")
    return int(body["count"])


def snapshots(client: OpenSearch, repository: str) -> list[Snapshot]:
    """All archived indices in the repository, oldest first; ours and those that ISM made."""
    answer = ask(client, "GET", f"/_snapshot/{repository}/_all", allow=(NOT_FOUND,))
    if not answer.ok:
        return []
    found = [
        Snapshot(
            name=one["snapshot"],
            index=one["indices"][0],
            begun=datetime.fromtimestamp(one["start_time_in_millis"] / 1000, UTC),
            state=one["state"],
            **_noted(one.get("metadata") or {}),
        )
        for one in answer.body["snapshots"]
        if len(one["indices"]) == 1 and one["indices"][0].startswith(".ds-activity-")
    ]
    return sorted(found, key=lambda one: (one.begun, one.name))


def scratch_name(index: str) -> str:
    """The scratch index for a copy of ``index``."""
    return SCRATCH + index.removeprefix(".ds-")


def stream_of(index: str) -> str:
    """The data stream of a backing index, by its name (``.ds-<stream>-<generation>``)."""
    return index.removeprefix(".ds-").rpartition("-")[0]


def restored_name(index: str) -> str:
    """What the copy of ``index`` is called."""
    return RESTORED + index.removeprefix(".ds-")


def present(client: OpenSearch) -> list[str]:
    """Names of the restored indices that are there."""
    answer = ask(client, "GET", f"/_resolve/index/{RESTORED}activity-*")
    return sorted(one["name"] for one in answer.body["indices"])


def remove_scratch(client: OpenSearch, name: str) -> None:
    """Remove a scratch index, if it is there; one that is being restored, too."""
    ask(client, "DELETE", f"/{name}", allow=(NOT_FOUND,))


def leftovers(client: OpenSearch) -> Iterator[str]:
    """Scratch indices that a killed run left behind."""
    answer = ask(client, "GET", f"/_resolve/index/{SCRATCH}*", params={"expand_wildcards": "all"})
    yield from (one["name"] for one in answer.body["indices"])


def period(client: OpenSearch, index: str) -> tuple[str | None, str | None]:
    """Times of the oldest and the youngest entry of an index."""
    body = ask(
        client,
        "POST",
        f"/{index}/_search",
        params={"allow_partial_search_results": "false"},
        body={
            "size": 0,
            "aggs": {
                name: {name: {"field": "@timestamp", "format": "strict_date_time"}}
                for name in ("min", "max")
            },
        },
    ).body
    whole(body, f"{index}/_search")
    found = body["aggregations"]
    return found["min"].get("value_as_string"), found["max"].get("value_as_string")


def _take(
    client: OpenSearch, action: Action, backing: Backing, repository: str, check: Check
) -> Archive:
    """Make a new snapshot; its name is written down first."""
    stamp = datetime.now(UTC).strftime("%Y.%m.%d-%H:%M:%S.%f")[:-3]
    wanted = str(action.parameters["snapshot"])
    for variable, value in (("index", backing.name), ("indexUuid", backing.uuid)):
        wanted = wanted.replace(f"{{{{ctx.{variable}}}}}", value)
    made = Archive(
        index=backing.name,
        uuid=backing.uuid,
        repository=repository,
        snapshot=f"{wanted}-{stamp}".lower(),
        max_seq_no=backing.max_seq_no,
    )
    first, last = period(client, backing.name)
    check()
    save_archive(client, made)
    answer = ask(
        client,
        "PUT",
        f"/_snapshot/{repository}/{made.snapshot}",
        body={
            "indices": backing.name,
            "include_global_state": False,
            "metadata": {
                "owner": "activity-center",
                "uuid": backing.uuid,
                "documents": backing.documents,
                "first": first,
                "last": last,
            },
        },
        allow=_ERRORS,
    )
    state = _state(client, made, check) if answer.ok else answer.why
    if state != "SUCCESS":
        save_archive(client, replace(made, problem=f"snapshot: {state}"))
        raise ClusterError(
            f"no snapshot: {state}",
            where=f"_snapshot/{repository}/{made.snapshot}",
            hint=f"is the repository there and writable? POST _snapshot/{repository}/_verify",
        )
    return made


def _state(client: OpenSearch, made: Archive, check: Check) -> str:
    """What the repository says of a snapshot, once it is finished."""
    pause = _POLL
    while True:
        answer = ask(client, "GET", f"/_snapshot/{made.repository}/{made.snapshot}", allow=_ERRORS)
        if not answer.ok:
            return answer.why
        state = str(answer.body["snapshots"][0]["state"])
        if state != "IN_PROGRESS":
            return state
        check()
        time.sleep(pause)
        pause = min(pause * 1.5, _SLOWEST)


def _noted(metadata: Mapping[str, Any]) -> dict[str, Any]:
    if metadata.get("owner") != "activity-center":
        return {}
    return {name: metadata.get(name) for name in ("first", "last", "documents", "uuid")}
