"""The entries that retention makes of its own work, in the stream that keeps them for good.

Their ids follow from what they tell, so two leaders, or one that was killed and goes on,
write one entry. They carry no ``organization.id``: they outlive the organization.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from activity_center.setup.cluster import ask
from activity_center.streams import stream_name
from collector.normalize.activity import Context, Normalizer
from collector.normalize.identity import Ordinals
from collector.records import Sender
from collector.writing import Writer, ingested

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

_CLASS: Final = "permanent"
_SOURCE: Final = "retention"
_CONFLICT: Final = 409


class Recorder:
    """Writes entries by the maintenance account's client."""

    def __init__(self, client: OpenSearch) -> None:
        self._client = client
        self._normalizer = Normalizer({}, {}, _CLASS)
        self._writer = Writer()
        self._sender = Sender(_SOURCE)

    def record(
        self, action: str, subject: str, *, name: str, message: str, facts: Mapping[str, Any]
    ) -> None:
        """Make an entry; one that is there already stays.

        Args:
            action: from the catalogue, ``retention.deleted`` and the like.
            subject: what it is about, unique for ever: the entry's id follows from it.
            name: of the index or organization.
            facts: go into ``metadata``.
        """
        received = time.time_ns()
        activity: dict[str, Any] = {
            "@timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "message": message,
            "event": {
                "id": f"{action}:{subject}",
                "action": action,
                "outcome": "success",
                "provider": "activity-center",
            },
            "activity": {"origin": "system", "resource": {"id": name, "name": name}},
            "metadata": dict(facts),
        }
        context = Context.of(self._sender, received)
        _, ms, receiver = self._normalizer.complete(activity, context, received)
        draft = self._writer.draft(activity, stream_name("audit", _CLASS), ms, receiver)
        entry = self._writer.entry(
            draft,
            (_SOURCE, activity, received, b""),
            0,
            Ordinals(),
            ingested(context.received.text),
            self._sender.name,
        )
        ask(
            self._client,
            "PUT",
            f"/{entry.stream}/_create/{entry.id}",
            body=entry.body.decode(),
            allow=(_CONFLICT,),
        )
