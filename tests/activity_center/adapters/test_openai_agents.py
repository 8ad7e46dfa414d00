"""OpenAI Agents SDK: the real package, with the scripted model that it ships."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from agents import Agent as SdkAgent
from agents import RunConfig, Runner, RunState, function_tool
from agents.testing import ScriptedModel, assistant_message, function_call
from agents.tool_context import ToolContext

from activity_center.adapters.openai_agents import Approvals
from activity_center.emit import NotRecorded
from tests.activity_center.emit.heard import Heard
from tests.activity_center.emit.proposals import JONAS, MIRA, Sidecar, stages

QUIET = RunConfig(tracing_disabled=True)
DONE = ["proposed", "approved", "executing", "completed"]


def resize(server: str, size: int) -> str:
    """Grow a disk."""
    return f"{server} has {size} GB"


def broken(server: str) -> str:
    """Fail."""
    raise OSError(f"{server} is locked")


def call(name: str, call_id: str = "call_1", **arguments: Any) -> list[Any]:
    """What a model says that wants a tool."""
    return [function_call(name, arguments, call_id=call_id)]


def sdk_agent(tools: list[Any], *steps: Any) -> Any:
    """An agent whose model says these things, then that it is done."""
    model = ScriptedModel([*steps, [assistant_message("done")]])
    return SdkAgent("ops", model=model, tools=tools)


def run(agent: Any, start: Any = "go") -> Any:
    """Run it until it is done or interrupted."""
    return asyncio.run(Runner.run(agent, start, run_config=QUIET))


def heard_by_model(agent: Any) -> str:
    """What the model got with its last call."""
    return str(agent.model.calls[-1].input)


def test_an_approved_call(heard: Heard, agent: Any) -> None:
    """The run is interrupted, the proposal is recorded with the model's id of the call, and after
    the approval the execution and its result.
    """
    approvals = Approvals(agent, initiator=JONAS)
    tool = approvals.tool(resize, impact="destructive", target=lambda p: ("server", p["server"]))
    ops = sdk_agent([tool], call("resize", server="srv_1", size=20))
    result = run(ops)
    assert stages(heard) == []
    (waiting,) = approvals.pending(result)
    assert approvals.pending(result)[0].proposal is waiting.proposal
    state = result.to_state()
    waiting.approve(state, MIRA, confirmation="srv_1")
    assert run(ops, state).final_output == "done"
    assert "srv_1 has 20 GB" in heard_by_model(ops)
    assert stages(heard) == DONE
    for one in heard.events:
        assert one["gen_ai"]["tool"]["call"]["id"] == "call_1"
        assert one["gen_ai"]["tool"]["call"]["arguments"] == {"server": "srv_1", "size": 20}
        assert one["activity"]["proposal"]["id"] == waiting.proposal.id
        assert one["activity"]["resource"] == {"type": "server", "id": "srv_1"}
        assert one["activity"]["initiator"] == JONAS
        assert one["activity"]["impact"]["level"] == "destructive"
    assert heard.events[1]["activity"]["approver"] == MIRA
    assert heard.events[3]["activity"]["execution"] == {"output": "srv_1 has 20 GB"}


def test_a_rejected_call(heard: Heard, agent: Any) -> None:
    """The tool does not run, the model hears why, and the denial is on record."""
    approvals = Approvals(agent)
    ops = sdk_agent([approvals.tool(broken)], call("broken", server="x"))
    result = run(ops)
    state = result.to_state()
    approvals.pending(result)[0].reject(state, MIRA, reason="not at night")
    run(ops, state)
    assert "not at night" in heard_by_model(ops)
    assert stages(heard) == ["proposed", "denied"]


def test_an_edited_call(heard: Heard, agent: Any) -> None:
    """The tool gets the parameters that were approved."""
    approvals = Approvals(agent)
    ops = sdk_agent([approvals.tool(resize)], call("resize", server="srv_1", size=900))
    result = run(ops)
    state = result.to_state()
    approvals.pending(result)[0].edit(state, {"server": "srv_1", "size": 30}, MIRA)
    run(ops, state)
    assert "srv_1 has 30 GB" in heard_by_model(ops)
    sizes = [one["gen_ai"]["tool"]["call"]["arguments"]["size"] for one in heard.events]
    assert sizes == [900, 30, 30, 30]


@pytest.mark.parametrize("coroutine", [False, True])
def test_a_tool_that_raises(coroutine: bool, heard: Heard, agent: Any) -> None:
    """The SDK tells the model of the error in words; on record it is a failure, with its type."""

    async def later(server: str) -> str:
        """Fail later."""
        raise OSError(f"{server} is locked")

    function = later if coroutine else broken
    tool = Approvals(agent).tool(function, impact="safe")
    ops = sdk_agent([tool], call(function.__name__, server="srv_1"))
    assert run(ops).final_output == "done"
    assert stages(heard) == ["proposed", "executing", "failed"]
    assert heard.events[2]["error"]["type"] == "OSError"
    assert heard.events[2]["activity"]["execution"] == {"error": "srv_1 is locked"}


def test_an_approval_of_all_further_calls(heard: Heard, agent: Any) -> None:
    """Each further call is on record as approved by the same person, with the scope always."""
    approvals = Approvals(agent)
    ops = sdk_agent(
        [approvals.tool(resize)],
        call("resize", server="a", size=1),
        call("resize", "call_2", server="b", size=2),
    )
    result = run(ops)
    state = result.to_state()
    approvals.pending(result)[0].approve(state, MIRA, always=True)
    assert run(ops, state).final_output == "done"
    assert stages(heard) == DONE * 2
    decisions = [one for one in heard.events if "decision" in one["activity"]]
    assert [one["activity"]["decision"]["scope"] for one in decisions] == ["always"] * 2
    assert [one["activity"]["approver"] for one in decisions] == [MIRA] * 2
    assert len({one["activity"]["proposal"]["id"] for one in heard.events}) == 2


def test_nobody_is_asked(heard: Heard, agent: Any) -> None:
    """A tool that may run without approval claims no decision; one that is a tool already is
    taken too, and what is inside carries the case.
    """

    @function_tool
    def restart(server: str) -> str:
        """Restart."""
        heard.emitter.emit("server.restart")
        return server

    tool = Approvals(agent).tool(resize, impact="destructive", needs_approval=False)
    made = Approvals(agent).tool(restart, impact="safe")
    steps = call("resize", server="a", size=1), call("restart", "call_2", server="b")
    run(sdk_agent([tool, made], *steps))
    inner = heard.of("server.restart")[0]
    events = [one for one in heard.events if "proposal" in one["activity"]]
    names = [one["activity"]["proposal"]["stage"] for one in events]
    assert names == ["proposed", "executing", "completed"] * 2
    assert inner["activity"]["case"] == events[-1]["activity"]["case"]
    assert events[-1]["gen_ai"]["tool"]["description"] == "Restart."


def test_a_tool_that_is_one_already_needs_approval(heard: Heard, agent: Any) -> None:
    """What is not safe interrupts the run, also where the tool came without a need of its own."""

    @function_tool
    def restart(server: str) -> str:
        """Restart."""
        raise AssertionError("it ran")

    approvals = Approvals(agent)
    tool = approvals.tool(restart, impact="destructive")
    result = run(sdk_agent([tool], call("restart", server="b")))
    (waiting,) = approvals.pending(result)
    assert stages(heard) == ["proposed"]
    assert heard.events[0]["activity"]["impact"]["level"] == "destructive"
    assert waiting.proposal.id == heard.events[0]["activity"]["proposal"]["id"]


def test_a_tool_that_was_not_declared_has_the_impact_of_none_told(heard: Heard, agent: Any) -> None:
    """Its impact is the careful one, and the entry says that nobody chose it."""
    approvals = Approvals(agent)
    approvals.tool(resize, impact="caution")
    own = function_tool(needs_approval=True)(broken)
    approvals.pending(run(sdk_agent([own], call("broken", server="b"))))
    approvals.pending(
        run(sdk_agent([approvals.tool(resize)], call("resize", "c2", server="a", size=1)))
    )
    told = [one["activity"]["impact"] for one in heard.events]
    assert [one["level"] for one in told] == ["caution", "caution"]
    assert told[0]["source"] == "default"
    assert told[1]["source"] != "default"


def test_what_runs_is_on_record_as_it_runs(heard: Heard, agent: Any) -> None:
    """A tool that is called with other parameters than were approved shows those that ran."""
    approvals = Approvals(agent)
    tool = approvals.tool(resize)
    result = run(sdk_agent([tool], call("resize", server="srv_1", size=20)))
    approvals.pending(result)[0].approve(result.to_state(), MIRA)
    ran = json.dumps({"server": "srv_1", "size": 900})
    context = ToolContext(
        context=None, tool_name="resize", tool_call_id="call_1", tool_arguments=ran
    )
    assert asyncio.run(tool.on_invoke_tool(context, ran)) == "srv_1 has 900 GB"
    assert stages(heard) == DONE
    sizes = [one["gen_ai"]["tool"]["call"]["arguments"]["size"] for one in heard.events]
    assert sizes[:3] == [20, 20, 900]


def test_another_program_goes_on(heard: Heard, agent: Any) -> None:
    """A run whose state was stored goes on elsewhere: same proposal, nothing recorded twice."""

    def program() -> tuple[Approvals, Any]:
        approvals = Approvals(agent)
        return approvals, sdk_agent([approvals.tool(resize)])

    first = Approvals(agent)
    ops = sdk_agent([first.tool(resize)], call("resize", server="a", size=1))
    result = run(ops)
    first.pending(result)
    stored = result.to_state().to_json()

    second, other = program()
    state = asyncio.run(RunState.from_json(other, stored))
    second.pending(state, recorded=True)[0].approve(state, MIRA)
    stored = state.to_json()

    _, third = program()
    state = asyncio.run(RunState.from_json(third, stored))
    assert run(third, state).final_output == "done"
    assert stages(heard) == DONE
    assert len({one["activity"]["proposal"]["id"] for one in heard.events}) == 1


def test_the_sidecar_decides(asked: Heard, sidecar: Sidecar) -> None:
    """A decision of the sidecar is said to the run; its record is the sidecar's."""
    approvals = Approvals(asked.emitter.agent("agt_ops"))

    def decided() -> Any:
        ops = sdk_agent([approvals.tool(resize)], call("resize", server="a", size=1))
        result = run(ops)
        state = result.to_state()
        decision = asyncio.run(approvals.pending(result)[0].wait(state, 20))
        assert decision is not None
        run(ops, state)
        return ops

    sidecar.decide("denied", reason="no")
    assert "Not run: denied by mira: no" in heard_by_model(decided())
    approvals = Approvals(asked.emitter.agent("agt_ops"))
    sidecar.decide("edited", arguments={"server": "a", "size": 7})
    assert "a has 7 GB" in heard_by_model(decided())
    assert stages(asked) == ["proposed", "proposed", "executing", "completed"]


