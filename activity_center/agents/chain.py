"""A chain: proposal, decision, execution and result of one action of an AI agent.

The stages are entries of their own that arrive in any order, repeatedly, late, or never. A chain
is read out of whichever are there, always the same one out of the same entries.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from activity_center.agents.entry import DECISIONS, RUNS, Entry, ordered
from activity_center.agents.runs import runs
from activity_center.processes.reading import lasted, moment, number, part, text, texts, written

LEVELS: Final = ("safe", "caution", "destructive")
"""Impacts, the gravest last."""
MOST_ROLES: Final = 100


@dataclass(frozen=True, slots=True)
class Proposal:
    """What the agent asked for.

    Attributes:
        at: microseconds since 1970, as all times here.
        content: tool, target and arguments, for a comparison.
    """

    at: int
    arguments: dict[str, Any] | None
    digest: str
    content: dict[str, Any]
    entry: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What somebody or something decided; each entry that tells of a decision is one.

    Attributes:
        stage: approved, denied, cancelled or expired.
        wait: milliseconds from proposal to decision, as the entry says, else by the clocks.
        authenticated: the approver comes from an authenticated session, or from a sender that
            is trusted to say so.
        roles: of the approver at that time; ``None``: the entry does not say.
        policy: id and version of the policy that applied, or empty.
    """

    at: int
    stage: str
    outcome: str
    source: str
    scope: str
    reason: str
    wait: int | None
    approver: dict[str, Any]
    roles: tuple[str, ...] | None
    authenticated: bool
    auth_method: str
    mfa: bool | None
    confirmation: str
    arguments: dict[str, Any] | None
    digest: str
    content: dict[str, Any]
    policy: tuple[str, str]
    entry: str

    @property
    def by_person(self) -> bool:
        """Whether a person decided on this very proposal."""
        return self.source in ("user", "") and self.outcome != "auto_approved"

    @property
    def standing(self) -> bool:
        """Whether it was decided in advance: by a rule, or for more than this proposal."""
        return not self.by_person or self.lasting

    @property
    def lasting(self) -> bool:
        """Whether it was given for more than this proposal."""
        return self.scope in ("session", "always")


@dataclass(frozen=True, slots=True)
class Execution:
    """One run of what was proposed.

    Attributes:
        begun: of its first entry, whichever stage that is.
        state: executing, completed or failed.
        digests: each that its entries carry.
        contents: what each of its entries says that ran.
    """

    begun: int
    started: int | None
    ended: int | None
    state: str
    arguments: dict[str, Any] | None
    digests: tuple[str, ...]
    contents: tuple[dict[str, Any], ...]
    output: Any
    error: str
    entries: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Chain:
    """One chain.

    Attributes:
        id: the proposal's; where no entry knows it, ``call:`` and the id of the tool's call.
        impact: the gravest that an entry names, or empty.
        target: type, id, name and url of what it is about.
        action: the trail's name of what ran, else the proposal's.
        complete: the proposal and the beginning of each execution are there.
    """

    id: str
    case: str
    organization: dict[str, Any]
    impact: str
    impact_source: str
    tool: dict[str, Any]
    agent: dict[str, Any]
    initiator: dict[str, Any]
    target: dict[str, Any]
    action: str
    origin: str
    rationale: str
    expires: int | None
    recommendation: dict[str, Any]
    policy: tuple[str, str]
    proposal: Proposal | None
    decisions: tuple[Decision, ...]
    executions: tuple[Execution, ...]
    entries: tuple[Entry, ...]

    @property
    def state(self) -> str:
        """How far it has come, by its entries alone."""
        if self.executions:
            return self.executions[-1].state
        decision = self.decision
        if decision is None:
            return "proposed"
        return "edited" if decision.outcome == "edited" else decision.stage

    @property
    def decision(self) -> Decision | None:
        """The decision that counts: the last one, but an expiry only where there is no other."""
        made = [one for one in self.decisions if one.stage != "expired"]
        last = made or list(self.decisions)
        return last[-1] if last else None

    @property
    def begun(self) -> int:
        """When the first entry that is there happened."""
        return min((one.at for one in self.entries), default=0)

    @property
    def complete(self) -> bool:
        """Whether the proposal and the beginning of each execution are there."""
        return self.proposal is not None and all(one.started is not None for one in self.executions)

    def as_dict(self) -> dict[str, Any]:
        """Return it as the API has it."""
        proposal, decision = self.proposal, self.decision
        started = min((one.begun for one in self.executions), default=None)
        ends = [one.ended for one in self.executions if one.ended is not None]
        ended = max(ends, default=None)
        return {
            "id": self.id,
            "case": self.case or None,
            "organization": self.organization,
            "state": self.state,
            "impact": {"level": self.impact or None, "source": self.impact_source or None},
            "tool": self.tool,
            "agent": self.agent,
            "initiator": self.initiator,
            "target": self.target,
            "action": self.action or None,
            "origin": self.origin or None,
            "rationale": self.rationale or None,
            "proposed_at": written(proposal.at if proposal else None),
            "expires_at": written(self.expires),
            "decided_at": written(decision.at if decision else None),
            "started_at": written(started),
            "ended_at": written(ended),
            "wait_ms": decision.wait if decision else None,
            "duration_ms": lasted(started, ended),
            "policy": {"id": self.policy[0], "version": self.policy[1]} if self.policy[0] else None,
            "proposed": {
                "arguments": proposal.arguments,
                "digest": proposal.digest or None,
                "entry": proposal.entry,
            }
            if proposal
            else None,
            "decisions": [_decision_dict(one) for one in self.decisions],
            "executions": [_execution_dict(one) for one in self.executions],
            **({"recommendation": self.recommendation} if self.recommendation else {}),
            "entries": [one.id for one in self.entries],
            "complete": self.complete,
        }


