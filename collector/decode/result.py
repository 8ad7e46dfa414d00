"""What decoding gives, what it refuses, and the limits it keeps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from activity_center.errors import ProtocolError
from collector.records import MAX_EVENT_BYTES


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on what one sender can make the decoder do.

    Attributes:
        event_bytes: one record, as sent; a longer one is rejected alone.
        chunk_bytes: one Forward message or HTTP body, on the wire.
        inflated_bytes: the same after decompression.
        ratio: decompressed bytes per compressed byte, once beyond ``ratio_floor`` bytes.
        ratio_floor: below this size any ratio is fine (short repetitive logs).
        records: records in one chunk.
        broken: records of one chunk that are rejected each alone; the other broken ones
            are kept together, since each kept alone costs a file and its sync.
        values: values in one chunk, counted as Python objects (60 is usual for an event);
            what bounds memory, since three bytes on the wire can become 230 in memory.
    """

    event_bytes: int = MAX_EVENT_BYTES
    chunk_bytes: int = 16 * 1024**2
    inflated_bytes: int = 32 * 1024**2
    ratio: int = 200
    ratio_floor: int = 4 * 1024**2
    records: int = 50_000
    broken: int = 100
    values: int = 3_000_000


DEFAULT_LIMITS: Final = Limits()
RECORD_BYTES: Final = 2500
"""Least memory of a record on its way through the stages: however short it is, the activity
made of it has identifiers, a hash, times and a line of JSON (measured: some 2.5 KB)."""


class Unreadable(ProtocolError):
    """A chunk or body that cannot be read at all; the bytes are kept by who received them.

    Args:
        reason: a key of :data:`collector.records.REASONS`.
        detail: words for a person.
    """

    def __init__(self, reason: str, detail: str, *, hint: str | None = None) -> None:
        super().__init__(f"{reason}: {detail}", hint=hint)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Broken:
    """One record of a chunk that did not decode; the others are unharmed.

    Attributes:
        index: its place among all records of the chunk, broken ones counted, from 0.
        reason: a key of :data:`collector.records.REASONS`.
        detail: words for a person.
        raw: the record's bytes as received.
    """

    index: int
    reason: str
    detail: str
    raw: bytes = field(repr=False)


@dataclass(slots=True)
class Decoded:
    """The records of one chunk, in order.

    Attributes:
        records: plain JSON values, the broken ones left out.
        times: Unix time in ns per record, or ``None`` where the sender gave none that
            can be read; ``None`` as a whole where the transport has no times.
        broken: the records that did not decode.
        size: bytes after decompression.
        weight: estimate of the memory that the records take, in bytes.
    """

    records: list[Any] = field(default_factory=list, repr=False)
    times: list[int | None] | None = None
    broken: list[Broken] = field(default_factory=list)
    size: int = 0
    weight: int = 0

    def weigh(self, estimate: int) -> None:
        """Set ``weight``: ``estimate`` bytes of decoded values, or more for many records."""
        self.weight = max(estimate, RECORD_BYTES * (len(self.records) + len(self.broken)))
