"""The way out of the spool: records in order to the one who delivers, and how far that is.

What was just written is handed on from memory, up to a bound; once the taker falls
behind it, it reads from disk until it has caught up.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping
from typing import Final

from collector.spool.layout import Record
from collector.spool.segments import SegmentLog

_NEAR: Final = 512 * 1024
"""Bytes behind at which the rest is read with the writer held, to catch up for good."""
_MARK_SECONDS: Final = 1.0
_MAX_MARKS: Final = 4096


class Outlet:
    """Hands out records in order to one thread, and keeps the cursor.

    Args:
        log: what is written; its reading side belongs to the outlet.
        memory: bytes of records that are kept for the taker.
        behind: (records, bytes) that are on disk already.
    """

    def __init__(self, log: SegmentLog, memory: int, behind: tuple[int, int]) -> None:
        self._log = log
        self._memory = memory
        self._place = log.place
        self._end = log.next_position
        self._tail: deque[Record] = deque()
        self._tail_bytes = 0
        self._on_disk = self._place < self._end
        self._sought = True
        self._waiting_records, self._waiting_bytes = behind
        self._open = False
        self._marks: deque[tuple[int, float]] = deque()
        if self._on_disk and log.oldest is not None:
            self._marks.append((self._place, log.oldest / 1e9))
        self._changed = threading.Condition()
        self._wanted: tuple[int, int] | None = None

    # -- the writer's side -------------------------------------------------------

    def committed(self, records: list[Record]) -> None:
        """``records`` are durable: hand them on."""
        with self._changed:
            first, self._end = records[0][0], records[-1][0] + 1
            now = time.time()
            if not self._marks or now - self._marks[-1][1] >= _MARK_SECONDS:
                self._marks.append((first, now))
                if len(self._marks) > _MAX_MARKS:
                    self._marks = deque(list(self._marks)[::2])
            if first < self._place:  # read from disk between the write and this call
                records = [record for record in records if record[0] >= self._place]
            size = sum([record[1] for record in records])
            self._waiting_records += len(records)
            self._waiting_bytes += size
            if self._on_disk:
                pass
            elif self._tail_bytes + size <= self._memory or not self._tail:
                self._tail.extend(records)
                self._tail_bytes += size
            elif records:
                self._on_disk, self._sought = True, False
            if self._wanted is not None and (
                self._waiting_records >= self._wanted[0] or self._waiting_bytes >= self._wanted[1]
            ):
                self._changed.notify_all()

    # -- the taker's side ---------------------------------------------------------

    def take(
        self,
        documents: int,
        size: int,
        linger: float,
        stopping: threading.Event,
        lots: int = 1,
    ) -> list[Record]:
        """Return the next records; waits for the first, then ``linger`` seconds for more.

        Args:
            documents: at most so many.
            size: about so many bytes at most.
            stopping: when set, nothing is waited for.
            lots: where it is all there already, so many times as much.

        Returns:
            Records to be settled before the next are taken; ``[]`` for nothing.
        """
        self._wait(documents, size, linger, stopping)
        with self._changed:
            if self._waiting_records >= documents * lots or self._waiting_bytes >= size * lots:
                documents, size = documents * lots, size * lots
            records = self._from_tail(documents, size)
            if not records and self._on_disk and self._waiting_bytes <= _NEAR:
                records = self._from_disk(documents, size)
            from_disk = not records and self._on_disk
        if from_disk:
            records = self._from_disk(documents, size)
        if records:
            self._log.note_taken(self._place)
        return records

    def wake(self) -> None:
        """Let the taker look at its ``stopping`` again."""
        with self._changed:
            self._changed.notify_all()

    def settle(self, generations: Mapping[str, str] | None) -> None:
        """All that :meth:`take` gave is delivered, rejected or parked."""
        with self._changed:
            self._open = False
            cursor = self._place
            while len(self._marks) > 1 and self._marks[1][0] <= cursor:
                self._marks.popleft()
            if cursor >= self._end:
                self._marks.clear()
        self._log.release(cursor, generations)

    @property
    def drained(self) -> bool:
        """Whether all that is durable is settled."""
        with self._changed:
            return self._place >= self._end and not self._open

    @property
    def oldest(self) -> float | None:
        """Unix time at which the oldest unsettled record was written, to about a second."""
        with self._changed:
            return self._marks[0][1] if self._marks else None

    def _wait(self, documents: int, size: int, linger: float, stopping: threading.Event) -> None:
        with self._changed:
            self._wanted = (1, 1)
            while not (stopping.is_set() or self._tail or self._on_disk):
                self._changed.wait(1.0)
            self._wanted = (documents, size)
            until = time.monotonic() + linger
            while not (
                stopping.is_set()
                or self._waiting_records >= documents
                or self._waiting_bytes >= size
                or (left := until - time.monotonic()) <= 0
            ):
                self._changed.wait(left)
            self._wanted = None

    def _from_tail(self, documents: int, size: int) -> list[Record]:
        """Take from memory; the caller holds ``_changed``."""
        records: list[Record] = []
        tail, taken = self._tail, 0
        while tail and len(records) < documents and taken < size:
            record = tail.popleft()
            taken += record[1]
            records.append(record)
        if records:
            self._tail_bytes -= taken
            self._took(records, records[-1][0] + 1, taken)
        return records

    def _from_disk(self, documents: int, size: int) -> list[Record]:
        """Take from disk."""
        if not self._sought:
            self._log.seek(self._place)
            self._sought = True
        records = self._log.read(documents, size)
        with self._changed:
            self._took(records, self._log.place, sum([record[1] for record in records]))
            if self._place >= self._end:
                self._on_disk = False
        return records

    def _took(self, records: list[Record], place: int, size: int) -> None:
        self._place = max(self._place, place)
        self._open = self._open or bool(records)
        self._waiting_records = max(0, self._waiting_records - len(records))
        self._waiting_bytes = max(0, self._waiting_bytes - size)
        if self._place >= self._end:
            self._waiting_records = self._waiting_bytes = 0
