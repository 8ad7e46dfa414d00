"""The reference model: what a chain's verdict has to be, said once more and another way.

It works on :class:`Told`, not on stored activities, and shares nothing with the code it checks
but the words of the verdicts.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

ORDER = (
    *("executed_without_approval", "parameters_drifted", "executed_twice", "decided_after_expiry"),
    *("approver_lacked_permission", "approved_by_initiator", "standing_approval_on_destructive"),
    *("confirmation_missing", "approved_too_fast"),
)
RANKS = (
    "proposed",
    "approved",
    "denied",
    "cancelled",
    "expired",
    "executing",
    "completed",
    "failed",
)
LETTERS = {
    ("executing", "agent.proposal.executing"): "s",
    ("completed", "agent.proposal.executed"): "c",
    ("completed", "agent.deploy"): "C",
    ("failed", "agent.proposal.failed"): "f",
    ("failed", "agent.deploy"): "F",
}
RUN = re.compile("s?(?:cC|Cc|fF|Ff|[cCfF])?")
"""One execution in one producer's words: a beginning, and a result told in one way or in two."""


@dataclass(frozen=True)
class Told:
    """What one producer tells of one stage; times in seconds.

    Attributes:
        value: stands for tool, target and parameters; empty: not told.
        hashed: the producer's entries carry digests.
        asked: who prompted; empty: not told.
        received: when; ``None``: not told.
    """

    id: str
    at: float
    producer: str
    stage: str
    action: str = ""
    outcome: str = ""
    source: str = "user"
    scope: str = "once"
    who: str = "mira"
    roles: tuple[str, ...] | None = ("admin",)
    proven: bool = True
    typed: str = "api-prod-1"
    wait: int | None = 47_000
    value: str = "a"
    hashed: bool = True
    call: str = "call_7"
    asked: str = "jonas"
    received: float | None = None

    def stored(self, sequence: int, impact: str) -> dict[str, Any]:
        """Return it as OpenSearch has it."""
        ours: dict[str, Any] = {
            "sender": self.producer,
            "proposal": {"id": "prp_1", "stage": self.stage},
            "impact": {"level": impact},
            "initiator": {"id": self.asked} if self.asked else {},
            "resource": {"type": "server", "id": "srv_1", "name": "api-prod-1"},
        }
        group = "execution" if self.stage in ("executing", "completed", "failed") else "proposal"
        if self.value and self.hashed and self.stage in ("proposed", "approved", *RANKS[5:]):
            ours.setdefault(group, {})["digest"] = f"hmac-sha256:{self.value}"
        if self.stage == "proposed":
            ours["proposal"]["expires_at"] = "2026-11-24T13:30:00Z"
        if self.outcome:
            ours["decision"] = {"outcome": self.outcome, "source": self.source, "scope": self.scope}
            if self.wait is not None:
                ours["decision"]["wait_ms"] = self.wait
            if self.who:
                ours["approver"] = {"id": self.who, "authenticated": self.proven}
                if self.roles is not None:
                    ours["approver"]["roles"] = list(self.roles)
            ours["confirmation"] = {"text": self.typed}
        call: dict[str, Any] = {"id": self.call} if self.call else {}
        if self.value:
            call["arguments"] = {"value": self.value}
        event = {"id": self.id, "action": self.action, "sequence": sequence}
        if self.received is not None:
            event["ingested"] = clock(self.received)
        return {
            "@timestamp": clock(self.at),
            "event": event,
            "gen_ai": {"tool": {"name": "deploy", "call": call}},
            "activity": ours,
        }


def clock(seconds: float) -> str:
    """Return a time as it is stored."""
    return f"2026-11-24T13:{int(seconds) // 60:02d}:{seconds % 60:06.3f}Z"


def heard(line: list[Told], begin: float) -> list[Told]:
    """Return the decisions that count when something begins."""
    yes = [one for one in line if one.stage == "approved" and one.at <= begin + 5]
    no = [one for one in line if one.stage in ("denied", "cancelled") and one.at <= begin]
    named = [one for one in line if one in no or (one in yes and (one.who or one.source != "user"))]
    proven = [one for one in named if one.who and one.proven]
    return proven or named


def begins(run: list[Told]) -> float:
    """Return when a run began: nothing begins after it was received."""
    times = [(one.at, one.at if one.received is None else one.received) for one in run]
    return min((min(pair) for pair in times), default=float("inf"))


