"""What an ordinary sender can post changes neither what is approved nor who sees and decides."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from activity_center.agents import Judgement, shipped_policies
from activity_center.config import load
from sidecar_api.agents.chains import Chains
from sidecar_api.agents.judging import Judge
from sidecar_api.agents.places import Key
from sidecar_api.app import create_app
from sidecar_api.moments import written
from tests.integration.process import TOKEN, Collector
from tests.sidecar_api.agents.stage import APPROVER, Stage
from tests.sidecar_api.agents.test_decisions import ago, arrived, decide, seen, stored
from tests.sidecar_api.desk import Desk


@pytest.fixture
def deciding(make_desk: Callable[..., Desk], collector: Collector) -> Stage:
    """A sidecar whose decisions go to the collector."""
    return Stage(make_desk(recording={"url": collector.url, "token": "${COLLECTOR_TOKEN}"}))


def received(seconds: float) -> dict[str, Any]:
    """A field: the collector had it so many seconds ago."""
    return {"event__ingested": written(ago(seconds))}


def test_a_backdated_proposal_takes_no_place(deciding: Stage) -> None:
    """The first to be received is the proposal; with another one beside it nothing is approved."""
    deciding.add("proposed", "a", at=ago(60), arguments={"table": "scratch"}, **received(60))
    deciding.store()
    read = seen(deciding, "a")
    assert deciding.one("a")["decide"]["conflict"] is False
    deciding.add("proposed", "a", at=ago(90), arguments={"table": "customers"}, **received(30))
    deciding.store()
    shown = deciding.one("a")
    assert shown["proposed"]["arguments"] == {"table": "scratch"}
    assert shown["decide"]["conflict"] is True
    answer = decide(deciding, "a", seen=read)
    assert answer.status_code == 409
    assert "Different things" in answer.get_json()["detail"]
    edited = {"outcome": "edited", "arguments": {"table": "scratch"}}
    assert decide(deciding, "a", seen=read, **edited).status_code == 409
    assert decide(deciding, "a", outcome="denied").status_code == 200


def test_told_twice_is_no_conflict(deciding: Stage) -> None:
    """The same content under another entry is approved as any other."""
    deciding.add("proposed", "a", at=ago(60), **received(60))
    deciding.add("proposed", "a", at=ago(90), **received(30))
    deciding.store()
    assert deciding.one("a")["decide"]["conflict"] is False
    assert decide(deciding, "a").status_code == 200


def test_an_approval_is_of_what_was_seen(deciding: Stage) -> None:
    """Entry and digest of the proposal: without them 400, with others 409; a denial needs none."""
    digest = {"id": deciding.id("a"), "stage": "proposed", "digest": "hmac-sha256:5b0e"}
    deciding.add("proposed", "a", at=ago(60), activity__proposal=digest)
    deciding.store()
    read = seen(deciding, "a")
    assert read["digest"] == "hmac-sha256:5b0e"
    for wrong in (None, {}, [], {"entry": ""}, {"entry": 1}, {**read, "more": 1}):
        answer = decide(deciding, "a", seen=wrong)
        assert (answer.status_code, answer.get_json()["parameter"]) == (400, "seen"), wrong
    for other in ({"entry": read["entry"]}, {**read, "entry": "e"}, {**read, "digest": "x"}):
        answer = decide(deciding, "a", seen=other)
        assert answer.status_code == 409, other
        assert "not what you have read" in answer.get_json()["detail"]
    assert stored(deciding, "a") == []
    assert decide(deciding, "a", seen=read).status_code == 200


def test_a_claimed_decision_closes_nothing(deciding: Stage) -> None:
    """A person can still deny and approve; who proposed it may withdraw it."""
    for name in ("deny", "yes", "gone"):
        deciding.add("proposed", name, at=ago(60))
    for name in ("deny", "yes"):
        claim = {**APPROVER, "authenticated": False}
        deciding.add("approved", name, at=ago(50), activity__approver=claim)
        deciding.add("approved", name, at=ago(-500), activity__approver=claim)
    deciding.add("cancelled", "gone", at=ago(50), event__action="agent.proposal.cancelled")
    deciding.store()
    assert deciding.one("deny")["decide"]["open"] is True
    assert decide(deciding, "deny", outcome="denied").status_code == 200
    # Also beside a claim that is dated after it, sent again it is the same decision.
    assert decide(deciding, "deny", outcome="denied").status_code == 200
    assert decide(deciding, "yes").status_code == 200
    assert decide(deciding, "yes", outcome="denied").status_code == 409
    assert decide(deciding, "gone").status_code == 409


def test_the_id_of_a_decision_is_not_to_be_told_beforehand(deciding: Stage) -> None:
    """The same wish has another id under another secret, so nobody else can send it first."""
    ids = []
    for secret in (b"s" * 32, b"t" * 32):
        name = secret[:1].decode()
        folder = deciding.desk.file.parent / name
        folder.mkdir(mode=0o700)
        (folder / "secret.key").write_bytes(secret)
        (folder / "secret.key").chmod(0o600)
        deciding.desk.document["sidecar"]["data_dir"] = str(folder)
        deciding.desk.write()
        configured = load(deciding.desk.file, {"COLLECTOR_TOKEN": TOKEN})
        deciding.desk.app = create_app(configured, client=deciding.desk.client)
        if not ids:
            deciding.add("proposed", "a", at=ago(60))
            deciding.store()
            assert decide(deciding, "a", outcome="denied").status_code == 200
            ids.append(arrived(deciding, "a")["event"]["id"])
            again = decide(deciding, "a", outcome="denied")
            assert again.status_code == 200
        else:
            # The other secret makes another id of it: it is another decision on what is decided.
            assert decide(deciding, "a", outcome="denied").status_code == 409


def test_a_decision_on_large_arguments_can_be_recorded(deciding: Stage) -> None:
    """The digest binds them, so neither yes nor no repeats them; a body is bounded."""
    large = {f"k{number:03d}": "x" * 30_000 for number in range(34)}
    for name in ("yes", "no"):
        digest = {"id": deciding.id(name), "stage": "proposed", "digest": "hmac-sha256:5b0e"}
        deciding.add("proposed", name, at=ago(60), activity__proposal=digest, arguments=large)
    deciding.store()
    assert decide(deciding, "yes", reason="x" * 900).status_code == 200
    assert decide(deciding, "no", outcome="denied", reason="x" * 900).status_code == 200
    for name in ("yes", "no"):
        entry = arrived(deciding, name)
        assert "arguments" not in entry["gen_ai"]["tool"]["call"]
    assert arrived(deciding, "yes")["activity"]["proposal"]["digest"] == "hmac-sha256:5b0e"
    deciding.add("proposed", "edited", at=ago(60))
    deciding.store()
    answer = decide(deciding, "edited", outcome="edited", arguments=large)
    assert answer.status_code == 413


def test_another_organization_removes_no_entry(stage: Stage) -> None:
    """An entry of b with the id of a's approval leaves a's chain and evidence as they were."""
    stage.chain("a")
    stage.store()
    approval = next(id_ for one in stage.one("a")["decisions"] if (id_ := one["entry"]))
    other = {"organization__id": stage.desk.b, "activity__proposal__id": stage.id("b")}
    twin = stage.add("proposed", "b", at=-60, id=f"x{approval}", **other)
    stage.desk.client.index(
        index="activity-agent-permanent",
        id=uuid.uuid4().hex,
        body={**twin, "event": {**twin["event"], "id": approval}},
        params={"refresh": "true", "op_type": "create"},
    )
    stage._waiting = []
    query = f"initiator={stage.id('jo')}"
    found = {
        one["id"]: one for one in stage.desk.get(f"/api/v1/proposals?{query}", "admin")["proposals"]
    }
    assert set(found) == {stage.id("a"), stage.id("b")}
    assert found[stage.id("a")]["judgement"]["verdict"] == "executed_as_approved"
    assert len(found[stage.id("a")]["entries"]) == 4
    answer = stage.desk.ask(f"/api/v1/proposals/export?format=ndjson&{query}", "admin")
    assert answer.text.count('{"entry":') == 5


def judged(stage: Stage, name: str, most: int) -> tuple[Any, Judgement]:
    """A chain, read with few entries at once beside another one, and what is said of it."""
    keys = [Key(stage.desk.a, stage.id(one)) for one in (name, "b")]
    read = next(one for one in Chains(stage.desk.client, most).read(keys) if one.key == keys[0])
    return read, Judge(shipped_policies()).of(read)


def test_a_run_is_not_hidden_behind_empty_entries(stage: Stage) -> None:
    """Entries that have a stage are read whatever else is there."""
    stage.add("proposed", "a", at=0)
    for number in range(30):
        stage.add("", "a", at=1 + number / 10, event__action="agent.prompt")
    stage.add("executing", "a", at=50)
    stage.add("completed", "a", at=51, named=False)
    stage.chain("b", "denied")
    stage.store()
    read, said = judged(stage, "a", 20)
    assert (read.whole, read.cut) == (False, False)
    assert said.verdict.key == "executed_without_approval"
    assert read.chain.state == "completed"


def test_of_what_was_not_read_nothing_peaceful_is_said(stage: Stage) -> None:
    """Where even the stages are too many the verdict is unknown, and says why."""
    stage.chain("a", "approved")
    for number in range(30):
        approver = {**APPROVER, "authenticated": True}
        stage.add("approved", "a", at=61 + number / 10, activity__approver=approver)
    stage.chain("b", "denied")
    stage.store()
    read, said = judged(stage, "a", 20)
    assert read.cut is True
    assert said.verdict.key == "unknown"
    assert "not all were read" in said.verdict.explanation
    assert judged(stage, "a", 100)[1].verdict.key == "approved"


def test_another_sender_changes_not_who_sees_it(stage: Stage) -> None:
    """The proposal that came in first says where it belongs, for people and for the program."""
    place = {"activity__workspace": "w1"}
    mine = {"id": stage.desk.people["member"]}
    stage.chain("a", at=0, **place, activity__initiator=mine)
    stage.add(
        "proposed", "a", at=-60, activity__workspace="w2", activity__sender="mallory",
        event__ingested="2026-11-21T00:00:00.000Z",
    )  # fmt: skip
    stranger = {"id": stage.desk.people["stranger"]}
    stage.chain("b", at=0, **place)
    stage.add(
        "proposed", "b", at=-60, activity__initiator=stranger,
        event__ingested="2026-11-21T00:00:00.000Z",
    )  # fmt: skip
    stage.store()
    assert stage.names(who="member") == ["a"]
    assert stage.one("a", "member")["initiator"]["id"] == mine["id"]
    assert stage.names(who="stranger") == []
    stage.desk.problem(404, f"/api/v1/proposals/{stage.id('b')}", "stranger")
