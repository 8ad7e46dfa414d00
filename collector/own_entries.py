"""Entries that a collector makes of its own work, written into their stream directly.

They go through the same stages as what comes from outside, but for the spool. Their ids follow
from what they tell, so two leaders, or one that was killed and goes on, write one entry.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from activity_center.setup.cluster import CONFLICT, ask
from collector.normalize.activity import Context, Normalizer
from collector.normalize.identity import Ordinals
from collector.records import Sender
from collector.writing import Writer, ingested

if TYPE_CHECKING:
    from opensearchpy import OpenSearch


class OwnEntries:
    """Writes entries by the maintenance account's client.

    Args:
        name: of the part whose work is told; they have it as sender and as source.
    """

    def __init__(self, client: OpenSearch, name: str) -> None:
        self._client = client
        self._source = name
        self._sender = Sender(name)
        self._normalizers: dict[str, Normalizer] = {}
        self._writer = Writer()

    def create(
        self, activity: dict[str, Any], stream: str, retention_class: str, *, refresh: bool = False
    ) -> bool:
        """Write an activity; return whether it is new. One that is there already stays.

        Args:
            activity: with an ``event.id`` that follows from what it tells; it is completed.
            stream: the data stream, of that class.
            refresh: return only when it can be found.

        Raises:
            ClusterError: it could not be written.
        """
        if retention_class not in self._normalizers:
            self._normalizers[retention_class] = Normalizer({}, {}, retention_class)
        received = time.time_ns()
        context = Context.of(self._sender, received)
        _, ms, receiver = self._normalizers[retention_class].complete(activity, context, received)
        draft = self._writer.draft(activity, stream, ms, receiver)
        entry = self._writer.entry(
            draft,
            (self._source, activity, received, b""),
            0,
            Ordinals(),
            ingested(context.received.text),
            self._sender.name,
        )
        answer = ask(
            self._client,
            "PUT",
            f"/{entry.stream}/_create/{entry.id}",
            params={"refresh": "wait_for"} if refresh else {},
            body=entry.body.decode(),
            allow=(CONFLICT,),
        )
        return answer.ok
