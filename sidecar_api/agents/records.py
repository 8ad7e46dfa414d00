"""The record of each agent: counts, rates and times over its chains."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from activity_center.agents import Chain, Judgement
from activity_center.agents.oversight import percentile, share
from activity_center.processes.reading import written

_NOBODY: Final = ("expired", "cancelled")
"""Outcomes of which nobody said yes or no."""

AgentKey = tuple[str, str]
"""(organization id, id of the agent or else its name)."""


@dataclass(slots=True)
class Record:
    """What one agent did, in one organization.

    Attributes:
        violations: chains of which one is said.
        verdicts: chains of which each is said, so that a chain may count several times.
    """

    chains: list[Chain] = field(default_factory=list)
    violations: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)

    def add(self, chain: Chain, judgement: Judgement) -> None:
        """Count a chain."""
        self.chains.append(chain)
        self.verdicts.update(judgement.kinds)
        self.violations += judgement.verdict.violation

    def as_dict(self) -> dict[str, Any]:
        """Return it as the API has it; the agent as it was last."""
        last = max(self.chains, key=lambda one: one.begun)
        decided = [
            one.decision
            for one in self.chains
            if one.decision and one.decision.stage not in _NOBODY
        ]
        approved = sum(one.stage == "approved" for one in decided)
        # What a rule decides is decided at once: the times are those of people.
        waits = [one.wait for one in decided if one.by_person and one.wait is not None]
        ran = [one for one in self.chains if one.executions]
        failed = sum(one.state == "failed" for one in ran)
        shown = last.as_dict()
        return {
            "agent": shown["agent"],
            "organization": shown["organization"],
            "proposals": len(self.chains),
            "states": dict(Counter(one.state for one in self.chains)),
            "impacts": dict(Counter(one.impact or "unrated" for one in self.chains)),
            "verdicts": dict(self.verdicts),
            "decided": len(decided),
            "approval_rate": share(approved, len(decided)),
            "time_to_decision_ms": {"p50": percentile(waits, 50), "p95": percentile(waits, 95)},
            "executed": len(ran),
            "failure_rate": share(failed, len(ran)),
            "violations": self.violations,
            "violation_rate": share(self.violations, len(self.chains)),
            "first_at": written(min(one.begun for one in self.chains)),
            "last_at": written(last.begun),
        }

    def tools(self) -> list[dict[str, Any]]:
        """Return how often it wanted each tool, the most frequent first."""
        counted = Counter(one.tool["name"] for one in self.chains)
        return [{"name": name, "proposals": count} for name, count in counted.most_common()]


def records(judged: Iterable[tuple[Chain, Judgement]]) -> list[dict[str, Any]]:
    """Return a record each, of the agents with the most proposals first."""
    found: dict[AgentKey, Record] = {}
    for chain, judgement in judged:
        key = (chain.organization["id"] or "", chain.agent["id"] or chain.agent["name"] or "")
        found.setdefault(key, Record()).add(chain, judgement)
    order = sorted(found.items(), key=lambda one: (-len(one[1].chains), one[0]))
    return [record.as_dict() for _, record in order]
