"""An AI agent, as the record names it, and its tools as functions that are asked about first."""

from __future__ import annotations

import functools
import inspect
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from activity_center.emit.context import person
from activity_center.emit.proposal import Proposal, Wanted, brief, wanted_resource
from activity_center.errors import ConfigError, NotApproved

if TYPE_CHECKING:
    from activity_center.emit.emitter import Emitter

F = TypeVar("F", bound=Callable[..., Any])

EXPIRES: Final = 1800.0
IMPACTS: Final = ("safe", "caution", "destructive")
_OWN: Final = ("self", "cls")


class Agent:
    """One AI agent of a program; made by :meth:`Emitter.agent`.

    Args:
        named: ``gen_ai.agent``: id, name, version.
        model: ``gen_ai.request.model``.
        provider: ``gen_ai.provider.name``.
        required: what it does may not run before the record of it is proven.
    """

    def __init__(
        self,
        emitter: Emitter,
        named: Mapping[str, Any],
        model: str | None = None,
        provider: str | None = None,
        required: bool = False,
    ) -> None:
        known = {name: value for name, value in named.items() if value is not None}
        self.id: str = known["id"]
        self.name: str = known.get("name") or self.id
        self.emitter = emitter
        self.required = required
        group: dict[str, Any] = {"agent": known}
        if model is not None:
            group["request"] = {"model": model}
        if provider is not None:
            group["provider"] = {"name": provider}
        self.carried: dict[str, Any] = {"gen_ai": group}

    def propose(
        self,
        tool: str,
        params: Any = None,
        *,
        impact: str = "caution",
        target: Any = None,
        rationale: str | None = None,
        expires_in: float = EXPIRES,
        initiator: Any = None,
        call_id: str | None = None,
        conversation_id: str | None = None,
        description: str | None = None,
        impact_source: str = "operator",
        proposal_id: str | None = None,
        case_id: str | None = None,
        **said: Any,
    ) -> Proposal:
        """Return a proposal, to be entered with ``with``.

        Args:
            tool: its name.
            params: parameters of the call; copied now.
            impact: ``safe``, ``caution`` or ``destructive``.
            target: what it works on, as ``resource`` of :meth:`Emitter.emit`.
            rationale: why the agent proposes it.
            expires_in: seconds after which nobody can approve it any more.
            initiator: the person who prompted: id, or a mapping with id, name, full_name,
                email; by default the user of the surrounding context.
            call_id: the model's id of the call (``gen_ai.tool.call.id``).
            conversation_id: ``gen_ai.conversation.id``.
            description: what the tool does.
            impact_source: who rated the impact: operator, tool hint, default.
            proposal_id: of a proposal that another run of the program recorded.
            case_id: joins several proposals; by default that of the surrounding context.
            said: further arguments of :meth:`Emitter.emit`, for each entry of the chain; fields
                by their dotted names.

        Raises:
            ConfigError: there is no such impact, or the API could not name such a proposal.
        """
        _checked(impact, proposal_id or "")
        around = self.emitter.around().get("user") if initiator is None else person(initiator)
        if conversation_id is not None:
            said["gen_ai.conversation.id"] = conversation_id
        plain = self.emitter.snapshot({} if params is None else params)
        facts = {"name": str(tool), "type": "function", "description": description}
        wanted = Wanted(
            tool={name: value for name, value in facts.items() if value is not None},
            arguments=plain if isinstance(plain, dict) else {"value": plain},
            impact=impact,
            rated_by=impact_source,
            resource=wanted_resource(target),
            rationale=rationale,
            initiator=brief(around) if isinstance(around, Mapping) else {},
            expires=expires_in,
            call=call_id or f"call_{uuid.uuid4().hex}",
            said=said,
        )
        return Proposal(self, wanted, proposal_id, case_id)

    def tool(
        self,
        name: str | None = None,
        *,
        impact: str = "caution",
        target: Any = None,
        rationale: Any = None,
        expires_in: float = EXPIRES,
        decide: Callable[[Proposal], Any] | None = None,
    ) -> Callable[[F], F]:
        """Return a decorator: each call of the function is proposed, decided, run, recorded.

        A function whose impact is not ``safe`` runs only when it was approved: in the sidecar,
        or by ``decide``. It gets the arguments that were approved, also when they were edited.

        Args:
            name: of the tool; by default the function's.
            target: as for :meth:`propose`, or a function of the call's arguments.
            rationale: a text, or a function of the call's arguments.
            decide: is called with the proposal instead of waiting for the sidecar, and says the
                decision by ``approved()``, ``denied()`` or ``edited()``.

        Raises:
            ConfigError: nobody could decide; or the function is a generator.
            NotApproved: of a call: it was not approved, and did not run.
            NotRecorded: of a call: with ``require_record``, it did not run.
        """
        _checked(impact)
        asked = decide is not None or impact != "safe"
        if asked and decide is None and self.emitter.controls is None:
            raise ConfigError(
                f"nobody can decide on a tool with impact {impact}",
                where="Agent.tool",
                hint="give the emitter controls_url, or give decide=",
            )

        def decorator(function: F) -> F:
            if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
                raise ConfigError("a generator cannot be a tool", where=function.__qualname__)
            call = _Call(self, function, name, impact, target, rationale, expires_in, decide, asked)
            wrapped: F = call.wrapped()
            return wrapped

        return decorator


