"""Where a chart says "these entries", the page shows as many as the chart counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from activity_center.assets import data_folder
from activity_center.dashboards import PREFIX, objects
from activity_center.dashboards.check import pattern_of
from activity_center.dashboards.description import Chart, read
from tests.dashboards.conftest import Demo
from tests.dashboards.searching import aggregations, leaves, value
from tests.dashboards.test_searches import clauses
from tests.sidecar_api.desk import Desk

Json = dict[str, Any]
Count = Callable[[str], int]

KNOWN = {(one["type"], one["id"]): one for one in objects()}
SAME = {
    f"{PREFIX}{board.id}-{chart.id}": chart
    for board in read(data_folder("dashboards")).boards
    for chart in board.charts
    if chart.page
}


@pytest.fixture(scope="module")
def shown(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Count]:
    """Say how many rows the page has at an address, by the request that it sends there."""
    folder = tmp_path_factory.mktemp("sidecar")
    desk = Desk(folder, demo.cluster, demo.client)

    def total(api: str, query: list[tuple[str, str]]) -> int:
        found = desk.get(f"/api/v1/{api}?{urlencode(query)}", "admin")["page"]
        assert not found.get("approximate")
        return int(found["total"])

    def count(address: str) -> int:
        parts = urlsplit(address)
        query = parse_qsl(parts.query, strict_parsing=bool(parts.query))
        mine = [("organization", one) for one in demo.organizations]
        if parts.path == "/processes":  # its list takes one organization at a time
            filters = [one for one in query if one != ("tab", "history")]
            return sum(total("processes", [*filters, one]) for one in mine)
        lens = {"/audit": [], "/ai/entries": [("lens", "agent")]}[parts.path]
        return total("activities", [*query, *lens, *mine])

    return count


def both(one: Callable[[], int], other: Callable[[], int]) -> tuple[int, int]:
    """Count in both ways while nothing comes: a collector of another test, on the same node,
    writes what expires of these proposals too."""
    for _ in range(5):
        before, first = other(), one()
        if other() == before:
            return first, before
    raise AssertionError("each time something came while it was counted")


@pytest.mark.parametrize(("id_", "chart"), SAME.items(), ids=[*SAME])
def test_the_page_shows_what_the_chart_counts(
    demo: Demo, shown: Count, id_: str, chart: Chart
) -> None:
    """As many entries as the chart is made from; at /processes, as many as it shows."""
    made = KNOWN["visualization", id_]
    title = pattern_of(made, KNOWN)
    assert title is not None
    state = made["attributes"]["visState"]
    aggs = {"aggs": one} if (one := aggregations(state, title)) else {}

    def charted() -> int:
        answer = demo.search(title, clauses(made), size=0, **aggs)
        if chart.page.startswith("/processes"):
            ((_, whole),) = leaves(state, answer["aggregations"])
            return int(value(state, whole))
        return int(answer["hits"]["total"]["value"])

    found, wanted = both(lambda: shown(chart.page), charted)
    assert found == wanted > 0


def test_the_activity_log_is_the_pages(demo: Demo, shown: Count) -> None:
    """The saved search Activity Log and the page's own columns of that name hold the same."""
    search = KNOWN["search", f"{PREFIX}activity-log"]
    title = pattern_of(search, KNOWN)
    assert title is not None
    address = "/audit?lens=audit&verb=create&verb=update&verb=delete"

    def searched() -> int:
        return int(demo.search(title, clauses(search), size=0)["hits"]["total"]["value"])

    found, wanted = both(lambda: shown(address), searched)
    assert found == wanted > 0
