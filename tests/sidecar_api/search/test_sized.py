"""Large entries: never more of them at once than OpenSearch can hold, and none is missed."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from activity_center.canonical import LARGE_BYTES
from activity_center.vocabulary import fields
from activity_center.weights import BATCH_BYTES
from sidecar_api.search import Search, sized
from tests.sidecar_api.search.log import NOON, Log, document, filters
from tests.weighed import Weighed

LONG = 900_000
"""Characters of metadata of a large entry: nine of them are just under a batch."""


def fill(log: Log, count: int) -> list[str]:
    """Entries of which every third is large; return their event ids, newest first."""
    made: list[dict[str, Any]] = []
    for number in range(count):
        large: dict[str, Any] = {}
        if number % 3 == 0:
            metadata = {f"k{part}": "x" * 30_000 for part in range(LONG // 30_000)}
            large = {"metadata": metadata, "activity__size": LONG}
        at = NOON + timedelta(seconds=number)
        made.append(document(id=f"{number:03}", at=at, **large))
    for start in range(0, count, 20):
        log.add(*made[start : start + 20])
    return [f"{number:03}" for number in reversed(range(count))]


def is_large(id_: str) -> bool:
    """Whether :func:`fill` made a large entry of it."""
    return int(id_) % 3 == 0


@pytest.fixture(scope="module")
def filled(table: Log) -> tuple[Log, list[str]]:
    """A log with 30 entries, ten of them large."""
    return table, fill(table, 30)


def test_a_list_has_all_and_leaves_out_what_is_long(filled: tuple[Log, list[str]]) -> None:
    """Every entry stands in its place; large ones say that they are told in part alone."""
    log, expected = filled
    page = log.search.page(log, filters(), size=100, histogram=True)
    assert [one["event"]["id"] for one in page.activities] == expected
    assert page.total == len(expected)
    assert page.histogram is not None
    for one in page.activities:
        assert ("partial" in one) == is_large(one["event"]["id"])
        assert "metadata" not in one
        assert one["activity"]["type"]
    recent = log.search.recent(log, count=6)
    assert [one["event"]["id"] for one in recent] == expected[:6]
    assert [one.get("partial", False) for one in recent] == [is_large(id_) for id_ in expected[:6]]


def test_the_entry_itself_is_whole(filled: tuple[Log, list[str]]) -> None:
    """Who opens a large entry gets everything."""
    log, _ = filled
    one = log.search.one(log, f"{log.organization}-003")
    assert one is not None
    assert len(one["metadata"]["k0"]) == 30_000
    assert "partial" not in one


def test_a_reading_has_all_whole(filled: tuple[Log, list[str]]) -> None:
    """An export of large entries misses none, cuts none, and keeps the order; page by page too."""
    log, expected = filled
    for size in (4, 5000):
        hits = list(log.search.scan(log, filters(), page_size=size))
        assert [hit["_source"]["event"]["id"] for hit in hits] == expected
        for hit in hits:
            assert ("metadata" in hit["_source"]) == is_large(hit["_source"]["event"]["id"])
    assert [hit["sort"] for hit in hits] == sorted((hit["sort"] for hit in hits), reverse=True)


def test_no_search_asks_for_more_than_a_batch(filled: tuple[Log, list[str]]) -> None:
    """Sources come in batches that weigh a bounded amount, a large one alone if need be."""
    log, expected = filled
    body = {"query": log.query(), "size": 100, "sort": [{"@timestamp": "desc"}]}
    assert sized.are_large(log.client, body)
    found = sized.ask.search(log.client, sized.without_sources(body))["hits"]["hits"]
    assert not any("_source" in hit for hit in found)
    batches = list(sized.filled(log.client, body, found))
    weights = [
        sum(hit["_source"]["activity"].get("size", LARGE_BYTES) for hit in batch)
        for batch in batches
    ]
    assert len(batches) > 1
    assert max(weights) <= BATCH_BYTES
    assert [hit["_source"]["event"]["id"] for batch in batches for hit in batch] == expected
    none = {**body, "query": {"bool": {"filter": [log.query(), {"term": {"event.id": "001"}}]}}}
    assert not sized.are_large(log.client, none)


def test_what_a_list_has_of_a_large_entry_is_bounded_field_by_field() -> None:
    """Whatever is not left out is a text of bounded length, a number, or a list of known words;
    all of it weighs no more than is reckoned."""
    kept = [one for name, one in fields().items() if name not in sized.LEFT_OUT]
    for one in kept:
        assert one.name == "message" or not one.many or one.values, one.name
        assert one.type not in ("flat_object", "object_disabled", "object_array"), one.name
    texts = sum(len(one.name) + 8 + (one.max_length or 64) for one in kept if not one.many)
    texts += sized.LONGEST - (fields()["message"].max_length or 0)
    listed = sum(1000 * max(map(len, one.values or ())) for one in kept if one.many)
    assert texts + listed <= sized.LEAN_BYTES
    shown = {
        *("event.action", "event.type", "event.outcome", "event.reason", "message", "user.email"),
        *("activity.resource.name", "activity.resource.url", "activity.approver.full_name"),
        *("activity.decision.outcome", "activity.approver.authenticated", "organization.name"),
        *("activity.initiator.email", "source.ip", "gen_ai.agent.name", "activity.result"),
    }
    assert shown <= {one.name for one in kept}


LISTS = {
    "orchestrator__resource__annotation": ["x" * 900] * 1000,
    "activity__approver": {"id": "u", "roles": ["r" * 256] * 1000},
    "activity__receipt": {"undone": ["x" * 900] * 1000},
    "activity__proposal": {"id": "p", "rationale": "x" * 30_000},
    "tags": ["t" * 200] * 1000,
    "message": "m" * 100_000,
}
"""Fields that may be long, each alone."""


def test_no_list_is_a_large_answer_of_opensearch(log: Log) -> None:
    """Whatever it is that makes entries large, and wherever they are listed."""
    size = 910_000
    for name, value in LISTS.items():
        for number in range(4):
            log.add(
                document(
                    id=f"{name}-{number}",
                    event__action="agent.proposal.created",
                    activity__size=size,
                    **{name: value},
                )
            )
    weighed = Weighed(log.client)
    search = Search(weighed.client)
    page = search.page(log, filters(), size=25)
    assert len(page.activities) == 4 * len(LISTS)
    assert all(one["partial"] for one in page.activities)
    assert len(json.dumps(page.activities)) < 100_000
    search.recent(log)
    # A batch of real sizes, of which a long message alone is fetched.
    assert max(weighed.answers) < 1_000_000


def test_entries_that_are_not_large_weigh_as_well(filled: tuple[Log, list[str]]) -> None:
    """Thousands of entries just under what is large are no single answer either."""
    log, expected = filled
    body = {"query": log.query(), "size": 10_000, "sort": [{"@timestamp": "desc"}]}
    small = {**body, "query": {"bool": {"filter": [log.query(), {"term": {"event.id": "001"}}]}}}
    assert [hit["_source"]["event"]["id"] for hit in sized.hits(log.client, small)] == ["001"]
    found = sized.ask.search(log.client, sized.without_sources(body))["hits"]["hits"]
    some = sized.within(found, 2 * LONG + 5 * LARGE_BYTES, lean=False)
    assert [is_large(expected[place]) for place in range(len(some))] == [
        *(False, False, True, False, False, True, False)
    ]
    assert len(sized.within(found, 2 * LONG, lean=True)) == len(found)


def test_new_entries_come_in_part_too(filled: tuple[Log, list[str]]) -> None:
    """The live tail leaves out what is long of large entries, and gives every one."""
    log, expected = filled
    place = log.search.beginning(log, filters(), NOON - timedelta(seconds=1))
    found, _ = log.search.newer(log, filters(), place)
    assert [one["event"]["id"] for one in found] == expected[::-1]
    assert all(("partial" in one) == is_large(one["event"]["id"]) for one in found)
