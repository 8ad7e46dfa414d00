"""The words of the record: actions, their kinds and types."""

from __future__ import annotations

from flask import Blueprint, Response

from activity_center import vocabulary
from sidecar_api.conditional import REVALIDATED, json_answer
from sidecar_api.openapi import operation

blueprint = Blueprint("catalogue", __name__, url_prefix="/api/v1")


@blueprint.get("/catalogue")
@operation(
    "Read the catalogue of actions",
    description="Names, labels, types and kinds. Actions beyond it occur too, uncatalogued.",
    answer="Catalogue",
)
def catalogue() -> Response:
    """Every action that the catalogue knows."""
    known = vocabulary.actions().values()
    return json_answer(
        {
            "actions": [
                {
                    "name": one.name,
                    "label": one.label,
                    "type": one.type,
                    "verb": one.verb,
                    "lens": one.lens,
                    "resource_type": one.resource_type,
                    "severity": one.severity,
                    "critical": one.critical,
                    "description": one.description,
                }
                for one in known
            ],
            "verbs": [
                {"name": one.name, "label": one.label, "description": one.description}
                for one in vocabulary.verbs().values()
            ],
            "types": sorted({one.type for one in known}),
        },
        cache=f"private, {REVALIDATED}",
    )
