"""What we ship: the seeds' tables, the ten queries, seven dashboards, and links that lead."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from activity_center.assets import data_folder
from activity_center.dashboards import PAGE, PREFIX, decode, encode, objects
from activity_center.dashboards.build import VERSIONS
from activity_center.dashboards.description import read
from activity_center.dashboards.mapped import mapped
from activity_center.streams import ALERTS_STREAM, LENS_PATTERNS, REJECTED_STREAM
from activity_center.vocabulary import actions
from sidecar_api.asking_chains import FILTERS as OF_PROPOSALS
from sidecar_api.processes.history_query import STATES
from sidecar_api.search import FILTERS
from sidecar_api.search.filters import NONE

Json = dict[str, Any]

ROOT = Path(__file__).resolve().parents[2]
OURS = objects()
KNOWN = {(one["type"], one["id"]): one for one in OURS}
DESCRIBED = {board.id: board for board in read(data_folder("dashboards")).boards}
BOARDS = [one for one in OURS if one["type"] == "dashboard"]
CHARTS = [one for one in OURS if one["type"] == "visualization" and one["references"]]

SEEDS = {
    # Search -> (title, the page's set of columns, what the product's own table shows beside the
    # time, which Discover always puts first).
    "audit-log": (
        "Activity Center audit log",
        "center",
        ["action", "resource", "project", "who", "source", "outcome"],
    ),
    "ai-audit-trail": (
        "AI audit trail",
        "trail",
        ["source", "actor", "approver", "action", "target", "result"],
    ),
    "activity-logs": (
        "Activity Logs",
        "logs",
        ["type", "action", "user", "organization", "workspace", "identifier", "old", "new"],
    ),
    "activity-log": ("Activity Log", "log", ["name", "verb", "user"]),
    "audit-logs": ("Audit Logs", "audit", ["user", "action", "resource", "details"]),
}
FIELDS = {
    "action": "event.action",
    "verb": "event.type",
    "resource": "activity.resource.name",
    "name": "activity.resource.name",
    "target": "activity.resource.name",
    "identifier": "activity.resource.name",
    "project": "activity.project",
    "who": "user.full_name",
    "user": "user.full_name",
    "actor": "activity.initiator.email",
    "approver": "activity.approver.email",
    "source": "activity.origin",
    "outcome": "event.outcome",
    "result": "activity.result",
    "type": "activity.type",
    "organization": "organization.name",
    "workspace": "activity.workspace",
    "old": "activity.old_value",
    "new": "activity.new_value",
    "details": "metadata",
}
QUERIES = {
    *("AI Pilot only", "Denied and expired", "Destructive", "Failed logins", "Deletions"),
    *("Permission changes", "New tokens", "Billing", "Meta-activities", "Rejected events"),
}
DASHBOARDS = {
    *("overview", "audit trail", "AI activity", "processes", "security", "compliance"),
    "collector health",
}


def sets() -> dict[str, list[str]]:
    """The page's sets of columns."""
    text = (ROOT / "sidecar_api/web/columns.js").read_text(encoding="utf-8")
    found = re.search(r"export const SETS = \{(.*?)\};", text, re.S)
    assert found is not None
    lines = re.findall(r"(\w+): \[(.*?)\]", found.group(1))
    return {name: re.findall(r'"(\w+)"', columns) for name, columns in lines}


@pytest.mark.parametrize(("id_", "table"), SEEDS.items(), ids=[*SEEDS])
def test_columns_are_the_products(id_: str, table: tuple[str, str, list[str]]) -> None:
    """A saved search shows the columns of the product's own table in their order, and no other.

    The page has each of them under the same name; it may show more.
    """
    title, name, columns = table
    search = KNOWN["search", PREFIX + id_]["attributes"]
    assert (search["title"], search["columns"]) == (title, [FIELDS[one] for one in columns])
    assert search["sort"] == [["@timestamp", "desc"]]
    assert [one for one in sets()[name] if one in columns] == columns


def test_what_there_is() -> None:
    """Three index patterns of the streams, ten saved queries, seven dashboards."""
    patterns = {one["attributes"]["title"] for one in OURS if one["type"] == "index-pattern"}
    assert patterns == {",".join(LENS_PATTERNS), REJECTED_STREAM, ALERTS_STREAM}
    queries = {one["attributes"]["title"] for one in OURS if one["type"] == "query"}
    assert queries == QUERIES
    titles = {one["attributes"]["title"] for one in BOARDS}
    assert titles == {f"Activity Center: {name}" for name in DASHBOARDS}


def test_ids_are_stable() -> None:
    """An id is on this list for ever: an upgrade finds the object by it, links hold on to it.

    A new object is added here; one that is dropped stays behind in people's Dashboards.
    """
    listed = Path(__file__).with_name("ids.txt").read_text(encoding="utf-8").split()
    assert sorted(f"{type_}/{id_}" for type_, id_ in KNOWN) == listed


def test_versions_that_dashboards_2_11_takes() -> None:
    """The latest migrations of 2.11, whose own numbers are in its sources; queries have none."""
    assert VERSIONS == {
        "index-pattern": "7.6.0",
        "search": "7.9.3",
        "visualization": "7.10.0",
        "dashboard": "7.9.3",
    }
    for one in OURS:
        version = VERSIONS.get(one["type"])
        assert one.get("migrationVersion") == ({one["type"]: version} if version else None)


