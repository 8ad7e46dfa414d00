"""One page of the log: its body, and what is made of the answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sidecar_api.failures import BadRequest
from sidecar_api.moments import EARLIEST, written
from sidecar_api.search import facets, histogram, order
from sidecar_api.search.clauses import TRAIL
from sidecar_api.search.order import Position
from sidecar_api.search.parse import Filters
from sidecar_api.search.times import LATEST

SIZES: Final = (25, 50, 100)
DEEPEST: Final = 10_000
"""Entries that numbered pages reach; OpenSearch refuses more. A cursor goes on."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of activities, newest first.

    Attributes:
        total: how many activities there are in all, exactly.
        number: of the page, from 1, as it was asked for.
        as_of: the page shows what had been ingested by then; whole milliseconds.
        first: position of the first activity, for the page before.
        last: position of the last one, for the next page.
        facets: see :func:`sidecar_api.search.facets.result`; by name.
        histogram: see :func:`sidecar_api.search.histogram.result`, or ``None``.
    """

    activities: list[dict[str, Any]]
    total: int
    number: int
    size: int
    as_of: datetime
    first: Position | None
    last: Position | None
    facets: dict[str, list[dict[str, Any]]]
    histogram: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Question:
    """What a page, or its facets or histogram alone, asks OpenSearch for.

    Filters whose own facet is asked for move out of the query, into a ``post_filter`` for the
    hits and into every aggregation but that facet.

    Attributes:
        wall: the reader's clause.
        facets: names, checked.
        contains: text that narrows the facets.
    """

    wall: dict[str, Any]
    filters: Filters
    as_of: datetime
    facets: tuple[str, ...] = ()
    contains: str = ""
    histogram: bool = False

    def body(self) -> dict[str, Any]:
        """Return the body, without size and order."""
        by_name = self.filters.clauses(self.as_of)
        moved = {name: by_name.pop(name) for name in self.facets if name in by_name}
        body: dict[str, Any] = {
            "query": {
                "bool": {"filter": [self.wall, TRAIL, ingested_by(self.as_of), *by_name.values()]}
            },
            "track_total_hits": True,
        }
        if moved:
            body["post_filter"] = {"bool": {"filter": list(moved.values())}}
        aggregations = {
            f"facet_{name}": facets.aggregation(
                name, [clause for own, clause in moved.items() if own != name], self.contains
            )
            for name in self.facets
        }
        if self.histogram:
            aggregations["histogram"] = histogram.aggregation(*self._limits(), list(moved.values()))
        if aggregations:
            body["aggs"] = aggregations
        return body

    def recount(self, answer: dict[str, Any]) -> dict[str, Any] | None:
        """Return the body that counts again what an answer may count too low, or ``None``."""
        found = answer.get("aggregations")
        if not found or not self.facets:
            return None
        made = self.body()
        parts = {
            key: facets.recount(name, made["aggs"][key], found[key])
            for name in self.facets
            for key in [f"facet_{name}"]
        }
        again = {key: part for key, part in parts.items() if part}
        return {**made, "size": 0, "track_total_hits": False, "aggs": again} if again else None

    def correct(self, answer: dict[str, Any], exact: dict[str, Any]) -> None:
        """Put the answer of :meth:`recount` into the first one."""
        for name in self.facets:
            key = f"facet_{name}"
            if key in exact["aggregations"]:
                facets.correct(name, answer["aggregations"][key], exact["aggregations"][key])

    def facets_of(self, answer: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
        """Return the facets of an answer; a log without any index has none."""
        found = answer.get("aggregations")
        if not found:
            return {name: [] for name in self.facets}
        return {
            name: facets.result(name, found[f"facet_{name}"], self.contains) for name in self.facets
        }

    def histogram_of(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Return the histogram of an answer."""
        found = answer.get("aggregations") or {
            "histogram": {"times": {"interval": "1s", "buckets": []}}
        }
        return histogram.result(found["histogram"], *self._limits())

    def _limits(self) -> tuple[datetime | None, datetime | None]:
        start, end = self.filters.limits(self.as_of)
        if start and not end:
            end = max(self.as_of, start)
        return start, end


def body(
    question: Question,
    *,
    size: int,
    number: int = 1,
    after: Position | None = None,
    before: Position | None = None,
) -> dict[str, Any]:
    """Return the body of a page.

    Args:
        size: one of :data:`SIZES`.
        number: of the page, from 1; without a place.
        after, before: one of them: the place that the page follows, or goes before.

    Raises:
        BadRequest: the page is beyond :data:`DEEPEST`.
    """
    made = {**question.body(), "size": size, "sort": order.sort(reverse=before is not None)}
    place = after if after is not None else before
    if place is not None:
        made["search_after"] = place
    else:
        if number * size > DEEPEST:
            raise BadRequest(
                f"Numbered pages end after {DEEPEST:,} entries.",
                parameter="page",
                hint="Go on with cursor (page.next of the answer before), or narrow the filters.",
            )
        made["from"] = (number - 1) * size
    return made


def moment(as_of: datetime | None) -> datetime:
    """Return the moment that a page holds still, in whole milliseconds; default now.

    Raises:
        BadRequest: it is out of range.
    """
    as_of = (as_of or datetime.now(UTC)).astimezone(UTC)
    if not EARLIEST <= as_of < LATEST:
        raise BadRequest("This time is out of range.", parameter="as_of")
    return as_of.replace(microsecond=as_of.microsecond // 1000 * 1000)


def ingested_by(as_of: datetime) -> dict[str, Any]:
    """Return the clause of what the collector had received by then."""
    return {"range": {"event.ingested": {"lte": written(as_of)}}}
