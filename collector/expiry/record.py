"""The entry of an expiry, in the stream of its proposal: one class for a whole chain.

Its id follows from the proposal, and so does all that it says, with the policy that the proposal
is under. So two leaders, or one that was killed and goes on, write one entry.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from activity_center.processes.reading import lasted, moment, part, text, written
from activity_center.streams import stream_of
from collector.expiry.overdue import SENDER, Overdue, subject
from collector.own_entries import OwnEntries

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

    from activity_center.agents import Policy

ACTION: Final = "agent.proposal.expired"
_KEPT: Final = ("case", "impact", "initiator", "resource", "origin")
"""Groups of ``activity`` that tell what the proposal was about."""


class Recorder:
    """Writes expiries by the maintenance account's client."""

    def __init__(self, client: OpenSearch) -> None:
        self._entries = OwnEntries(client, SENDER)

    def record(self, proposal: Overdue) -> bool:
        """Make the entry of a proposal that has expired; return whether it is new.

        Raises:
            ClusterError: it could not be written.
        """
        source = proposal.hit["_source"]
        kept = text(part(source, "activity", "retention"), "class")
        activity = expiry(source, proposal.deadline, proposal.policy)
        # The next leader has to find it, also after a rollover.
        return self._entries.create(activity, stream_of(proposal.hit["_index"]), kept, refresh=True)


def expiry(source: Mapping[str, Any], deadline: int, policy: Policy) -> dict[str, Any]:
    """Return the activity that says that a proposal has expired.

    Args:
        source: the proposal's entry.
        deadline: when its time was over, microseconds since 1970.
        policy: that the proposal is under.
    """
    ours = part(source, "activity")
    proposed = moment(source, "@timestamp")
    organization, name = subject(dict(source))
    until = written(deadline)
    decision: dict[str, Any] = {"outcome": "expired", "source": "timeout"}
    waited = lasted(proposed, deadline)
    if waited is not None:
        decision["wait_ms"] = waited
    activity: dict[str, Any] = {
        "@timestamp": until,
        "message": f"Nobody decided until {until}",
        "event": {
            "id": f"{ACTION}:{organization}:{name}",
            "action": ACTION,
            "outcome": "failure",
            "reason": f"nobody decided until {until}",
            "provider": "activity-center",
        },
        "activity": {
            **{key: ours[key] for key in _KEPT if key in ours},
            "proposal": {"stage": "expired"},
            "decision": decision,
            "policy": policy.as_dict(),
        },
    }
    if not name.startswith("call:"):
        activity["activity"]["proposal"]["id"] = name
    for key in ("organization", "trace"):
        if key in source:
            activity[key] = source[key]
    agent = part(source, "gen_ai")
    if agent:
        activity["gen_ai"] = {key: one for key, one in agent.items() if key != "usage"}
    return activity
