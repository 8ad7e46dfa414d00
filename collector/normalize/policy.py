"""The approval policy that applies to a proposal when it is received, told in its entry.

A chain is judged by it as long as nobody who counts has decided, so a policy that changes later
accuses nobody of what was done before. It is the receiver's word: a sender that could choose it
would choose what it is judged by.
"""

from __future__ import annotations

from typing import Any

import orjson

from activity_center.agents.chain import LEVELS
from activity_center.agents.policy import Policies
from activity_center.agents.stage import stage_of
from activity_center.processes.reading import part, text


def policy_at_receipt(
    policies: Policies,
    activity: dict[str, Any],
    event: dict[str, Any],
    ours: dict[str, Any],
    organization: str | None,
) -> bytes:
    """Return ``activity.policy_at_receipt`` of a proposal, nothing of any other activity.

    Args:
        policies: those in force.
        event: the group of ``activity``, as ``ours`` is its group ``activity``.
        organization: its id.

    Returns:
        A member of the object ``activity`` as JSON text with a comma at the end, or empty.
    """
    if ours["lens"] != "agent" or stage_of(event, ours) != "proposed":
        return b""
    impact = text(part(ours, "impact"), "level")
    tool = text(part(activity, "gen_ai", "tool"), "name")
    # Another word is no impact, and is not stored as one.
    policy = policies.current(impact if impact in LEVELS else "", tool, organization or "")
    return orjson.dumps({"policy_at_receipt": policy.as_dict()})[1:-1] + b","
