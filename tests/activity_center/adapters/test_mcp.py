"""MCP servers: the real SDK, its client and server connected in one program."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from mcp import Client
from mcp.server import MCPServer
from mcp_types import ToolAnnotations

from activity_center.adapters.mcp import CASE, PROPOSAL, ToolRecords, impact_of
from activity_center.adapters.noted import noted
from activity_center.emit import Agent
from activity_center.errors import ConfigError
from tests.activity_center.emit.heard import Heard
from tests.activity_center.emit.proposals import JONAS, MIRA, Sidecar, stages

DONE = ["proposed", "approved", "executing", "completed"]


def server_of(agent: Agent, inside: Callable[[], Any] = lambda: None, **options: Any) -> MCPServer:
    """A server with three tools and the middleware."""
    server = MCPServer("ops")

    @server.tool(annotations=ToolAnnotations(read_only_hint=True))
    def look(server: str) -> str:
        """Look at a server."""
        inside()
        return f"{server} is up"

    @server.tool()
    def resize(server: str, size: int) -> dict[str, int]:
        """Grow a disk."""
        inside()
        return {"size": size}

    @server.tool()
    @noted
    def broken() -> str:
        """Fail."""
        raise OSError("locked")

    server.middleware.append(ToolRecords(agent, tools=server.list_tools, **options))
    return server


def call(where: MCPServer, name: str, meta: Any = None, /, **arguments: Any) -> Any:
    """Call a tool, as a client does."""

    async def main() -> Any:
        async with Client(where) as client:
            await client.list_tools()
            return await client.call_tool(name, arguments, meta=meta)

    return asyncio.run(main())


def test_a_call(heard: Heard, agent: Agent) -> None:
    """A call is on record with its arguments and result, and nothing else of the protocol is; the
    annotations rate it; what the tool itself records carries the case.
    """
    server = server_of(
        agent, lambda: heard.emitter.emit("server.restart"), initiator=lambda ctx: JONAS
    )
    assert call(server, "look", server="srv_1").content[0].text == "srv_1 is up"
    inner = heard.of("server.restart")
    events = [one for one in heard.events if one not in inner]
    assert [one["activity"]["proposal"]["stage"] for one in events] == [
        "proposed",
        "executing",
        "completed",
    ]
    for one in events:
        assert one["activity"]["impact"] == {"level": "safe", "source": "tool hint"}
        assert one["activity"]["initiator"] == JONAS
        assert one["gen_ai"]["tool"]["name"] == "look"
        assert one["gen_ai"]["tool"]["call"]["arguments"] == {"server": "srv_1"}
        assert one["mcp"]["method"] == {"name": "tools/call"}
        assert one["mcp"]["protocol"]["version"].startswith("20")
    assert "srv_1 is up" in events[2]["activity"]["execution"]["output"]
    assert inner[0]["activity"]["case"] == events[0]["activity"]["case"]
    assert inner[0]["activity"]["origin"] == "agent"


def test_a_tool_that_raises(heard: Heard, agent: Agent) -> None:
    """What the SDK turns into a result with isError is a failure on record."""
    assert call(server_of(agent), "broken").is_error
    assert stages(heard) == ["proposed", "executing", "failed"]
    assert heard.events[2]["activity"]["execution"]["error"] == "locked"
    assert heard.events[2]["error"]["type"] == "OSError"
    assert heard.events[2]["event"]["outcome"] == "failure"


def test_a_tool_that_there_is_not(heard: Heard, agent: Agent) -> None:
    """A call of an unknown tool is on record as failed; so are arguments that do not fit."""
    server = server_of(agent)
    with pytest.raises(Exception, match="nothing"):
        result = call(server, "nothing")
        raise LookupError(result.content[0].text)
    assert stages(heard) == ["proposed", "executing", "failed"]
    assert heard.events[0]["activity"]["impact"] == {"level": "caution", "source": "default"}
    assert call(server, "resize", size="many").is_error
    assert stages(heard)[3:] == ["proposed", "executing", "failed"]


def test_a_decider(heard: Heard, agent: Agent) -> None:
    """Before a tool that is not safe the decider is asked; a denial is the call's result; edited
    arguments reach the tool.
    """
    server = server_of(agent, ask=True, decide=lambda one: one.denied(MIRA, reason="not now"))
    refused = call(server, "resize", server="a", size=1)
    assert refused.is_error
    assert refused.content[0].text == "not run: denied by mira: not now"
    assert not call(server, "look", server="a").is_error
    edited = {"server": "a", "size": 5}
    server = server_of(agent, ask=True, decide=lambda one: one.edited(edited, MIRA))
    assert call(server, "resize", server="a", size=900).structured_content == {"size": 5}
    assert stages(heard) == ["proposed", "denied", "proposed", "executing", "completed", *DONE]
    assert heard.events[-1]["gen_ai"]["tool"]["call"]["result"] == {"size": 5}


def test_the_sidecar_decides(asked: Heard, sidecar: Sidecar) -> None:
    """With ask the sidecar is asked."""
    agent = asked.emitter.agent("agt_ops")
    sidecar.decide("approved")
    server = server_of(agent, ask=True, impacts={"look": "destructive"})
    assert not call(server, "look", server="a").is_error
    assert stages(asked) == ["proposed", "executing", "completed"]
    assert asked.events[0]["activity"]["impact"] == {"level": "destructive", "source": "operator"}
    sidecar.decide("denied")
    assert call(server, "look", server="a").is_error


def test_somebody_must_be_able_to_decide(agent: Agent) -> None:
    """To ask without a sidecar and without a decider is a mistake."""
    with pytest.raises(ConfigError, match="controls_url"):
        ToolRecords(agent, ask=True)


def test_a_proposal_of_the_client(heard: Heard, agent: Agent) -> None:
    """A client that has recorded the proposal names it, and the execution joins it."""
    meta = {PROPOSAL: "prp_7", CASE: "case_7"}
    call(server_of(agent), "resize", meta, server="a", size=1)
    assert stages(heard) == ["executing", "completed"]
    for one in heard.events:
        assert one["activity"]["proposal"]["id"] == "prp_7"
        assert one["activity"]["case"]["id"] == "case_7"
    call(server_of(agent), "look", {PROPOSAL: 7, CASE: "x" * 300}, server="a")
    assert heard.events[-1]["activity"]["case"]["id"].startswith("prp_")


def test_a_clients_proposal_does_not_stand_for_asking(heard: Heard, agent: Agent) -> None:
    """A server that asks does so also when the client says that it has a proposal."""
    server = server_of(agent, ask=True, decide=lambda one: one.denied())
    assert call(server, "resize", {PROPOSAL: "prp_7"}, server="a", size=1).is_error
    assert stages(heard) == ["proposed", "denied"]
    assert heard.events[0]["activity"]["proposal"]["id"] != "prp_7"


def test_no_record_no_call(free_port: int, emitter: Any) -> None:
    """With require_record and the collector down, the tool does not run: the client gets an
    error, which tells nothing of where the records go.
    """
    ran: list[int] = []
    made = emitter(f"http://127.0.0.1:{free_port}", record_timeout=0.3)
    server = server_of(made.agent("agt_ops", require_record=True), lambda: ran.append(1))
    with pytest.raises(Exception) as failed:
        call(server, "look", server="a")
    assert ran == []
    assert str(free_port) not in repr(failed.value)


@pytest.mark.parametrize(
    ("hints", "impact"),
    [
        (ToolAnnotations(read_only_hint=True), "safe"),
        (ToolAnnotations(destructive_hint=False), "caution"),
        (ToolAnnotations(destructive_hint=True), "destructive"),
        (ToolAnnotations(), "destructive"),
    ],
    ids=["reads", "adds", "destroys", "says nothing"],
)
def test_what_annotations_mean(hints: ToolAnnotations, impact: str) -> None:
    """A tool that writes is destructive unless it says otherwise."""
    assert impact_of(hints) == impact
