"""LangGraph: a tool call interrupts the graph until somebody answers; all of it on record.

Written for langgraph 1.2 (``langgraph.types.interrupt``, ``ToolNode(wrap_tool_call=...)``). A node
that was interrupted runs again from its start when the graph is resumed, perhaps in another
program. So the ids of a proposal are made of thread, task and call, and what was told before is
not told again.

An answer names the proposal that it is for: LangGraph gives a node its answers by their order,
and with several calls in one node the answer to one must not let another run.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from activity_center.emit import Agent, Proposal

try:
    from langchain_core.messages import ToolMessage
    from langgraph.config import get_config
    from langgraph.errors import GraphBubbleUp, GraphInterrupt
    from langgraph.prebuilt.tool_node import ToolCallRequest
    from langgraph.types import interrupt
except ImportError as missing:
    raise ImportError("not installed: pip install 'activity-center[langgraph]'") from missing

NAMESPACE: Final = uuid.UUID("5b6f4a52-3f0c-5a43-9a5e-0d6f5c1f7a11")
REMEMBERED: Final = 10_000
ANSWERS: Final = ("approved", "edited", "denied")


class Interrupts:
    """Proposals as interrupts of a graph.

    The interrupt's value has the id of the proposal. A graph is resumed with
    ``Command(resume={"proposal": id, "outcome": "approved", "by": person})``; the outcome is
    ``approved``, ``denied`` or ``edited`` (with ``params``); ``reason`` and ``confirmation`` are
    texts. Anything else counts as denied.

    Args:
        agent: who proposes.
        impacts: tool -> ``safe``, ``caution`` or ``destructive``; others count as ``caution``.
            Safe ones run without asking.
        targets: tool -> a function of the call's arguments, whose result is the target.
    """

    def __init__(
        self,
        agent: Agent,
        *,
        impacts: Mapping[str, str] | None = None,
        targets: Mapping[str, Callable[[Mapping[str, Any]], Any]] | None = None,
    ) -> None:
        self._agent = agent
        self._impacts = dict(impacts or {})
        self._targets = dict(targets or {})
        self._told: OrderedDict[str, None] = OrderedDict()

    def ask(self, tool: str, params: Mapping[str, Any], **said: Any) -> Proposal:
        """Propose in a node; interrupt the graph until it is answered; return the proposal.

        Its ``decision`` says whether to go on; then ``executing()`` and ``executed()`` or
        ``failed()`` are the caller's.

        Args:
            said: further arguments of :meth:`Agent.propose`.

        Raises:
            GraphInterrupt: nobody has answered yet; let it pass.
        """
        proposal = self._proposal(tool, params, said)
        shown = {
            "proposal": proposal.id,
            "tool": tool,
            "params": proposal.arguments,
            "impact": self._impact(tool),
        }
        try:
            answer = interrupt(shown)
        except GraphInterrupt:
            if self._first(proposal.id):
                proposal.created()
            raise
        _decide(proposal, answer)
        return proposal

    def wrap_tool_call(
        self, request: ToolCallRequest, execute: Callable[[ToolCallRequest], Any]
    ) -> Any:
        """Run one call of a ``ToolNode``: give it this method as ``wrap_tool_call``."""
        proposal, request, refusal = self._begin(request)
        if refusal is not None:
            return refusal
        execution = _Execution(proposal)
        try:
            with proposal.inside():
                execution.answer = execute(request)
        except BaseException as error:
            execution.end(error)
            raise
        execution.end(None)
        return execution.answer

    async def awrap_tool_call(
        self, request: ToolCallRequest, execute: Callable[[ToolCallRequest], Awaitable[Any]]
    ) -> Any:
        """Run one call of an asynchronous graph: give it this method as ``awrap_tool_call``."""
        if not self._agent.required:
            proposal, request, refusal = self._begin(request)
        else:  # it waits for the proof
            proposal, request, refusal = await asyncio.to_thread(self._begin, request)
        if refusal is not None:
            return refusal
        execution = _Execution(proposal)
        try:
            with proposal.inside():
                execution.answer = await execute(request)
        except BaseException as error:
            await self._apart(execution.end, error)
            raise
        await self._apart(execution.end, None)
        return execution.answer

    async def _apart(self, tell: Callable[[Any], None], what: Any) -> None:
        if self._agent.required:
            await asyncio.to_thread(tell, what)
        else:
            tell(what)

    def _begin(
        self, request: ToolCallRequest
    ) -> tuple[Proposal, ToolCallRequest, ToolMessage | None]:
        """Propose, ask, and say that it begins; or return what the model hears of a refusal."""
        call = request.tool_call
        described = {"description": getattr(request.tool, "description", None) or None}
        said: dict[str, Any] = {"call_id": call["id"], **described}
        if self._impact(call["name"]) == "safe":
            proposal = self._proposal(call["name"], call["args"], said)
            proposal.created()
        else:
            proposal = self.ask(call["name"], call["args"], **said)
            decision = proposal.decision
            if decision is None or not decision.allows:
                message = ToolMessage(
                    f"Not run: {decision}",
                    name=call["name"],
                    tool_call_id=call["id"],
                    status="error",
                )
                return proposal, request, message
            if decision.arguments is not None:
                request = request.override(tool_call={**call, "args": decision.arguments})
        proposal.executing(request.tool_call["args"])
        return proposal, request, None

    def _proposal(self, tool: str, params: Mapping[str, Any], said: dict[str, Any]) -> Proposal:
        place = get_config().get("configurable", {})
        thread = str(place.get("thread_id", ""))
        if tool in self._targets and "target" not in said:
            target = self._agent.emitter.guarded(self._targets[tool], params)
            said = {**said, "target": target}
        call = said.get("call_id") or json.dumps(params, sort_keys=True, default=repr)
        key = json.dumps([thread, str(place.get("checkpoint_ns", "")), tool, call])
        rated = {"impact": self._impact(tool)}
        if tool not in self._impacts:
            rated["impact_source"] = "default"
        known = {
            "conversation_id": thread or None,
            "proposal_id": f"prp_{uuid.uuid5(NAMESPACE, key).hex}",
        }
        return self._agent.propose(tool, params, **{**rated, **known, **said})

    def _impact(self, tool: str) -> str:
        return self._impacts.get(tool, "caution")

    def _first(self, proposal: str) -> bool:
        """Whether this program has not told of the proposal: other answers run a node again."""
        if proposal in self._told:
            return False
        self._told[proposal] = None
        while len(self._told) > REMEMBERED:
            self._told.popitem(last=False)
        return True


class _Execution:
    """Tells how the execution of a call ended.

    Attributes:
        answer: what the node got.
    """

    def __init__(self, proposal: Proposal) -> None:
        self._proposal = proposal
        self.answer: Any = None

    def end(self, error: BaseException | None) -> None:
        """Tell it."""
        if isinstance(error, GraphBubbleUp):
            return  # the tool itself interrupts: it is not at its end
        if error is not None:
            self._proposal.failed(error)
        elif isinstance(self.answer, ToolMessage):
            text = self.answer.content
            if self.answer.status == "error":
                self._proposal.failed(text if isinstance(text, str) else json.dumps(text))
            else:
                self._proposal.executed(text)
        else:
            self._proposal.executed(self.answer)


def _decide(proposal: Proposal, answer: Any) -> None:
    """Record what the graph was resumed with; whatever is not understood is a denial."""
    said = answer if isinstance(answer, Mapping) else {}
    outcome, by = said.get("outcome"), said.get("by")
    reason = said.get("reason")
    told: dict[str, Any] = {"by": by, "reason": None if reason is None else str(reason)}
    if outcome not in ANSWERS or said.get("proposal") != proposal.id:
        proposal.denied(reason="the graph was resumed without an answer to this proposal")
    elif outcome == "denied":
        proposal.denied(**told)
    elif outcome == "edited" and isinstance(said.get("params"), Mapping):
        proposal.edited(said["params"], confirmation=said.get("confirmation"), **told)
    elif outcome == "edited":
        proposal.denied(reason="edited, but without parameters")
    else:
        proposal.approved(confirmation=said.get("confirmation"), **told)
