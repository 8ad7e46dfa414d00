"""Archiving: snapshots of single indices, proven by restoring and counting them.

A snapshot's state proves nothing: OpenSearch 3.3 and 3.4 say ``SUCCESS`` of one that cannot
be restored (OpenSearch issue 20073), and a repository can lose files afterwards. So each is
restored into a scratch index and counted, and only that counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from activity_center.answers import whole
from activity_center.errors import ClusterError, IncompleteAnswer
from activity_center.policies import Action
from activity_center.setup.cluster import NOT_FOUND, ask
from collector.retention.facts import Backing
from collector.retention.state import Archive, save_archive

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

SCRATCH: Final = "activity-center-scratch-"
"""Copies that are counted, or from which organizations are removed; never searched by people."""

RESTORED: Final = "restored-"
"""Copies that people search: brought back from the archive."""

LONG: Final = 3600.0
"""Seconds that restoring or merging one index may take."""

_ERRORS: Final = (400, NOT_FOUND, 500, 503)
_LOST: Final = (
    "snapshot_missing",
    "NoSuchFile",
    "no_such_file",
    "FileNotFound",
    "Corrupt",
    "corrupt",
)
"""Words of OpenSearch for files of a snapshot that are missing or damaged."""
_PASSING: Final = ("No space left", "CircuitBreaking", "Timeout", "Connect", "NodeClosed", "disk")
"""Words for a shard that could not be restored here and now, whatever the snapshot holds."""
_POLL: Final = 0.2
_SLOWEST: Final = 10.0

Check = Callable[[], None]
"""Raises once the lease is lost; asks OpenSearch whether it is."""


class Unproven(ClusterError):
    """A snapshot that does not hold what was archived; ``record`` is what was written of it."""

    record: Archive | None = None


class Broken(Unproven):
    """A snapshot whose files are missing or damaged: the next one would be built on them."""


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
    documents = count(client, backing.name)
    made = before
    if (
        made is not None
        and made.uuid == backing.uuid
        and made.repository == repository
        and (made.problem or made.max_seq_no == backing.max_seq_no)
        and _state(client, made, check) == "SUCCESS"
    ):
        try:
            before = prove(client, made, documents, check)
        except Unproven as wrong:
            if not made.problem:
                raise
            before = wrong.record
        else:
            if before.max_seq_no == backing.max_seq_no:
                return before
    made = _take(client, action, backing, repository, before, check)
    return prove(client, made, documents, check, discard=(Unproven,))


def prove(
    client: OpenSearch,
    made: Archive,
    documents: int,
    check: Check,
    *,
    without: Sequence[str] = (),
    discard: tuple[type[Unproven], ...] = (Broken,),
) -> Archive:
    """Restore the snapshot into a scratch index, count, and write the result down.

    It is written only against the record that ``made`` was read from. So of two runs that
    judge one snapshot (one was stopped, and taken for dead) one alone is heard: what the one
    relies on the other cannot discard.

    Args:
        documents: how many it must hold.
        without: organizations that were removed: where the numbers differ, their entries
            count neither here nor there.
        discard: what a snapshot must turn out to be to be deleted. Never while its index is
            gone.

    Raises:
        Unproven: it cannot be restored, or holds another number of entries.
        ClusterError: that cannot be told now, for want of room or the like; what was proven
            stays so.
    """
    where = f"_snapshot/{made.repository}/{made.snapshot}"
    scratch = scratch_name(made.index)
    try:
        restore(client, made.repository, made.snapshot, made.index, scratch, check)
        found = count(client, scratch)
        if found != documents and without:
            found, documents = (count(client, one, without) for one in (scratch, made.index))
        if found != documents:
            raise Unproven(f"holds {found} entries, the index {documents}", where=where)
    except Unproven as wrong:
        seen = datetime.now(UTC).isoformat()
        judged = replace(made, documents=None, problem=wrong.message, seen=seen)
        wrong.record = save_archive(client, judged)
        if isinstance(wrong, discard):
            _discard(client, made, check)
        raise
    finally:
        check()  # else another run may be at work in it
        remove_scratch(client, scratch)
    proven = replace(
        made, documents=found, proven=datetime.now(UTC).isoformat(), problem="", seen=""
    )
    return save_archive(client, proven)


def _discard(client: OpenSearch, made: Archive, check: Check) -> None:
    """Delete a snapshot that is of no use, while all that it should hold is in its index."""
    path = f"/{made.index}/_settings"
    answer = ask(client, "GET", path, params={"flat_settings": "true"}, allow=(NOT_FOUND,))
    there = answer.body.get(made.index) if answer.ok else None
    if there is None or there["settings"].get("index.uuid") != made.uuid:
        return
    check()
    path = f"/_snapshot/{made.repository}/{made.snapshot}"
    ask(client, "DELETE", path, allow=_ERRORS, timeout=LONG)


def restore(
    client: OpenSearch, repository: str, snapshot: str, index: str, target: str, check: Check
) -> None:
    """Restore one index of a snapshot as the hidden index ``target``, without copies.

    Raises:
        Unproven: OpenSearch says that it could not restore every shard.
        ClusterError: it could not begin, or had no room: that says nothing of the snapshot.
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
        if any(word in str(answer.body) for word in _LOST):
            raise Broken(f"cannot be restored: {answer.why}", where=path)
        raise _not_now(answer.why, path)
    shards = (answer.body.get("snapshot") or {}).get("shards") or {}
    if not shards.get("total") or shards.get("successful") != shards["total"]:
        why = _why_dead(client, target)
        if why is None or any(word in why for word in _PASSING):
            raise _not_now(why or "no node takes its shards", path)
        kind = Broken if any(word in why for word in _LOST) else Unproven
        raise kind(f"restores with dead shards: {why[:300]}", where=path)


