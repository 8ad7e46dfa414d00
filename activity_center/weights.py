"""What stored activities weigh, for who fetches many: OpenSearch holds the sources of all hits of
a search in its memory at once, and ends where there is not enough.

Large ones say their size (:data:`activity_center.canonical.LARGE_BYTES`), so hits are found
without sources first (:data:`NO_SOURCES`), and their sources come in :func:`batches`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from activity_center.canonical import LARGE_BYTES

BATCH_BYTES: Final = 8 * 1024 * 1024
"""What the sources of one search may weigh."""
SIZE: Final = "activity.size"
NO_SOURCES: Final[Mapping[str, Any]] = {"_source": False, "docvalue_fields": [SIZE]}
"""In the body of a search: hits say their size in place of their source."""

Hit = dict[str, Any]


def said(hit: Hit) -> int:
    """Return the size that a hit of :data:`NO_SOURCES` says; 0: it is not large."""
    return int(hit.get("fields", {}).get(SIZE, [0])[0])


def weight(hit: Hit) -> int:
    """Return what its source weighs at most."""
    return said(hit) or LARGE_BYTES


def batches(hits: Sequence[Hit]) -> Iterator[list[Hit]]:
    """Yield hits in the same order, so many at once as :data:`BATCH_BYTES` hold, one at least."""
    batch: list[Hit] = []
    room = BATCH_BYTES
    for hit in hits:
        if batch and weight(hit) > room:
            yield batch
            batch, room = [], BATCH_BYTES
        batch.append(hit)
        room -= weight(hit)
    if batch:
        yield batch
