"""Policy replay: what changed policies would say of past chains, before they are switched on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from activity_center.agents.chain import Chain
from activity_center.agents.kept import kept_since
from activity_center.agents.policy import Policies
from activity_center.agents.verdicts import Judgement, judge


@dataclass(frozen=True, slots=True)
class Changed:
    """A chain whose verdict would differ.

    Attributes:
        before: by the policy that its entries name, or that applies today.
        after: by the changed policies, whatever the entries name.
    """

    chain: Chain
    before: Judgement
    after: Judgement

    def as_dict(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "id": self.chain.id,
            "organization": self.chain.organization,
            "tool": self.chain.tool,
            "impact": self.chain.impact or None,
            "before": self.before.as_dict(),
            "after": self.after.as_dict(),
        }


def replay(
    chains: Iterable[Chain], today: Policies, changed: Policies, *, now: datetime
) -> Iterator[Changed]:
    """Yield the chains whose verdict would differ, in their order.

    Args:
        today: the policies in force.
        changed: those that may come into force.
    """
    for chain in chains:
        kept = kept_since(chain, now)
        before = judge(chain, today, now=now, kept_since=kept)
        after = judge(chain, changed, now=now, kept_since=kept, recorded=False)
        if before.verdict.key != after.verdict.key:
            yield Changed(chain, before, after)
