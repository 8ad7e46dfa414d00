"""What a folder of segments holds after a start, whatever ended the process before."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from collector.spool import layout
from collector.spool.layout import Record
from collector.spool.reader import Damage, SegmentReader

_log = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class Segment:
    """One file.

    Attributes:
        end: bytes that are durable; what lies behind them was never acknowledged.
        last: position of the last durable record; ``first - 1`` when there is none.
        created: Unix time in ns.
        hints: (position, offset) of a record about every MiB, to begin reading there.
    """

    first: int
    path: Path
    end: int
    last: int
    created: int
    hints: list[tuple[int, int]] = field(default_factory=list)


def recover(
    directory: Path, cursor: int, followed: int, found: Callable[[Record], None]
) -> tuple[list[Segment], int]:
    """List the segments, show what is undelivered, and repair a torn tail.

    Args:
        cursor: positions below it are done; segments of only those are deleted.
        followed: segments with positions from here on are not.
        found: called for each record from there on.

    Returns:
        The segments, and the next free position.

    Raises:
        OSError: the folder cannot be read.
        SpoolFailed: a segment is of another version.
    """
    paths = {
        first: path
        for path in directory.iterdir()
        if (first := layout.segment_first(path)) is not None
    }
    firsts = sorted(paths)
    segments: list[Segment] = []
    lost = 0
    for index, first in enumerate(firsts):
        final = index == len(firsts) - 1
        if not final and firsts[index + 1] <= min(cursor, followed):
            paths[first].unlink()
            continue
        segment, tail = _scan(first, paths[first], cursor, found)
        if tail is not None and tail.torn:
            _cut_tail(segment, tail)
        elif final and tail is not None:
            # Acknowledged records may be lost in it: do not give their positions away.
            lost = 1 + (tail.end - tail.start) // layout.RECORD_HEADER_BYTES
        segments.append(segment)
    next_position = max(1, cursor)
    if segments:
        last = segments[-1]
        next_position = max(next_position, last.first, last.last + 1 + lost)
    return segments, next_position


def _scan(
    first: int, path: Path, cursor: int, found: Callable[[Record], None]
) -> tuple[Segment, Damage | None]:
    """Read a whole segment; return it, and the damage at its end if there is any."""
    segment = Segment(first, path, path.stat().st_size, first - 1, 0)
    tail: Damage | None = None
    with SegmentReader(path) as reader:
        segment.created = reader.created or path.stat().st_mtime_ns
        while (item := reader.next(segment.end)) is not None:
            if isinstance(item, Damage):
                tail = item
                continue
            tail = None
            segment.last = item[0]
            if item[0] >= cursor:
                found(item)
    return segment, tail


def _cut_tail(segment: Segment, tail: Damage) -> None:
    """Cut off a write that did not end: a crash, or before a later segment a failed sync."""
    os.truncate(segment.path, tail.start)
    segment.end = tail.start
    _log.warning(
        "torn tail of the spool repaired: it was never acknowledged",
        segment=segment.path.name,
        bytes=tail.end - tail.start,
        why=tail.why,
    )
