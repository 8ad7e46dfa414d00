"""Rows of the rejected store: their columns, their ids, and how they are chosen."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from collector.records import Reject

_ROW_BYTES: Final = 256
_FILE_BYTES: Final = 4096
"""A file takes an inode and a block, however short it is."""
COLUMNS: Final = (
    "id, received, reason, detail, path, record, raw_length, raw_sha256, sender, source, tag,"
    " size, replayed, time"
)


@dataclass(frozen=True, slots=True)
class Rejected:
    """One row.

    Attributes:
        id: 32 hex digits, from the content and the time of receipt.
        received: Unix time in ns.
        record: the redacted record as JSON, or ``None`` where bytes did not decode.
        raw_length: bytes in the raw file, or ``None`` where there is none.
        raw_sha256: their SHA-256 in hexadecimal.
        size: bytes that it counts for in the quota.
        replayed: Unix time in ns at which it was sent again with success, or ``None``.
        time: the transport's time of the record, Unix ns, or ``None`` where there was none,
            or one beyond 64 bit (after the year 2262), which SQLite cannot hold.
    """

    id: str
    received: int
    reason: str
    detail: str
    path: str
    record: bytes | None
    raw_length: int | None
    raw_sha256: str | None
    sender: str
    source: str
    tag: str
    size: int
    replayed: int | None
    time: int | None


def numbered(rejects: Sequence[Reject]) -> Iterator[tuple[Reject, int]]:
    """Yield each reject with its ordinal among equal ones of this call."""
    seen: Counter[Reject] = Counter()
    for reject in rejects:
        yield reject, seen[reject]
        seen[reject] += 1


def row_of(reject: Reject, ordinal: int) -> tuple[Any, ...]:
    """Return the values of :data:`COLUMNS`; the id follows from the reject and ``ordinal``."""
    raw = reject.raw
    digest = hashlib.sha256()
    # Without a time as before there was one: the same reject is the same row after an update.
    parts = reject if reject.time is not None else reject[:-1]
    for part in (*parts, ordinal):
        data = part if isinstance(part, bytes) else repr(part).encode("utf-8", "surrogatepass")
        digest.update(b"%d:" % len(data) + data)
    return (
        digest.hexdigest()[:32],
        reject.received,
        reject.reason,
        reject.detail,
        reject.path,
        reject.record,
        None if raw is None else len(raw),
        None if raw is None else hashlib.sha256(raw).hexdigest(),
        reject.sender,
        reject.source,
        reject.tag,
        _ROW_BYTES + len(reject.detail) + len(reject.record or b"") + _on_disk(raw),
        None,
        reject.time if reject.time is not None and reject.time.bit_length() < 64 else None,
    )


def _on_disk(raw: bytes | None) -> int:
    """Return the bytes that a raw file counts for."""
    return 0 if raw is None else max(len(raw), _FILE_BYTES)


def where_clause(
    since: int | None,
    reason: str | None,
    sender: str | None,
    replayed: bool | None,
    newest: int | None = None,
) -> tuple[str, list[Any]]:
    """Return what stands behind WHERE, and the values for it."""
    parts, values = ["1"], []
    for column, value in (
        ("received >=", since),
        ("reason =", reason),
        ("sender =", sender),
        ("rowid <=", newest),
    ):
        if value is not None:
            parts.append(f"{column} ?")
            values.append(value)
    if replayed is not None:
        parts.append(f"replayed IS {'NOT ' if replayed else ''}NULL")
    return " AND ".join(parts), values
