"""One event of the workload, ready to be sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

Transport = Literal["forward", "http"]

TAGS: Final = {
    "native": "activity.native",
    "kubernetes-audit": "kubernetes.audit.eu-prod",
    "opensearch-security": "opensearch.audit.search",
}
"""Source mapping -> Forward tag."""


@dataclass(frozen=True, slots=True)
class Event:
    """One record on its way to the collector.

    Attributes:
        time: when it happens, with offset; the record holds it in its own form.
        transport: how this sender sends.
        sender: the program that sends it: platform, agents, kubernetes, search.
        source: the source mapping that reads it.
        record: what is sent. Owned by the receiver of the event.
    """

    time: datetime
    transport: Transport
    sender: str
    source: str
    record: dict[str, Any]

    @property
    def tag(self) -> str:
        """The Forward tag."""
        return TAGS[self.source]

    @property
    def id(self) -> str | None:
        """The producer's own id, or ``None`` where the source has none."""
        if self.source == "native":
            return str(self.record["event"]["id"])
        found = self.record.get("auditID")
        return None if found is None else str(found)
