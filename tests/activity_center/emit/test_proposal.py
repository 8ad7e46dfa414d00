"""The chain of an AI agent's action: what each stage's entry says."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any

import pytest

from activity_center.emit import Agent, NotRecorded
from activity_center.errors import ConfigError
from activity_center.vocabulary import actions, fields
from tests.activity_center.emit.heard import TOKEN, Heard
from tests.activity_center.emit.proposals import (
    JONAS,
    MIRA,
    PARAMS,
    Sidecar,
    decided,
    stages,
    wish,
)


def flat(group: dict[str, Any], before: str = "") -> Iterator[str]:
    """Dotted names of all leaves."""
    for name, value in group.items():
        if isinstance(value, dict) and name not in ("arguments", "result"):
            yield from flat(value, f"{before}{name}.")
        else:
            yield before + name


def test_a_chain(heard: Heard, agent: Agent) -> None:
    """Proposal, decision, execution and result are entries of their own, joined by the ids of
    proposal, case and call; each names agent, initiator, impact, target and parameters.
    """
    more = {"conversation_id": "cnv_1", "activity.recommendation.saving.amount": 18}
    with wish(agent, rationale="The disk is 94 % full", call_id="call_7", **more) as proposal:
        proposal.approved(MIRA, reason="go on", confirmation="api-prod-2", policy=("p4", "3"))
        proposal.executing()
        proposal.result = {"status": "ok"}
    proposed, approved, executing, completed = events = heard.events
    names = ["created", "approved", "executing", "executed"]
    assert [one["event"]["action"] for one in events] == [f"agent.proposal.{one}" for one in names]
    assert stages(heard) == ["proposed", "approved", "executing", "completed"]
    for one in events:
        ours, gen_ai = one["activity"], one["gen_ai"]
        assert ours["proposal"]["id"] == ours["case"]["id"] == proposal.id
        assert ours["impact"] == {"level": "destructive", "source": "operator"}
        assert ours["initiator"] == JONAS
        assert ours["resource"] == {"type": "server", "id": "srv_204", "name": "api-prod-2"}
        assert ours["origin"] == "agent"
        assert gen_ai["agent"] == {"id": "agt_ops", "name": "ops-pilot", "version": "2.3"}
        assert gen_ai["request"] == {"model": "claude-opus"}
        assert gen_ai["provider"] == {"name": "anthropic"}
        assert gen_ai["conversation"] == {"id": "cnv_1"}
        assert ours["recommendation"] == {"saving": {"amount": 18}}
        assert gen_ai["tool"]["name"] == "resize_disk"
        assert gen_ai["tool"]["call"]["id"] == "call_7"
        assert gen_ai["tool"]["call"]["arguments"] == PARAMS
        assert one["organization"] == {"id": "northwind"}
    assert [one["user"]["id"] for one in events] == ["usr_jo", "usr_mk", "usr_jo", "usr_jo"]
    assert proposed["activity"]["proposal"]["rationale"] == "The disk is 94 % full"
    expires = datetime.fromisoformat(proposed["activity"]["proposal"]["expires_at"])
    assert 1790 < (expires - datetime.fromisoformat(proposed["@timestamp"])).total_seconds() < 1801
    decision = approved["activity"]["decision"]
    assert decision.pop("wait_ms") >= 0
    said = {"outcome": "approved", "source": "user", "scope": "once", "reason": "go on"}
    assert decision == said
    assert approved["activity"]["approver"] == MIRA
    assert approved["activity"]["confirmation"] == {"text": "api-prod-2"}
    assert approved["activity"]["policy"] == {"id": "p4", "version": "3"}
    assert completed["event"]["outcome"] == "success"
    assert completed["event"]["duration"] >= 0
    assert completed["gen_ai"]["tool"]["call"]["result"] == {"status": "ok"}
    assert completed["activity"]["execution"] == {"output": '{"status": "ok"}'}
    assert "approver" not in executing["activity"]


def test_only_known_words(heard: Heard, agent: Agent) -> None:
    """Every field of every stage is in the vocabulary, no reserved one is set, and every action
    is in the catalogue.
    """
    wish(agent, description="Grows a disk", conversation_id="cnv_1").created()
    with wish(agent) as proposal:
        proposal.edited({"size_gb": 120}, MIRA, reason="less", confirmation="x", policy=("p", "1"))
        proposal.executing()
        proposal.result = "done"
    with wish(agent) as proposal:
        proposal.denied(MIRA, reason="no")
    with wish(agent) as proposal:
        proposal.approved()
    with pytest.raises(OSError), wish(agent) as proposal:
        proposal.executing()
        raise OSError("full")
    with pytest.raises(OSError), wish(agent):
        raise OSError("before")
    known = fields()
    for one in heard.events:
        assert one["event"]["action"] in actions()
        assert one["activity"]["proposal"]["stage"] in known["activity.proposal.stage"].values
        for name in flat(
            {name: one[name] for name in ("activity", "gen_ai", "error") if name in one}
        ):
            assert name in known, name
            assert not known[name].reserved, name


def test_a_denial(heard: Heard, agent: Agent) -> None:
    """A denial is recorded with who and why, and leaving the block adds nothing."""
    with wish(agent) as proposal:
        proposal.denied("usr_mk", reason="not now")
        assert not proposal.decision.allows
    assert stages(heard) == ["proposed", "denied"]
    denied = heard.events[1]
    assert denied["event"]["outcome"] == "failure"
    assert denied["event"]["reason"] == "not now"
    assert denied["activity"]["approver"] == denied["user"] == {"id": "usr_mk"}


def test_edited_parameters_are_those_that_run(heard: Heard, agent: Agent) -> None:
    """After an edit the decision and the execution carry the new parameters."""
    with wish(agent) as proposal:
        proposal.edited({"size_gb": 120}, MIRA)
        assert proposal.arguments == {"size_gb": 120}
        proposal.executing()
    ran = [one["gen_ai"]["tool"]["call"]["arguments"] for one in heard.events]
    assert ran == [PARAMS, *[{"size_gb": 120}] * 3]
    assert heard.events[1]["event"]["action"] == "agent.proposal.edited"
    assert heard.events[1]["activity"]["decision"]["outcome"] == "edited"
    assert stages(heard) == ["proposed", "approved", "executing", "completed"]


def test_no_person_is_no_person(heard: Heard, agent: Agent) -> None:
    """What no person approved is recorded as approved automatically, without an approver."""
    with wish(agent) as proposal:
        proposal.approved()
        proposal.approved(source="config", scope="always")
    first, second = heard.events[1:]
    for one in (first, second):
        assert one["event"]["action"] == "agent.proposal.auto_approved"
        assert one["activity"]["decision"]["outcome"] == "auto_approved"
        assert "approver" not in one["activity"]
        assert one["user"]["id"] == "usr_jo"
    assert first["activity"]["decision"]["source"] == "policy"
    assert second["activity"]["decision"]["source"] == "config"
    assert second["activity"]["decision"]["scope"] == "always"


def test_an_approver_is_never_authenticated_by_its_own_say_so(heard: Heard, agent: Agent) -> None:
    """Whatever the caller's mapping claims, the entry has what names a person and no more."""
    claim = {**MIRA, "authenticated": True, "mfa": True}
    with wish(agent) as proposal:
        proposal.approved(claim)
    one = heard.events[1]
    assert one["activity"]["approver"] == one["user"] == MIRA
    assert one["activity"]["decision"].keys() == {"outcome", "source", "scope", "wait_ms"}