def verdict(told: list[Told], impact: str, now: float) -> str:
    """Return the verdict under the shipped policies."""
    line = sorted(set(told), key=lambda one: (one.at, RANKS.index(one.stage), one.id))
    proposal = next((one for one in line if one.stage == "proposed"), None)
    deadline = 1800.0 if proposal else None
    runs = executions(line)
    found: set[str] = set()
    for run in runs or [[]]:
        said = heard(line, begins(run))
        last = list(takewhile(lambda one: one.stage == "approved", reversed(said)))
        edits = [place for place, one in enumerate(last) if one.outcome == "edited"]
        last = last[: edits[0] + 1] if edits else last
        if not last:
            found |= {"executed_without_approval"} if run else set()
            continue
        same = [one for one in last if agrees(one, proposal, run)]
        found |= set() if same else {"parameters_drifted"}
        flaws = [flaws_of(one, impact, proposal) for one in same or last[:1]]
        found |= flaws[0] if all(flaws) else set()
    times = [begins(run) for run in runs]
    approvals = [one for one in heard(line, max(times, default=0)) if one.stage == "approved"]
    sound = [one for one in approvals if not flaws_of(one, impact, proposal)]
    reusable = impact == "caution" and any(one.scope in ("session", "always") for one in sound)
    if len(runs) > 1 and approvals and not reusable:
        again = sum(one.at > min(times) + 5 for one in sound)
        found |= {"executed_twice"} if len(runs) > 1 + again else set()
    if found:
        return min(found, key=ORDER.index)
    if runs:
        if not all(comparable(heard(line, begins(run)), proposal, run) for run in runs):
            return "not_bound"
        ended = [one.stage for one in runs[-1] if one.stage != "executing"]
        return "failed_as_approved" if ended[-1:] == ["failed"] else "executed_as_approved"
    decided = [one.stage for one in heard(line, float("inf"))]
    if decided:
        return decided[-1]
    if any(one.stage == "expired" for one in line) or (deadline is not None and now >= deadline):
        return "expired"
    return "pending"


def executions(line: list[Told]) -> list[list[Told]]:
    """Return the entries of each execution."""
    words: dict[str, dict[str, list[Told]]] = defaultdict(lambda: defaultdict(list))
    running = [one for one in line if one.stage in ("executing", "completed", "failed")]
    calls = {one.call for one in running} - {""}
    for one in running:
        call = one.call or (min(calls) if len(calls) == 1 else "")
        words[call][one.producer].append(one)
    decided = [one.at for one in heard(line, float("inf"))]
    order = {one.id: place for place, one in enumerate(line)}
    runs = []
    for producers in words.values():
        parts = []
        for entries in producers.values():
            word = "".join(LETTERS[one.stage, one.action] for one in entries)
            parts += [entries[m.start() : m.end()] for m in RUN.finditer(word) if m.group()]
        whole: list[list[Told]] = []
        for part in sorted(parts, key=lambda part: order[part[0].id]):
            same = [run for run in whole if is_one(run, part, decided)]
            whole = whole if same else [*whole, []]
            (same or whole[-1:])[0].extend(part)
        runs += whole
    runs = [sorted(run, key=lambda one: order[one.id]) for run in runs]
    return sorted(runs, key=lambda run: order[run[0].id])


def is_one(run: list[Told], other: list[Told], decided: list[float]) -> bool:
    """Whether two producers tell of one and the same execution."""
    if {one.producer for one in run} & {one.producer for one in other}:
        return False
    early, late = sorted(min(one.at for one in each) for each in (run, other))
    ends = [[one.at for one in each if one.stage != "executing"] for each in (run, other)]
    over = min(max(each, default=float("inf")) for each in ends)
    return late <= over + 5 and not any(early + 5 < at <= late for at in decided)


def comparable(said: list[Told], proposal: Told | None, run: list[Told]) -> bool:
    """Whether one of the last word's approvals tells parameters as the run does, or neither."""
    last = list(takewhile(lambda one: one.stage == "approved", reversed(said)))
    edits = [place for place, one in enumerate(last) if one.outcome == "edited"]
    told = any(one.value for one in run)
    return any(
        bool(allowed(one, proposal)) is told and agrees(one, proposal, run)
        for one in (last[: edits[0] + 1] if edits else last)
    )


def allowed(approval: Told, proposal: Told | None) -> str:
    """Return what an approval allows to run; empty: not told."""
    silent = not approval.value and approval.outcome != "edited" and proposal
    return proposal.value if silent and proposal else approval.value


def agrees(approval: Told, proposal: Told | None, run: list[Told]) -> bool:
    """Whether a run is what was approved, as far as both are told."""
    value = allowed(approval, proposal)
    return not value or all(one.value in ("", value) for one in run)


def waited(one: Told, proposal: Told | None) -> float | None:
    """Return how many ms somebody had to read; of what is not proven no more than was seen."""
    seen = [told.received for told in (one, proposal) if told and told.received is not None]
    if one.wait is None or (one.who and one.proven) or len(seen) < 2:
        return one.wait
    return min(one.wait, max(0, 1000 * (seen[0] - seen[1])))


def flaws_of(one: Told, impact: str, proposal: Told | None) -> set[str]:
    """Return what speaks against an approval."""
    strict = impact == "destructive"
    person = one.source == "user" and one.outcome != "auto_approved"
    lasting = one.scope in ("session", "always")
    may = bool(set(one.roles or ()) & {"owner", "admin"})
    wait = waited(one, proposal)
    spoken = {
        "decided_after_expiry": proposal is not None and one.at > 1800,
        "standing_approval_on_destructive": strict and (lasting or not person),
        "approver_lacked_permission": person
        and (not (one.who and one.proven and may) if strict else bool(one.who) and not may)
        and (strict or one.roles is not None),
        "approved_by_initiator": person and strict and one.asked in ("", one.who),
        "confirmation_missing": person and strict and one.typed != "api-prod-1",
        "approved_too_fast": person and wait is not None and wait < (3000 if strict else 1000),
    }
    return {kind for kind, holds in spoken.items() if holds}