def decided(proposal: Proposal, decide: Callable[[Proposal], Any] | None, name: str) -> None:
    """Return once a proposal is approved: by ``decide``, else in the sidecar.

    Args:
        name: of the tool, for the error.

    Raises:
        NotApproved: it is not; the record says so.
        Exception: what ``decide`` raises, or ``NotRecorded``; then it is withdrawn.
    """
    try:
        if decide is None:
            proposal.wait()
        else:
            decide(proposal)
    except BaseException as error:
        proposal.emitter.guarded(proposal.cancelled, "the decision could not be had", error)
        raise
    decision = proposal.decision
    if decision is not None and decision.allows:
        return
    if decision is None:
        proposal.emitter.guarded(proposal.cancelled, "left undecided")
    raise NotApproved(f"not run: {decision or 'nobody decided'}", where=f"{name} ({proposal.id})")


def _checked(impact: str, proposal: str = "") -> None:
    if "/" in proposal or proposal in (".", "..", "export"):
        raise ConfigError(
            "the API has no address for a proposal of this id",
            where=f"proposal_id={proposal[:100]!r}",
            hint="an id without /, and neither . nor .. nor export",
        )
    if impact not in IMPACTS:
        raise ConfigError(f"impact is one of {', '.join(IMPACTS)}", where=f"impact={impact!r}")


@dataclass(frozen=True, slots=True)
class _Call:
    """How the calls of one tool go."""

    agent: Agent
    function: Callable[..., Any]
    name: str | None
    impact: str
    target: Any
    rationale: Any
    expires: float
    decide: Callable[[Proposal], Any] | None
    asked: bool

    def wrapped(self) -> Any:
        """Return the function with all this around it; its kind stays."""
        function = self.function
        signature = inspect.signature(function)
        wrapper: Any
        if inspect.iscoroutinefunction(function):

            async def coroutine(*args: Any, **kwargs: Any) -> Any:
                import asyncio  # not before: it is large, and a thread is all that is needed of it

                bound = signature.bind(*args, **kwargs)
                proposal = self.propose(bound)
                try:
                    await asyncio.to_thread(self.before, proposal, bound)
                except asyncio.CancelledError:
                    proposal.give_up()
                    raise
                try:
                    with proposal.inside():
                        result = await function(*bound.args, **bound.kwargs)
                except BaseException as error:
                    await self.after(asyncio.to_thread, proposal.failed, error)
                    raise
                await self.after(asyncio.to_thread, proposal.executed, result)
                return result

            wrapper = coroutine
        else:

            def plain(*args: Any, **kwargs: Any) -> Any:
                bound = signature.bind(*args, **kwargs)
                proposal = self.propose(bound)
                self.before(proposal, bound)
                try:
                    with proposal.inside():
                        result = function(*bound.args, **bound.kwargs)
                except BaseException as error:
                    proposal.failed(error)
                    raise
                proposal.executed(result)
                return result

            wrapper = plain
        return functools.update_wrapper(wrapper, function)

    def propose(self, bound: inspect.BoundArguments) -> Proposal:
        """Return the proposal of one call."""
        bound.apply_defaults()
        guarded = self.agent.emitter.guarded
        target, rationale = (
            guarded(one, *bound.args, **bound.kwargs) if callable(one) else one
            for one in (self.target, self.rationale)
        )
        return self.agent.propose(
            self.name or self.function.__name__,
            _shown(bound),
            impact=self.impact,
            target=target,
            rationale=rationale,
            expires_in=self.expires,
            description=inspect.getdoc(self.function),
        )

    def before(self, proposal: Proposal, bound: inspect.BoundArguments) -> None:
        """Propose, hear the decision, put edited arguments in place, and say that it begins."""
        proposal.created()
        if self.asked:
            decided(proposal, self.decide, self.name or self.function.__name__)
        decision = proposal.decision
        if decision is not None and decision.arguments is not None:
            own = {name: bound.arguments[name] for name in _OWN if name in bound.arguments}
            strange = set(decision.arguments) - set(bound.signature.parameters)
            if strange:
                names = ", ".join(sorted(strange))
                proposal.cancelled(f"the function takes no {names}")
                raise NotApproved(f"edited arguments that it does not take: {names}")
            bound.arguments.clear()
            bound.arguments.update(own | decision.arguments)
        # As they are now: what changed since it was proposed shows as a difference.
        proposal.executing(_shown(bound))
        if proposal.given_up:
            proposal.failed("its caller went away before it ran")

    async def after(self, apart: Any, tell: Callable[[Any], None], what: Any) -> None:
        """Tell the end: in another thread only when the record has to be waited for."""
        if self.agent.required:
            await apart(tell, what)
        else:
            tell(what)


def _shown(bound: inspect.BoundArguments) -> dict[str, Any]:
    """Return the arguments by name, without the object whose method it is."""
    return {name: value for name, value in bound.arguments.items() if name not in _OWN}
