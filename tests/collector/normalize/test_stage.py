"""The stage of a chain is stored, also where its producer does not write one."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from activity_center.agents.entry import Entry
from activity_center.vocabulary import actions
from collector.records import Batch, Sender
from tests.collector.pipeline_parts import NOW, pipeline


def entry(action: str, *, lens: str = "", **ours: Any) -> dict[str, Any]:
    """An entry of a producer that writes no stage."""
    return {
        "@timestamp": "2026-11-25T02:34:00Z",
        "event": {"action": action, "id": f"e-{action}"},
        "gen_ai": {"tool": {"name": "restart_service", "call": {"arguments": {"a": 1}}}},
        "activity": {"proposal": {"id": "prp-1"}, **({"lens": lens} if lens else {}), **ours},
    }


def stored(record: dict[str, Any]) -> dict[str, Any]:
    """What becomes of a record."""
    _, entries, rejects = pipeline().process(
        Batch(Sender("agents"), [record], None, "native", "", NOW)
    )
    assert not rejects, rejects
    document: dict[str, Any] = orjson.loads(entries[0].body)
    return document


def proposal(record: dict[str, Any]) -> dict[str, Any]:
    """The group of what is stored."""
    found: dict[str, Any] = stored(record)["activity"].get("proposal", {})
    return found


def test_an_approval_that_writes_no_stage_is_one_all_the_same() -> None:
    """It has the stage that expiry asks for, and the digest of what it approves."""
    record = entry("agent.proposal.approved", decision={"outcome": "approved", "source": "user"})
    found = proposal(record)
    assert found["stage"] == "approved"
    record["activity"]["proposal"]["stage"] = "approved"
    assert found == proposal(record)
    assert found["digest"].startswith("hmac-sha256:")


def test_an_execution_that_writes_no_stage_has_its_digest() -> None:
    """Also where it knows its call alone, and no part of our vocabulary."""
    record = entry("agent.proposal.executing")
    del record["activity"]
    record["gen_ai"]["tool"]["call"]["id"] = "call-1"
    ours = stored(record)["activity"]
    assert ours["proposal"] == {"stage": "executing"}
    assert ours["execution"]["digest"].startswith("hmac-sha256:")


@pytest.mark.parametrize("outcome", ["", "denied", "edited", "weird"])
@pytest.mark.parametrize("result", ["success", "failure"])
def test_stored_is_what_readers_read(outcome: str, result: str) -> None:
    """For every action of the lens the stage is the one that a reader finds without it."""
    found = set()
    for name in [one for one, action in actions().items() if action.lens == "agent"]:
        record = entry(name, **({"decision": {"outcome": outcome}} if outcome else {}))
        record["event"]["outcome"] = result
        due = Entry.of(record).stage
        document = stored(record)
        assert document["activity"]["proposal"].get("stage", "") == due
        assert Entry.of(document).stage == due
        found.add(due)
    by_outcome = {"denied": {"denied"}, "edited": {"approved"}}
    assert found == by_outcome[outcome] if outcome in by_outcome else len(found) > 5


@pytest.mark.parametrize("stage", ["proposed", "executing", "approved"])
def test_what_the_producer_writes_stays(stage: str) -> None:
    """A stage that was sent is stored as it was sent."""
    record = entry("agent.proposal.denied", decision={"outcome": "denied"})
    record["activity"]["proposal"]["stage"] = stage
    assert proposal(record)["stage"] == stage


def test_one_that_is_null_is_none() -> None:
    """A program that writes all members of an object means no other thing."""
    record = entry("agent.proposal.denied")
    record["activity"]["proposal"]["stage"] = None
    assert proposal(record)["stage"] == "denied"


def test_others_get_none() -> None:
    """No entry of another lens, none without an id of a chain, none that moves no chain."""
    others = [
        entry("agent.proposal.approved", lens="audit"),
        entry("user.login", decision={"outcome": "approved"}),
        entry("mine.approved", decision={"outcome": "approved"}),
        entry("agent.proposal.approved", proposal={"rationale": "why"}),
        entry("agent.message"),
    ]
    for record in others:
        assert "stage" not in proposal(record)
    mine = entry("mine.approved", lens="agent", decision={"outcome": "approved"})
    assert proposal(mine)["stage"] == "approved"


def test_odd_values_are_no_defect() -> None:
    """Whatever stands where a group or a word should, the record is kept."""
    for odd in (None, 1, "text", [], [{}], {}):
        for path in (
            ("activity",),
            ("activity", "proposal"),
            ("activity", "lens"),
            ("activity", "decision"),
            ("gen_ai",),
            ("gen_ai", "tool", "call"),
        ):
            record = entry("agent.proposal.approved")
            holder = record
            for key in path[:-1]:
                holder = holder[key]
            holder[path[-1]] = odd
            stored(record)
