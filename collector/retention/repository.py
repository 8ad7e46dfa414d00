"""What is in the repository of archives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from activity_center.setup.cluster import NOT_FOUND, ask

if TYPE_CHECKING:
    from opensearchpy import OpenSearch


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One snapshot in the repository.

    Attributes:
        index: the index that it holds.
        begun: when it was made.
        state: what the repository says; proves nothing.
        first, last: times of the oldest and the youngest entry, ISO 8601, if that was noted.
        documents: number of entries, if that was noted.
        uuid: of the index: a stream that was made anew begins with the same names.
    """

    name: str
    index: str
    begun: datetime
    state: str
    first: str | None = None
    last: str | None = None
    documents: int | None = None
    uuid: str | None = None


def snapshots(client: OpenSearch, repository: str) -> list[Snapshot]:
    """All archived indices in the repository, oldest first; ours and those that ISM made."""
    answer = ask(client, "GET", f"/_snapshot/{repository}/_all", allow=(NOT_FOUND,))
    if not answer.ok:
        return []
    found = [
        Snapshot(
            name=one["snapshot"],
            index=one["indices"][0],
            begun=datetime.fromtimestamp(one["start_time_in_millis"] / 1000, UTC),
            state=one["state"],
            **_noted(one.get("metadata") or {}),
        )
        for one in answer.body["snapshots"]
        if len(one["indices"]) == 1 and one["indices"][0].startswith(".ds-activity-")
    ]
    return sorted(found, key=lambda one: (one.begun, one.name))


def _noted(metadata: Mapping[str, Any]) -> dict[str, Any]:
    if metadata.get("owner") != "activity-center":
        return {}
    return {name: metadata.get(name) for name in ("first", "last", "documents", "uuid")}
