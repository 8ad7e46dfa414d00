"""What has no organization is reached by ``-``, wherever a parameter names an organization."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sidecar_api.agents.stage import Stage
from tests.sidecar_api.desk import Desk
from tests.sidecar_api.processes.past import Past

NOWHERE: dict[str, Any] = {"organization__id": None}


@pytest.fixture
def stage(desk: Desk) -> Stage:
    """A proposal of one id, with its case, in organization ``a`` and in none."""
    made = Stage(desk)
    made.chain("twice", "approved")
    made.chain("twice", "denied", **NOWHERE)
    made.chain("own", "denied", at=9, **NOWHERE, activity__initiator={"id": desk.people["member"]})
    made.store()
    return made


def test_of_several_with_one_id_that_of_none_can_be_named(stage: Stage) -> None:
    """A proposal, its evidence and its case; the refusal says how."""
    desk, id_ = stage.desk, stage.id("twice")
    of = {"-": None, desk.a: desk.a}
    paths = (f"proposals/{id_}", f"cases/{stage.id('case-twice')}", f"proposals/{id_}/evidence")
    for path in paths:
        told = desk.problem(400, f"/api/v1/{path}", "admin")
        assert (told["parameter"], "- is that of no organization" in told["hint"]) == (
            "organization",
            True,
        )
        for named, organization in of.items():
            answer = desk.ask(f"/api/v1/{path}?organization={named}", "admin")
            assert answer.status_code == 200, answer.text
            if path.endswith("/evidence"):
                continue
            found = answer.get_json()
            assert (found["organization"]["id"] or None) == organization
        desk.problem(400, f"/api/v1/{path}?organization=", "admin")
        desk.problem(404, f"/api/v1/{path}?organization=-", "owner")
    said = desk.get(f"/api/v1/cases/{stage.id('case-twice')}?organization=-", "admin")
    assert [one["state"] for one in said["proposals"]] == ["denied"]


def test_lists_of_none(stage: Stage) -> None:
    """Proposals, their export and agents; who has no right there sees their own."""
    desk = stage.desk
    for query in ("proposals?organization=-", "proposals?organization=-&tool=resize_disk"):
        found = desk.get(f"/api/v1/{query}", "member")
        assert [one["id"] for one in found["proposals"]] == [stage.id("own")]
    listed = desk.get("/api/v1/proposals?organization=-", "admin")["proposals"]
    assert {stage.id("own"), stage.id("twice")} <= {one["id"] for one in listed}
    assert not any(one["organization"]["id"] for one in listed)
    agents = desk.get("/api/v1/agents?organization=-", "member")
    assert agents["counted"]["of"] == 1
    export = desk.ask("/api/v1/proposals/export?format=csv&organization=-", "member")
    assert export.text.count(stage.id("own")) >= 1
    assert "proposals-none-" in export.headers["Content-Disposition"]


def test_the_card_of_none(desk: Desk) -> None:
    """The latest activities, as the list has them."""
    desk.add(**NOWHERE, user__id=desk.people["member"])
    for path in ("activities/recent", "activities"):
        found = desk.get(f"/api/v1/{path}?organization=-", "member")["activities"]
        assert [one["user"]["id"] for one in found] == [desk.people["member"]]


def test_processes_of_none(desk: Desk) -> None:
    """The history: lists, and all that can be asked of one."""
    past = Past(desk.client)
    past.organization = desk.a
    past.run("one", "completed")
    past.run("one", "failed", at=5, **NOWHERE, user__id=desk.people["member"])
    past.store()
    path = f"/api/v1/processes/{past.id('one')}"
    for rest in ("", "/entries", "/replay", "/output"):
        told = desk.problem(400, f"{path}{rest}", "admin")
        assert "- is that of no organization" in told["hint"]
        assert desk.ask(f"{path}{rest}?organization=-", "admin").status_code == 200
        desk.problem(400, f"{path}{rest}?organization=", "admin")
        desk.problem(404, f"{path}{rest}?organization=-", "owner")
    assert desk.get(f"{path}?organization=-", "admin")["process"]["state"] == "failed"
    assert desk.get(f"{path}?organization={desk.a}", "admin")["process"]["state"] == "done"
    rows = desk.get("/api/v1/processes?organization=-", "member")["processes"]
    assert [(one["id"], one["state"]) for one in rows] == [(past.id("one"), "failed")]