def read_chain(activities: Iterable[Mapping[str, Any]]) -> Chain:
    """Read a chain out of its entries, in any order.

    Args:
        activities: stored activities of one chain; of those with one ``event.id`` one counts.
    """
    return _chain(ordered(map(Entry.of, activities)))


def _decision_dict(one: Decision) -> dict[str, Any]:
    return {
        "at": written(one.at),
        "outcome": one.outcome,
        "source": one.source or None,
        "scope": one.scope or None,
        "reason": one.reason or None,
        "wait_ms": one.wait,
        "approver": {**one.approver, "roles": list(one.roles or ())} if one.approver else None,
        "authenticated": one.authenticated,
        "auth_method": one.auth_method or None,
        "mfa": one.mfa,
        "confirmation": one.confirmation or None,
        "arguments": one.arguments,
        "digest": one.digest or None,
        "entry": one.entry,
    }


def _execution_dict(one: Execution) -> dict[str, Any]:
    return {
        "started": written(one.started),
        "ended": written(one.ended),
        "state": one.state,
        "arguments": one.arguments,
        "digest": one.digests[0] if one.digests else None,
        "output": one.output,
        "error": one.error or None,
        "entries": list(one.entries),
    }


def _chain(line: list[Entry]) -> Chain:
    told = [one for one in line if one.stage] or line
    first = next((one for one in line if one.stage == "proposed"), None)
    best = [first, *told] if first else told  # the proposal's word, else the first that says it
    impacts = [part(one.ours, "impact") for one in best]
    impact = max((text(one, "level") for one in impacts), key=_gravity, default="")
    proposal = _proposal(first) if first else None
    proposed = [one for one in best if one is first or one.stage == "proposed"]
    ran = [one.action for one in line if one.stage in RUNS]
    own = [one for one in ran if not one.startswith("agent.proposal.")]
    policies = [
        (text(group, "id"), text(group, "version"))
        for group in (part(one.ours, "policy") for one in (*_decided(told), *best))
    ]
    call = next((one.call for one in best if one.call), "")
    return Chain(
        id=next((one.proposal for one in best if one.proposal), "") or f"call:{call}",
        case=next((one.case for one in best if one.case), ""),
        organization=_first(best, ("organization",), ("id", "name")),
        impact=impact if impact in LEVELS else "",
        impact_source=next((text(g, "source") for g in impacts if g.get("level") == impact), ""),
        tool=_first(best, ("gen_ai", "tool"), ("name", "type", "description"))
        | {"call_id": call or None},
        agent=_agent(best),
        initiator=_first(best, ("activity", "initiator"), PERSON),
        target=_first(best, ("activity", "resource"), ("type", "id", "name", "url")),
        action=next(iter(own), "") or next((one.action for one in best if one.action), ""),
        origin=_text(best, ("activity",), "origin"),
        rationale=_text(best, ("activity", "proposal"), "rationale"),
        expires=next(
            (at for one in best if (at := moment(part(one.ours, "proposal"), "expires_at"))), None
        ),
        recommendation=dict(part(proposed[0].ours, "recommendation")) if proposed else {},
        policy=next((one for one in policies if one[0]), ("", "")),
        proposal=proposal,
        decisions=tuple(_decision(one, proposal) for one in line if one.stage in DECISIONS),
        executions=tuple(map(_execution, runs(line))),
        entries=tuple(line),
    )


