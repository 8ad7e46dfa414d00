"""The columns of the CSV: fixed, in this order, named by the fields of the vocabulary."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from sidecar_api.export.tree import Tree, tree

COLUMNS: Final[tuple[str, ...]] = (
    "@timestamp",
    "id",
    "event.action",
    "activity.type",
    "event.outcome",
    "activity.result",
    "event.severity",
    "event.reason",
    "message",
    "user.id",
    "user.name",
    "user.full_name",
    "user.email",
    "user.roles",
    "user.effective.id",
    "user.effective.name",
    "user.target.id",
    "user.target.name",
    "user.target.email",
    "organization.id",
    "organization.name",
    "activity.workspace",
    "activity.project",
    "activity.environment",
    "activity.resource.type",
    "activity.resource.id",
    "activity.resource.name",
    "activity.resource.url",
    "activity.resource.parent.type",
    "activity.resource.parent.id",
    "activity.resource.parent.name",
    "source.ip",
    "client.ip",
    "source.geo.country_iso_code",
    "user_agent.original",
    "http.request.id",
    "http.request.method",
    "http.response.status_code",
    "url.path",
    "session.id",
    "activity.token.id",
    "activity.token.name",
    "activity.origin",
    "trace.id",
    "activity.lens",
    "gen_ai.agent.id",
    "gen_ai.agent.name",
    "gen_ai.tool.name",
    "activity.case.id",
    "activity.impact.level",
    "activity.decision.outcome",
    "activity.decision.reason",
    "activity.initiator.id",
    "activity.initiator.name",
    "activity.approver.id",
    "activity.approver.name",
    "activity.retention.class",
    "event.module",
    "event.ingested",
    "event.id",
    "event.hash",
    "activity.modified_fields",
    "activity.changes",
    "activity.old_value",
    "activity.new_value",
    "metadata",
    "other",
)
"""``other`` is what no column before it holds, as one JSON object: nothing is left out.

A new column is put before ``activity.modified_fields`` in a later major version alone, so
that readers may also go by position.
"""

_ROW: Final = {name: place for place, name in enumerate(COLUMNS)}
_OTHER: Final = _ROW["other"]
_TREE: Final = tree({name: place for name, place in _ROW.items() if name != "other"})


def row(activity: Mapping[str, Any], cell: Callable[[Any], Any], empty: Any = None) -> list[Any]:
    """Return the cells of an activity in the order of :data:`COLUMNS`.

    Args:
        activity: as the API shows it.
        cell: makes a cell of a value.
        empty: what stands where there is no value.
    """
    cells: list[Any] = [empty] * len(COLUMNS)
    other = _place(activity, _TREE, cells, cell)
    if other:
        cells[_OTHER] = cell(other)
    return cells


def _place(
    node: Mapping[str, Any], places: Tree, cells: list[Any], cell: Callable[[Any], Any]
) -> dict[str, Any]:
    """Put what has a column into its cell; return the rest."""
    rest: dict[str, Any] = {}
    for key, value in node.items():
        at = places.get(key)
        if type(at) is int:
            cells[at] = cell(value)
        elif at is not None and type(value) is dict:
            if left := _place(value, at, cells, cell):
                rest[key] = left
        else:
            rest[key] = value
    return rest
