"""Oversight, measured: how people decide on what AI agents propose."""

from __future__ import annotations

from flask import Blueprint, Response

from activity_center.agents.oversight import oversight
from sidecar_api import asking
from sidecar_api import asking_chains as shared
from sidecar_api.conditional import json_answer
from sidecar_api.failures import Forbidden
from sidecar_api.openapi import operation

blueprint = Blueprint("oversight", __name__, url_prefix="/api/v1/oversight")


@blueprint.get("")
@operation(
    "Measure oversight",
    description=(
        "How fast, how often and how thoughtlessly people say yes: one row an approver and "
        "impact, over the proposals that the reader sees. What a rule decided is nobody's; what "
        f"expired or was withdrawn nobody decided. {shared.COUNTED}"
    ),
    parameters=shared.PERIOD,
    answer="Oversight",
    failures=[Forbidden],
    permission=shared.PERMISSION,
)
def measured() -> Response:
    """Every approver whose decisions the reader may know of."""
    asked, scope = asking.arguments(), asking.scope()
    as_of = shared.now()
    wanted = shared.wanted(asked, as_of)
    places, more = shared.chains().places(scope, wanted, as_of)
    rows = oversight(read.chain for read in shared.newest(places, as_of))
    shared.record(scope, wanted, "oversight")
    return json_answer(
        {
            "oversight": [one.as_dict() for one in rows],
            "counted": shared.counted(places, more=more),
        }
    )
