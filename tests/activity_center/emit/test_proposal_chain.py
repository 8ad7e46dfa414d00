"""What the emitter tells of a proposal is what is read back as its chain."""

from __future__ import annotations

from typing import Any

import pytest

from activity_center.agents.chain import read_chain
from activity_center.emit import Agent
from tests.activity_center.emit.heard import Heard
from tests.activity_center.emit.proposals import JONAS, MIRA, PARAMS, wish


def chain(heard: Heard) -> dict[str, Any]:
    """The chain of all entries so far."""
    return read_chain(heard.events).as_dict()


def test_a_whole_chain(heard: Heard, agent: Agent) -> None:
    """Every part that a chain shows is read back from the entries."""
    with wish(agent, rationale="full", call_id="call_7") as proposal:
        proposal.approved(MIRA, reason="go on", confirmation="api-prod-2", policy=("p4", "3"))
        proposal.executing({**PARAMS, "force": True})
        proposal.result = "resized"
    read = chain(heard)
    assert read["id"] == proposal.id
    assert read["case"] == proposal.id
    assert read["state"] == "completed"
    assert read["complete"]
    assert read["impact"] == {"level": "destructive", "source": "operator"}
    assert read["tool"]["name"] == "resize_disk"
    assert read["tool"]["call_id"] == "call_7"
    assert read["agent"]["name"] == "ops-pilot"
    assert read["agent"]["model"] == "claude-opus"
    assert read["initiator"]["id"] == JONAS["id"]
    assert read["target"]["name"] == "api-prod-2"
    assert read["rationale"] == "full"
    assert read["proposed"]["arguments"] == PARAMS
    (decision,) = read["decisions"]
    assert decision["approver"]["name"] == "mira"
    assert decision["approver"]["roles"] == ["admin"]
    assert decision["confirmation"] == "api-prod-2"
    assert decision["authenticated"] is False
    (execution,) = read["executions"]
    assert execution["arguments"] == {**PARAMS, "force": True}
    assert execution["output"] == "resized"
    assert len(read["entries"]) == 4


@pytest.mark.parametrize(
    "state", ["proposed", "approved", "edited", "denied", "cancelled", "executing", "failed"]
)
def test_each_state(state: str, heard: Heard, agent: Agent) -> None:
    """The state that the program knows is the one that is read back."""
    proposal = wish(agent)
    proposal.created()
    if state == "denied":
        proposal.denied(MIRA)
    elif state == "cancelled":
        proposal.cancelled("no longer needed")
    elif state == "edited":
        proposal.edited({"size_gb": 1}, MIRA)
    elif state != "proposed":
        proposal.approved(MIRA)
    if state in ("executing", "failed"):
        proposal.executing()
    if state == "failed":
        proposal.failed("volume is locked")
    assert chain(heard)["state"] == proposal.state == state
