"""The kinds of processes."""

from __future__ import annotations

from flask import Blueprint, Response

from activity_center.processes import channels
from sidecar_api.conditional import REVALIDATED, json_answer
from sidecar_api.openapi import operation
from sidecar_api.services import services

blueprint = Blueprint("channels", __name__, url_prefix="/api/v1")


@blueprint.get("/channels")
@operation(
    "List channels",
    description="The kinds of processes, with their usual steps. Processes may have others.",
    answer="Channels",
)
def listed() -> Response:
    """Shipped and configured channels."""
    found = channels(services().config).values()
    return json_answer(
        {"channels": [one.as_dict() for one in found]}, cache=f"private, {REVALIDATED}"
    )
