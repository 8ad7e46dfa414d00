"""What one stream refuses for a reason that is not the event's fault, kept aside.

One log per stream, in the same format and inside the same quota, so that a closed
or blocked stream holds up nobody else's events.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from activity_center.errors import ActivityCenterError, SpoolFailed
from collector.spool import layout
from collector.spool.accounts import Accounts, by_sender
from collector.spool.layout import Record
from collector.spool.reader import Damage, SegmentReader
from collector.spool.segments import SegmentLog


class Parking:
    """The parked records of all streams below one spool folder.

    Args:
        folder: the spool's folder.
        segment_bytes: size of a segment.
        damaged: called for each stretch that holds no readable record.

    Attributes:
        accounts: records and bytes that are parked.

    Raises:
        SpoolFailed: a folder cannot be read.
    """

    def __init__(
        self,
        folder: Path,
        segment_bytes: int,
        damaged: Callable[[SegmentReader, Damage], None],
    ) -> None:
        self.accounts = Accounts()
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._damaged = damaged
        self._lock = threading.RLock()
        self._closed = False
        self._logs: dict[str, SegmentLog] = {}
        self._counts: dict[str, int] = {}
        parked = folder / layout.PARKED
        for one in sorted(parked.iterdir()) if parked.is_dir() else ():
            self._open(layout.parked_stream(one))

    @property
    def streams(self) -> frozenset[str]:
        """The streams that have parked records."""
        return frozenset(self._counts)

    @property
    def counts(self) -> dict[str, int]:
        """Stream -> parked records."""
        with self._lock:
            return dict(self._counts)

    def park(self, stream: str, records: list[Record]) -> None:
        """Keep ``records`` for ``stream``; durable on return.

        Raises:
            SpoolFull: no room on the disk.
            SpoolFailed: the disk failed.
        """
        with self._lock:
            if self._closed:
                raise SpoolFailed("the spool is closed")
            fresh = stream not in self._logs
            log = self._logs[stream] if not fresh else self._open(stream)
            blob, kept = layout.encode_records(log.next_position, [entry for *_, entry in records])
            try:
                log.append([blob], kept[0][0], kept[-1][0])
            except ActivityCenterError:
                if fresh:
                    self._drop(stream)
                raise
            self.accounts.add(len(kept), by_sender(kept))
            self._counts[stream] += len(kept)

    def take(self, stream: str, documents: int, size: int) -> list[Record]:
        """Return the next parked records of ``stream``, in the order in which they came."""
        with self._lock:
            log = self._logs.get(stream)
            return log.read(documents, size) if log and not self._closed else []

    def settle(self, stream: str, records: list[Record]) -> None:
        """All of a batch that :meth:`take` gave is delivered or rejected."""
        with self._lock:
            if self._closed:
                return
            self.accounts.remove(len(records), by_sender(records))
            self._counts[stream] = max(0, self._counts[stream] - len(records))
            log = self._logs[stream]
            log.release(log.place)
            self._drop_empty(stream)

    def drop_empty(self, stream: str) -> None:
        """Forget ``stream`` if nothing of it is parked any more."""
        with self._lock:
            if not self._closed:
                self._drop_empty(stream)

    def close(self) -> None:
        """Save the cursors and close the files."""
        with self._lock:
            self._closed = True
            for log in self._logs.values():
                log.close()

    def _open(self, stream: str) -> SegmentLog:
        self._counts[stream] = 0

        def found(record: Record) -> None:
            self.accounts.add_one(record)
            self._counts[stream] += 1

        self._logs[stream] = SegmentLog(
            layout.parked_folder(self._folder, stream),
            self._segment_bytes,
            found=found,
            damaged=self._damaged,
        )
        return self._logs[stream]

    def _drop_empty(self, stream: str) -> None:
        log = self._logs.get(stream)
        if log is not None and log.place >= log.next_position:
            self._drop(stream)

    def _drop(self, stream: str) -> None:
        self._counts.pop(stream, None)
        self._logs.pop(stream).remove()
