"""Policy replay: what changed policies would say of past chains, before they are switched on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from activity_center.agents.chain import Chain
from activity_center.agents.kept import kept_since
from activity_center.agents.policy import Policies
from activity_center.agents.verdicts import Judgement, judge, verdicts


@dataclass(frozen=True, slots=True)
class Changed:
    """A chain of which something else would be said.

    Attributes:
        before: by the policy that its entries name, or that applies today.
        after: by the changed policies, whatever the entries name.
    """

    chain: Chain
    before: Judgement
    after: Judgement

    @property
    def appears(self) -> list[str]:
        """What would be said and is not today, keys of verdicts, the gravest first."""
        return _more(self.after, self.before)

    @property
    def disappears(self) -> list[str]:
        """What is said today and would not be, in the same order."""
        return _more(self.before, self.after)

    def as_dict(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "id": self.chain.id,
            "organization": self.chain.organization,
            "tool": self.chain.tool,
            "impact": self.chain.impact or None,
            "before": self.before.as_dict(),
            "after": self.after.as_dict(),
            "appears": self.appears,
            "disappears": self.disappears,
        }


def replay(
    chains: Iterable[Chain], today: Policies, changed: Policies, *, now: datetime
) -> Iterator[Changed]:
    """Yield the chains of which something else would be said, in their order.

    The gravest finding alone would hide what comes or goes behind it.

    Args:
        today: the policies in force.
        changed: those that may come into force.
    """
    for chain in chains:
        kept = kept_since(chain, now)
        before = judge(chain, today, now=now, kept_since=kept)
        after = judge(chain, changed, now=now, kept_since=kept, recorded=False)
        if before.kinds != after.kinds:
            yield Changed(chain, before, after)


def _more(one: Judgement, other: Judgement) -> list[str]:
    return [key for key in verdicts() if key in one.kinds - other.kinds]
