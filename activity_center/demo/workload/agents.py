"""What AI agents propose, who decides, what then runs, and what goes wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from activity_center.agents.policy import shipped_policies
from activity_center.demo.workload.cast import Person
from activity_center.demo.workload.dice import Dice
from activity_center.demo.workload.event import Event
from activity_center.demo.workload.tools import TOOLS, Tool
from activity_center.demo.workload.world import World, native
from activity_center.vocabulary import actions

Ending = Literal["executed", "failed", "denied", "expired", "drifted", "auto", "edited"]
ENDINGS: Final[tuple[tuple[Ending, int], ...]] = (
    ("executed", 44),
    ("denied", 16),
    ("expired", 9),
    ("failed", 10),
    ("auto", 12),
    ("edited", 6),
    ("drifted", 3),
)


@dataclass(slots=True)
class Chain:
    """One proposal on its way; makes its entries in order."""

    world: World
    dice: Dice
    tool: Tool
    initiator: Person
    when: datetime
    name: str = ""
    ids: dict[str, str] = field(default_factory=dict)
    arguments: dict[str, Any] = field(default_factory=dict)
    resource: dict[str, Any] = field(default_factory=dict)
    sequence: int = 0
    events: list[Event] = field(default_factory=list)

    def add(
        self,
        action: str,
        stage: str,
        person: Person,
        activity: dict[str, Any],
        *,
        arguments: dict[str, Any] | None = None,
        **parts: Any,
    ) -> None:
        """Add one entry. ``person`` is whose session caused it."""
        call = {"id": self.ids["call"], "arguments": dict(arguments or self.arguments)}
        agent = self.world.organization.agent.group()
        result = parts.pop("result", None)
        if result is not None:
            call["result"] = result
        agent |= {"tool": {"name": self.tool.name, "type": "function", "call": call}}
        agent["conversation"] = {"id": self.ids["conversation"]}
        agent["operation"] = {"name": "execute_tool"}
        filled = {
            "origin": "agent",
            "resource": dict(self.resource),
            "case": {"id": self.ids["case"]},
            "proposal": {"id": self.ids["proposal"], "stage": stage},
            "impact": {"level": self.tool.impact, "source": "operator"},
            "initiator": self.initiator.brief(),
        }
        for key, value in activity.items():
            old = filled.get(key)
            merged = isinstance(old, dict) and isinstance(value, dict)
            filled[key] = {**old, **value} if merged else value  # type: ignore[dict-item]
        self.events.append(
            native(
                self.dice,
                self.when,
                self.world.organization,
                action,
                person,
                activity=filled,
                event={"sequence": self.sequence, **parts.pop("event", {})},
                sender="agents",
                transport="http",
                gen_ai=agent,
                trace={"id": self.ids["trace"]},
                **parts,
            )
        )
        self.sequence += 1


def chain(
    world: World,
    dice: Dice,
    when: datetime,
    initiator: Person,
    *,
    tool: Tool | None = None,
    ending: Ending | None = None,
) -> list[Event]:
    """Return all entries of one proposal, from the prompt to how it ended."""
    one = begin(world, dice, when, initiator, tool or dice.pick(TOOLS))
    end: Ending = ending if ending is not None else dice.weighted(ENDINGS)
    if end == "auto" and one.tool.impact != "safe":
        end = "executed"
    propose(one)
    if _decide(one, end):
        execute(one, end)
    return one.events


def begin(world: World, dice: Dice, when: datetime, initiator: Person, tool: Tool) -> Chain:
    """Return a chain without any entry yet."""
    one = Chain(world, dice, tool, initiator, when, name=dice.pick(tool.targets))
    names = ("case", "proposal", "conversation", "call")
    one.ids = {name: f"{name[:3]}_{dice.hex(8)}" for name in names} | {"trace": dice.hex(32)}
    one.arguments = {key: dice.pick(values) for key, values in tool.arguments.items()}
    kind, prefix = tool.target
    one.resource = {"type": kind, "id": f"{prefix}_{dice.hex(6)}", "name": one.name}
    return one


def propose(one: Chain, minutes: int = 30) -> None:
    """Add the proposal, which expires after so many minutes."""
    usage = {
        "input_tokens": one.dice.between(400, 9000),
        "output_tokens": one.dice.between(40, 900),
    }
    expires = one.when + timedelta(minutes=minutes)
    proposal = {
        "rationale": one.tool.rationale,
        "expires_at": expires.isoformat(timespec="milliseconds"),
    }
    activity: dict[str, Any] = {"proposal": proposal}
    if one.tool.saving:
        activity["recommendation"] = {
            "saving": {"amount": one.tool.saving, "currency": "USD", "period": "month"}
        }
    message = f"{one.tool.name} on {one.name}"
    one.add(one.tool.proposed, "proposed", one.initiator, activity, message=message, usage=usage)
    one.events[-1].record["gen_ai"]["usage"] = one.events[-1].record.pop("usage")


def _decide(one: Chain, ending: Ending) -> bool:
    """Add the decision; return whether it may run."""
    if ending == "expired":
        one.when += timedelta(minutes=31)
        decision = {"outcome": "expired", "source": "timeout", "wait_ms": 1_860_000}
        more: dict[str, Any] = {"decision": decision, "result": "expired"}
        why = {"reason": "nobody decided within 30 minutes"}
        stage = ("agent.proposal.expired", "expired")
        one.add(*stage, one.initiator, more, outcome="failure", event=why)
        return False
    wait = one.dice.between(8_000, 1_500_000) if ending != "auto" else one.dice.between(2, 9)
    one.when += timedelta(milliseconds=wait)
    if ending == "auto":
        decision = {"outcome": "auto_approved", "source": "policy", "wait_ms": wait}
        more = {"decision": decision, "policy": shipped_policies().current("safe").as_dict()}
        one.add("agent.proposal.auto_approved", "approved", one.initiator, more)
        return True
    approver = one.dice.pick(deciders(one))
    if ending == "denied":
        reason = one.dice.pick(("not now", "still needed", "let me look first"))
        decision = {"outcome": "denied", "source": "user", "scope": "once", "wait_ms": wait}
        more = {"decision": {**decision, "reason": reason}, "result": "denied"}
        more["approver"] = {**approver.brief(), "roles": [approver.role]}
        denied = {"type": ["denied"], "reason": reason}
        one.add(one.tool.denied, "denied", approver, more, outcome="failure", event=denied)
        return False
    if ending == "edited":
        one.arguments = {**one.arguments, "dry_run_first": True}
    approve(one, approver, wait, outcome="edited" if ending == "edited" else "approved")
    return True


def deciders(one: Chain) -> tuple[Person, ...]:
    """Return who may decide and is not the one who asked."""
    may = one.world.organization.with_roles("owner", "admin")
    return tuple(person for person in may if person.id != one.initiator.id)


def approve(
    one: Chain,
    approver: Person,
    wait: int,
    *,
    outcome: str = "approved",
    typed: str | None = None,
) -> None:
    """Add an approval by a person.

    Args:
        wait: milliseconds since the proposal.
        typed: to confirm; default: what the tool asks for.
    """
    more: dict[str, Any] = {
        "decision": {"outcome": outcome, "source": "user", "scope": "once", "wait_ms": wait},
        "approver": {**approver.brief(), "roles": [approver.role]},
        "policy": shipped_policies().current(one.tool.impact).as_dict(),
    }
    if one.tool.confirm and typed != "":
        more["confirmation"] = {"text": typed or one.name}
    action = "agent.proposal.edited" if outcome == "edited" else one.tool.approved
    one.add(action, "approved", approver, more)


def execute(one: Chain, ending: Ending) -> None:
    """Add an execution and its result."""
    ran = dict(one.arguments)
    if ending == "drifted":  # what ran is not what was approved
        key = next(iter(ran))
        ran[key] = f"{ran[key]} --force" if isinstance(ran[key], str) else "all"
    one.when += timedelta(milliseconds=one.dice.between(100, 2500))
    one.add("agent.proposal.executing", "executing", one.initiator, {}, arguments=ran)
    took = one.dice.between(700, 90_000)
    one.when += timedelta(milliseconds=took)
    duration = {"duration": took * 1_000_000}
    if ending == "failed":
        error = one.tool.error
        more: dict[str, Any] = {"execution": {"error": error}, "result": "failed"}
        one.add(
            one.tool.action,
            "failed",
            one.initiator,
            more,
            arguments=ran,
            outcome="failure",
            event=duration,
            error={"type": "ToolError", "message": error},
            result={"status": "failed"},
        )
        action = "agent.proposal.failed"
        one.add(action, "failed", one.initiator, more, arguments=ran, outcome="failure")
        return
    more = {"execution": {"output": one.tool.output}, "result": "completed"}
    result = {"status": "ok"}
    action, stage = one.tool.action, "completed"
    one.add(action, stage, one.initiator, more, arguments=ran, event=duration, result=result)
    one.add("agent.proposal.executed", stage, one.initiator, more, arguments=ran)


def small_talk(world: World, dice: Dice, when: datetime, person: Person) -> list[Event]:
    """Return what needs no approval: a prompt, what was read, a memory, a switch."""
    tool = dice.pick(TOOLS)
    one = Chain(world, dice, tool, person, when, name=dice.pick(tool.targets))
    ids = {name: f"{name[:3]}_{dice.hex(8)}" for name in ("case", "conversation", "call")}
    agent = world.organization.agent.group() | {"conversation": {"id": ids["conversation"]}}
    case: dict[str, Any] = {
        "case": {"id": ids["case"]},
        "initiator": person.brief(),
        "origin": "agent",
    }
    names: list[tuple[str, dict[str, Any]]] = [("agent.prompt", {"message": tool.prompt})]
    names.append(("agent.read", {"metadata": {"endpoint": "/metrics", "rows": 120}}))
    extra = dice.weighted(
        (
            ("agent.tool.call", 4),
            ("agent.memory.create", 3),
            ("agent.memory.update", 2),
            ("agent.memory.delete", 2),
            ("agent.update", 1),
            ("agent.disable", 1),
            ("agent.enable", 1),
            ("agent.tool.denied", 1),
        )
    )
    names.append((extra, {}))
    for number, (action, groups) in enumerate(names):
        when += timedelta(milliseconds=dice.between(300, 9000))
        kind = actions()[action].resource_type
        same = {
            "conversation": (ids["conversation"], one.name),
            "tool_call": (ids["call"], tool.name),
            "agent": (agent["agent"]["id"], agent["agent"]["name"]),
        }
        id_, name = same.get(kind, (f"{kind[:3]}_{dice.hex(6)}", one.name))
        resource = {"type": kind, "id": id_, "name": name}
        refused = action == "agent.tool.denied"
        event: dict[str, Any] = {"sequence": number}
        if refused:
            event |= {"type": ["denied"], "reason": "the policy allows no writes at night"}
        one.events.append(
            native(
                dice,
                when,
                world.organization,
                action,
                person,
                activity={**case, "resource": resource},
                event=event,
                outcome="failure" if refused else "success",
                sender="agents",
                transport="http",
                gen_ai=dict(agent),
                **groups,
            )
        )
    return one.events