def _not_now(why: str, path: str) -> ClusterError:
    return ClusterError(
        f"cannot be restored now, which says nothing of the snapshot: {why[:300]}",
        where=path,
        hint="is there room for its shards? activity-center doctor",
    )


def _why_dead(client: OpenSearch, index: str) -> str | None:
    """Why shards were begun and not restored; ``None``: none was begun, or nobody can say."""
    columns = "prirep,state,unassigned.reason,unassigned.details"
    answer = ask(
        client,
        "GET",
        f"/_cat/shards/{index}",
        params={"format": "json", "h": columns},
        allow=_ERRORS,
    )
    failed = [
        str(one["unassigned.details"])
        for one in (answer.body if answer.ok else ())
        if one["prirep"] == "p" and one["unassigned.reason"] == "ALLOCATION_FAILED"
    ]
    return "; ".join(failed) or None


def count(client: OpenSearch, index: str, without: Sequence[str] = ()) -> int:
    """Entries in an index, after a refresh.

    Args:
        without: organizations whose entries do not count.

    Raises:
        IncompleteAnswer: not every shard answered.
    """
    refreshed = ask(client, "POST", f"/{index}/_refresh", timeout=LONG).body["_shards"]
    if refreshed.get("failed"):
        raise IncompleteAnswer("not every shard could be refreshed", where=index)
    removed = {"terms": {"organization.id": list(without)}}
    query = {"query": {"bool": {"must_not": [removed]}}} if without else None
    body = ask(client, "POST", f"/{index}/_count", body=query).body
    whole(body, f"{index}/_count")
    return int(body["count"])


def scratch_name(index: str) -> str:
    """The scratch index for a copy of ``index``."""
    return SCRATCH + index.removeprefix(".ds-")


def restored_name(index: str) -> str:
    """What the copy of ``index`` is called."""
    return RESTORED + index.removeprefix(".ds-")


def present(client: OpenSearch) -> list[str]:
    """Names of the restored indices that are there."""
    path = f"/_resolve/index/{RESTORED}activity-*"
    answer = ask(client, "GET", path, params={"expand_wildcards": "all"})
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
    client: OpenSearch,
    action: Action,
    backing: Backing,
    repository: str,
    before: Archive | None,
    check: Check,
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
        version=before.version if before else None,
    )
    first, last = period(client, backing.name)
    check()
    made = save_archive(client, made)
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
