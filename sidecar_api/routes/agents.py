"""The record of AI agents: how much they propose, how it is answered, and what goes wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from flask import Blueprint, Response

from activity_center.agents import Judgement
from sidecar_api import asking
from sidecar_api import asking_chains as shared
from sidecar_api.agents.chains import Read
from sidecar_api.agents.judging import Judge
from sidecar_api.agents.places import Place
from sidecar_api.agents.records import Record, records
from sidecar_api.conditional import json_answer
from sidecar_api.failures import Absent, Forbidden, NotFound
from sidecar_api.openapi import Parameter, operation

blueprint = Blueprint("agents", __name__, url_prefix="/api/v1/agents")

LATEST: Final = 10
"""Proposals that an agent's own record shows."""
_HINT: Final = "GET /api/v1/agents lists those that you may see."


@blueprint.get("")
@operation(
    "List AI agents",
    description="Of each one counts, approval rate, time to decision of people (nearest rank), "
    f"failure and violation rate. {shared.COUNTED}",
    parameters=shared.PERIOD,
    answer="Agents",
    failures=[Forbidden],
    permission=shared.PERMISSION,
)
def agents() -> Response:
    """Every agent that the reader may know of."""
    asked, scope = asking.arguments(), asking.scope()
    judge, as_of = shared.judge(), shared.now()
    wanted = shared.wanted(asked, as_of)
    places, more = shared.chains().places(scope, wanted, as_of)
    made = records((read.chain, said) for read, said in _judged(places, judge, as_of))
    shared.record(scope, wanted, "agents")
    return json_answer({"agents": made, "counted": shared.counted(places, more=more)})


@blueprint.get("/<path:agent>")
@operation(
    "Read the record of one AI agent",
    description=f"By its id, or its name. {shared.COUNTED}",
    parameters=[Parameter("agent", "Its id, else its name.", place="path"), *shared.PERIOD],
    answer="OneAgent",
    failures=[Forbidden, NotFound],
    permission=shared.PERMISSION,
)
def one(agent: str) -> Response:
    """One agent: its record, its tools and its latest proposals."""
    asked, scope = asking.arguments(), asking.scope()
    if not shared.bounded(agent):
        raise _unknown(agent)
    judge, as_of = shared.judge(), shared.now()
    wanted = replace(shared.wanted(asked, as_of), agents=(agent,))
    places, more = shared.chains().places(scope, wanted, as_of)
    record, latest = Record(), list[dict[str, Any]]()
    for read, said in _judged(places, judge, as_of):
        if not _is(read, agent):
            continue
        record.add(read.chain, said)
        if len(latest) < LATEST:
            latest.append(judge.row(read, said))
    if not record.chains:
        places, _ = shared.chains().places(scope, replace(wanted, start=None, end=None), as_of)
        if any(_is(read, agent) for read in shared.newest(places, as_of)):
            # Nobody was denied anything: no trail is to say so.
            raise NotFound("This agent has proposed nothing in this period.", hint=_HINT)
        raise _unknown(agent)
    shared.record(scope, wanted, "agents")
    body: Mapping[str, Any] = {
        **record.as_dict(),
        "counted": shared.counted(places, more=more),
        "tools": record.tools(),
        "latest": latest,
    }
    return json_answer(body)


def _judged(places: list[Place], judge: Judge, as_of: datetime) -> Iterator[tuple[Read, Judgement]]:
    """The newest chains, with what is said of each."""
    for read in shared.newest(places, as_of):
        yield read, judge.of(read)


def _is(read: Read, agent: str) -> bool:
    return agent in (read.chain.agent["id"], read.chain.agent["name"])


def _unknown(agent: str) -> Absent:
    return Absent(
        "There is no such agent, or none of whose proposals you may see any.",
        id_=agent,
        hint=_HINT,
    )
