"""Oversight, measured: how fast, how often and how thoughtlessly people say yes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from activity_center.agents.approvals import name_of
from activity_center.agents.chain import Chain
from activity_center.agents.decision import Decision

NOBODY: Final = "nobody"
"""Who decides where no person does: a policy, a hook, a configuration, the clock."""


@dataclass(frozen=True, slots=True)
class Oversight:
    """The decisions of one approver on one impact.

    Attributes:
        approver: id of the person, else e-mail address or name, or :data:`NOBODY`.
        person: whether it is one: a person's id may read as that word.
        impact: safe, caution, destructive, or empty: not rated.
        decided: decisions of all kinds; an expiry is none.
        approved: of them, those that said yes, changed ones too.
        standing: approvals by a rule, or for more than one proposal.
        in_a_row: most approvals without any other decision between, by time.
        p50_ms, p95_ms: time to decision, as nearest rank; ``None``: nobody waited.
    """

    approver: str
    person: bool
    name: str
    impact: str
    decided: int
    approved: int
    edited: int
    denied: int
    standing: int
    in_a_row: int
    p50_ms: int | None
    p95_ms: int | None

    @property
    def approval_rate(self) -> float | None:
        """Share of decisions that said yes."""
        return share(self.approved, self.decided)

    def as_dict(self) -> dict[str, Any]:
        """Return it as the API has it."""
        return {
            "approver": {"id": self.approver, "name": self.name, "person": self.person},
            "impact": self.impact or None,
            "decided": self.decided,
            "approved": self.approved,
            "edited": self.edited,
            "denied": self.denied,
            "approval_rate": self.approval_rate,
            "standing": self.standing,
            "in_a_row": self.in_a_row,
            "p50_ms": self.p50_ms,
            "p95_ms": self.p95_ms,
        }


def oversight(chains: Iterable[Chain]) -> list[Oversight]:
    """Measure decisions, per approver and impact, by name and impact.

    Each chain counts with the decision that counts in it; expired and withdrawn ones were
    decided by nobody, and do not count.
    """
    made: dict[tuple[bool, str, str], list[Decision]] = defaultdict(list)
    names: dict[tuple[bool, str], str] = {}
    for chain in chains:
        decision = chain.decision
        if decision is None or decision.stage not in ("approved", "denied"):
            continue
        who = next((value for value in decision.approver.values() if value), "")
        key = (True, who) if who and decision.by_person else (False, NOBODY)
        names[key] = name_of(decision.approver) if key[0] else NOBODY
        made[*key, chain.impact].append(decision)
    rows = [_row(key, names[key[:2]], some) for key, some in made.items()]
    return sorted(rows, key=lambda row: (row.name, row.approver, row.person, row.impact))


def share(part: int, whole: int) -> float | None:
    """Return a share to four places; ``None`` of nothing."""
    return round(part / whole, 4) if whole else None


def percentile(values: list[int], percent: int) -> int | None:
    """Return the nearest-rank percentile; ``None`` of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def _row(key: tuple[bool, str, str], name: str, decisions: list[Decision]) -> Oversight:
    person, who, impact = key
    line = sorted(decisions, key=lambda one: (one.at, one.entry))
    longest = current = 0
    for one in line:
        current = current + 1 if one.stage == "approved" else 0
        longest = max(longest, current)
    approved = [one for one in line if one.stage == "approved"]
    waits = [one.wait for one in line if one.wait is not None and one.by_person]
    return Oversight(
        approver=who,
        person=person,
        name=name,
        impact=impact,
        decided=len(line),
        approved=len(approved),
        edited=sum(one.outcome == "edited" for one in approved),
        denied=len(line) - len(approved),
        standing=sum(one.standing for one in approved),
        in_a_row=longest,
        p50_ms=percentile(waits, 50),
        p95_ms=percentile(waits, 95),
    )
