"""MCP servers: a middleware that records each call of a tool, and asks before it where told to.

Written for the MCP Python SDK 2 (``MCPServer(middleware=[...])``, ``Server.middleware``). A server
sees the call alone; who approved it on the client's side it cannot know. So it either asks by
itself, or it records the execution without a decision, joined to the client's proposal where the
client names it in ``_meta``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from activity_center.adapters.noted import failures
from activity_center.emit import Agent, NotApproved, Proposal
from activity_center.emit.agent import decided
from activity_center.errors import ConfigError

try:
    from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
    from mcp_types import CallToolResult, TextContent, Tool, ToolAnnotations
    from pydantic import BaseModel
except ImportError as missing:
    raise ImportError("not installed: pip install 'activity-center[mcp]'") from missing

PROPOSAL: Final = "activity-center/proposal"
CASE: Final = "activity-center/case"
"""Keys of ``_meta``: the client's proposal, and the case that it belongs to."""
TOOLS_CALL: Final = "tools/call"
LONGEST: Final = 256


class ToolRecords:
    """A middleware: ``MCPServer("ops", middleware=[ToolRecords(agent, ask=True)])``.

    The SDK tells the client, and a middleware, only that a tool raised; the error itself is on
    record for functions with :func:`noted` below ``@server.tool()``.

    Args:
        agent: whom the entries name: an agent of that name on whose behalf the server works.
        impacts: tool -> ``safe``, ``caution`` or ``destructive``.
        tools: lists the server's tools (``server.list_tools``), whose annotations then rate
            those without an entry in ``impacts``; the rest counts as ``caution``.
        ask: before a tool that is not safe runs, wait for a decision in the sidecar, or for
            that of ``decide``. A call that is not approved gets an error as its result.
        decide: is called with the proposal, in a thread, and says the decision.
        initiator: function of the request's context: who prompted, an id or a mapping.
        expires_in: seconds after which nobody can approve any more.

    Raises:
        ConfigError: ``ask``, and nobody can decide.
    """

    def __init__(
        self,
        agent: Agent,
        *,
        impacts: Mapping[str, str] | None = None,
        tools: Callable[[], Awaitable[Iterable[Tool]]] | None = None,
        ask: bool = False,
        decide: Callable[[Proposal], Any] | None = None,
        initiator: Callable[[ServerRequestContext[Any, Any]], Any] | None = None,
        expires_in: float = 300.0,
    ) -> None:
        if ask and decide is None and agent.emitter.controls is None:
            raise ConfigError(
                "nobody can decide on this server's tools",
                where="ToolRecords",
                hint="give the emitter controls_url, or give decide=",
            )
        self._agent = agent
        self._impacts = dict(impacts or {})
        self._tools = tools
        self._ask, self._decide = ask, decide
        self._initiator = initiator
        self._expires = expires_in

    async def __call__(
        self, ctx: ServerRequestContext[Any, Any], call_next: CallNext
    ) -> HandlerResult:
        """Handle one message; all but calls of tools pass as they are."""
        params = ctx.params or {}
        name = params.get("name")
        if ctx.method != TOOLS_CALL or ctx.request_id is None or not isinstance(name, str):
            return await call_next(ctx)
        impact, source = await self._rated(name)
        asked = self._ask and impact != "safe"
        proposal, joined = self._proposal(ctx, params, name, impact, source, asked)
        if not joined:
            await asyncio.to_thread(proposal.created)
        if asked:
            try:
                await asyncio.to_thread(decided, proposal, self._decide, name)
            except asyncio.CancelledError:
                proposal.give_up()
                raise
            except NotApproved as refused:
                text = TextContent(type="text", text=refused.message)
                return CallToolResult(content=[text], is_error=True)
            ctx = _edited(ctx, proposal)
        await asyncio.to_thread(proposal.executing)
        with failures() as errors:
            try:
                with proposal.inside():
                    result = await call_next(ctx)
            except BaseException as error:
                await self._tell(proposal.failed, errors[0] if errors else error)
                raise
        failed, output = _outcome(result)
        if failed and errors:
            output = errors[0]
        await self._tell(proposal.failed if failed else proposal.executed, output)
        return result

    def _proposal(
        self,
        ctx: ServerRequestContext[Any, Any],
        params: Mapping[str, Any],
        name: str,
        impact: str,
        source: str,
        asked: bool,
    ) -> tuple[Proposal, bool]:
        """Return the proposal of a call, and whether it is one that the client recorded."""
        meta = params.get("_meta")
        known = meta if isinstance(meta, Mapping) else {}
        # Who is asked here is asked about a proposal of this server: a client's word for
        # another one must not let it run.
        theirs = None if asked else _id(known.get(PROPOSAL))
        initiator = None
        if self._initiator is not None:
            initiator = self._agent.emitter.guarded(self._initiator, ctx)
        proposal = self._agent.propose(
            name,
            params.get("arguments") or {},
            impact=impact,
            impact_source=source,
            expires_in=self._expires,
            initiator=initiator,
            proposal_id=theirs,
            case_id=_id(known.get(CASE)),
            **{"mcp.method.name": ctx.method, "mcp.protocol.version": ctx.protocol_version},
        )
        return proposal, theirs is not None

    async def _rated(self, name: str) -> tuple[str, str]:
        """Return the impact of a tool, and who rated it so."""
        if name in self._impacts:
            return self._impacts[name], "operator"
        if self._tools is not None:
            for tool in await self._tools():
                if tool.name == name and tool.annotations is not None:
                    return impact_of(tool.annotations), "tool hint"
        return "caution", "default"

    async def _tell(self, tell: Callable[[Any], None], what: Any) -> None:
        if self._agent.required:
            await asyncio.to_thread(tell, what)
        else:
            tell(what)


def impact_of(hints: ToolAnnotations) -> str:
    """Return what a tool's annotations say it can do.

    A tool that writes is destructive unless it says otherwise: that is the default of
    ``destructiveHint`` (Model Context Protocol 2025-06-18, ToolAnnotations).
    """
    if hints.read_only_hint:
        return "safe"
    return "caution" if hints.destructive_hint is False else "destructive"


def _edited(
    ctx: ServerRequestContext[Any, Any], proposal: Proposal
) -> ServerRequestContext[Any, Any]:
    decision = proposal.decision
    if decision is None or decision.arguments is None:
        return ctx
    return replace(ctx, params={**(ctx.params or {}), "arguments": decision.arguments})


def _id(value: Any) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= LONGEST else None


def _outcome(result: Any) -> tuple[bool, Any]:
    """Return whether a call's result is an error, and what it says."""
    plain = (
        result.model_dump(mode="json", by_alias=True) if isinstance(result, BaseModel) else result
    )
    if not isinstance(plain, Mapping):
        return False, plain
    content = plain.get("content")
    texts = [
        str(one.get("text", ""))
        for one in (content if isinstance(content, list) else [])
        if isinstance(one, Mapping) and one.get("type") == "text"
    ]
    if plain.get("isError"):
        return True, "\n".join(texts) or "the tool says that it failed"
    structured = plain.get("structuredContent")
    return False, "\n".join(texts) if structured is None else structured
