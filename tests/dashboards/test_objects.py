"""What we ship: the seeds' tables, the ten queries, seven dashboards, and links that lead."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from activity_center.dashboards import PAGE, PREFIX, decode, encode, objects
from activity_center.dashboards.build import VERSIONS
from activity_center.dashboards.mapped import mapped
from activity_center.streams import ALERTS_STREAM, LENS_PATTERNS, REJECTED_STREAM
from activity_center.vocabulary import actions
from sidecar_api.search import FILTERS

Json = dict[str, Any]

ROOT = Path(__file__).resolve().parents[2]
OURS = objects()
KNOWN = {(one["type"], one["id"]): one for one in OURS}
BOARDS = [one for one in OURS if one["type"] == "dashboard"]
CHARTS = [one for one in OURS if one["type"] == "visualization" and one["references"]]

TABLES = {
    # Column of the page (sidecar_api/web/columns.js) -> field; the time always comes first.
    "audit-log": ("center", "Activity Center audit log"),
    "ai-audit-trail": ("trail", "AI audit trail"),
    "activity-logs": ("logs", "Activity Logs"),
    "activity-log": ("log", "Activity Log"),
    "audit-logs": ("audit", "Audit Logs"),
}
TIMES = {"when", "time", "created", "timestamp"}
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
    "ip": "source.ip",
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


@pytest.mark.parametrize(("id_", "table"), TABLES.items(), ids=TABLES)
def test_columns_are_the_pages(id_: str, table: tuple[str, str]) -> None:
    """A saved search shows the columns that the page has for the same product, in their order."""
    name, title = table
    search = KNOWN["search", PREFIX + id_]["attributes"]
    wanted = [FIELDS[column] for column in sets()[name] if column not in TIMES]
    assert (search["title"], search["columns"]) == (title, wanted)
    assert search["sort"] == [["@timestamp", "desc"]]


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


def test_each_chart_links_to_its_search_and_the_page() -> None:
    """On each dashboard one table names every question with the search behind it and the page."""
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
            assert re.search(rf"\[open\]\({re.escape(PAGE)}/[^)]*\) \|$", row), row


def links() -> list[str]:
    """Every address of the page in any object."""
    text = json.dumps(OURS, ensure_ascii=False)
    return sorted(set(re.findall(rf'{re.escape(PAGE)}(/[^)"\\]*)', text)))


@pytest.mark.parametrize("link", links())
def test_links_into_the_page_lead(link: str) -> None:
    """A link names a path of the page, its filters, and values that these can have."""
    parts = urlsplit(link.replace("{{value}}", "northwind"))
    paths = {"/", "/audit", "/ai", "/organizations/northwind/activity-logs"}
    assert parts.path in paths
    known = {one.name: one for one in FILTERS}
    for name, value in parse_qsl(parts.query, strict_parsing=bool(parts.query)):
        if name == "columns":
            assert value in sets()
            continue
        assert name in known, name
        if known[name].choices and "{{value}}" not in link:
            assert value in known[name].choices, value
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
