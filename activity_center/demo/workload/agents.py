"""What AI agents propose, who decides, what then runs, and what goes wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from activity_center.demo.workload.cast import Person
from activity_center.demo.workload.dice import Dice
from activity_center.demo.workload.event import Event
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


@dataclass(frozen=True, slots=True)
class Tool:
    """Something an agent can do.

    Attributes:
        action: what the trail says when it ran.
        proposed, approved, denied: the stages' names, where a tool has its own.
        confirm: the approver must type the target's name.
        saving: USD a month that a recommendation saves.
    """

    name: str
    impact: str
    action: str
    target: tuple[str, str]
    targets: tuple[str, ...]
    arguments: dict[str, tuple[Any, ...]]
    rationale: str
    output: str
    error: str
    prompt: str
    proposed: str = "agent.proposal.created"
    approved: str = "agent.proposal.approved"
    denied: str = "agent.proposal.denied"
    confirm: bool = False
    saving: int = 0


TOOLS: Final = (
    Tool(
        "restart_service",
        "safe",
        "agent.restartService",
        ("service", "svc"),
        ("web-prod-01 / nginx", "worker-01 / queue-worker"),
        {"service": ("nginx", "queue-worker"), "graceful": (True,)},
        "The service answers slowly since 40 minutes; memory grew to 3.1 GB",
        "restarted, healthy after 4 s",
        "unit did not become active within 90 s",
        "the site is slow, can you look",
    ),
    Tool(
        "run_backup",
        "safe",
        "agent.runBackup",
        ("backup", "bkp"),
        ("shop_prod", "fleet"),
        {"type": ("full", "incremental"), "offsite": (True, False)},
        "The last full backup is nine days old",
        "backup of 2.2 GB written and verified",
        "no space left on the backup volume",
        "are our backups all right",
    ),
    Tool(
        "execute_approved_plan",
        "caution",
        "agent.executeApprovedPlan",
        ("deployment_plan", "dpl"),
        ("php upgrade", "move to new host"),
        {"plan": ("dpl_41", "dpl_57"), "steps": (3, 5, 8)},
        "The plan was checked against a copy; all five probes were green",
        "all steps done, probes green",
        "step 3 of 5: package index is locked",
        "please do the php upgrade tonight",
    ),
    Tool(
        "deploy",
        "caution",
        "agent.deploy",
        ("deployment", "dep"),
        ("portal main@4f2c91a", "checkout main@b77e03d"),
        {"ref": ("4f2c91a", "b77e03d"), "strategy": ("rolling", "blue-green")},
        "The fix for the cart total is merged and its tests pass",
        "revision is live on 3 of 3 instances",
        "build failed: type null is not assignable",
        "ship the cart fix",
    ),
    Tool(
        "run_ssh_command",
        "destructive",
        "agent.ssh_executed",
        ("server", "srv"),
        ("web-prod-01", "db-prod-01"),
        {"command": ("rm -rf /tmp/cache", "truncate -s 0 /var/log/app.log", "reboot")},
        "The disk is 94 % full, most of it is a cache that can be rebuilt",
        "freed 11 GB",
        "rm: cannot remove '/tmp/cache/lock': Operation not permitted",
        "disk alarm on web-prod-01, fix it",
        proposed="agent.ssh_proposed",
        approved="agent.ssh_approved",
        denied="agent.ssh_denied",
        confirm=True,
    ),
    Tool(
        "run_command",
        "destructive",
        "agent.runCommand",
        ("server", "srv"),
        ("staging-01", "db-prod-01"),
        {"command": ("dropdb analytics_old", "docker system prune -af"), "sudo": (True,)},
        "Nothing has read from it for 60 days",
        "done",
        "database is being accessed by 2 other users",
        "clean up what we do not use",
        confirm=True,
    ),
    Tool(
        "downsize_server",
        "caution",
        "agent.cost_recommendation.applied",
        ("server", "srv"),
        ("staging-db", "worker-01"),
        {"from": ("cx42", "cx52"), "to": ("cx22", "cx32")},
        "CPU stayed below 9 % for 30 days",
        "resized in 70 s",
        "the provider has no capacity of this size in fsn1",
        "where can we save money",
        proposed="agent.cost_recommendation.proposed",
        approved="agent.cost_recommendation.approved",
        denied="agent.cost_recommendation.denied",
        saving=18,
    ),
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
        """Add one entry. ``person`` is whose session caused it (decision 19)."""
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
    tool = tool or dice.pick(TOOLS)
    one = Chain(world, dice, tool, initiator, when, name=dice.pick(tool.targets))
    names = ("case", "proposal", "conversation", "call")
    one.ids = {name: f"{name[:3]}_{dice.hex(8)}" for name in names} | {"trace": dice.hex(32)}
    one.arguments = {key: dice.pick(values) for key, values in tool.arguments.items()}
    kind, prefix = tool.target
    one.resource = {"type": kind, "id": f"{prefix}_{dice.hex(6)}", "name": one.name}
    end: Ending = ending if ending is not None else dice.weighted(ENDINGS)
    if end == "auto" and tool.impact != "safe":
        end = "executed"
    _propose(one)
    if _decide(one, end):
        _execute(one, end)
    return one.events


def _propose(one: Chain) -> None:
    usage = {
        "input_tokens": one.dice.between(400, 9000),
        "output_tokens": one.dice.between(40, 900),
    }
    expires = one.when + timedelta(minutes=30)
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
        reason = {"reason": "nobody decided within 30 minutes"}
        stage = ("agent.proposal.expired", "expired")
        one.add(*stage, one.initiator, more, outcome="failure", event=reason)
        return False
    wait = one.dice.between(8_000, 1_500_000) if ending != "auto" else one.dice.between(2, 9)
    one.when += timedelta(milliseconds=wait)
    if ending == "auto":
        decision = {"outcome": "auto_approved", "source": "policy", "wait_ms": wait}
        more = {"decision": decision, "policy": {"id": "safe-runs-alone", "version": "3"}}
        one.add("agent.proposal.auto_approved", "approved", one.initiator, more)
        return True
    approver = one.dice.pick(one.world.organization.with_roles("owner", "admin"))
    decision = {"outcome": "approved", "source": "user", "scope": "once", "wait_ms": wait}
    more = {"decision": decision, "approver": {**approver.brief(), "roles": [approver.role]}}
    if ending == "denied":
        decision["outcome"] = "denied"
        decision["reason"] = one.dice.pick(("not now", "still needed", "let me look first"))
        more["result"] = "denied"
        denied = {"type": ["denied"], "reason": decision["reason"]}
        one.add(one.tool.denied, "denied", approver, more, outcome="failure", event=denied)
        return False
    if one.tool.confirm:
        more["confirmation"] = {"text": one.name}
    if ending == "edited":
        decision["outcome"] = "edited"
        one.arguments = {**one.arguments, "dry_run_first": True}
        one.add("agent.proposal.edited", "approved", approver, more)
    else:
        one.add(one.tool.approved, "approved", approver, more)
    return True


def _execute(one: Chain, ending: Ending) -> None:
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
