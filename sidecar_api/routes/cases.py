"""Cases: the whole story of what an agent did, in order."""

from __future__ import annotations

from typing import Any, Final

from flask import Blueprint, Response

from sidecar_api import asking, refusing
from sidecar_api import asking_chains as shared
from sidecar_api.access import Scope
from sidecar_api.agents.cases import MOST, MOST_NAMES, Case, Cases
from sidecar_api.agents.judging import Row
from sidecar_api.conditional import json_answer
from sidecar_api.failures import BadRequest, NotFound
from sidecar_api.openapi import Parameter, operation
from sidecar_api.processes.history import History
from sidecar_api.services import services

blueprint = Blueprint("cases", __name__, url_prefix="/api/v1/cases")

MOST_SHOWN: Final = 100
"""Proposals, and processes, of one answer."""


@blueprint.get("/<path:case>")
@operation(
    "Read the story of a case",
    description=(
        "What was proposed, decided and run, the processes that it started, and what the trail "
        "says of it, in order, as far as the reader may see it. Entries that do not name the case "
        "join by its proposals, their calls and processes, and those that name no case by their "
        f"trace. Up to {MOST:,} entries, {MOST_SHOWN} processes and {MOST_SHOWN} proposals, of the "
        f"first {MOST_NAMES} those first that the policies do not allow. left_out says of what "
        "there is more."
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
            hint=asking.SAY_WHICH,
        )
    if not found:
        raise refusing.absent("case", case)
    story = cases.read(scope, case, found[0])
    proposals, processes = _proposals(scope, story), _processes(scope, story)
    left_out = set(story.cut)
    if len(proposals) > MOST_SHOWN:
        left_out.add("proposals")
    if len(story.processes) > MOST_SHOWN:
        left_out.add("processes")
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
            "proposals": proposals[:MOST_SHOWN],
            "processes": processes,
            "entries": story.entries,
            "whole": not left_out,
            "left_out": sorted(left_out),
        }
    )


def _proposals(scope: Scope, story: Case) -> list[Row]:
    """Those of which the reader may see the whole chain; first what the policies do not allow."""
    judge, chains = shared.judge(), shared.chains()
    seen = chains.among(scope, story.organization, story.named | story.called)
    made: list[tuple[tuple[bool, int], Row]] = []
    for read in chains.walk(seen):
        if story.has(read):
            judgement = judge.of(read)
            order = (not judgement.verdict.violation, read.chain.begun)
            made.append((order, judge.row(read, judgement)))
    return [row for _, row in sorted(made, key=lambda one: one[0])]


def _processes(scope: Scope, story: Case) -> list[dict[str, Any]]:
    """Those that the reader may watch, as a list of them shows them."""
    keys = [(story.organization, one) for one in story.processes[:MOST_SHOWN]]
    return [row for row in History(services().client).rows(keys) if scope.watches(row)]
