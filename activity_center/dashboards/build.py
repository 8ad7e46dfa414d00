"""From the description to saved objects, as they stand in ``dashboards/objects/``.

In these files the attributes that Dashboards keeps as JSON text (``visState``,
``panelsJSON``, …) are plain JSON, so that people can read and compare them;
:mod:`activity_center.dashboards.bundle` writes them as Dashboards wants them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from activity_center.dashboards.charts import markdown, vis_state
from activity_center.dashboards.description import Board, Chart, Description, Pattern, Search
from activity_center.dashboards.expand import expand
from activity_center.errors import VocabularyError

Json = dict[str, Any]

PREFIX: Final = "activity-center-"
"""Every id of ours begins with it."""

PAGE: Final = "http://127.0.0.1:8600"
"""Where ``activity-center serve`` listens by default; replaced on export and import."""

VERSIONS: Final = {
    "index-pattern": "7.6.0",
    "search": "7.9.3",
    "visualization": "7.10.0",
    "dashboard": "7.9.3",
}
"""``migrationVersion``: the latest that Dashboards 2.11 knows; a later one is refused with 422.
Saved queries have no migrations."""

_INDEX: Final = "kibanaSavedObjectMeta.searchSourceJSON.index"
_COLUMNS: Final = 48
_LIST_HEIGHT: Final = 22


def saved_id(name: str) -> str:
    """Return the id of what is called ``name`` in the description."""
    return f"{PREFIX}{name}"


def marker(id_: str) -> str:
    """Return what stands at the end of an object's description: how we know it again."""
    return f"[{id_}]"


def build(description: Description) -> list[Json]:
    """Return all objects, what is referred to before what refers to it."""
    made = [_pattern(one) for one in description.patterns]
    made += [
        _object(
            "search",
            one.id,
            {
                "title": one.title,
                "description": _described(one.id, one.description),
                "hits": 0,
                "columns": list(one.columns),
                "sort": [["@timestamp", "desc"]],
                "version": 1,
                "kibanaSavedObjectMeta": _source(expand(one.query), index=True),
            },
            [_reference(_INDEX, "index-pattern", one.pattern)],
        )
        for one in description.searches
    ]
    made += [
        _object(
            "query",
            one.id,
            {
                "title": one.title,
                "description": _described(one.id, one.description),
                "query": {"query": expand(one.query), "language": "kuery"},
            },
            [],
        )
        for one in description.queries
    ]
    for board in description.boards:
        made += _board(board, description)
    return made


def _object(type_: str, name: str, attributes: Json, references: list[Json]) -> Json:
    made: Json = {"type": type_, "id": saved_id(name), "attributes": attributes}
    made["references"] = references
    if type_ in VERSIONS:
        made["migrationVersion"] = {type_: VERSIONS[type_]}
    return made


def _described(name: str, text: str) -> str:
    return f"{text} {marker(saved_id(name))}".strip()


def _reference(name: str, type_: str, to: str) -> Json:
    return {"name": name, "type": type_, "id": saved_id(to)}


def _source(query: str, *, index: bool = False) -> Json:
    source: Json = {"query": {"query": query, "language": "kuery"}, "filter": []}
    if index:
        source["indexRefName"] = _INDEX
    return {"searchSourceJSON": source}


def _pattern(one: Pattern) -> Json:
    attributes = {
        "title": one.title,
        "description": _described(one.id, one.description),
        "timeFieldName": "@timestamp",
        # Empty: Dashboards reads the fields from the streams when it opens the pattern.
        "fields": [],
        "fieldFormatMap": {name: _linked(how) for name, how in one.formats.items()},
    }
    return _object("index-pattern", one.id, attributes, [])


