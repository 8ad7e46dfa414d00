"""What the bus no longer has: earlier entries of processes that still run, from OpenSearch.

The bus alone says exactly which change came after which. So an entry that is on it is left out
here, and what is here is folded in before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from activity_center.processes import key_of
from sidecar_api.processes.board import MOST, SHOWN_AFTER, Key
from sidecar_api.search import ask, sized

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

LOOKS_BACK: Final = timedelta(days=7)
"""A process that began before, and is not on the bus, is not looked for."""
MOST_ENTRIES: Final = 200_000
_PAGE: Final = 2_000
_AT_ONCE: Final = 1_000
"""Ids in one question."""
_BEGINS: Final = ("process.started", "process.retried")
_ENDS: Final = ("process.completed", "process.failed", "process.cancelled", "process.cleaned_up")


class Seen:
    """What the bus has of each process: ids of entries, and whether one is its beginning."""

    def __init__(self) -> None:
        self.entries: dict[Key, set[str]] = {}
        self._begun: set[Key] = set()

    def add(self, activity: Mapping[str, Any]) -> None:
        """Note an entry of the bus."""
        key = key_of(activity)
        if key is None:
            return
        event = activity.get("event", {})
        self.entries.setdefault(key, set()).add(str(event.get("id")))
        if event.get("action") == "process.started":
            self._begun.add(key)

    def whole(self, key: Key) -> bool:
        """Whether the bus has a process from its beginning."""
        return key in self._begun

    def cut_off(self) -> list[Key]:
        """Return processes of which it has the end alone."""
        return [key for key in self.entries if key not in self._begun]


def earlier(client: OpenSearch, seen: Seen) -> Iterator[dict[str, Any]]:
    """Yield the entries that the bus no longer has.

    Raises:
        Failure: OpenSearch does not answer, or in part.
    """
    wanted = {*_open(client), *seen.cut_off()}
    ids = sorted({id_ for organization, id_ in wanted if not seen.whole((organization, id_))})
    given = 0
    for begin in range(0, len(ids), _AT_ONCE):
        for entry in _entries(client, ids[begin : begin + _AT_ONCE]):
            key = key_of(entry)
            if key not in wanted or key is None:
                continue
            if str(entry.get("event", {}).get("id")) in seen.entries.get(key, ()):
                continue
            yield entry
            given += 1
            if given >= MOST_ENTRIES:
                return


def _open(client: OpenSearch) -> Iterable[Key]:
    """Processes that run, or ended a short while ago, the newest ones."""
    now = datetime.now(UTC)
    body = {
        "size": MOST,
        "track_total_hits": False,
        "_source": ["organization.id", "activity.process", "activity.lens", "event.action"],
        "sort": [{"@timestamp": "desc"}],
        "query": _all(
            {"terms": {"event.action": list(_BEGINS)}},
            {"range": {"@timestamp": {"gte": (now - LOOKS_BACK).isoformat()}}},
        ),
    }
    began: dict[Key, int] = {}
    for entry in _found(client, body):
        key = key_of(entry)
        if key is not None:
            began[key] = max(began.get(key, 0), _attempt(entry))
    ids = sorted({id_ for _, id_ in began})
    for begin in range(0, len(ids), _AT_ONCE):
        ended = {
            **body,
            "size": 10_000,
            "query": _all(
                {"terms": {"event.action": list(_ENDS)}},
                {"terms": {"activity.process.id": ids[begin : begin + _AT_ONCE]}},
                {"range": {"@timestamp": {"lt": (now - SHOWN_AFTER).isoformat()}}},
            ),
        }
        for entry in _found(client, ended):
            key = key_of(entry)
            if key is not None and _attempt(entry) >= began.get(key, 0):
                began.pop(key, None)
    return began


def _entries(client: OpenSearch, ids: list[str]) -> Iterator[dict[str, Any]]:
    body: dict[str, Any] = {
        "size": _PAGE,
        "track_total_hits": False,
        "sort": [{"@timestamp": "asc"}, {"event.id": "asc"}],
        "query": {
            "bool": {
                "filter": [{"terms": {"activity.process.id": ids}}],
                "must_not": [{"term": {"event.action": "process.heartbeat"}}],
            }
        },
    }
    while True:
        count, last = 0, None
        for hit in sized.hits(client, body):
            count, last = count + 1, hit["sort"]
            yield hit["_source"]
        if count < _PAGE:
            return
        body["search_after"] = last


def _found(client: OpenSearch, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for hit in ask.search(client, body)["hits"]["hits"]:
        yield hit["_source"]


def _all(*clauses: dict[str, Any]) -> dict[str, Any]:
    return {"bool": {"filter": list(clauses)}}


def _attempt(entry: Mapping[str, Any]) -> int:
    said = entry.get("activity", {}).get("process", {}).get("attempt")
    return said if isinstance(said, int) else 1
