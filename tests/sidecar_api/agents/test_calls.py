"""Whose chain what knows a call alone belongs to: of whom the call was claimed by first."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from sidecar_api.moments import written
from tests.sidecar_api.agents.stage import APPROVER, BEGUN, Stage


def add(stage: Stage, what: str, name: str, at: float, sender: str, **values: Any) -> str:
    """Add an entry that came in when it happened; return its id."""
    made = stage.add(
        what,
        name,
        at=at,
        activity__sender=sender,
        event__ingested=written(BEGUN + timedelta(seconds=values.pop("came", at))),
        **values,
    )
    id_: str = made["event"]["id"]
    return id_


def shown(stage: Stage) -> dict[str, tuple[list[str], str]]:
    """Entries and verdict of each chain: the same in the list, alone and in the export."""
    found = {one["id"]: one for one in stage.desk.get("/api/v1/proposals")["proposals"]}
    exported = stage.desk.ask("/api/v1/proposals/export?format=ndjson").text.splitlines()
    lines = [json.loads(line) for line in exported]
    chains = {one["proposal"]["id"] for one in lines if "proposal" in one}
    assert chains == found.keys()
    for id_, one in found.items():
        alone = stage.desk.get(f"/api/v1/proposals/{id_}")
        assert alone["entries"] == one["entries"]
        assert alone["judgement"]["verdict"] == one["judgement"]["verdict"]
    return {id_: (one["entries"], one["judgement"]["verdict"]) for id_, one in found.items()}


def test_another_proposal_takes_no_call_over(stage: Stage) -> None:
    """A run without approval stays with the proposal of its call, whoever proposes that later."""
    call = {"gen_ai__tool__call__id": stage.id("call")}
    first = add(stage, "proposed", "a", 0, "agents", **call)
    run = add(stage, "executing", "", 20, "tools", named=False, **call)
    forged = add(stage, "proposed", "evil", 5, "mallory", came=30, **call)
    claim = {"activity__approver": {**APPROVER, "authenticated": False}}
    yes = add(stage, "approved", "evil", 12, "mallory", came=33, **claim, **call)
    stage.store()
    assert shown(stage) == {
        stage.id("a"): ([first, run], "executed_without_approval"),
        stage.id("evil"): ([forged, yes], "approved"),
    }


def test_a_chain_that_knows_its_call_alone_stays(stage: Stage) -> None:
    """Another's proposal for its call is a chain of its own, in the list as alone."""
    call = {"gen_ai__tool__call__id": stage.id("call")}
    first = add(stage, "proposed", "", 0, "agents", named=False, **call)
    run = add(stage, "executing", "", 20, "agents", named=False, **call)
    forged = add(stage, "proposed", "evil", 5, "mallory", came=30, **call)
    stage.store()
    assert shown(stage) == {
        f"call:{stage.id('call')}": ([first, run], "executed_without_approval"),
        stage.id("evil"): ([forged], "expired"),
    }
