"""Processes out of their stored entries: lists of them, one of them, its entries and output.

A list asks OpenSearch for ids first: one bucket a process over the entries that begin and end
its attempts. Which state a process has is decided by its latest attempt: one that failed and
was tried again is not found among the failed ones. Then the entries of the processes of one
page are folded, as the live ones are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import orjson

from activity_center.clauses import Clause, all_of, any_of
from activity_center.processes import Key, Process, key_of
from activity_center.weights import NO_SOURCES
from sidecar_api.processes.guarded import folded, tell
from sidecar_api.processes.history_query import (
    ATTEMPT,
    ID,
    MARKS,
    RECEIVED,
    Position,
    Wanted,
    buckets,
    entries_of,
    of_attempt,
    of_process,
)
from sidecar_api.processes.replay import replayed
from sidecar_api.processes.silences import Beats
from sidecar_api.processes.turns import Turns
from sidecar_api.search import ask, present, sized
from sidecar_api.search.clauses import ORGANIZATION, in_organization

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

    from sidecar_api.access import Scope

ENTRIES: Final = 1000
"""Entries on a page of them."""
OUTPUT_BYTES: Final = 1024 * 1024
"""Output on a page of it; one piece at least."""
MOST_FOLDED: Final = 20_000
"""Entries of one process that are folded from its beginning, beside its latest ones."""
REPLAY_BYTES: Final = 16 * 1024 * 1024
"""Of how a process went."""
_SMALL: Final = [{"terms": {"event.action": ["process.output", "process.heartbeat"]}}]
_MOVED: Final = [
    *("@timestamp", "event.id", "event.action", "event.sequence", "event.ingested"),
    *("event.reason", "event.outcome", "organization.id", "user.id", "user.name", "user.full_name"),
    *("error", "activity.lens", "activity.sender", "activity.process", "activity.step"),
    *("activity.control", "activity.receipt"),
]
"""What the fold reads of what moves a process."""
_LATEST: Final = 200
_PIECES: Final = 200
_FIRST: Final = 10
"""Entries of one process that were received first: they say whose it is."""
_NEWEST: Final = [
    {ATTEMPT: {"order": "desc", "missing": 1, "unmapped_type": "long"}},
    {"event.sequence": {"order": "desc", "unmapped_type": "long"}},
    {"@timestamp": "desc"},
]
_PER_PROCESS: Final = 50
"""Begins and ends of one process that a row of a list is made of, the latest ones."""


@dataclass(frozen=True, slots=True)
class Found:
    """A page of processes, the one that began last first.

    Attributes:
        processes: as the protocol has them, without steps and output.
        total: how many there are.
        approximate: there are more than :data:`DEEPEST`, or some of the page turned out to be
            in another state.
    """

    processes: list[dict[str, Any]]
    total: int
    approximate: bool


@dataclass(slots=True)
class Batch:
    """A page of entries or of output.

    Attributes:
        next: place of the next page; ``None``: this is the last one.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    next: Position | None = None


