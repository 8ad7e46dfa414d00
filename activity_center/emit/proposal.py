"""One action that an AI agent wants to do: proposal, decision, execution, result.

::

    proposed ─→ approved, edited ─→ executing ─→ completed
        │                               └──────→ failed
        ├─────→ denied
        ├─────→ expired       (written by the collector)
        └─────→ cancelled

Each stage is an entry of its own; they join by ``activity.proposal.id``. What the program says of
a decision is a claim: only the collector, which knows the sender, marks an approver as
authenticated.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from activity_center.emit.context import Context, merge, person
from activity_center.emit.decision import PERSON, Decision, await_decision
from activity_center.emit.event import OMITTED, resource_group, whole_failure
from activity_center.errors import ConfigError

if TYPE_CHECKING:
    from activity_center.emit.agent import Agent
    from activity_center.emit.emitter import Emitter

OUTPUT: Final = 100_000
"""Characters of the output that are kept, within what the record takes."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an agent wants to do: the facts that each entry of the chain repeats.

    Attributes:
        arguments: parameters of the call, plain.
        impact: safe, caution or destructive.
        rated_by: who said so: operator, tool hint or default.
        resource: ``activity.resource``: what it works on.
        initiator: who prompted: id, name, full_name, email.
        expires: seconds after which nobody can approve it any more.
        call: ``gen_ai.tool.call.id``.
        said: further arguments of :meth:`Emitter.emit`, for each entry.
    """

    tool: Mapping[str, Any]
    arguments: Any
    impact: str
    rated_by: str
    resource: Any
    rationale: str | None
    initiator: Mapping[str, Any]
    expires: float
    call: str
    said: Mapping[str, Any] = field(default_factory=dict)


class Proposal:
    """A proposal; made by :meth:`Agent.propose`, recorded when it is entered with ``with``.

    What is recorded inside the block (actions, processes) carries its case, origin ``agent`` and
    the agent. An execution that was begun ends with the block: as completed, or as failed by the
    error that leaves it. A proposal that is left undecided is withdrawn.

    Attributes:
        id: joins the entries of the chain.
        case: ``activity.case.id``: that of the surrounding context, else the proposal's id.
        arguments: those that may run: as proposed, or as they were edited.
        state: pending, proposed, approved, edited, denied, expired, cancelled, executing,
            completed or failed.
        decision: the last one, if any.
        result: set it to what the execution returned.
    """

    def __init__(
        self, agent: Agent, wanted: Wanted, proposal: str | None = None, case: str | None = None
    ) -> None:
        around = agent.emitter.around()
        known = around.get("activity", {}).get("case", {}).get("id")
        self.id = proposal or f"prp_{uuid.uuid4().hex}"
        self.case = str(case or known or self.id)
        self.arguments = wanted.arguments
        self.state = "pending"
        self.decision: Decision | None = None
        self.result: Any = None
        self._agent, self._wanted = agent, wanted
        self._ran: Any = wanted.arguments
        carried = {"activity": {"case": {"id": self.case}, "origin": "agent"}, **agent.carried}
        self._inside = Context(carried)
        self._context = Context(merge(around, carried))
        self._proposed = self._began = time.monotonic()
        self._given_up = threading.Event()

    @property
    def emitter(self) -> Emitter:
        """Whose words these are."""
        return self._agent.emitter

    # The stages

    def created(self) -> None:
        """Record that it is proposed; ``with`` does it.

        Raises:
            NotRecorded: only with ``require_record``, like all methods up to :meth:`executing`.
        """
        wanted = self._wanted
        expires = datetime.now(UTC) + timedelta(seconds=wanted.expires)
        said = {"rationale": wanted.rationale, "expires_at": expires}
        self._proposed = time.monotonic()
        self._tell("created", "proposed", {"proposal": said})
        self.state = "proposed"

    def approved(
        self,
        by: Any = None,
        *,
        reason: str | None = None,
        scope: str = "once",
        source: str | None = None,
        confirmation: str | None = None,
        policy: tuple[str, str] | None = None,
    ) -> None:
        """Record that it was approved.

        Args:
            by: the person: id, or a mapping with id, name, full_name, email, roles. Without
                one it was approved by no person, and is recorded as that.
            scope: once, session or always.
            source: user, policy, hook or config; by default user, without a person policy.
            confirmation: what the person typed to confirm.
            policy: id and version of the approval policy that applied.
        """
        said = _more(confirmation, policy)
        self._decide("approved", "approved", by, source, reason, scope, said)

    def denied(
        self,
        by: Any = None,
        *,
        reason: str | None = None,
        scope: str = "once",
        source: str | None = None,
        policy: tuple[str, str] | None = None,
    ) -> None:
        """Record that it was denied; arguments as for :meth:`approved`."""
        self._decide("denied", "denied", by, source, reason, scope, _more(None, policy))

    def edited(
        self,
        params: Any,
        by: Any = None,
        *,
        reason: str | None = None,
        scope: str = "once",
        source: str | None = None,
        confirmation: str | None = None,
        policy: tuple[str, str] | None = None,
    ) -> None:
        """Record that it was approved with other parameters, which then are those that may run."""
        self.arguments = self.emitter.snapshot(params)
        said = _more(confirmation, policy)
        self._decide("edited", "approved", by, source, reason, scope, said)

    def cancelled(self, reason: str | None = None, error: BaseException | None = None) -> None:
        """Record that it was withdrawn before it ran."""
        decision = {"outcome": "cancelled", "reason": reason, "wait_ms": self._waited()}
        more: dict[str, Any] = {} if error is None else {"error": whole_failure(error)}
        self._tell("cancelled", "cancelled", {"decision": decision}, reason=reason, **more)
        self.decision, self.state = Decision("cancelled", reason=reason), "cancelled"

    def wait(self, timeout: float | None = None) -> Decision | None:
        """Wait until a person decides in the sidecar; the record of that is the sidecar's.

        It blocks: in asyncio call it through ``asyncio.to_thread``.

        Args:
            timeout: seconds; by default, and at most, until the proposal expires.

        Returns:
            The decision, ``expired`` among them; ``None`` when there is none yet.

        Raises:
            ConfigError: the emitter has no ``controls_url``, so nobody can be asked.
        """
        if self.decision is not None:
            return self.decision
        source = self.emitter.controls
        if source is None:
            raise ConfigError(
                "a decision can be waited for only where the sidecar is known",
                where="Proposal.wait",
                hint="give the emitter controls_url, or say the decision by approved() or denied()",
            )
        expires = self._proposed + self._wanted.expires
        until = expires if timeout is None else min(expires, time.monotonic() + timeout)
        found = await_decision(source, self.id, until, self._given_up.wait, self._wanted.arguments)
        if found is None and time.monotonic() >= expires:
            found = Decision("expired", source="timeout")
        if found is not None:
            self.decision = found
            self.state = "approved" if found.outcome == "auto_approved" else found.outcome
            if found.arguments is not None:
                self.arguments = found.arguments
        return found

    def give_up(self) -> None:
        """Let :meth:`wait` return, from another thread."""
        self._given_up.set()

    @property
    def given_up(self) -> bool:
        """Whether :meth:`give_up` was called."""
        return self._given_up.is_set()

    def executing(self, params: Any = OMITTED) -> None:
        """Record that it begins to run, before it does.

        Args:
            params: what really runs, when that is not :attr:`arguments`.

        Raises:
            NotRecorded: only with ``require_record``: it must not run.
        """
        self._ran = self.arguments if params is OMITTED else self.emitter.snapshot(params)
        self._tell("executing", "executing", {}, arguments=self._ran)
        self._began, self.state = time.monotonic(), "executing"

    def executed(self, result: Any = None) -> None:
        """Record that it ran to its end, and what it returned."""
        plain = self.emitter.snapshot(result)
        said: dict[str, Any] = {}
        if plain is not None:
            said["execution"] = {"output": _text(plain)}
        call = None if isinstance(plain, str) else plain
        self._end("executed", "completed", said, call=call, outcome="success")

    def failed(self, error: BaseException | str) -> None:
        """Record that it ran and failed."""
        group = {"message": error} if isinstance(error, str) else whole_failure(error)
        said = {"execution": {"error": str(group.get("message") or group.get("type"))[:OUTPUT]}}
        self._end("failed", "failed", said, error=group, outcome="failure")

    # The block

    def __enter__(self) -> Proposal:
        self.created()
        self._inside.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._inside.__exit__(kind, error, trace)
        if self.state == "executing":
            if error is None or (isinstance(error, SystemExit) and not error.code):
                self.executed(self.result)
            else:
                self.failed(error)
        elif self.state == "proposed":
            self.emitter.guarded(self.cancelled, "left undecided", error)

    def inside(self) -> Context:
        """Return the context of the block, for code that tells the stages one by one."""
        return self._inside

    # The words

    def _decide(
        self,
        outcome: str,
        stage: str,
        by: Any,
        source: str | None,
        reason: str | None,
        scope: str,
        said: Mapping[str, Any],
    ) -> None:
        who = {} if by is None else brief(person(by))
        if outcome == "approved" and not who:
            outcome = "auto_approved"
        source = source or ("user" if who else "policy")
        decision = {
            "outcome": outcome,
            "source": source,
            "scope": scope,
            "reason": reason,
            "wait_ms": self._waited(),
        }
        activity = {"decision": decision, "approver": who, **said}
        more: dict[str, Any] = {"outcome": "failure"} if outcome == "denied" else {}
        if who:
            more["user"] = who
        self._tell(outcome, stage, activity, reason=reason, **more)
        arguments = self.arguments if outcome == "edited" else None
        self.decision = Decision(outcome, source, who, reason, scope, arguments)
        self.state = "approved" if outcome == "auto_approved" else outcome

    def _end(self, action: str, stage: str, activity: Mapping[str, Any], **said: Any) -> None:
        """Tell the end; it has happened, so it is not given up when it cannot be proven."""
        took = int((time.monotonic() - self._began) * 1e9)
        self.state = stage
        said["event.duration"] = took
        self._tell(action, stage, activity, arguments=self._ran, done=True, **said)

    def _waited(self) -> int:
        """Milliseconds since it was proposed."""
        return int((time.monotonic() - self._proposed) * 1000)

    def _tell(
        self,
        action: str,
        stage: str,
        activity: Mapping[str, Any],
        *,
        arguments: Any = OMITTED,
        call: Any = None,
        done: bool = False,
        **said: Any,
    ) -> None:
        """Emit one entry, complete in itself."""
        wanted, agent = self._wanted, self._agent
        ours: dict[str, Any] = {
            "proposal": {"id": self.id},
            "impact": {"level": wanted.impact, "source": wanted.rated_by},
            "initiator": wanted.initiator,
        }
        ours = _without_none(merge(ours, activity))
        ours["proposal"]["stage"] = stage
        what = self.arguments if arguments is OMITTED else arguments
        called = {"id": wanted.call, "arguments": what, "result": call}
        tool = {**wanted.tool, "call": {k: v for k, v in called.items() if v is not None}}
        said.setdefault("user", wanted.initiator or None)
        fields = {
            **wanted.said,
            "resource": wanted.resource,
            "activity": ours,
            "gen_ai": {"operation": {"name": "execute_tool"}, "tool": tool},
            **said,
        }
        name = f"agent.proposal.{action}"
        with self._context:
            if not done:
                agent.emitter.emit(name, **{**fields, "require_record": agent.required})
            elif agent.required:
                agent.emitter.keep(name, **fields)
            else:
                agent.emitter.emit(name, **{**fields, "require_record": False})


def brief(group: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the record of an agent says of a person."""
    return {name: group[name] for name in PERSON if group.get(name)}


def wanted_resource(target: Any) -> Any:
    """Return ``activity.resource`` of a target as :meth:`Emitter.emit` takes it."""
    return None if target is None else resource_group(target)


def _more(confirmation: str | None, policy: tuple[str, str] | None) -> dict[str, Any]:
    said: dict[str, Any] = {}
    if confirmation is not None:
        said["confirmation"] = {"text": confirmation}
    if policy is not None:
        said["policy"] = {"id": policy[0], "version": policy[1]}
    return said


def _without_none(group: Mapping[str, Any]) -> dict[str, Any]:
    """Return the group without what was not said."""
    kept: dict[str, Any] = {}
    for name, value in group.items():
        inner = _without_none(value) if isinstance(value, Mapping) else value
        if inner is not None and inner != {}:
            kept[name] = inner
    return kept


def _text(plain: Any) -> str:
    text = plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)
    left = len(text) - OUTPUT
    return text if left <= 0 else f"{text[:OUTPUT]} ({left} more characters)"
