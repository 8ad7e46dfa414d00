"""What many activities weigh together, before any of them is fetched."""

from __future__ import annotations

from activity_center.canonical import LARGE_BYTES
from activity_center.weights import BATCH_BYTES, SIZE, Hit, batches, weight


def hit(number: int, size: int = 0) -> Hit:
    """A hit without source."""
    return {"_id": str(number), **({"fields": {SIZE: [size]}} if size else {})}


def test_batches_weigh_a_bounded_amount_by_what_entries_say() -> None:
    """In order, none missed; one that is larger than a batch comes alone."""
    sizes = [0, 990_000, 0, 3_000_000, 3_000_000, 3_000_000, BATCH_BYTES + 1, 0, *[0] * 600]
    hits = [hit(number, size) for number, size in enumerate(sizes)]
    found = list(batches(hits))
    assert [one for batch in found for one in batch] == hits
    for batch in found:
        assert sum(map(weight, batch)) <= BATCH_BYTES or len(batch) == 1
    assert len(found) == 5
    assert weight(hit(1)) == LARGE_BYTES
    assert not list(batches([]))
