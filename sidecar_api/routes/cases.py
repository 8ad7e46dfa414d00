"""Cases: the whole story of what an agent did, in order."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from sidecar_api import asking
from sidecar_api import asking_chains as shared
from sidecar_api.access import Scope
from sidecar_api.agents.cases import MOST, MOST_NAMES, Case, Cases
from sidecar_api.conditional import json_answer
from sidecar_api.failures import BadRequest, NotFound
from sidecar_api.openapi import Parameter, operation
from sidecar_api.processes.history import History
from sidecar_api.services import services

blueprint = Blueprint("cases", __name__, url_prefix="/api/v1/cases")

MOST_PROCESSES = 10


@blueprint.get("/<path:case>")
@operation(
    "Read the story of a case",
    description=(
        "What was proposed, decided and run, the processes that it started, and what the trail "
        "says of it, in order, as far as the reader may see it. Entries that do not name the case "
        "join by its proposals, their calls and processes, and those that name no case by their "
        f"trace. Up to {MOST:,} entries, {MOST_NAMES} proposals and {MOST_PROCESSES} processes."
    ),
    parameters=[Parameter("case", "Its id.", place="path"), shared.IN],
    answer="Case",
    failures=[NotFound],
    permission=shared.PERMISSION,
)
def one(case: str) -> Response:
    """One case."""
    scope = asking.scope()
    organization = shared.organization(asking.arguments()["organization"])
    cases = Cases(services().client)
    found = cases.organizations(scope, case, organization) if shared.bounded(case) else []
    if len(found) > 1:
        raise BadRequest(
            "Several organizations have a case with this id.",
            parameter="organization",
            hint="Say which one.",
        )
    if not found:
        raise NotFound(
            "There is no such case, or none that you may see anything of.",
            hint="Somebody who may see it can tell you its organization.",
        )
    story = cases.read(scope, case, found[0])
    shared.note(scope, case, story.organization)
    times = [entry["@timestamp"] for entry in story.entries]
    names = [(entry.get("organization") or {}).get("name") for entry in story.entries]
    return json_answer(
        {
            "id": case,
            "organization": {
                "id": story.organization,
                "name": next((one for one in names if one), None),
            },
            "begun_at": times[0] if times else None,
            "ended_at": times[-1] if times else None,
            "proposals": _proposals(scope, story),
            "processes": _processes(scope, story),
            "entries": story.entries,
            "whole": story.whole,
        }
    )


def _proposals(scope: Scope, story: Case) -> list[dict[str, Any]]:
    """Those of which the reader may see the whole chain."""
    judge, chains = shared.judge(), shared.chains()
    seen = [key for key in story.chains if key in chains.keys(scope, key.id, story.organization)]
    read = sorted(chains.walk(seen), key=lambda one: one.chain.begun)
    return [judge.row(one) for one in read]


def _processes(scope: Scope, story: Case) -> list[dict[str, Any]]:
    """Those that the reader may watch, as a list of them shows them."""
    history = History(services().client)
    made = []
    for id_ in story.processes[:MOST_PROCESSES]:
        found = history.one((story.organization, id_))
        row = found[0].as_dict() if found else None
        if row is not None and scope.watches(row):
            made.append({k: v for k, v in row.items() if k not in ("steps", "output")})
    return made
