"""The signs of life that ended the silences of a process, found for a thousand of them at once.

Whoever sends for a process decides how often it falls silent: with a search for each silence they
would decide how long its replay takes too.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from activity_center.clauses import Clause
from activity_center.processes import Key
from sidecar_api.processes.history_query import Position, entries_of
from sidecar_api.search import ask

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

MOST: Final = 1000
"""Silences that are looked at with one pair of searches."""
_SILENT: Final[Clause] = {"term": {"event.action": "process.stalled"}}
_ALIVE: Final[Clause] = {"term": {"event.action": "process.heartbeat"}}


class Beats:
    """The signs of life of one process that follow on silences.

    Args:
        fields: what is read of each.
    """

    def __init__(self, client: OpenSearch, key: Key, fields: Sequence[str]) -> None:
        self._client = client
        self._key = key
        self._fields = list(fields)
        self._found: dict[int, dict[str, Any]] = {}
        self._until = -1

    def after(self, silence: Position) -> dict[str, Any] | None:
        """Return the first sign of life between a silence and the next one, as a hit.

        One in the very millisecond of the silence does not end it. Raises as
        :func:`sidecar_api.search.ask.search` does.

        Args:
            silence: place of its entry; to be asked for in the order of their times.
        """
        if silence[0] > self._until:
            self._look(silence)
        return self._found.get(silence[0])

    def _look(self, first: Position) -> None:
        """Find the signs of life after this silence and those that follow."""
        body = entries_of(self._key, _SILENT, size=MOST - 1, after=first)
        hits = ask.search(self._client, {**body, "_source": False})["hits"]["hits"]
        times = sorted({first[0], *(hit["sort"][0] for hit in hits)})
        ranges: list[Clause] = [{"from": at + 1, "to": end + 1} for at, end in pairwise(times)]
        ranges.append({"from": times[-1] + 1})
        later: Clause = {"range": {"@timestamp": {"gt": first[0], "format": "epoch_millis"}}}
        body = entries_of(self._key, _ALIVE, later, size=0)
        hit = {"top_hits": {"size": 1, "sort": body.pop("sort"), "_source": self._fields}}
        each = {"field": "@timestamp", "format": "epoch_millis", "ranges": ranges}
        body["aggs"] = {"silences": {"date_range": each, "aggs": {"beat": hit}}}
        found = ask.search(self._client, body).get("aggregations")
        self._found = {
            int(bucket["from"]) - 1: beat
            for bucket in (found["silences"]["buckets"] if found else ())
            for beat in bucket["beat"]["hits"]["hits"]
        }
        self._until = times[-1]
