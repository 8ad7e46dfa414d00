"""What the bus no longer has: earlier entries of processes that still run, from OpenSearch.

The bus alone says exactly which change came after which. So an entry that is on it is left out
here, and what is here is folded in before. Where a process began is what the record says: anybody
who may send for an organization can say anew that a process of somebody else has started.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import structlog

from activity_center.clauses import all_of
from activity_center.errors import ActivityCenterError
from activity_center.processes import BEGINS, ENDED_BY, Key, key_of, reading
from sidecar_api.processes.board import MOST, SHOWN_AFTER
from sidecar_api.processes.history_query import RECEIVED
from sidecar_api.search import ask, sized
from sidecar_api.search.clauses import ORGANIZATION, in_organization

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

LOOKS_BACK: Final = timedelta(days=7)
"""A process that began before, and is not on the bus, is not looked for."""
MOST_ENTRIES: Final = 200_000
MOST_OF_ONE: Final = 20_000
"""Entries of one process; of more, the first ones."""
_PAGE: Final = 2_000
_AT_ONCE: Final = 1_000
"""Ids in one question."""
_SAID: Final = (
    *("organization.id", "activity.process", "activity.lens"),
    *("event.action", "event.id"),
)
"""What tells which entry of which process one is."""
_ENDS: Final = (*ENDED_BY.values(), "process.cleaned_up")
_ORGANIZATIONS: Final = 100
"""Organizations with a process of the same id, of which each first entry is looked at."""

_log = structlog.get_logger("sidecar")


class TooMany(ActivityCenterError):
    """There is more than is folded in at a start."""


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
        event = reading.part(activity, "event")
        self.entries.setdefault(key, set()).add(reading.text(event, "id"))
        if event.get("action") == "process.started" and _attempt(activity) == 1:
            self._begun.add(key)

    def has(self, key: Key, entry: Mapping[str, Any]) -> bool:
        """Whether the bus has an entry of a process."""
        return reading.text(reading.part(entry, "event"), "id") in self.entries.get(key, ())

    def whole(self, key: Key) -> bool:
        """Whether the bus has a process from its beginning, as far as it alone can tell."""
        return key in self._begun

    def cut_off(self) -> list[Key]:
        """Return processes of which it has something, and not the beginning."""
        return [key for key in self.entries if key not in self._begun]

    def begun(self) -> list[Key]:
        """Return processes of which it has a beginning."""
        return [*self._begun]


def earlier(
    client: OpenSearch, seen: Seen, *, most: int = MOST_ENTRIES, of_one: int = MOST_OF_ONE
) -> Iterator[dict[str, Any]]:
    """Yield the entries that the bus no longer has.

    Args:
        most: how many.
        of_one: how many of one process.

    Raises:
        Failure: OpenSearch does not answer, or in part.
        TooMany: there are more.
    """
    before = set(_begun_before(client, seen))
    wanted = {*_open(client), *seen.cut_off(), *before}
    ids = sorted({key[1] for key in wanted if key in before or not seen.whole(key)})
    given: Counter[Key] = Counter()
    full: list[Key] = []
    total = 0
    for begin in range(0, len(ids), _AT_ONCE):
        for entry in _entries(client, ids[begin : begin + _AT_ONCE], full):
            key = key_of(entry)
            if key not in wanted or key is None or seen.has(key, entry) or given[key] >= of_one:
                continue
            if total >= most:
                raise TooMany(f"there are more than {most} entries of processes that still run")
            yield entry
            total += 1
            given[key] += 1
            if given[key] == of_one:
                full.append(key)
                _log.warning(
                    "the first entries of a process are folded in, later ones are not",
                    organization=key[0],
                    process=key[1],
                    entries=of_one,
                )


def _begun_before(client: OpenSearch, seen: Seen) -> Iterator[Key]:
    """Processes that begin on the bus, and of which something was received before it."""
    begun = set(seen.begun())
    ids = sorted({id_ for _, id_ in begun})
    for begin in range(0, len(ids), _AT_ONCE):
        body = {
            "size": _AT_ONCE,
            "track_total_hits": False,
            "_source": False,
            "query": all_of({"terms": {"activity.process.id": ids[begin : begin + _AT_ONCE]}}),
            "collapse": {
                "field": "activity.process.id",
                "inner_hits": {
                    "name": "first",
                    "size": _ORGANIZATIONS,
                    "collapse": {"field": ORGANIZATION},
                    "_source": list(_SAID),
                    "sort": RECEIVED,
                },
            },
        }
        for hit in ask.search(client, body)["hits"]["hits"]:
            for first in hit["inner_hits"]["first"]["hits"]["hits"]:
                key = key_of(first["_source"])
                if key in begun and key is not None and not seen.has(key, first["_source"]):
                    yield key


def _open(client: OpenSearch) -> Iterable[Key]:
    """Processes that run, or ended a short while ago, the newest ones."""
    now = datetime.now(UTC)
    body = {
        "size": MOST,
        "track_total_hits": False,
        "_source": list(_SAID),
        "sort": [{"@timestamp": "desc"}],
        "query": all_of(
            {"terms": {"event.action": list(BEGINS)}},
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
            "query": all_of(
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


def _entries(client: OpenSearch, ids: list[str], full: Iterable[Key]) -> Iterator[dict[str, Any]]:
    """Entries of processes with these ids; ``full``: those of which no more are wanted."""
    signs_of_life = {"term": {"event.action": "process.heartbeat"}}
    body: dict[str, Any] = {
        "size": _PAGE,
        "track_total_hits": False,
        "sort": [{"@timestamp": "asc"}, {"event.id": "asc"}],
        "query": {
            "bool": {
                "filter": [{"terms": {"activity.process.id": ids}}],
                "must_not": [signs_of_life],
            }
        },
    }
    while True:
        count, last = 0, None
        for hit in sized.hits(client, body):
            count, last = count + 1, hit["sort"]
            yield hit["_source"]
        body["query"]["bool"]["must_not"] = [
            signs_of_life,
            *(
                all_of({"term": {"activity.process.id": id_}}, in_organization(organization))
                for organization, id_ in full
            ),
        ]
        if count < _PAGE:
            return
        body["search_after"] = last


def _found(client: OpenSearch, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for hit in ask.search(client, body)["hits"]["hits"]:
        yield hit["_source"]


def _attempt(entry: Mapping[str, Any]) -> int:
    return reading.number(reading.part(entry, "activity", "process"), "attempt") or 1
