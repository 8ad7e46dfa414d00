"""Searching the log: the only place from which the sidecar asks OpenSearch for activities."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from opensearchpy import OpenSearch

from activity_center.clauses import all_of, any_of
from sidecar_api.ids import LONGEST_ID
from sidecar_api.search import ask, decided, deleted, newer, order, page, present, scan, sized
from sidecar_api.search import facets as faceting
from sidecar_api.search.clauses import TRAIL, broader, in_organization, pattern_length
from sidecar_api.search.newer import Place
from sidecar_api.search.order import Position
from sidecar_api.search.page import Page, Question
from sidecar_api.search.parse import Filters

CARD_ROWS = 6
"""Latest activities of a card on a dashboard, unless it says otherwise."""


class Wall(Protocol):
    """What search needs of a reader's scope."""

    def query(self) -> dict[str, Any]:
        """Return the clause that holds the reader to what they may see."""


class Search:
    """Questions about the log, each within the scope of a reader.

    Every method raises :class:`~sidecar_api.failures.Unavailable` when OpenSearch cannot be
    reached or its answer is not whole, and :class:`~sidecar_api.failures.RateLimited` when it
    has too much to do.

    Args:
        client: of the sidecar's own account.
    """

    def __init__(self, client: OpenSearch) -> None:
        self._client = client

    def page(
        self,
        scope: Wall,
        filters: Filters,
        *,
        size: int,
        number: int = 1,
        after: Position | None = None,
        before: Position | None = None,
        as_of: datetime | None = None,
        facets: Sequence[str] = (),
        histogram: bool = False,
    ) -> Page:
        """Return a page, newest first: one search, and one each for what is deleted and decided.

        Args:
            size: 25, 50 or 100.
            number: from 1; reaches 10,000 entries. Ignored beside a position.
            after: position; the page begins behind it.
            before: position; the page ends before it.
            as_of: only what had been ingested by then; default now. Give it for every further
                page, and new entries move nothing.
            facets: names of facets to count.
            histogram: whether to count over time.

        Raises:
            BadRequest: no such size, number, position or facet.
        """
        question = Question(
            scope.query(), filters, page.moment(as_of), tuple(dict.fromkeys(facets)), "", histogram
        )
        body = page.body(question, size=size, number=number, after=after, before=before)
        answer = sized.search(self._client, body)
        hits = answer["hits"]["hits"]
        if before is not None:
            hits.reverse()
        return Page(
            activities=self._activities(question.wall, hits),
            total=answer["hits"]["total"]["value"],
            number=number,
            size=size,
            as_of=question.as_of,
            first=hits[0]["sort"] if hits else None,
            last=hits[-1]["sort"] if hits else None,
            facets=self._facets(question, answer),
            histogram=question.histogram_of(answer) if histogram else None,
        )

    def one(self, scope: Wall, id_: str) -> dict[str, Any] | None:
        """Return the activity with this id, or ``None`` if this reader sees none."""
        if not 0 < len(id_) <= LONGEST_ID:
            return None
        wall = scope.query()
        body = {
            "size": 1,
            "query": {"bool": {"filter": [wall, TRAIL, {"ids": {"values": [id_]}}]}},
            "track_total_hits": False,
        }
        found = self._activities(wall, ask.search(self._client, body)["hits"]["hits"])
        return found[0] if found else None

    def recent(
        self, scope: Wall, organization: str | None = None, count: int = CARD_ROWS
    ) -> list[dict[str, Any]]:
        """Return the latest activities, of one organization or of all that the reader sees.

        Args:
            organization: its id; :data:`~sidecar_api.search.filters.NONE`: what has none.
        """
        wall = scope.query()
        clauses = [wall, TRAIL]
        if organization is not None:
            clauses.append(in_organization(organization))
        body = {
            "size": count,
            "query": {"bool": {"filter": clauses}},
            "sort": order.sort(),
            "track_total_hits": False,
        }
        return self._activities(wall, sized.search(self._client, body)["hits"]["hits"])

    def seen_of(self, scope: Wall, organizations: Sequence[str]) -> frozenset[str]:
        """Return those of some organizations of which the reader sees an activity."""
        named = sorted(set(organizations))
        wanted = {"terms": {"organization.id": named}}
        body = {
            "size": 0,
            "query": {"bool": {"filter": [scope.query(), TRAIL, wanted]}},
            "aggs": {"seen": {"terms": {"field": "organization.id", "size": len(named)}}},
            "track_total_hits": False,
        }
        buckets = ask.search(self._client, body).get("aggregations", {}).get("seen", {})
        return frozenset(one["key"] for one in buckets.get("buckets", ()))

    def facets(
        self,
        scope: Wall,
        filters: Filters,
        names: Sequence[str],
        *,
        contains: str | None = None,
        as_of: datetime | None = None,
    ) -> dict[str, list[dict[str, Any]]]:
        """Return the values that occur, with counts.

        Args:
            contains: only values (or labels) that have this in them, in any case.

        Raises:
            BadRequest: no such facet, or a text that is too long.
        """
        question = Question(
            scope.query(),
            filters,
            page.moment(as_of),
            tuple(dict.fromkeys(names)),
            faceting.narrowing(contains),
        )
        return self._facets(question, ask.search(self._client, {**question.body(), "size": 0}))

    def histogram(
        self, scope: Wall, filters: Filters, *, as_of: datetime | None = None
    ) -> dict[str, Any]:
        """Return how many activities there are over time, and how many of them failed."""
        question = Question(scope.query(), filters, page.moment(as_of), histogram=True)
        return question.histogram_of(ask.search(self._client, {**question.body(), "size": 0}))

    def scan(
        self,
        scope: Wall,
        filters: Filters,
        *,
        page_size: int = 5000,
        as_of: datetime | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Yield the hits of all that is found (``_id``, ``_source``, ``sort``), newest first.

        Nothing is asked before the first hit is taken. Close the generator to end it early.

        Args:
            page_size: hits fetched at once, up to 10,000.
        """
        question = Question(scope.query(), filters, page.moment(as_of))
        body = {"query": question.body()["query"], "size": page_size, "sort": order.sort()}
        for hits in scan.pages(self._client, body):
            yield from hits

    def beginning(self, scope: Wall, filters: Filters, as_of: datetime | None = None) -> Place:
        """Return the place after all that is there, remembering what of the last minute is.

        Args:
            as_of: after all that had been received by then, such as a page's; default now.
        """
        now = page.moment(as_of)
        edge = Place.at(now)
        (before,) = self._counts(scope, filters, edge)
        body = {
            **self._arrived(scope, filters, now, edge.clause(), page.ingested_by(now)),
            "size": newer.MOST_SEEN + 1,
            "sort": newer.order(reverse=True),
            "_source": False,
        }
        found = ask.search(self._client, body)["hits"]
        return edge.beginning(before, found["total"]["value"], found["hits"][::-1])

    def newer(
        self, scope: Wall, filters: Filters, place: Place, limit: int = 100
    ) -> tuple[list[dict[str, Any]], Place]:
        """Return activities that arrived since a place, in order of arrival, and the next one.

        Args:
            limit: activities at once; when so many come, ask again.
        """
        now = datetime.now(UTC)
        body = {
            **self._arrived(
                scope, filters, now, place.clause(), page.ingested_by(now + newer.AHEAD)
            ),
            "sort": newer.order(),
            "track_total_hits": False,
        }
        # Of one entry there may be two copies for a while (docs/decisions/0002): then what is asked
        # for may be known, and what is new stands behind it.
        size = limit + len(place.seen)
        while True:
            hits = sized.search(self._client, {**body, "size": size})["hits"]["hits"]
            new = {hit["_id"]: hit for hit in hits if newer.digest(hit) not in place.seen}
            if len(new) >= limit or len(hits) < size or size == scan.LARGEST_PAGE:
                break
            size = min(2 * size, scan.LARGEST_PAGE)
        fresh = list(new.values())[:limit]
        return self._activities(scope.query(), fresh), place.advanced(fresh)

    def missed(self, scope: Wall, filters: Filters, place: Place) -> tuple[bool, Place]:
        """Return whether something came later than :meth:`newer` finds, and the place with that."""
        count, recent = self._counts(scope, filters, place, place.recounted())
        return count > place.counted, place.recounted(recent)

    def _counts(self, scope: Wall, filters: Filters, *places: Place) -> list[int]:
        """How many entries there are before each place, at the same moment."""
        asked = {
            str(number): self._arrived(scope, filters, place.counted_at, place.before())["query"]
            for number, place in enumerate(places)
        }
        # Patterns are costly for each time that they stand there, and the same for all places.
        patterns = [one for one in asked["0"]["bool"]["filter"] if pattern_length(one)]
        rest = {name: broader(query) for name, query in asked.items()}
        body = {
            "size": 0,
            "query": all_of(*patterns, any_of(*rest.values())),
            "aggs": {name: {"filter": query} for name, query in rest.items()},
            "track_total_hits": False,
        }
        found = ask.search(self._client, body)["aggregations"]
        return [found[name]["doc_count"] for name in asked]

    def _arrived(
        self, scope: Wall, filters: Filters, now: datetime, *clauses: dict[str, Any]
    ) -> dict[str, Any]:
        found = filters.clauses(now).values()
        return {
            "query": {"bool": {"filter": [TRAIL, scope.query(), *found, *clauses]}},
            "track_total_hits": True,
        }

    def _facets(
        self, question: Question, answer: dict[str, Any]
    ) -> dict[str, list[dict[str, Any]]]:
        if again := question.recount(answer):
            question.correct(answer, ask.search(self._client, again))
        return question.facets_of(answer)

    def _activities(self, wall: dict[str, Any], hits: list[dict[str, Any]]) -> list[dict[str, Any]]:
        made = [present.activity(hit) for hit in hits]
        deleted.mark(self._client, wall, made)
        decided.join(self._client, wall, made)
        return made
