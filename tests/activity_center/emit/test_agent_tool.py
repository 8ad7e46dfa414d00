"""Functions as an agent's tools: proposed, decided, run and recorded by a decorator."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import pytest

from activity_center.emit import NotApproved, NotRecorded, Proposal
from activity_center.errors import ConfigError
from tests.activity_center.emit.heard import Heard
from tests.activity_center.emit.proposals import MIRA, Sidecar, stages

DONE = ["proposed", "approved", "executing", "completed"]


def approve(proposal: Proposal) -> None:
    """Say yes, as mira."""
    proposal.approved(MIRA)


def test_an_approved_call(heard: Heard, agent: Any) -> None:
    """The call is proposed with its arguments by name, defaults among them, and the result goes
    to the caller and on record; name, documentation and signature stay.
    """

    @agent.tool(
        impact="destructive",
        target=lambda server, size=20: ("server", server),
        rationale="full",
        decide=approve,
    )
    def resize_disk(server: str, size: int = 20) -> dict[str, int]:
        """Grow a disk."""
        heard.emitter.emit("server.resize_disk")
        return {"size": size}

    assert resize_disk("srv_1") == {"size": 20}
    assert [*inspect.signature(resize_disk).parameters] == ["server", "size"]
    inner = heard.of("server.resize_disk")
    events = [one for one in heard.events if one not in inner]
    assert [one["activity"]["proposal"]["stage"] for one in events] == DONE
    tool = events[0]["gen_ai"]["tool"]
    assert tool["name"] == "resize_disk"
    assert tool["description"] == "Grow a disk."
    assert tool["call"]["arguments"] == {"server": "srv_1", "size": 20}
    assert events[0]["activity"]["resource"] == {"type": "server", "id": "srv_1"}
    assert events[0]["activity"]["impact"]["level"] == "destructive"
    assert events[3]["gen_ai"]["tool"]["call"]["result"] == {"size": 20}
    assert inner[0]["activity"]["case"] == events[0]["activity"]["case"]


@pytest.mark.parametrize("coroutine", [False, True])
def test_a_denied_call_does_not_run(coroutine: bool, heard: Heard, agent: Any) -> None:
    """NotApproved, with who and why; also when the decider says nothing at all."""
    for decide, words in (
        (lambda proposal: proposal.denied(MIRA, reason="not now"), "denied by mira: not now"),
        (lambda proposal: None, "nobody decided"),
    ):

        @agent.tool(decide=decide)
        def plain() -> None:
            raise AssertionError("it ran")

        @agent.tool(decide=decide)
        async def later() -> None:
            raise AssertionError("it ran")

        with pytest.raises(NotApproved, match=words):
            asyncio.run(later()) if coroutine else plain()
    assert stages(heard) == ["proposed", "denied", "proposed", "cancelled"]


def test_a_decider_that_fails(heard: Heard, agent: Any) -> None:
    """Its error goes to the caller, and the proposal is withdrawn."""

    @agent.tool(decide=lambda proposal: 1 / 0)
    def tool() -> None:
        raise AssertionError("it ran")

    with pytest.raises(ZeroDivisionError):
        tool()
    assert stages(heard) == ["proposed", "cancelled"]


def test_edited_arguments_reach_the_function(heard: Heard, agent: Any) -> None:
    """The function gets what was approved; a name that it does not take means that it does not
    run; a method keeps its object, which is no parameter.
    """

    class Tools:
        @agent.tool(decide=lambda proposal: proposal.edited({"size": 9}, MIRA))
        def resize(self, size: int, unit: str = "GB") -> str:
            return f"{type(self).__name__} {size} {unit}"

        @agent.tool(decide=lambda proposal: proposal.edited({"sise": 9}, MIRA))
        def mistyped(self, size: int) -> None:
            raise AssertionError("it ran")

    assert Tools().resize(100) == "Tools 9 GB"
    ran = [one["gen_ai"]["tool"]["call"]["arguments"] for one in heard.events]
    assert ran == [{"size": 100, "unit": "GB"}, *[{"size": 9}] * 3]
    with pytest.raises(NotApproved, match="sise"):
        Tools().mistyped(100)
    assert stages(heard)[4:] == ["proposed", "approved", "cancelled"]


def test_what_the_decider_changed_shows_as_it_ran(heard: Heard, agent: Any) -> None:
    """An argument that was changed after the proposal is on record as it was when it ran."""
    sizes = [20]

    def grow(proposal: Proposal) -> None:
        sizes.append(40)
        proposal.approved(MIRA)

    @agent.tool(decide=grow)
    def resize(steps: list[int]) -> None:
        """Grow a disk."""

    resize(sizes)
    told = {one["activity"]["proposal"]["stage"]: one["gen_ai"]["tool"] for one in heard.events}
    assert told["proposed"]["call"]["arguments"] == {"steps": [20]}
    assert told["executing"]["call"]["arguments"] == {"steps": [20, 40]}


def test_a_call_that_raises(heard: Heard, agent: Any) -> None:
    """The error of the function goes on, and the execution is on record as failed."""

    @agent.tool(decide=approve)
    def plain() -> None:
        raise OSError("locked")

    @agent.tool(decide=approve)
    async def later() -> None:
        raise OSError("locked")

    with pytest.raises(OSError, match="locked"):
        plain()
    with pytest.raises(OSError, match="locked"):
        asyncio.run(later())
    assert stages(heard) == ["proposed", "approved", "executing", "failed"] * 2


def test_a_safe_tool_runs_alone(heard: Heard, agent: Any) -> None:
    """Nobody is asked about it, and the record claims no decision."""

    @agent.tool("look", impact="safe")
    async def read(what: str) -> str:
        return what

    assert asyncio.run(read("x")) == "x"
    assert stages(heard) == ["proposed", "executing", "completed"]
    assert heard.events[0]["gen_ai"]["tool"]["name"] == "look"


def test_somebody_must_be_able_to_decide(agent: Any) -> None:
    """A tool that is not safe, without a decider and without a sidecar, is a mistake; so is a
    generator.
    """
    with pytest.raises(ConfigError, match="controls_url"):
        agent.tool(impact="destructive")
    with pytest.raises(ConfigError, match="generator"):

        @agent.tool(impact="safe")
        def many() -> Any:
            yield 1


def test_a_decision_of_the_sidecar(asked: Heard, sidecar: Sidecar) -> None:
    """Without a decider the sidecar is asked; edited arguments run."""
    sidecar.decide("edited", arguments={"size": 5}, shown={"size": 7})

    @asked.emitter.agent("agt_ops").tool(impact="destructive")
    async def resize(size: int) -> int:
        return size

    assert asyncio.run(resize(7)) == 5
    sidecar.decide("denied", reason="no")
    with pytest.raises(NotApproved, match="denied by mira: no"):
        asyncio.run(resize(7))
    assert stages(asked) == ["proposed", "executing", "completed", "proposed"]


def test_a_cancelled_call(asked: Heard, sidecar: Sidecar, until: Any) -> None:
    """A task that is cancelled while it waits withdraws its proposal."""

    @asked.emitter.agent("agt_ops").tool()
    async def resize() -> None:
        raise AssertionError("it ran")

    async def main() -> None:
        task = asyncio.create_task(resize())
        while not sidecar.paths:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    until(lambda: stages(asked) == ["proposed", "cancelled"])


@pytest.mark.parametrize("coroutine", [False, True])
def test_no_record_no_call(coroutine: bool, free_port: int, emitter: Any) -> None:
    """With require_record and the collector down, the function is not called."""
    made = emitter(f"http://127.0.0.1:{free_port}", record_timeout=0.3)
    strict = made.agent("agt_ops", require_record=True)

    @strict.tool(impact="safe")
    def plain() -> None:
        raise AssertionError("it ran")

    @strict.tool(impact="safe")
    async def later() -> None:
        raise AssertionError("it ran")

    with pytest.raises(NotRecorded):
        asyncio.run(later()) if coroutine else plain()


def test_a_result_that_cannot_be_proven_does_not_fail_the_call(
    collector: Any, emitter: Any
) -> None:
    """The function has run: its result goes to the caller, and on record by the queue."""
    server = collector()
    made = emitter(server.url, record_timeout=0.3)

    @made.agent("agt_ops", require_record=True).tool(impact="safe")
    async def work() -> str:
        server.answers = [503]
        return "done"

    assert asyncio.run(work()) == "done"
    assert made.flush(20)
    assert server.events[-1]["activity"]["execution"] == {"output": "done"}
