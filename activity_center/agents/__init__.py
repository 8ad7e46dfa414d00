"""Chains of AI agents' actions, and what can be said of them.

::

    chain = read_chain(entries)                       # stored activities, in any order
    judge(chain, shipped_policies(), now=now).as_dict()

Pure functions over stored activities: no socket, no store, no clock.
"""

from __future__ import annotations

from activity_center.agents.approvals import Finding
from activity_center.agents.chain import Chain, Execution, Proposal, read_chain
from activity_center.agents.decision import Decision
from activity_center.agents.grouping import read_chains
from activity_center.agents.policy import Policies, Policy, shipped_policies
from activity_center.agents.verdicts import (
    Judgement,
    Verdict,
    deadline_of,
    has_gone_on,
    judge,
    verdicts,
)

__all__ = [
    "Chain",
    "Decision",
    "Execution",
    "Finding",
    "Judgement",
    "Policies",
    "Policy",
    "Proposal",
    "Verdict",
    "deadline_of",
    "has_gone_on",
    "judge",
    "read_chain",
    "read_chains",
    "shipped_policies",
    "verdicts",
]
