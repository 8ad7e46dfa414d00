"""Cases: the story of what an agent did, with its proposals and processes."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from tests.sidecar_api.agents.stage import APPROVER, Stage


def test_a_case_tells_the_whole_story_in_order(stage: Stage) -> None:
    """Proposal, decision, execution, the process that it started, what the trail says of it."""
    case = {"activity__case__id": stage.id("case-a")}
    trace = {"trace__id": f"{stage.mark}"}
    stage.chain("a", **trace)
    process = {"activity__process__id": stage.id("prc"), "activity__process__attempt": 1}
    names = ("agent", "tool__name", "tool__call__id", "tool__call__arguments")
    none: dict[str, Any] = dict.fromkeys(f"gen_ai__{name}" for name in names)
    none["activity__proposal__stage"] = None
    for action, at, more in (
        ("process.started", 62, {**process, **case, "activity__process__state": "running"}),
        ("server.update", 63, {**trace, "activity__case__id": None, "activity__lens": "audit"}),
        ("process.completed", 64, {**process, "activity__case__id": None}),
        ("server.update", 70, {**trace, "activity__case__id": stage.id("another")}),
        ("server.create", 80, {"activity__case__id": None}),
    ):
        kind = "process" if action.startswith("process") else "audit"
        fields: dict[str, Any] = {**none, "activity__impact__level": None, **more}
        fields |= {"activity__lens": kind, "event__action": action}
        stage.add("", "x", at=at, named=False, **fields)
    stage.store()
    found = stage.desk.get(f"/api/v1/cases/{stage.id('case-a')}")
    assert [one["event"]["action"] for one in found["entries"]] == [
        "agent.proposal.created",
        "agent.proposal.approved",
        "agent.proposal.executing",
        "process.started",
        "server.update",
        "process.completed",
        "agent.proposal.executed",
    ]
    (proposal,), (process_row,) = found["proposals"], found["processes"]
    assert proposal["judgement"]["verdict"] == "executed_as_approved"
    assert (process_row["id"], process_row["state"]) == (stage.id("prc"), "done")
    assert found["whole"] is True
    assert found["organization"]["id"] == stage.desk.a
    assert found["begun_at"] == "2026-11-20T12:00:00.000Z"
    stage.desk.problem(404, f"/api/v1/cases/{stage.id('none')}")


def test_what_does_not_name_the_case_joins_by_proposal_and_call(stage: Stage) -> None:
    """Decision, run and result are in the story of their proposal, by its id or its call's; what
    names the call and another proposal is of that one."""
    nowhere = {"activity__case__id": None}
    stage.add("proposed", "a", gen_ai__tool__call__id=None)
    stage.add("approved", "a", at=60, **nowhere, activity__approver={**APPROVER})
    stage.add("executing", "a", at=61, named=False, **nowhere)
    stage.add("completed", "a", at=65, named=False, **nowhere)
    call = stage.id("call-a")
    stage.add("proposed", "b", at=70, gen_ai__tool__call__id=call, **nowhere)
    stage.store()
    found = stage.desk.get(f"/api/v1/cases/{stage.id('case-a')}")
    assert [one["activity"]["proposal"]["stage"] for one in found["entries"]] == [
        "proposed",
        "approved",
        "executing",
        "completed",
    ]
    assert (found["whole"], [one["id"] for one in found["proposals"]]) == (True, [stage.id("a")])


def test_what_names_another_case_is_of_that_one(stage: Stage) -> None:
    """Ids of calls repeat: who knows the call alone, and says of which case, is believed."""
    stage.add("proposed", "x")
    call = {"gen_ai__tool__call__id": stage.id("call-x"), "named": False}
    stage.add("executing", "x", at=1, named=False, activity__case__id=None)
    stage.add("completed", "y", at=2, activity__sender="other", **call)
    stage.store()
    found = stage.desk.get(f"/api/v1/cases/{stage.id('case-x')}")
    stages = [one["activity"]["proposal"]["stage"] for one in found["entries"]]
    assert (stages, found["whole"]) == (["proposed", "executing"], True)


def test_a_case_whose_entries_know_calls_alone_has_its_chain(stage: Stage) -> None:
    """As those of Claude Code do; a run that no one else says the case of brings its proposal."""
    case = {
        "activity__case__id": stage.id("prompt"),
        "named": False,
        "activity__approver": APPROVER,
    }
    stage.add("denied", "cc", **case)
    stage.add("completed", "cc", at=5, **case)
    stage.add("proposed", "named", at=10, activity__case__id=None)
    stage.add("completed", "named", at=15, **case)
    stage.add("proposed", "other", at=20)
    stage.add("executing", "other", at=21, activity__case__id=None)
    stage.store()
    found = stage.desk.get(f"/api/v1/cases/{stage.id('prompt')}")
    assert [(one["id"], one["judgement"]["verdict"]) for one in found["proposals"]] == [
        (f"call:{stage.id('call-cc')}", "executed_without_approval"),
        (stage.id("named"), "executed_without_approval"),
    ]
    listed = stage.desk.get("/api/v1/proposals")["proposals"]
    assert found["proposals"] == [one for one in listed[::-1] if one["case"] == stage.id("prompt")]


def many(stage: Stage, count: int) -> str:
    """Store a case of that many approved proposals and a run that nobody approved."""
    case = {"activity__case__id": stage.id("big")}
    for number in range(count):
        stage.chain(f"d{number:03}", "approved", at=number, **case)
    stage.add("executing", "evil", at=500, **case)
    stage.store()
    return f"/api/v1/cases/{stage.id('big')}"


def test_what_is_cut_is_said_and_no_violation_is_cut(stage: Stage) -> None:
    """Harmless proposals with more entries do not crowd out the one that matters."""
    found = stage.desk.get(many(stage, 100))
    assert (len(found["proposals"]), len(found["entries"])) == (100, 201)
    first = found["proposals"][0]
    assert (first["id"], first["judgement"]["violation"]) == (stage.id("evil"), True)
    assert (found["whole"], found["left_out"]) == (False, ["proposals"])


def test_a_case_of_many_proposals_asks_little(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    """Chains are asked for together, not one by one."""
    path = many(stage, 99)
    with caplog.at_level(logging.INFO, "opensearch"):
        found = stage.desk.get(path)
    assert (len(found["proposals"]), found["whole"], found["left_out"]) == (100, True, [])
    searches = [one for one in caplog.messages if "/_search" in one]
    assert 0 < len(searches) < 25


def test_processes_that_are_cut_are_said(stage: Stage) -> None:
    """A hundred are shown, the first ones."""
    none = {"activity__proposal__stage": None, "named": False, "activity__lens": "process"}
    none |= {"gen_ai__tool__call__id": None, "activity__case__id": stage.id("case")}
    for number in range(101):
        stage.add(
            "",
            "x",
            at=number,
            event__action="process.started",
            activity__process__id=stage.id(f"p{number:03}"),
            activity__process__attempt=1,
            **none,
        )
    stage.store()
    found = stage.desk.get(f"/api/v1/cases/{stage.id('case')}")
    shown = [one["id"] for one in found["processes"]]
    assert shown == [stage.id(f"p{number:03}") for number in range(100)]
    assert (found["whole"], found["left_out"]) == (False, ["processes"])