PERSON: Final = ("id", "name", "full_name", "email")


def _gravity(level: str) -> int:
    return LEVELS.index(level) if level in LEVELS else -1


def _decided(line: list[Entry]) -> list[Entry]:
    """The decisions, the last one first, but expiries behind all others."""
    found = [one for one in reversed(line) if one.stage in DECISIONS]
    return sorted(found, key=lambda one: one.stage == "expired")


def _text(line: list[Entry], path: tuple[str, ...], name: str) -> str:
    return next((found for one in line if (found := text(part(one.source, *path), name))), "")


def _first(
    line: list[Entry], path: tuple[str, ...], names: tuple[str, ...]
) -> dict[str, str | None]:
    """The texts of the first entry that has the group; ``None`` where it lacks one."""
    for one in line:
        group = part(one.source, *path)
        if any(text(group, name) for name in names):
            return {name: text(group, name) or None for name in names}
    return dict.fromkeys(names)


def _agent(line: list[Entry]) -> dict[str, str | None]:
    found = _first(line, ("gen_ai", "agent"), ("id", "name", "version"))
    model = _text(line, ("gen_ai", "response"), "model") or _text(
        line, ("gen_ai", "request"), "model"
    )
    provider = _text(line, ("gen_ai", "provider"), "name")
    return {**found, "provider": provider or None, "model": model or None}


def _content(one: Entry) -> dict[str, Any]:
    """What a digest is over: tool, arguments, type and id of the target."""
    target = part(one.ours, "resource")
    return {
        "tool": text(part(one.source, "gen_ai", "tool"), "name"),
        "target": {"type": text(target, "type"), "id": text(target, "id")},
        "arguments": one.arguments,
    }


def _proposal(one: Entry) -> Proposal:
    digest = text(part(one.ours, "proposal"), "digest")
    return Proposal(one.at, one.arguments, digest, _content(one), one.id)


def _decision(one: Entry, proposal: Proposal | None) -> Decision:
    ours = one.ours
    group, approver, policy = (part(ours, name) for name in ("decision", "approver", "policy"))
    wait = number(group, "wait_ms")
    outcome = text(group, "outcome")
    if not outcome:
        last = one.action.rpartition(".")[2]
        outcome = last if last in ("edited", "auto_approved") else one.stage
    roles = texts(approver, "roles", MOST_ROLES)
    mfa = group.get("mfa")
    return Decision(
        at=one.at,
        stage=one.stage,
        outcome=outcome,
        source=text(group, "source"),
        scope=text(group, "scope"),
        reason=text(group, "reason"),
        wait=lasted(proposal.at, one.at) if wait is None and proposal else wait,
        approver={name: text(approver, name) or None for name in PERSON}
        if any(text(approver, name) for name in PERSON)
        else {},
        roles=None if roles is None else tuple(roles),
        authenticated=approver.get("authenticated") is True,
        auth_method=text(group, "auth_method"),
        mfa=mfa if isinstance(mfa, bool) else None,
        confirmation=text(part(ours, "confirmation"), "text"),
        arguments=one.arguments,
        digest=text(part(ours, "proposal"), "digest"),
        content=_content(one),
        policy=(text(policy, "id"), text(policy, "version")),
        entry=one.id,
    )


def _execution(run: list[Entry]) -> Execution:
    starts = [one.at for one in run if one.stage == "executing"]
    ends = [one for one in run if one.stage != "executing"]
    groups = [part(one.ours, "execution") for one in run]
    digests = dict.fromkeys(text(one, "digest") for one in groups)
    results = [part(one.source, "gen_ai", "tool", "call").get("result") for one in ends]
    output = next((found for one in groups if (found := text(one, "output"))), None)
    errors = [text(part(one.source, "error"), "message") for one in ends]
    return Execution(
        begun=min(one.at for one in run),
        started=min(starts, default=None),
        ended=min((one.at for one in ends), default=None),
        state=ends[-1].stage if ends else "executing",
        arguments=next((one.arguments for one in run if one.arguments is not None), None),
        digests=tuple(one for one in digests if one),
        contents=tuple(_content(one) for one in run),
        output=output or next((one for one in results if one is not None), None),
        error=next((found for one in groups if (found := text(one, "error"))), "")
        or next((one for one in errors if one), ""),
        entries=tuple(one.id for one in run),
    )
