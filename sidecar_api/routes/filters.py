"""The filters that lists, facets, exports and the stream take."""

from __future__ import annotations

from flask import Blueprint, Response

from sidecar_api.conditional import REVALIDATED, json_answer
from sidecar_api.openapi import operation
from sidecar_api.search import FACETS, FILTERS

blueprint = Blueprint("filters", __name__, url_prefix="/api/v1")


@blueprint.get("/filters")
@operation("Read the filters", answer="Filters")
def filters() -> Response:
    """Every filter, in the order in which a page would show them."""
    return json_answer(
        {
            "filters": [
                {
                    "name": one.name,
                    "label": one.label,
                    "kind": one.kind,
                    "description": one.description,
                    "values": [
                        {"value": value, "label": label} for value, label in one.choices.items()
                    ],
                    "repeats": one.repeats,
                    "facet": one.name in FACETS,
                }
                for one in FILTERS
            ]
        },
        cache=f"private, {REVALIDATED}",
    )