def test_a_title_is_a_question() -> None:
    """Each chart's title asks what the chart answers."""
    for chart in CHARTS:
        assert chart["attributes"]["title"].endswith("?"), chart["id"]
        assert chart["attributes"]["visState"]["title"] == chart["attributes"]["title"]


def leads_to(board: str, chart: str) -> list[tuple[str, str]]:
    """Labels and addresses of a chart's links into the page, by its description."""
    (told,) = [
        one for one in DESCRIBED[board.removeprefix(PREFIX)].charts if f"{board}-{one.id}" == chart
    ]
    kind = "operations" if told.page.startswith("/processes") else "entries"
    same = [(f"these {kind}", told.page)] if told.page else []
    return [*same, *told.near.items()]


def test_each_chart_links_to_its_search_and_the_page() -> None:
    """On each dashboard one table names every question, the search behind it and the page.

    "These entries" is said only where the description claims that they are the same, which
    test_links.py holds against the page's own count.
    """
    for board in BOARDS:
        shown = [KNOWN[one["type"], one["id"]] for one in board["references"]]
        (about,) = [
            one for one in shown if "visState" in one["attributes"] and not one["references"]
        ]
        rows = about["attributes"]["visState"]["params"]["markdown"].splitlines()
        charts = [one for one in shown if one["type"] == "visualization" and one is not about]
        assert charts
        for chart in charts:
            (search,) = [one["id"] for one in chart["references"]]
            (row,) = [row for row in rows if row.startswith(f"| {chart['attributes']['title']} |")]
            assert f"](discover#/view/{search})" in row
            told = re.findall(rf"\[([^]]+)\]\({re.escape(PAGE)}(/[^)]*)\)", row)
            assert told == leads_to(board["id"], chart["id"])


def test_alert_charts_say_what_they_need() -> None:
    """A number of alerts says on its panel that nothing is counted without ``alerts.enabled``."""
    counting = [one for one in CHARTS if one["references"][0]["id"] == f"{PREFIX}alerts"]
    assert len(counting) == 3
    for chart in counting:
        (metric,) = chart["attributes"]["visState"]["aggs"]
        assert metric["params"]["customLabel"] == "alerts (needs alerts.enabled)"
        assert "alerts.enabled; without it this is 0" in chart["attributes"]["description"]


def links() -> list[str]:
    """Every address of the page in any object."""
    text = json.dumps(OURS, ensure_ascii=False)
    return sorted(set(re.findall(rf'{re.escape(PAGE)}(/[^)"\\]*)', text)))


LISTS = {
    # Path -> its filters, each with its closed values if it has any.
    "/": {},
    "/audit": {one.name: tuple(one.choices) for one in FILTERS},
    "/ai/entries": {one.name: tuple(one.choices) for one in FILTERS},
    "/ai": {one.name: tuple(one.schema.get("enum", ())) for one in OF_PROPOSALS},
    "/processes": {"tab": ("history",), "state": STATES},
    "/organizations/northwind/activity-logs": {},
    "/cases/northwind": {},
}


@pytest.mark.parametrize("link", links())
def test_links_into_the_page_lead(link: str) -> None:
    """A link names a path of the page, its filters, and values that these can have."""
    parts = urlsplit(link.replace("{{value}}", "northwind"))
    known = LISTS[parts.path]
    for name, value in parse_qsl(parts.query, strict_parsing=bool(parts.query)):
        assert name in known, name
        if known[name] and "{{value}}" not in link:
            assert value in known[name] or value == NONE
        if name == "action" and "{{value}}" not in link:
            assert value in actions()


def test_formats_fit_their_fields() -> None:
    """A format is given to a field of a type that it is made for."""
    fits = {
        "duration": {"long"},
        "bytes": {"long"},
        "percent": {"double"},
        "color": {"keyword"},
        "static_lookup": {"keyword", "long"},
        "url": {"keyword", "ip"},
    }
    used = set()
    for pattern in (one["attributes"] for one in OURS if one["type"] == "index-pattern"):
        there = mapped(pattern["title"])
        for name, how in pattern["fieldFormatMap"].items():
            assert there[name].type in fits[how["id"]], name
            used.add(how["id"])
    assert used == set(fits)


def test_encoding_is_what_dashboards_keeps() -> None:
    """Encoded, the attributes are texts of JSON; decoded again they are the files'."""
    for one in OURS:
        sent = encode(one)
        for name in ("visState", "panelsJSON", "optionsJSON", "uiStateJSON", "fields"):
            assert isinstance(sent["attributes"].get(name, ""), str)
        assert decode(sent) == one
    odd = {"attributes": {"visState": "{", "kibanaSavedObjectMeta": {"searchSourceJSON": "{"}}}
    assert decode(odd) == odd  # somebody's broken object is no error of ours


def test_the_documentation_has_them_all() -> None:
    """docs/dashboards.md names every question, every search with its columns, every query."""
    page = (ROOT / "docs/dashboards.md").read_text(encoding="utf-8")
    for chart in CHARTS:
        assert f"\n- {chart['attributes']['title']}\n" in page
    for search in (one["attributes"] for one in OURS if one["type"] == "search"):
        columns = ", ".join(f"`{column}`" for column in search["columns"])
        assert f"\n| {search['title']} |" in page and columns in page
    for title in QUERIES:
        assert f"\n| {title} |" in page
