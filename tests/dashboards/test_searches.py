"""Every chart, saved search and saved query, run as a search over the demo's data."""

from __future__ import annotations

from typing import Any

import pytest

from activity_center.dashboards import objects
from activity_center.dashboards.check import pattern_of
from tests.dashboards.conftest import Demo
from tests.dashboards.searching import aggregations, clause, leaves, value

Json = dict[str, Any]

OBJECTS = objects()
KNOWN = {(one["type"], one["id"]): one for one in OBJECTS}
CHARTS = [one for one in OBJECTS if one["type"] == "visualization" and one["references"]]
SEARCHES = [one for one in OBJECTS if one["type"] == "search"]
QUERIES = [one for one in OBJECTS if one["type"] == "query"]


def clauses(one: Json) -> list[Json]:
    """The queries of an object and of the saved search behind it."""
    title = pattern_of(one, KNOWN)
    assert title is not None
    own = clause(one["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"]["query"], title)
    behind = [KNOWN["search", each["id"]] for each in one["references"] if each["type"] == "search"]
    return [own, *(query for search in behind for query in clauses(search))]


@pytest.mark.parametrize(
    "chart", CHARTS, ids=lambda one: one["id"].removeprefix("activity-center-")
)
def test_no_chart_is_empty(demo: Demo, chart: Json) -> None:
    """A chart's aggregations are accepted by OpenSearch and give something to draw."""
    state, title = chart["attributes"]["visState"], pattern_of(chart, KNOWN)
    assert title is not None
    aggs = {"aggs": made} if (made := aggregations(state, title)) else {}
    answer = demo.search(title, clauses(chart), size=0, **aggs)
    total = answer["hits"]["total"]["value"]
    whole = {"doc_count": total, **answer.get("aggregations", {})}
    found = {keys: value(state, bucket) for keys, bucket in leaves(state, whole)}
    assert total > 0 and found
    assert any(found.values()), found
    if any(one["type"] == "filters" for one in state["aggs"]):
        cases: dict[str, float] = {}
        for keys, count in found.items():
            cases[keys[-1]] = cases.get(keys[-1], 0) + count
        assert all(cases.values()), f"a case without a count: {cases}"
    if any(one["schema"] == "group" for one in state["aggs"]):
        assert len({keys[-1] for keys in found}) > 1, f"one colour only: {found}"


@pytest.mark.parametrize("search", SEARCHES, ids=lambda one: one["id"])
def test_saved_searches_find_entries_in_order(demo: Demo, search: Json) -> None:
    """A saved search finds entries, newest first, and each of its columns has a value in some."""
    title = pattern_of(search, KNOWN)
    assert title is not None
    ((field, order),) = search["attributes"]["sort"]
    answer = demo.search(title, clauses(search), size=50, sort=[{field: order}])
    times = [hit["_source"][field] for hit in answer["hits"]["hits"]]
    assert times and times == sorted(times, reverse=True)
    for column in search["attributes"]["columns"]:
        has = demo.search(title, [*clauses(search), {"exists": {"field": column}}], size=0)
        assert has["hits"]["total"]["value"], column


@pytest.mark.parametrize("query", QUERIES, ids=lambda one: one["id"])
def test_saved_queries_find_some_and_not_all(demo: Demo, query: Json) -> None:
    """A saved query finds something, and (but for the rejected) leaves something out."""
    rejected = query["id"] == "activity-center-rejected-events"
    title = (
        "activity-rejected"
        if rejected
        else KNOWN["index-pattern", "activity-center-activities"]["attributes"]["title"]
    )
    wanted = clause(query["attributes"]["query"], title)
    found = demo.search(title, [wanted], size=0)["hits"]["total"]["value"]
    everything = demo.search(title, [], size=0)["hits"]["total"]["value"]
    assert 0 < found <= everything
    assert rejected or found < everything


def test_the_trail_is_the_pages_trail(demo: Demo) -> None:
    """The search of the audit log finds exactly what the page's trail consists of."""
    from sidecar_api.search.clauses import TRAIL

    search = KNOWN["search", "activity-center-audit-log"]
    title = pattern_of(search, KNOWN)
    assert title is not None
    ours = demo.search(title, clauses(search), size=0)["hits"]["total"]["value"]
    both = demo.search(title, [*clauses(search), dict(TRAIL)], size=0)["hits"]["total"]["value"]
    theirs = demo.search(title, [dict(TRAIL)], size=0)["hits"]["total"]["value"]
    assert ours == both == theirs > 0


def test_the_wildcard_trap(demo: Demo) -> None:
    """What Dashboards sends for a pattern finds nothing on a wildcard field, but on a keyword."""
    title = "activity-audit-*"
    told = {"language": "kuery"}
    on_keyword = clause({"query": "event.action: activity_log*", **told}, title)
    on_wildcard = clause({"query": "event.action.substring: *activity_log*", **told}, title)
    assert demo.search(title, [on_keyword], size=0)["hits"]["total"]["value"] > 0
    assert demo.search(title, [on_wildcard], size=0)["hits"]["total"]["value"] == 0