def test_a_tool_that_raises(heard: Heard, agent: Agent) -> None:
    """The execution is on record also when it raises, with the whole error; it goes on."""
    with pytest.raises(OSError, match="volume is locked"), wish(agent) as proposal:
        proposal.approved(MIRA)
        proposal.executing({**PARAMS, "force": True})
        raise OSError("volume is locked")
    assert stages(heard) == ["proposed", "approved", "executing", "failed"]
    failed = heard.events[3]
    assert failed["event"]["outcome"] == "failure"
    assert failed["error"]["type"] == "OSError"
    assert "test_proposal" in failed["error"]["stack_trace"]
    assert failed["activity"]["execution"] == {"error": "volume is locked"}
    assert failed["gen_ai"]["tool"]["call"]["arguments"] == {**PARAMS, "force": True}


def test_what_is_left_undecided_is_withdrawn(heard: Heard, agent: Agent) -> None:
    """Leaving the block without a decision, also by an error, is an entry: nobody will run it."""
    with wish(agent):
        pass
    with pytest.raises(KeyError), wish(agent):
        raise KeyError("x")
    assert stages(heard) == ["proposed", "cancelled"] * 2
    assert heard.events[1]["activity"]["decision"]["outcome"] == "cancelled"
    assert "error" not in heard.events[1]
    assert heard.events[3]["error"]["type"] == "KeyError"


