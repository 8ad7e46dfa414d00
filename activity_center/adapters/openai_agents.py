"""OpenAI Agents SDK: tools whose approvals and executions are on record.

Written for openai-agents 0.24 (``FunctionTool.needs_approval``, ``RunState.approve``). A run ends
with ``result.interruptions`` where a tool needs approval, and goes on from its state, perhaps in
another program. The ids of a proposal are therefore made of the model's id of the call.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import uuid
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Final

from activity_center.adapters.noted import failures, noted
from activity_center.emit import Agent, Decision, Proposal

try:
    from agents import FunctionTool, RunState, function_tool
    from agents.items import ToolApprovalItem
    from agents.tool_context import ToolContext
except ImportError as missing:
    raise ImportError("not installed: pip install 'activity-center[openai-agents]'") from missing

NAMESPACE: Final = uuid.UUID("a5b2f1de-61a6-5d3d-8c53-2f0c8d5c2b90")
REMEMBERED: Final = 10_000


@dataclasses.dataclass(frozen=True, slots=True)
class Pending:
    """A call that waits for a decision.

    Attributes:
        item: the SDK's own.
        proposal: what is on record of it.
    """

    item: ToolApprovalItem
    proposal: Proposal
    _approvals: Approvals

    def approve(
        self,
        state: RunState[Any, Any],
        by: Any = None,
        *,
        always: bool = False,
        reason: str | None = None,
        confirmation: str | None = None,
    ) -> None:
        """Record that it was approved, and say so to the run.

        Args:
            by: the person, as for :meth:`Proposal.approved`.
            always: for all further calls of this tool too; they are recorded as such.
        """
        scope = "always" if always else "once"
        self.proposal.approved(by, reason=reason, scope=scope, confirmation=confirmation)
        if always:
            self._approvals.standing(self.item, self.proposal)
        state.approve(self.item, always_approve=always)

    def reject(
        self, state: RunState[Any, Any], by: Any = None, *, reason: str | None = None
    ) -> None:
        """Record that it was denied, and say so to the run; the model hears the reason."""
        self.proposal.denied(by, reason=reason)
        state.reject(self.item, rejection_message=reason)

    def edit(
        self,
        state: RunState[Any, Any],
        params: Mapping[str, Any],
        by: Any = None,
        *,
        reason: str | None = None,
        confirmation: str | None = None,
    ) -> None:
        """Record that it was approved with other parameters; the tool gets those.

        The run must go on in this program: the state of a run holds what the model asked for.
        """
        self.proposal.edited(params, by, reason=reason, confirmation=confirmation)
        state.approve(self.item)

    async def wait(
        self, state: RunState[Any, Any], timeout: float | None = None
    ) -> Decision | None:
        """Wait for the decision in the sidecar, and say it to the run.

        Without a decision in time the run stays interrupted.

        Args:
            timeout: seconds; by default, and at most, until the proposal expires.
        """
        try:
            decision = await asyncio.to_thread(self.proposal.wait, timeout)
        except asyncio.CancelledError:
            self.proposal.give_up()
            raise
        if decision is None:
            return None
        if decision.allows:
            state.approve(self.item)
        else:
            state.reject(self.item, rejection_message=f"Not run: {decision}")
        return decision


class Approvals:
    """The tools of agents, and the decisions about them.

    Args:
        agent: who proposes.
        initiator: who prompted, as for :meth:`Agent.propose`.
    """

    def __init__(self, agent: Agent, *, initiator: Any = None) -> None:
        self._agent, self._initiator = agent, initiator
        self._known: OrderedDict[str, Proposal] = OrderedDict()
        self._impacts: dict[str, tuple[str, Callable[..., Any] | None]] = {}
        self._standing: dict[str, Decision] = {}

    def tool(
        self,
        function: Callable[..., Any] | FunctionTool,
        *,
        impact: str = "caution",
        target: Callable[[Mapping[str, Any]], Any] | None = None,
        **options: Any,
    ) -> FunctionTool:
        """Return a tool of the SDK whose calls are on record.

        What is not ``safe`` needs approval, unless ``needs_approval`` says otherwise.

        Args:
            function: a function, or a tool that is one already. Of such a tool a failure is
                seen only when it raises: what it tells the model in its own words is its result.
            target: a function of the call's arguments, whose result is the target.
            options: of ``agents.function_tool``, for a function.
        """
        if isinstance(function, FunctionTool):
            made = function
        else:
            options.setdefault("needs_approval", impact != "safe")
            made = function_tool(noted(function), **options)
        self._impacts[made.name] = (impact, target)
        needs = made.needs_approval
        if isinstance(function, FunctionTool) and needs is False:
            needs = impact != "safe"
        invoke = made.on_invoke_tool

        async def on_invoke_tool(ctx: ToolContext[Any], input: str) -> Any:  # noqa: A002
            return await self._run(ctx, input, made, invoke)

        return dataclasses.replace(made, on_invoke_tool=on_invoke_tool, needs_approval=needs)

    def pending(self, result: Any, *, recorded: bool = False) -> list[Pending]:
        """Record a proposal for each interruption of a run's result, or of a run's state.

        A call is recorded once by this program, also when its run is interrupted again.

        Args:
            recorded: another program, whose state of the run this is, has recorded them.
        """
        restored = isinstance(result, RunState)
        waiting = []
        for item in result.get_interruptions() if restored else result.interruptions:
            call = item.call_id
            if call is None:  # nothing to know it by when it runs
                continue
            proposal = self._known.get(call)
            if proposal is None:
                proposal = self._propose(str(item.name), call, item.arguments)
                if not recorded:
                    proposal.created()
            waiting.append(Pending(item, proposal, self))
        return waiting

    def standing(self, item: ToolApprovalItem, proposal: Proposal) -> None:
        """Remember an approval of all further calls of a tool."""
        if proposal.decision is not None:
            self._standing[str(item.name)] = proposal.decision

    def _propose(self, name: str, call: str, arguments: str | None, **said: Any) -> Proposal:
        params = _parsed(arguments)
        impact, target = self._impacts.get(name, ("caution", None))
        if target is not None:
            said["target"] = self._agent.emitter.guarded(target, params)
        if name not in self._impacts:
            said["impact_source"] = "default"
        proposal = self._agent.propose(
            name,
            params,
            impact=impact,
            initiator=self._initiator,
            call_id=call,
            proposal_id=f"prp_{uuid.uuid5(NAMESPACE, f'{self._agent.id} {call}').hex}",
            **said,
        )
        self._known[call] = proposal
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return proposal

    async def _run(self, ctx: ToolContext[Any], text: str, tool: FunctionTool, invoke: Any) -> Any:
        """Run one call, which the SDK has found to be approved where it needs that."""
        proposal = self._known.get(ctx.tool_call_id)
        if proposal is None:
            proposal = self._propose(
                ctx.tool_name, ctx.tool_call_id, text, description=tool.description or None
            )
            await self._tell(self._unasked, proposal, ctx)
        decision = proposal.decision
        if decision is not None and decision.arguments is not None:
            text = json.dumps(decision.arguments)
        await self._tell(proposal.executing, _parsed(text))
        with failures() as errors:
            try:
                with proposal.inside():
                    result = await invoke(ctx, text)
            except BaseException as error:
                await self._tell(proposal.failed, errors[0] if errors else error)
                raise
            finally:
                self._known.pop(ctx.tool_call_id, None)
        if errors:
            await self._tell(proposal.failed, errors[0])
        else:
            await self._tell(proposal.executed, result)
        return result

    def _unasked(self, proposal: Proposal, ctx: ToolContext[Any]) -> None:
        """Tell of a call that did not interrupt the run in this program.

        Its approval stands, or another program has recorded proposal and decision; else nobody
        was asked, and no decision is claimed.
        """
        status = ctx.is_tool_approved(ctx.tool_name, ctx.tool_call_id)
        decision = self._standing.get(ctx.tool_name) if status else None
        if decision is not None or not status:
            proposal.created()
        if decision is not None:
            proposal.approved(decision.by or None, scope="always")

    async def _tell(self, tell: Callable[..., None], *what: Any) -> None:
        if self._agent.required:
            await asyncio.to_thread(tell, *what)
        else:
            tell(*what)


def _parsed(arguments: str | None) -> dict[str, Any]:
    """Return the arguments that a model wrote, which may be no JSON at all."""
    try:
        found = json.loads(arguments or "{}")
    except (ValueError, RecursionError):
        return {"value": arguments}
    return found if isinstance(found, dict) else {"value": found}
