"""Which stage of a chain an activity is: by its stage, its outcome, or its action.

The one answer, for who reads stored activities and for the collector, which stores it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from activity_center.processes.reading import part, text

STAGES: Final = (
    *("proposed", "approved", "denied", "cancelled", "expired"),
    *("executing", "completed", "failed"),
)
"""The stages of ``activity.proposal.stage``, as one follows another."""
DECISIONS: Final = frozenset({"approved", "denied", "cancelled", "expired"})
RUNS: Final = frozenset({"executing", "completed", "failed"})
OUTCOMES: Final[Mapping[str, str]] = {
    "approved": "approved",
    "edited": "approved",
    "auto_approved": "approved",
    "denied": "denied",
    "cancelled": "cancelled",
    "expired": "expired",
}
"""Outcome of a decision -> its stage."""
_WORDS: Final[Mapping[str, str]] = {
    **{one: one for one in STAGES},
    "created": "proposed",
    "edited": "approved",
    "executed": "completed",
    "applied": "completed",
}
"""Last word of an action -> stage, for a producer that knows no stages."""
_PROPOSALS: Final = re.compile(
    r"agent\.(proposal\.|ssh_|cost_recommendation\.)|agent\.tool\.denied"
)


def stage_of(event: Mapping[str, Any], ours: Mapping[str, Any]) -> str:
    """Return the stage of an activity of the agent lens.

    Args:
        event: its group ``event``.
        ours: its group ``activity``.

    Returns:
        One of :data:`STAGES`, or empty: it belongs to the chain but moves it nowhere.
    """
    stage = text(part(ours, "proposal"), "stage")
    outcome = text(part(ours, "decision"), "outcome")
    if stage in DECISIONS or stage not in STAGES:
        # The outcome is the more exact word; a stage alone is enough.
        stage = OUTCOMES.get(outcome, stage) if outcome else stage
    if stage in STAGES:
        return stage
    action = text(event, "action")
    if not _PROPOSALS.match(action):
        return ""
    stage = _WORDS.get(re.split(r"[._]", action)[-1], "")
    failed = stage == "completed" and event.get("outcome") == "failure"
    return "failed" if failed else stage
