"""The short description in ``dashboards/*.yml``, from which the saved objects are made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import yaml

from activity_center.errors import VocabularyError

Kind = Literal["metric", "bars", "line", "rows", "donut", "table"]
T = TypeVar("T")

DEFAULT_SIZES: Final[Mapping[str, tuple[int, int]]] = {
    "metric": (12, 8),
    "bars": (24, 14),
    "line": (24, 14),
    "rows": (24, 14),
    "donut": (16, 14),
    "table": (24, 14),
}
"""Width of 48 columns, and height, of a panel of each kind."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """An index pattern.

    Attributes:
        title: names of streams, separated by commas.
        formats: field -> id of the format and its parameters.
    """

    id: str
    title: str
    description: str
    formats: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Search:
    """A saved search.

    Attributes:
        columns: beside the time, which Discover always shows first.
    """

    id: str
    title: str
    description: str
    pattern: str
    columns: Sequence[str]
    query: str = ""


@dataclass(frozen=True, slots=True)
class Query:
    """A saved query; ``pattern`` is what it is meant for."""

    id: str
    title: str
    description: str
    query: str
    pattern: str = "activities"


@dataclass(frozen=True, slots=True)
class Chart:
    """One visualization.

    Attributes:
        title: the question that it answers.
        value: ``count``, or one of ``unique``, ``average``, ``sum``, ``latest`` (one field) and
            ``percentiles`` (field and percents).
        by: field whose values are listed; a table takes several.
        over: time field of the axis of bars and lines.
        cases: in place of ``by`` or, over time, of ``split``: label -> query. OpenSearch gives
            them in alphabetical order, so they stand in it.
        split: field whose values become the colours.
        share: stacked to 100 %.
        page: path and query at which the Activity Center page shows exactly the entries (or
            processes) that the chart counts; empty: its filters cannot say that.
        near: label -> path and query of what else is worth a look there, and is not the same.
    """

    id: str
    title: str
    kind: Kind
    label: str
    page: str = ""
    near: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    search: str = ""
    query: str = ""
    value: Mapping[str, Any] | Literal["count"] = "count"
    by: Sequence[str] = ()
    over: str = ""
    cases: Mapping[str, str] = field(default_factory=dict)
    split: str = ""
    share: bool = False
    size: int = 10
    panel: Sequence[int] = ()

    @property
    def extent(self) -> tuple[int, int]:
        """Width and height of the panel."""
        return (self.panel[0], self.panel[1]) if self.panel else DEFAULT_SIZES[self.kind]


@dataclass(frozen=True, slots=True)
class Board:
    """One dashboard.

    Attributes:
        search: the saved search behind a chart that names none.
        list: saved search that stands below the charts.
        period: time range when it is opened, such as ``now-30d``.
    """

    id: str
    title: str
    description: str
    search: str
    page: str
    charts: Sequence[Chart]
    list: str = ""
    period: str = "now-30d"


@dataclass(frozen=True, slots=True)
class Description:
    """Everything that is described."""

    patterns: Sequence[Pattern]
    searches: Sequence[Search]
    queries: Sequence[Query]
    boards: Sequence[Board]


def read(folder: Path) -> Description:
    """Read the description.

    Raises:
        VocabularyError: a file cannot be read, or has a key too many or too few.
    """
    boards = []
    for file in sorted(folder.glob("boards/*.yml")):
        board = _load(file)
        charts = _all(Chart, board.pop("charts", []), file)
        boards.append(_one(Board, {"id": file.stem, **board, "charts": charts}, file))
    return Description(
        patterns=_entries(Pattern, folder / "patterns.yml"),
        searches=_entries(Search, folder / "searches.yml"),
        queries=_entries(Query, folder / "queries.yml"),
        boards=boards,
    )


def _entries(kind: type[T], file: Path) -> list[T]:
    found = [{"id": name, **entry} for name, entry in _load(file).items()]
    return _all(kind, found, file)


def _all(kind: type[T], entries: Sequence[dict[str, Any]], file: Path) -> list[T]:
    return [_one(kind, entry, file) for entry in entries]


def _one(kind: type[T], entry: dict[str, Any], file: Path) -> T:
    try:
        return kind(**entry)
    except TypeError as wrong:
        place = f"{file}: {entry.get('id', '?')}"
        raise VocabularyError(str(wrong).partition("() ")[2] or str(wrong), where=place) from wrong


def _load(file: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as wrong:
        raise VocabularyError(f"not readable as YAML: {wrong}", where=str(file)) from wrong
    if not isinstance(found, dict):
        raise VocabularyError("not a mapping", where=str(file))
    return found