def test_the_case_is_carried(heard: Heard, agent: Agent) -> None:
    """Actions and processes inside the block carry the proposal's case, the agent and the origin;
    what comes after it does not; a surrounding case is kept.
    """
    with wish(agent) as proposal:
        proposal.approved(MIRA)
        proposal.executing()
        with heard.emitter.action("server.resize_disk", resource=("server", "srv_204")):
            pass
        with heard.emitter.process("ssl", "x"):
            pass
    heard.emitter.emit("server.restart")
    with heard.emitter.context(case_id="case_9"), wish(agent):
        heard.emitter.emit("server.stop")
    inside = [*heard.of("server.resize_disk"), *heard.of("process.started")]
    assert len(inside) == 2
    for one in inside:
        assert one["activity"]["case"]["id"] == proposal.id
        assert one["activity"]["origin"] == "agent"
        assert one["gen_ai"]["agent"]["id"] == "agt_ops"
        assert "proposal" not in one["activity"]
    assert "activity" not in heard.of("server.restart")[0]
    assert heard.of("server.stop")[0]["activity"]["case"]["id"] == "case_9"
    assert heard.events[-1]["activity"]["case"]["id"] == "case_9"


def test_the_user_around_is_the_initiator(heard: Heard, agent: Agent) -> None:
    """Unless named, the one who prompted is the user of the surrounding context."""
    with heard.emitter.context(user=JONAS), agent.propose("restart", impact="safe"):
        pass
    for one in heard.events:
        assert one["activity"]["initiator"] == JONAS
        assert one["user"] == JONAS


def test_the_parameters_are_those_of_the_moment(heard: Heard, agent: Agent) -> None:
    """What changes after the proposal does not change its record; what runs is told as it is."""
    params = {"command": "ls"}
    with agent.propose("run", params) as proposal:
        params["command"] = "rm -rf /"
        proposal.executing(params)
    ran = [one["gen_ai"]["tool"]["call"]["arguments"]["command"] for one in heard.events]
    assert ran == ["ls", "rm -rf /", "rm -rf /"]


def test_long_output_is_cut(heard: Heard, agent: Agent) -> None:
    """The output is bounded, and says how much was left out."""
    with agent.propose("run", "not a mapping") as proposal:
        proposal.executing()
        proposal.result = "x" * 150_000
    last = heard.events[-1]
    assert last["gen_ai"]["tool"]["call"] == {
        "id": last["gen_ai"]["tool"]["call"]["id"],
        "arguments": {"value": "not a mapping"},
    }
    assert last["activity"]["execution"]["output"].endswith("x (50000 more characters)")


@pytest.mark.parametrize("id_", ["/", "a/decision", ".", "..", "export"])
def test_an_id_that_no_address_leads_to_is_a_mistake(agent: Agent, id_: str) -> None:
    """Nobody could open such a proposal, or decide on it."""
    with pytest.raises(ConfigError, match="no address"):
        agent.propose("t", {}, proposal_id=id_)


def test_an_unknown_impact_is_a_mistake(agent: Agent) -> None:
    """Impacts are the vocabulary's."""
    with pytest.raises(ConfigError, match="safe, caution, destructive"):
        agent.propose("x", impact="harmless")


def test_waiting_needs_the_sidecar(agent: Agent) -> None:
    """Without controls_url nobody can be asked, and the error says what to do."""
    with pytest.raises(ConfigError, match="controls_url"), wish(agent) as proposal:
        proposal.wait(1)


def test_a_decision_of_the_sidecar(asked: Heard, sidecar: Sidecar) -> None:
    """wait() asks with the sender's token until somebody decided; the record of the decision is
    the sidecar's, so the program adds none.
    """
    sidecar.answers = [404, 503, {"state": "proposed", "decisions": []}, decided("approved")]
    with wish(asked.emitter.agent("agt_ops")) as proposal:
        decision = proposal.wait(30)
        assert decision is not None and decision.allows
        assert decision.by == MIRA
        assert str(decision) == "approved by mira"
        assert proposal.wait(0) is decision
        proposal.executing()
    assert stages(asked) == ["proposed", "executing", "completed"]
    assert sidecar.paths == [f"/api/v1/proposals/{proposal.id}"] * 4
    assert set(sidecar.tokens) == {f"Bearer {TOKEN}"}


