"""The entries that retention makes of its own work, in the stream that keeps them for good.

They carry no ``organization.id``: they outlive the organization.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from activity_center.streams import stream_name
from collector.own_entries import OwnEntries

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

_CLASS: Final = "permanent"


class Recorder:
    """Writes entries by the maintenance account's client."""

    def __init__(self, client: OpenSearch) -> None:
        self._entries = OwnEntries(client, "retention")

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
        self._entries.create(activity, stream_name("audit", _CLASS), _CLASS)
