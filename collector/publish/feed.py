"""What is to be published, in order: from memory as it is committed, else from the segments."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import deque
from typing import Final

from collector.publish.choose import Choice
from collector.spool.layout import Record
from collector.spool.reader import Damage, SegmentReader
from collector.spool.recovery import Segment
from collector.spool.spool import Spool

MEMORY_BYTES: Final = 4 * 1024 * 1024
"""Of entries that wait in memory; beyond that the rest is read from disk."""
_STRETCH_BYTES: Final = 4 * 1024 * 1024
"""Of records that are read from disk at once."""

Entries = list[tuple[int, bytes]]
"""(position, body)."""


class Feed:
    """Follows the spool from a place on; one thread takes.

    Args:
        spool: tells what it commits, and has the rest on disk.
        memory: bytes of entries that may wait in memory.
    """

    def __init__(self, spool: Spool, memory: int = MEMORY_BYTES) -> None:
        self._spool = spool
        self._memory = memory
        self._choice = Choice()
        self._changed = threading.Condition()
        self._tail: deque[tuple[int, bytes]] = deque()
        self._tail_bytes = 0
        self._read = 0
        self._end = 0
        self._behind = True
        self._woken = False
        self._reader: SegmentReader | None = None
        spool.follow(self.committed)
        with self._changed:
            self._end = max(self._end, spool.next_position)

    def committed(self, records: list[Record]) -> None:
        """``records`` are durable. Runs in the thread that writes, before it answers."""
        fresh = self._choice.fresh
        chosen = [(record[0], record[2].body) for record in records if fresh(record[2])]
        with self._changed:
            self._end = records[-1][0] + 1
            if not chosen or self._behind:
                return
            if chosen[0][0] < self._read:  # read from disk between the write and this call
                chosen = [one for one in chosen if one[0] >= self._read]
            size = sum([len(body) for _, body in chosen])
            if self._tail and self._tail_bytes + size > self._memory:
                self._behind, self._read = True, records[0][0]
                return
            self._tail.extend(chosen)
            self._tail_bytes += size
            self._changed.notify()

    def rewind(self, position: int) -> None:
        """Go on at ``position``, from disk."""
        with self._changed:
            self._tail.clear()
            self._tail_bytes = 0
            self._behind, self._read = True, position

    def take(self, size: int, wait: float) -> tuple[Entries, int] | None:
        """Return the next entries, about ``size`` bytes, and the place behind them.

        ``None``: the spool let go what comes next.

        Args:
            wait: seconds to wait for some when there are none.

        Raises:
            OSError: the disk cannot be read.
            SpoolFailed: a segment is of another version.
        """
        with self._changed:
            if not (self._tail or self._behind or self._woken):
                self._changed.wait(wait)
            if self._tail or not self._behind:
                return self._from_tail(size)
        found = self._from_disk(self._read, size)
        if found is not None:
            with self._changed:
                self._read = found[1]
                if self._read >= self._end:
                    self._behind = False
        return found

    def wake(self) -> None:
        """From now on nothing is waited for."""
        with self._changed:
            self._woken = True
            self._changed.notify()

    @property
    def waiting(self) -> int:
        """Positions from the oldest entry that may be waiting on to the end; 0: none waits."""
        with self._changed:
            if self._tail:
                return self._end - self._tail[0][0]
            return max(0, self._end - self._read) if self._behind else 0

    def close(self) -> None:
        """Close the segment that is read."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _from_tail(self, size: int) -> tuple[Entries, int]:
        entries: Entries = []
        tail = self._tail
        while tail and size > 0:
            entry = tail.popleft()
            size -= len(entry[1])
            self._tail_bytes -= len(entry[1])
            entries.append(entry)
        if tail:
            return entries, tail[0][0]
        return entries, self._read if self._behind else self._end

    def _from_disk(self, place: int, size: int) -> tuple[Entries, int] | None:
        segments = self._spool.segments
        if not segments:
            return [], max(place, self._spool.next_position)
        if place < segments[0].first:
            return None
        entries: Entries = []
        left = _STRETCH_BYTES
        index = max(bisect_right([one.first for one in segments], place) - 1, 0)
        while True:
            segment = segments[index]
            reader = self._open(segment, place)
            if reader is None:
                return None
            while left > 0 and size > 0 and (item := reader.next(segment.end)) is not None:
                if isinstance(item, Damage):  # the deliverer reports it
                    continue
                if item[0] < place:
                    continue
                place, left = item[0] + 1, left - item[1]
                if self._choice.stored(item[2]):
                    entries.append((item[0], item[2].body))
                    size -= len(item[2].body)
            if left <= 0 or size <= 0:
                return entries, place
            index += 1
            if index == len(segments):
                return entries, max(place, segment.last + 1)
            place = segments[index].first

    def _open(self, segment: Segment, place: int) -> SegmentReader | None:
        """A reader of the segment at ``place`` or before it; ``None``: it was just deleted."""
        reader = self._reader
        if reader is not None and reader.first == segment.first and reader.last < place:
            return reader
        self.close()
        try:
            reader = self._reader = SegmentReader(segment.path)
        except FileNotFoundError:
            return None
        for position, offset in segment.hints:
            if position <= place:
                reader.offset, reader.last = offset, position - 1
        return reader
