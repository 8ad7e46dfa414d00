"""What an agent did in each of several organizations, and all that the sidecar asks of it.

The ids of proposal, case and process are the same in each, so that whatever tells them apart is
their organization alone.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from opensearchpy import OpenSearch

from activity_center.agents import shipped_policies
from sidecar_api.access import Scope
from sidecar_api.agents.cases import Cases
from sidecar_api.agents.chains import Chains
from sidecar_api.agents.judging import Judge
from sidecar_api.agents.query import Wanted as WantedChains
from sidecar_api.processes.history import History
from sidecar_api.processes.history_query import Wanted as WantedProcesses

STAGES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("agent", "agent.proposal.created", {"activity.proposal.stage": "proposed"}),
    (
        "agent",
        "agent.proposal.approved",
        {"activity.proposal.stage": "approved", "activity.decision.outcome": "approved"},
    ),
    # Says nothing of the decision: who reads it is told.
    ("agent", "agent.proposal.executed", {"activity.proposal.stage": "completed"}),
    ("process", "process.started", {"event.type": ["start"]}),
    ("process", "process.completed", {"event.type": ["end"]}),
)
"""Lens, action and further fields of the entries of each story."""
_DECIDED = ("activity.decision.", "activity.approver.")

Question = Callable[[OpenSearch, Scope, str], Any]


def told(entry: dict[str, Any], number: int, mark: str, run: str) -> dict[str, Any]:
    """Make an entry one of a story.

    Args:
        entry: of that organization, with dotted names.
        number: which one of :data:`STAGES`.
        mark: whose it is: what they did themselves.
        run: in the ids that all share.
    """
    lens, action, more = STAGES[number]
    made = {
        name: value
        for name, value in entry.items()
        if action != "agent.proposal.executed" or not name.startswith(_DECIDED)
    }
    return made | {
        "event.action": action,
        "activity.lens": lens,
        "activity.case.id": run,
        "activity.proposal.id": run,
        "activity.process.id": run,
        "activity.initiator.id": f"{mark} user.id",
        **more,
    }


def _proposals(client: OpenSearch, scope: Scope, _: str) -> Any:
    """The list of chains, each with what is said of it."""
    chains, judge = Chains(client), Judge(shipped_policies())
    places, more = chains.places(scope, WantedChains(), datetime.now(UTC))
    read = chains.read([one.key for one in places], lean=True)
    return [more, [(judge.row(one), one.hits) for one in read]]


def _proposal(client: OpenSearch, scope: Scope, run: str) -> Any:
    """The chains of one id."""
    chains = Chains(client)
    return [(one.chain, one.hits) for one in chains.read(chains.keys(scope, run))]


def _case(client: OpenSearch, scope: Scope, run: str) -> Any:
    """The case in each organization in which something of it is seen, with its chains."""
    cases, chains = Cases(client), Chains(client)
    stories = [cases.read(scope, run, one) for one in cases.organizations(scope, run, None)]
    return [(one, chains.among(scope, one.organization, one.named | one.called)) for one in stories]


def _processes(client: OpenSearch, scope: Scope, _: str) -> Any:
    """The list of processes."""
    return History(client).page(scope, WantedProcesses(), number=1, size=100)


def _process(client: OpenSearch, scope: Scope, run: str) -> Any:
    """All that can be asked of a process."""
    history = History(client)
    return [
        (
            history.one(key),
            history.entries(key),
            history.replay(key),
            history.output(key, attempt=None),
        )
        for key in history.keys(scope, run)
    ]


STORIES: dict[str, Question] = {
    "proposals": _proposals,
    "proposal": _proposal,
    "case": _case,
    "processes": _processes,
    "process": _process,
}
