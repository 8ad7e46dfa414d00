"""The entry of an expiry, in the stream of its proposal: one class for a whole chain.

Its id and all that it says follow from the proposal, so two leaders, or one that was killed and
goes on, write one entry.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from activity_center.processes.reading import lasted, moment, part, text, written
from activity_center.setup.cluster import ask
from collector.expiry.overdue import Overdue, subject
from collector.normalize.activity import Context, Normalizer
from collector.normalize.identity import Ordinals
from collector.records import Sender
from collector.writing import Writer, ingested

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

ACTION: Final = "agent.proposal.expired"
_SOURCE: Final = "expiry"
_CONFLICT: Final = 409
_KEPT: Final = ("case", "impact", "initiator", "resource", "origin")
"""Groups of ``activity`` that tell what the proposal was about."""


class Recorder:
    """Writes expiries by the maintenance account's client."""

    def __init__(self, client: OpenSearch) -> None:
        self._client = client
        self._normalizers: dict[str, Normalizer] = {}
        self._writer = Writer()
        self._sender = Sender(_SOURCE)

    def record(self, proposal: Overdue) -> bool:
        """Make the entry of a proposal that has expired; return whether it is new.

        Raises:
            ClusterError: it could not be written.
        """
        source = proposal.hit["_source"]
        kept = text(part(source, "activity", "retention"), "class")
        if kept not in self._normalizers:
            self._normalizers[kept] = Normalizer({}, {}, kept)
        received = time.time_ns()
        activity = expiry(source, proposal.deadline)
        context = Context.of(self._sender, received)
        _, ms, receiver = self._normalizers[kept].complete(activity, context, received)
        stream = proposal.hit["_index"].removeprefix(".ds-").rpartition("-")[0]
        draft = self._writer.draft(activity, stream, ms, receiver)
        entry = self._writer.entry(
            draft,
            (_SOURCE, activity, received, b""),
            0,
            Ordinals(),
            ingested(context.received.text),
            self._sender.name,
        )
        answer = ask(
            self._client,
            "PUT",
            f"/{entry.stream}/_create/{entry.id}",
            # The next leader has to find it, also after a rollover.
            params={"refresh": "wait_for"},
            body=entry.body.decode(),
            allow=(_CONFLICT,),
        )
        return answer.ok


def expiry(source: Mapping[str, Any], deadline: int) -> dict[str, Any]:
    """Return the activity that says that a proposal has expired.

    Args:
        source: the proposal's entry.
        deadline: when its time was over, microseconds since 1970.
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