def test_nobody_decides(asked: Heard, sidecar: Sidecar) -> None:
    """Without a decision in time there is none; once it expired, that is the decision, which the
    collector records.
    """
    sidecar.answers = [{"state": "proposed", "decisions": []}]
    agent = asked.emitter.agent("agt_ops")
    with wish(agent) as proposal:
        assert proposal.wait(0.3) is None
    assert proposal.state == "cancelled"
    with wish(agent, expires_in=0.3) as proposal:
        decision = proposal.wait()
        assert decision is not None and not decision.allows
    assert (decision.outcome, decision.source) == ("expired", "timeout")
    assert stages(asked) == ["proposed", "cancelled", "proposed"]


def test_giving_up_the_wait(asked: Heard, sidecar: Sidecar) -> None:
    """Another thread can end the wait."""
    proposal = wish(asked.emitter.agent("agt_ops"))
    proposal.created()
    found: list[Any] = []
    waiting = threading.Thread(target=lambda: found.append(proposal.wait()))
    waiting.start()
    proposal.give_up()
    waiting.join(20)
    assert found == [None]


def late(seconds: float) -> Any:
    """An answer that comes after some time."""

    def answer(handler: Any, events: list[Any]) -> None:
        threading.Event().wait(seconds)
        with suppress(BrokenPipeError):  # nobody waits any more
            handler.reply(200, {"items": [{"status": "accepted"}] * len(events)})

    return answer


def test_no_record_no_action(free_port: int, emitter: Any) -> None:
    """With require_record and the collector down, the proposal raises: the block does not run."""
    made = emitter(f"http://127.0.0.1:{free_port}", record_timeout=0.3)
    ran = False
    with pytest.raises(NotRecorded), wish(made.agent("agt_ops", require_record=True)):
        ran = True
    assert not ran


def test_the_collector_goes_down_before_the_execution(collector: Any, emitter: Any) -> None:
    """With require_record, executing() raises when its record cannot be made durable."""
    server = collector()
    made = emitter(server.url, record_timeout=0.5)
    ran = False
    with pytest.raises(NotRecorded), wish(made.agent("agt_ops", require_record=True)) as proposal:
        proposal.approved(MIRA)
        server.answers = [503] * 9
        proposal.executing()
        ran = True
    assert not ran
    tried = [one["activity"]["proposal"]["stage"] for one in server.events]
    assert tried[:2] == ["proposed", "approved"]
    assert set(tried[2:]) == {"executing"}


def test_the_collector_answers_late(collector: Any, emitter: Any) -> None:
    """An answer within record_timeout lets it go on; one after it does not."""
    server = collector()
    made = emitter(server.url, record_timeout=3)
    agent = made.agent("agt_ops", require_record=True)
    server.answers = [late(0.3)]
    with wish(agent) as proposal:
        proposal.approved(MIRA)
        proposal.executing()
    stage = [one["activity"]["proposal"]["stage"] for one in server.events]
    assert stage == ["proposed", "approved", "executing", "completed"]
    slow = emitter(server.url, record_timeout=0.4)
    server.answers = [late(2)]
    with pytest.raises(NotRecorded), wish(slow.agent("agt_ops", require_record=True)):
        raise AssertionError("it ran")


def test_a_result_that_cannot_be_proven_is_kept(collector: Any, emitter: Any, until: Any) -> None:
    """What has run has run: its result is not given up, nor does it raise, so that nobody runs it
    twice; it goes by the queue, as the same event.
    """
    server = collector()
    made = emitter(server.url, record_timeout=0.3)
    with wish(made.agent("agt_ops", require_record=True)) as proposal:
        proposal.executing()
        server.answers = [503]
    until(lambda: made.stats().queued == 0)
    ends = [one for one in server.events if one["activity"]["proposal"]["stage"] == "completed"]
    assert len(ends) == 2
    assert ends[0] == ends[1]


def test_require_record_needs_a_proof(heard: Heard) -> None:
    """Forward gives none: such an agent cannot be made."""
    with pytest.raises(ConfigError, match="record_url"):
        heard.emitter.agent("agt_ops", require_record=True)
