"""A chain: proposal, decision, execution and result of one action of an AI agent.

The stages are entries of their own that arrive in any order, repeatedly, late, or never. A chain
is read out of whichever are there, always the same one out of the same entries.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from activity_center.agents.decision import PERSON, Decision, content, counting, decision_of
from activity_center.agents.entry import CALL_OF, Entry, first_proposed, ordered
from activity_center.agents.runs import runs
from activity_center.agents.stage import DECISIONS, RUNS
from activity_center.processes.reading import lasted, moment, part, text, written

LEVELS: Final = ("safe", "caution", "destructive")
"""Impacts, the gravest last."""


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
class Execution:
    """One run of what was proposed.

    Attributes:
        begun: of its first entry, whichever stage that is; at the latest when it was received,
            since a sender may date it as it likes.
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
        policy: id and version that the last authenticated decision names, else of the one that
            applied when the proposal was received, or empty.
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
        """The last one of those that count, else an expiry, else what names nobody."""
        expired = [one for one in self.decisions if one.stage == "expired"]
        last = counting(self.decisions) or expired or list(self.decisions)
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
            "decisions": [one.as_dict() for one in self.decisions],
            "executions": [_execution_dict(one) for one in self.executions],
            **({"recommendation": self.recommendation} if self.recommendation else {}),
            "entries": [one.id for one in self.entries],
            "complete": self.complete,
        }


def read_chain(activities: Iterable[Mapping[str, Any]]) -> Chain:
    """Read a chain out of its entries, in any order.

    Args:
        activities: stored activities of one chain; a repeat of one does not count.
    """
    return _chain(ordered(map(Entry.of, activities)))


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
    first = first_proposed(line)
    best = [first, *told] if first else told  # the proposal's word, else the first that says it
    impacts = [part(one.ours, "impact") for one in best]
    impact = max((text(one, "level") for one in impacts), key=_gravity, default="")
    proposal = _proposal(first) if first else None
    proposed = [one for one in best if one is first or one.stage == "proposed"]
    ran = [one.action for one in line if one.stage in RUNS]
    own = [one for one in ran if not one.startswith("agent.proposal.")]
    decisions = tuple(decision_of(one, first) for one in line if one.stage in DECISIONS)
    counted = counting(decisions)
    policies = [one.policy for one in reversed(counted) if one.authenticated and one.policy[0]]
    call = next((one.call for one in best if one.call), "")
    tool = _tool(best)
    return Chain(
        id=next((one.proposal for one in best if one.proposal), "") or f"{CALL_OF}{call}",
        case=next((one.case for one in best if one.case), ""),
        organization=_first(best, ("organization",), ("id", "name")),
        impact=impact if impact in LEVELS else "",
        impact_source=next((text(g, "source") for g in impacts if g.get("level") == impact), ""),
        tool=tool | {"call_id": call or None},
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
        policy=next(iter(policies), _at_receipt(first, impact, tool["name"] or "")),
        proposal=proposal,
        decisions=decisions,
        executions=tuple(map(_execution, runs(line, [one.at for one in counted]))),
        entries=tuple(line),
    )


def _at_receipt(first: Entry | None, impact: str, tool: str) -> tuple[str, str]:
    """The policy that applied when the proposal was received: not to what it did not tell."""
    if first is None or text(part(first.ours, "impact"), "level") != impact:
        return "", ""
    if text(part(first.source, "gen_ai", "tool"), "name") != tool:
        return "", ""
    group = part(first.ours, "policy_at_receipt")
    return text(group, "id"), text(group, "version")


def _gravity(level: str) -> int:
    return LEVELS.index(level) if level in LEVELS else -1


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


def _tool(line: list[Entry]) -> dict[str, str | None]:
    """Of the first entry that names it: policies go by the name, not by what it is otherwise."""
    named = [one for one in line if text(part(one.source, "gen_ai", "tool"), "name")]
    return _first(named or line, ("gen_ai", "tool"), ("name", "type", "description"))


def _agent(line: list[Entry]) -> dict[str, str | None]:
    found = _first(line, ("gen_ai", "agent"), ("id", "name", "version"))
    model = _text(line, ("gen_ai", "response"), "model") or _text(
        line, ("gen_ai", "request"), "model"
    )
    provider = _text(line, ("gen_ai", "provider"), "name")
    return {**found, "provider": provider or None, "model": model or None}


def _proposal(one: Entry) -> Proposal:
    digest = text(part(one.ours, "proposal"), "digest")
    return Proposal(one.at, one.arguments, digest, content(one), one.id)


def _execution(run: list[Entry]) -> Execution:
    starts = [one.at for one in run if one.stage == "executing"]
    ends = [one for one in run if one.stage != "executing"]
    groups = [part(one.ours, "execution") for one in run]
    times = (moment(part(one.source, "event"), "ingested") for one in run)
    received = [one for one in times if one is not None]
    digests = dict.fromkeys(text(one, "digest") for one in groups)
    results = [part(one.source, "gen_ai", "tool", "call").get("result") for one in ends]
    output = next((found for one in groups if (found := text(one, "output"))), None)
    errors = [text(part(one.source, "error"), "message") for one in ends]
    return Execution(
        begun=min((*(one.at for one in run), *received)),
        started=min(starts, default=None),
        ended=min((one.at for one in ends), default=None),
        state=ends[-1].stage if ends else "executing",
        arguments=next((one.arguments for one in run if one.arguments is not None), None),
        digests=tuple(one for one in digests if one),
        contents=tuple(content(one) for one in run),
        output=output or next((one for one in results if one is not None), None),
        error=next((found for one in groups if (found := text(one, "error"))), "")
        or next((one for one in errors if one), ""),
        entries=tuple(one.id for one in run),
    )