def _linked(how: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give a link's template our page's address where it begins with a path."""
    template = how.get("params", {}).get("urlTemplate", "")
    if not template.startswith("/"):
        return how
    return {**how, "params": {**how["params"], "urlTemplate": PAGE + template}}


def _board(board: Board, description: Description) -> Iterator[Json]:
    panels: list[Json] = []
    references: list[Json] = []
    x = y = tallest = 0
    searches = {one.id: one for one in description.searches}
    for name in {board.list or board.search, board.search, *(one.search for one in board.charts)}:
        if name and name not in searches:
            raise VocabularyError(f"there is no search {name}", where=f"boards/{board.id}.yml")

    def place(type_: str, name: str, title: str, width: int, height: int) -> None:
        nonlocal x, y, tallest
        if x + width > _COLUMNS:
            x, y, tallest = 0, y + tallest, 0
        number = str(len(panels) + 1)
        panels.append(
            {
                "version": "7.9.3",
                "panelIndex": number,
                "panelRefName": f"panel_{len(panels)}",
                "gridData": {"x": x, "y": y, "w": width, "h": height, "i": number},
                "embeddableConfig": {},
                "title": title,
            }
        )
        references.append(_reference(f"panel_{len(panels) - 1}", type_, name))
        x, tallest = x + width, max(tallest, height)

    for chart in board.charts:
        name = f"{board.id}-{chart.id}"
        search = searches[chart.search or board.search]
        yield _visualization(name, chart, search)
        place("visualization", name, chart.title, *chart.extent)
    if board.list:
        place("search", board.list, searches[board.list].title, _COLUMNS, _LIST_HEIGHT)
    about = f"{board.id}-about"
    yield _text(about, f"{board.title}: where to go on", _about(board, searches))
    place("visualization", about, "Where to go on", _COLUMNS, 6 + len(board.charts))
    yield _object(
        "dashboard",
        board.id,
        {
            "title": board.title,
            "description": _described(board.id, board.description),
            "hits": 0,
            "version": 1,
            "timeRestore": True,
            "timeFrom": board.period,
            "timeTo": "now",
            "optionsJSON": {"useMargins": True, "hidePanelTitles": False},
            "panelsJSON": panels,
            "kibanaSavedObjectMeta": _source(""),
        },
        references,
    )


def _visualization(name: str, chart: Chart, search: Search) -> Json:
    text = f"{chart.description} The entries behind it: {search.title}.".strip()
    attributes = {
        "title": chart.title,
        "description": _described(name, text),
        "version": 1,
        "visState": vis_state(chart),
        "uiStateJSON": {},
        "savedSearchRefName": "search_0",
        "kibanaSavedObjectMeta": _source(expand(chart.query)),
    }
    return _object("visualization", name, attributes, [_reference("search_0", "search", search.id)])


def _text(name: str, title: str, text: str) -> Json:
    attributes = {
        "title": title,
        "description": _described(name, ""),
        "version": 1,
        "visState": markdown(title, text),
        "uiStateJSON": {},
        "kibanaSavedObjectMeta": _source(""),
    }
    return _object("visualization", name, attributes, [])


def _about(board: Board, searches: Mapping[str, Search]) -> str:
    """The links of a dashboard: per chart the search behind it and the page."""
    lines = [
        f"[Open in Activity Center]({PAGE}{board.page})",
        "",
        "| Question | Entries behind it | In Activity Center |",
        "|---|---|---|",
    ]
    for chart in board.charts:
        search = chart.search or board.search
        behind = f"[{searches[search].title}](discover#/view/{saved_id(search)})"
        lines.append(f"| {chart.title} | {behind} | {_links(chart)} |")
    return "\n".join(lines)


def _links(chart: Chart) -> str:
    """Where a question leads in the page; what does not show the same has its own words."""
    same = "these operations" if chart.page.startswith("/processes") else "these entries"
    links = {same: chart.page, **chart.near} if chart.page else chart.near
    if not links:
        raise VocabularyError("has neither page nor near", where=chart.id)
    return " · ".join(f"[{label}]({PAGE}{path})" for label, path in links.items())