class History:
    """Questions about stored processes, each within the scope of a reader.

    Every method raises as :func:`sidecar_api.search.ask.search` does.

    Args:
        client: of the sidecar's own account.
    """

    def __init__(self, client: OpenSearch) -> None:
        self._client = client

    def page(self, scope: Scope, wanted: Wanted, *, number: int, size: int) -> Found:
        """Return a page of the processes that the reader may watch.

        Args:
            number: from 1.
        """
        query = all_of(
            {"term": {"activity.lens": "process"}},
            {"terms": {"event.action": list(MARKS)}},
            scope.processes_query(),
            *wanted.clauses(),
        )
        body = {
            "size": 0,
            "track_total_hits": False,
            "query": query,
            "aggs": {"processes": buckets(wanted), "about": {"cardinality": {"field": ID}}},
        }
        found = ask.search(self._client, body).get("aggregations")
        if not found:
            return Found([], 0, False)
        keys = [(one["key"][0], one["key"][1]) for one in found["processes"]["buckets"]]
        more = found["processes"].get("sum_other_doc_count", 0) > 0
        total = len(keys)
        if more and not wanted.states and not wanted.end:
            total = max(total, found["about"]["value"])
        rows = self.rows(keys[(number - 1) * size : number * size])
        fitting = [
            row
            for row in rows
            if scope.watches(row) and (not wanted.states or _fits(row, wanted.states))
        ]
        return Found(fitting, total, more or len(fitting) < len(rows))

    def keys(self, scope: Scope, id_: str, organization: str | None = None) -> list[Key]:
        """Return the processes of that id that the reader may watch.

        An entry of theirs alone does not show a process: who retried it did not begin it.
        """
        clauses = [of_process(id_), scope.processes_query()]
        if organization is not None:
            clauses.append(in_organization(organization))
        body = {
            "size": 0,
            "track_total_hits": False,
            "query": all_of(*clauses),
            "aggs": {"processes": {"terms": {"field": ORGANIZATION, "missing": "", "size": 10}}},
        }
        found = ask.search(self._client, body).get("aggregations")
        keys = [(one["key"], id_) for one in (found["processes"]["buckets"] if found else ())]
        rows = self.rows(keys)
        return [(row["organization"]["id"], id_) for row in rows if scope.watches(row)]

    def one(self, key: Key) -> tuple[Process, bool] | None:
        """Return a process folded from its entries, and whether that were all of them."""
        body = entries_of(key, size=_LATEST, reverse=True)
        latest = list(sized.hits(self._client, body))
        process = _folded(None, latest)
        if process is None:
            return None
        if len(latest) == _LATEST:  # whose it is must not depend on how far the rest is read
            first = {**entries_of(key, size=_FIRST), "sort": RECEIVED}
            process = _folded(process, sized.hits(self._client, first)) or process
        body = entries_of(key, size=ENTRIES)
        body["query"]["bool"]["must_not"] = [{"term": {"event.action": "process.heartbeat"}}]
        for _ in range(MOST_FOLDED // ENTRIES):
            if len(latest) < _LATEST:
                return process, True
            hits = list(sized.hits(self._client, body))
            process = _folded(process, hits) or process
            if len(hits) < ENTRIES:
                return process, True
            body["search_after"] = hits[-1]["sort"]
        return process, False

    def entries(self, key: Key, after: Position | None = None) -> Batch:
        """Return entries of a process in the order of their times."""
        body = entries_of(key, size=ENTRIES, after=after)
        hits = sized.search(self._client, body)["hits"]["hits"]
        last = hits[-1]["sort"] if len(hits) == ENTRIES else None
        return Batch([present.activity(hit) for hit in hits], last)

    def replay(self, key: Key, *, most: int = MOST_FOLDED) -> tuple[list[dict[str, Any]], bool]:
        """Return how a process went (:mod:`~sidecar_api.processes.replay`), and whether to its end.

        Without what it printed, which has an address of its own, and signs of life but for those
        that ended a silence.

        Args:
            most: entries.
        """
        whole, turns, beats = True, Turns(), Beats(self._client, key, _MOVED)

        def read() -> Iterator[dict[str, Any]]:
            nonlocal whole
            beat: dict[str, Any] | None = None
            after: Position | None = None
            count = 0
            for _ in range(0, most, ENTRIES):
                before = count
                body = {**entries_of(key, size=ENTRIES, after=after), "_source": _MOVED}
                body["query"]["bool"]["must_not"] = _SMALL
                for hit in sized.hits(self._client, body):
                    turns()
                    count += 1
                    after, source = hit["sort"], hit["_source"]
                    if beat is not None and beat["sort"] < after:
                        yield beat["_source"]
                        beat = None
                    yield source
                    if beat is None and source["event"]["action"] == "process.stalled":
                        beat = beats.after(after)
                if count - before < ENTRIES:
                    if beat is not None:
                        yield beat["_source"]
                    return
            whole = False

        frames: list[dict[str, Any]] = []
        room = REPLAY_BYTES
        for frame in replayed(read()):
            room -= len(orjson.dumps(frame))
            if room < 0:
                return frames, False
            frames.append(frame)
        return frames, whole

    def output(
        self, key: Key, *, attempt: int | None, step: str = "", after: Position | None = None
    ) -> Batch:
        """Return output in its order.

        Args:
            attempt: of this one; ``None``: of all.
            step: id or name; empty: of all.
        """
        clauses: list[Clause] = [{"term": {"event.action": "process.output"}}]
        if attempt is not None:
            clauses.append(of_attempt(attempt))
        if step:
            names = ("activity.step.id", "activity.step.name")
            clauses.append(any_of(*({"term": {name: step}} for name in names)))
        body = entries_of(key, *clauses, size=_PIECES, after=after)
        body["_source"] = ["@timestamp", "activity.output", "activity.step", ATTEMPT]
        hits = ask.search(self._client, body)["hits"]["hits"]
        made, room = Batch(), OUTPUT_BYTES
        for hit in hits:
            piece = _piece(hit["_source"])
            room -= len(piece["text"].encode())
            if room < 0 and made.rows:
                return made
            made.rows.append(piece)
            made.next = hit["sort"]
        if len(hits) < _PIECES:
            made.next = None
        return made

    def rows(self, keys: list[Key]) -> list[dict[str, Any]]:
        """Return the rows of a list, whoever may watch them, 100 at most.

        They are folded from begins and ends, what was received first, and the latest entries.
        """
        if not keys:
            return []
        made: dict[Key, Process | None] = dict.fromkeys(keys)
        marks: Clause = {"terms": {"event.action": list(MARKS)}}
        wanted: list[tuple[tuple[Clause, ...], int, Any]] = [
            ((), _FIRST, RECEIVED),
            ((marks,), _PER_PROCESS, _NEWEST),
            ((), 3, _NEWEST),
        ]
        for extra, count, order in wanted:
            for organization in sorted({key[0] for key in keys}):
                ids = [id_ for one, id_ in keys if one == organization]
                for hit in self._some(organization, ids, extra, count, order):
                    key = key_of(hit["_source"])
                    if key in made:
                        made[key] = _folded(made[key], [hit])
        now = datetime.now(UTC)
        rows = (_row(process, now) for process in made.values() if process)
        return [row for row in rows if row is not None]

    def _some(
        self, organization: str, ids: list[str], extra: Iterable[Clause], count: int, order: Any
    ) -> Iterable[dict[str, Any]]:
        """Yield the first entries of each of these processes in that order."""
        body = {
            "size": len(ids),
            "track_total_hits": False,
            "_source": False,
            "query": all_of(
                {"term": {"activity.lens": "process"}},
                {"terms": {ID: ids}},
                in_organization(organization),
                *extra,
            ),
            "collapse": {
                "field": ID,
                "inner_hits": {
                    "name": "some",
                    "size": count,
                    "sort": order,
                    **NO_SOURCES,
                },
            },
        }
        found = [
            hit
            for group in ask.search(self._client, body)["hits"]["hits"]
            for hit in group["inner_hits"]["some"]["hits"]["hits"]
        ]
        for batch in sized.filled(self._client, {"query": body["query"]}, found, lean=True):
            yield from batch


def _fits(row: Mapping[str, Any], states: tuple[str, ...]) -> bool:
    return row["state"] in states or (row["stalled"] and "stalled" in states)


def _row(process: Process, now: datetime) -> dict[str, Any] | None:
    try:
        shown = process.as_dict(now)
    except Exception:
        organization, id_ = process.key
        tell("a process cannot be listed", organization=organization, process=id_)
        return None
    return {name: value for name, value in shown.items() if name not in ("steps", "output")}


def _folded(process: Process | None, hits: Iterable[Mapping[str, Any]]) -> Process | None:
    for hit in hits:
        found = folded(process, hit["_source"])
        process = found[0] if found else process
    return process


def _piece(source: Mapping[str, Any]) -> dict[str, Any]:
    ours = source.get("activity", {})
    output, step = ours.get("output", {}), ours.get("step", {})
    return {
        "attempt": ours.get("process", {}).get("attempt", 1),
        "step": step.get("id") or step.get("name") or "",
        "stream": output.get("stream") or "log",
        "offset": output.get("offset"),
        "text": output.get("text") or "",
        "at": source.get("@timestamp"),
    }