def test_nobody_decides(asked: Heard, sidecar: Sidecar) -> None:
    """Without a decision the run stays as it is."""
    approvals = Approvals(asked.emitter.agent("agt_ops"))
    ops = sdk_agent([approvals.tool(resize)], call("resize", server="a", size=1))
    result = run(ops)
    state = result.to_state()
    assert asyncio.run(approvals.pending(result)[0].wait(state, 0.1)) is None
    assert len(state.get_interruptions()) == 1


def test_no_record_no_call(free_port: int, emitter: Any) -> None:
    """With require_record and the collector down, the tool does not run and the run fails."""
    ran = []

    def tool() -> str:
        """Run."""
        ran.append(1)
        return "x"

    made = emitter(f"http://127.0.0.1:{free_port}", record_timeout=0.3)
    approvals = Approvals(made.agent("agt_ops", require_record=True))
    ops = sdk_agent([approvals.tool(tool, impact="safe")], call("tool"))
    with pytest.raises(Exception) as failed:
        run(ops)
    causes = [failed.value, failed.value.__cause__, failed.value.__context__]
    assert any(isinstance(one, NotRecorded) for one in causes)
    assert ran == []


def test_arguments_that_are_no_json(heard: Heard, agent: Any) -> None:
    """What a model writes is on record as it is, and the SDK's own error is the failure."""
    tool = Approvals(agent).tool(resize, impact="safe")
    ops = sdk_agent([tool], [function_call("resize", "{oops", call_id="call_1")])
    run(ops)
    assert heard.events[0]["gen_ai"]["tool"]["call"]["arguments"] == {"value": "{oops"}
    assert json.dumps(stages(heard)) == '["proposed", "executing", "completed"]'
