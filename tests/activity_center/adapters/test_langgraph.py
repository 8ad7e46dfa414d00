"""LangGraph: the real package; what a model would ask for is put into the state."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import Command, Send

from activity_center.adapters.langgraph import Interrupts
from activity_center.emit import Agent, NotRecorded
from tests.activity_center.emit.heard import Heard
from tests.activity_center.emit.proposals import MIRA, stages

THREAD: Any = {"configurable": {"thread_id": "thread_1"}}
DONE = ["proposed", "approved", "executing", "completed"]


@tool
def resize(server: str, size: int) -> str:
    """Grow a disk."""
    return f"{server} has {size} GB"


@tool
def broken(server: str) -> str:
    """Fail."""
    raise OSError(f"{server} is locked")


def wanted(name: str, call_id: str = "call_1", **arguments: Any) -> dict[str, Any]:
    """A call that a model asks for."""
    return {"name": name, "args": arguments, "id": call_id, "type": "tool_call"}


def graph_of(interrupts: Interrupts, *, each: bool = False, saver: Any = None) -> Any:
    """A graph with one tool node; with ``each``, a task for each call, as agents make them."""
    node = ToolNode(
        [resize, broken],
        wrap_tool_call=interrupts.wrap_tool_call,
        awrap_tool_call=interrupts.awrap_tool_call,
        handle_tool_errors=True,
    )
    builder = StateGraph(MessagesState)
    builder.add_node("tools", node)
    if each:

        def spread(state: Any) -> Any:
            return [Send("tools", [call]) for call in state["messages"][-1].tool_calls]

        builder.add_conditional_edges(START, spread, ["tools"])
    else:
        builder.add_edge(START, "tools")
    builder.add_edge("tools", END)
    return builder.compile(checkpointer=saver or InMemorySaver())


def start(graph: Any, *calls: dict[str, Any]) -> Any:
    """Run a graph until it is done or interrupted."""
    return graph.invoke({"messages": [AIMessage("", tool_calls=list(calls))]}, THREAD)


def answer(result: Any, outcome: str, **said: Any) -> Any:
    """What the graph is resumed with."""
    value = result["__interrupt__"][0].value
    return Command(resume={"proposal": value["proposal"], "outcome": outcome, **said})


def said(result: Any) -> str:
    """The last message."""
    return str(result["messages"][-1].content)


def test_an_approved_call(heard: Heard, agent: Agent) -> None:
    """The graph stops with the proposal, which is on record once although the node runs twice;
    after the answer come decision, execution and result.
    """
    interrupts = Interrupts(
        agent,
        impacts={"resize": "destructive"},
        targets={"resize": lambda params: ("server", params["server"])},
    )
    graph = graph_of(interrupts)
    result = start(graph, wanted("resize", server="srv_1", size=20))
    assert result["__interrupt__"][0].value["params"] == {"server": "srv_1", "size": 20}
    assert result["__interrupt__"][0].value["impact"] == "destructive"
    assert stages(heard) == ["proposed"]
    result = graph.invoke(answer(result, "approved", by=MIRA, confirmation="srv_1"), THREAD)
    assert said(result) == "srv_1 has 20 GB"
    assert stages(heard) == DONE
    assert len({one["activity"]["proposal"]["id"] for one in heard.events}) == 1
    for one in heard.events:
        assert one["gen_ai"]["tool"]["call"]["id"] == "call_1"
        assert one["gen_ai"]["conversation"] == {"id": "thread_1"}
        assert one["activity"]["resource"] == {"type": "server", "id": "srv_1"}
    assert heard.events[0]["gen_ai"]["tool"]["description"] == "Grow a disk."
    assert heard.events[1]["activity"]["approver"] == MIRA
    assert heard.events[1]["activity"]["confirmation"] == {"text": "srv_1"}
    assert heard.events[3]["activity"]["execution"] == {"output": "srv_1 has 20 GB"}


def test_another_program_goes_on(heard: Heard, agent: Agent) -> None:
    """The graph is resumed elsewhere: the chain is the same, and the proposal is not told again."""
    saver = InMemorySaver()
    result = start(graph_of(Interrupts(agent), saver=saver), wanted("resize", server="a", size=1))
    graph_of(Interrupts(agent), saver=saver).invoke(answer(result, "approved", by=MIRA), THREAD)
    assert stages(heard) == DONE
    assert len({one["activity"]["proposal"]["id"] for one in heard.events}) == 1
    assert heard.events[0]["activity"]["impact"] == {"level": "caution", "source": "default"}


def test_a_denied_call(heard: Heard, agent: Agent) -> None:
    """The tool does not run; the model hears who refused and why."""
    graph = graph_of(Interrupts(agent))
    result = start(graph, wanted("broken", server="a"))
    result = graph.invoke(answer(result, "denied", by=MIRA, reason="not now"), THREAD)
    assert said(result) == "Not run: denied by mira: not now"
    assert result["messages"][-1].status == "error"
    assert stages(heard) == ["proposed", "denied"]


@pytest.mark.parametrize(
    "resumed",
    [True, "yes", {"outcome": "approved"}, {"proposal": "prp_other", "outcome": "approved"}],
    ids=["true", "text", "no proposal", "another proposal"],
)
def test_an_answer_to_something_else_lets_nothing_run(
    resumed: Any, heard: Heard, agent: Agent
) -> None:
    """An answer that does not name this proposal counts as a denial."""
    graph = graph_of(Interrupts(agent))
    start(graph, wanted("broken", server="a"))
    assert "Not run: denied" in said(graph.invoke(Command(resume=resumed), THREAD))
    assert stages(heard) == ["proposed", "denied"]


def test_an_edited_call(heard: Heard, agent: Agent) -> None:
    """The tool gets the parameters that were approved; an edit without any is a denial."""
    graph = graph_of(Interrupts(agent))
    result = start(graph, wanted("resize", server="a", size=900))
    edited = answer(result, "edited", by=MIRA, params={"server": "a", "size": 3})
    assert said(graph.invoke(edited, THREAD)) == "a has 3 GB"
    sizes = [one["gen_ai"]["tool"]["call"]["arguments"]["size"] for one in heard.events]
    assert sizes == [900, 3, 3, 3]
    result = start(graph, wanted("broken", server="a"))
    assert "without parameters" in said(graph.invoke(answer(result, "edited"), THREAD))


def test_a_tool_that_raises(heard: Heard, agent: Agent) -> None:
    """What LangGraph turns into a message for the model is a failure on record."""
    graph = graph_of(Interrupts(agent, impacts={"broken": "safe"}))
    assert "a is locked" in said(start(graph, wanted("broken", server="a")))
    assert stages(heard) == ["proposed", "executing", "failed"]
    assert "a is locked" in heard.events[2]["activity"]["execution"]["error"]


def test_several_calls(heard: Heard, agent: Agent) -> None:
    """Each call is answered by itself; answering one runs the others' tasks again, and tells of
    no proposal twice.
    """
    graph = graph_of(Interrupts(agent), each=True)
    calls = wanted("resize", server="a", size=1), wanted("resize", "call_2", server="b", size=2)
    result = start(graph, *calls)
    first, second = result["__interrupt__"]
    yes = {"outcome": "approved", "by": MIRA, "proposal": first.value["proposal"]}
    no = {"outcome": "denied", "by": MIRA, "proposal": second.value["proposal"]}
    graph.invoke(Command(resume={first.id: yes}), THREAD)
    result = graph.invoke(Command(resume={second.id: no}), THREAD)
    assert {one.content for one in result["messages"][1:]} == {
        f"{first.value['params']['server']} has {first.value['params']['size']} GB",
        "Not run: denied by mira",
    }
    told = sorted(stages(heard))
    assert told == sorted(["proposed", "proposed", "approved", "executing", "completed", "denied"])


def test_asynchronous(heard: Heard, agent: Agent) -> None:
    """The same in an asynchronous graph."""

    async def main() -> Any:
        graph = graph_of(Interrupts(agent))
        message = AIMessage("", tool_calls=[wanted("resize", server="a", size=1)])
        result = await graph.ainvoke({"messages": [message]}, THREAD)
        return await graph.ainvoke(answer(result, "approved", by=MIRA), THREAD)

    assert said(asyncio.run(main())) == "a has 1 GB"
    assert stages(heard) == DONE


def test_asking_in_a_node(heard: Heard, agent: Agent) -> None:
    """A node of one's own asks, and tells the execution by itself."""
    interrupts = Interrupts(agent)

    def node(state: MessagesState) -> Any:
        proposal = interrupts.ask("deploy", {"ref": "4f2c91a"}, rationale="the fix is merged")
        if proposal.decision is None or not proposal.decision.allows:
            return {"messages": ["no"]}
        proposal.executing()
        proposal.executed("live")
        return {"messages": ["live"]}

    builder = StateGraph(MessagesState)
    builder.add_node("node", node)
    builder.add_edge(START, "node")
    graph: Any = builder.compile(checkpointer=InMemorySaver())
    result = graph.invoke({"messages": []}, THREAD)
    assert said(graph.invoke(answer(result, "approved", by=MIRA), THREAD)) == "live"
    assert stages(heard) == DONE


@pytest.mark.parametrize("coroutine", [False, True])
def test_no_record_no_call(coroutine: bool, free_port: int, emitter: Any) -> None:
    """With require_record and the collector down, the tool does not run and the graph fails."""
    made = emitter(f"http://127.0.0.1:{free_port}", record_timeout=0.3)
    interrupts = Interrupts(made.agent("agt_ops", require_record=True), impacts={"resize": "safe"})
    ran = []

    @tool
    def resize(size: int) -> str:
        """Run."""
        ran.append(size)
        return "x"

    node = ToolNode(
        [resize],
        wrap_tool_call=interrupts.wrap_tool_call,
        awrap_tool_call=interrupts.awrap_tool_call,
        handle_tool_errors=False,
    )
    builder = StateGraph(MessagesState)
    builder.add_node("tools", node)
    builder.add_edge(START, "tools")
    graph: Any = builder.compile()
    state = {"messages": [AIMessage("", tool_calls=[wanted("resize", size=1)])]}
    with pytest.raises(NotRecorded):
        asyncio.run(graph.ainvoke(state)) if coroutine else graph.invoke(state)
    assert ran == []
