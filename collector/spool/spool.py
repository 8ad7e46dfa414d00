"""The spool: what is acknowledged is on disk, in order, until it is delivered."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Final

import structlog

from activity_center.errors import SpoolFailed, SpoolFull
from collector.records import Entry, Reject
from collector.spool import layout
from collector.spool.accounts import Accounts, by_sender
from collector.spool.commit import Append, Committer, State
from collector.spool.files import make_folder
from collector.spool.layout import Record
from collector.spool.outlet import Outlet
from collector.spool.parking import Parking
from collector.spool.quarantine import RejectSink, Reports, quarantine
from collector.spool.reader import Damage, SegmentReader
from collector.spool.recovery import Segment
from collector.spool.segments import SegmentLog, trouble

_log = structlog.get_logger(__name__)

DEFAULT_SEGMENT_BYTES: Final = 64 * 1024 * 1024
_SMALLEST_SEGMENT: Final = 64 * 1024
_ROOM_AGAIN: Final = 0.875
"""Of the quota: below this a spool that refused something is ready again."""
WAITING_SHARE: Final = 0.25
"""Of the quota: what is delivered and still needed by who follows."""
_PARKED_SHARE: Final = 0.5
"""Of the quota: what the parked records of refusing streams may take."""


class Spool:
    """An append-only, bounded, crash-safe queue of entries in one folder.

    Open it with :meth:`open`. ``append`` is for event loops, ``append_now`` for
    threads; a deliverer uses ``take``, ``settle`` and ``parking``.

    Attributes:
        folder: where it is.
        quota_bytes: bytes that undelivered records may take, parked ones included; a
            single append may be larger when nothing else is there. The disk holds up to
            two segments more (each at most an eighth of it), and what ``followed`` needs.
        parking: what streams refuse.
        suspects: positions below this may have been sent before the last start.
        corrupt: damaged stretches found since the start.
    """

    def __init__(
        self,
        folder: Path,
        lock: int,
        quota_bytes: int,
        segment_bytes: int,
        quota_of: Callable[[str], int | None],
        rejected: RejectSink | None,
        memory_bytes: int,
        followed: Callable[[], int],
    ) -> None:
        self.folder = folder
        self.quota_bytes = quota_bytes
        self.corrupt = 0
        self._lock = lock
        self._quota_of = quota_of
        self._reports = Reports(rejected)
        segment_bytes = min(segment_bytes, max(quota_bytes // 8, _SMALLEST_SEGMENT))
        self._accounts = Accounts()
        self._log = SegmentLog(
            folder,
            segment_bytes,
            found=self._accounts.add_one,
            damaged=self.report_damage,
            followed=followed,
            waiting_bytes=int(quota_bytes * WAITING_SHARE),
        )
        self.parking = Parking(folder, segment_bytes, self.report_damage)
        self._next = self._log.next_position
        self.suspects = self._log.suspects
        self.generations: Mapping[str, str] = self._log.cursor.generations
        self._outlet = Outlet(
            self._log, memory_bytes, (self._accounts.records, self._accounts.bytes)
        )
        self._submitting = threading.Lock()
        self._committed: Callable[[list[Record]], None] | None = None
        self._committer = Committer(self._log, rejected, self._hand_on, self._drop)
        self._closed = False
        self._refused = False

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        quota_bytes: int,
        segment_bytes: int = DEFAULT_SEGMENT_BYTES,
        quota_of: Callable[[str], int | None] = lambda sender: None,
        rejected: RejectSink | None = None,
        memory_bytes: int = 4 * 1024 * 1024,
        followed: Callable[[], int] = lambda: sys.maxsize,
    ) -> Spool:
        """Open the spool in ``folder``, repair what a crash left, and start its writer.

        Args:
            quota_of: sender -> bytes of its undelivered records, ``None`` for no bound.
            rejected: keeps the rejected records that come with entries.
            memory_bytes: of records kept for the deliverer, so that it reads no disk.
            followed: returns how far one has come who reads :attr:`segments` for itself; what
                it still needs is kept beyond the quota, up to a quarter of it.

        Raises:
            SpoolFailed: another process uses the folder, or it cannot be read.
        """
        try:
            make_folder(folder)
            lock = take_lock(folder)
        except OSError as wrong:
            raise trouble(wrong, folder) from wrong
        if lock is None:
            raise SpoolFailed(
                "another process uses this spool",
                where=str(folder),
                hint="stop the other collector, or give this one a data_dir of its own",
            )
        try:
            return cls(
                *(folder, lock, quota_bytes, segment_bytes),
                *(quota_of, rejected, memory_bytes, followed),
            )
        except BaseException:
            os.close(lock)
            raise

    # -- in ----------------------------------------------------------------------

    async def append(self, entries: Sequence[Entry], rejects: Sequence[Reject] = ()) -> None:
        """Return when ``entries`` and ``rejects`` are durable (fdatasync; SQLite commit).

        Raises:
            SpoolFull: no room, for all or for a sender; none of the entries was taken.
            SpoolFailed: the disk failed; nothing of this may be acknowledged.
        """
        if entries or rejects:
            loop = asyncio.get_running_loop()
            future = loop.create_future()
            self._submit(entries, rejects, future, loop, force=False)
            await future

    def append_now(
        self, entries: Sequence[Entry], rejects: Sequence[Reject] = (), *, force: bool = False
    ) -> None:
        """:meth:`append` for a thread without an event loop.

        Args:
            force: beyond the quotas, for what was accepted already.

        Raises:
            SpoolFull: as :meth:`append`.
            SpoolFailed: as :meth:`append`.
        """
        if entries or rejects:
            future: Future[None] = Future()
            self._submit(entries, rejects, future, None, force=force)
            future.result()

    def _submit(
        self,
        entries: Sequence[Entry],
        rejects: Sequence[Reject],
        future: asyncio.Future[None] | Future[None],
        loop: asyncio.AbstractEventLoop | None,
        *,
        force: bool,
    ) -> None:
        if entries and not force and self.bytes >= self.quota_bytes:
            self._refused = True
            raise SpoolFull("the spool is full", where=str(self.folder))
        with self._submitting:
            blob, records = layout.encode_records(self._next, entries)
            senders = {entry.sender for entry in entries}
            sums = {senders.pop(): len(blob)} if len(senders) == 1 else by_sender(records)
            if not force:
                self._check_room(entries, sums, len(blob))
            self._accounts.add(len(records), sums)
            self._next += len(records)
            append = Append(blob, records, list(rejects), sums, future, loop)
            try:
                self._committer.submit(append)
            except SpoolFailed:
                self._drop(append)
                raise

    def _check_room(self, entries: Sequence[Entry], sums: dict[str, int], size: int) -> None:
        if not entries:
            return
        # With nothing outstanding one append passes, or it could never be sent.
        if self.bytes and self.bytes + size > self.quota_bytes:
            self._refused = True
            raise SpoolFull("the spool is full", where=str(self.folder))
        for sender, more in sums.items():
            quota = self._quota_of(sender)
            used = self.sender_bytes(sender)  # 0: as above
            if quota is not None and used and used + more > quota:
                raise SpoolFull(f"the share of sender {sender!r} is full", where=str(self.folder))
        if self.parking.accounts.bytes > self.quota_bytes * _PARKED_SHARE:
            refusing = self.parking.streams
            for entry in entries:
                if entry.stream in refusing:
                    raise SpoolFull(
                        f"{entry.stream} refuses its events, and what is parked for it is full",
                        retry_after=30,
                        where=str(self.folder),
                    )

    def _drop(self, append: Append) -> None:
        self._accounts.remove(len(append.records), append.sums)

    # -- beside ------------------------------------------------------------------

    def follow(self, committed: Callable[[list[Record]], None]) -> None:
        """Call ``committed`` with what becomes durable from now on, in the thread that writes."""
        self._committed = committed

    def _hand_on(self, records: list[Record]) -> None:
        self._outlet.committed(records)
        if self._committed is not None:
            self._committed(records)

    @property
    def segments(self) -> list[Segment]:
        """What is on disk, in order, as copies."""
        return self._log.segments()

    @property
    def next_position(self) -> int:
        """Behind the last durable record."""
        return self._log.next_position

    # -- out ---------------------------------------------------------------------

    def take(
        self,
        documents: int,
        size: int,
        linger: float,
        stopping: threading.Event,
        lots: int = 1,
    ) -> list[Record]:
        """See :meth:`collector.spool.outlet.Outlet.take`."""
        records = self._outlet.take(documents, size, linger, stopping, lots)
        if not records:
            self._forget_damaged()
            self._reports.try_again()
        return records

    def wake(self) -> None:
        """See :meth:`collector.spool.outlet.Outlet.wake`."""
        self._outlet.wake()

    def settle(self, records: list[Record], generations: Mapping[str, str] | None = None) -> None:
        """All of a batch that :meth:`take` gave is delivered, rejected or parked.

        One thread takes and settles, a batch before the next.

        Args:
            generations: see :class:`collector.spool.layout.Cursor`.
        """
        if self._closed:
            return  # a deliverer that outlived its time-out: it repeats after the start
        self._outlet.settle(generations)
        self._accounts.remove(len(records), by_sender(records))
        self._forget_damaged()
        self._reports.try_again()

    def _forget_damaged(self) -> None:
        """What was damaged cannot be subtracted, whose it was is not known: start from zero."""
        if self._accounts.records and self.corrupt and self._outlet.drained:
            with self._submitting:
                if self._committer.idle and self._outlet.drained:
                    self._accounts.clear()

    def report_damage(self, reader: SegmentReader, damage: Damage) -> None:
        """Quarantine damaged bytes and note them in the rejected store.

        A store that takes nothing holds up no record: the report waits until it does.
        """
        self.corrupt += 1
        self._reports.add(quarantine(self.folder, reader, damage))

    @property
    def unreported(self) -> int:
        """Reports of damage that wait because the rejected store takes nothing."""
        return self._reports.waiting

    # -- figures -----------------------------------------------------------------

    @property
    def state(self) -> State:
        """``failed`` when a write or sync failed, ``full`` when the disk is, else ``ok``."""
        return self._committer.state

    @property
    def ready(self) -> bool:
        """Whether it can sync and is under its quota.

        What is refused is the append that would go beyond the quota, so the last bytes of
        it are hardly ever used: after a refusal an eighth has to be free again.
        """
        if self._refused and self.bytes <= self.quota_bytes * _ROOM_AGAIN:
            self._refused = False
        return self.state == "ok" and not self._refused and self.bytes < self.quota_bytes

    @property
    def records(self) -> int:
        """Undelivered records, parked ones included."""
        return self._accounts.records + self.parking.accounts.records

    @property
    def bytes(self) -> int:
        """Bytes of undelivered records, parked ones included."""
        return self._accounts.bytes + self.parking.accounts.bytes

    def sender_bytes(self, sender: str) -> int:
        """Bytes of one sender's undelivered records."""
        parked = self.parking.accounts.senders.get(sender, 0)
        return self._accounts.senders.get(sender, 0) + parked

    def senders(self) -> Iterator[tuple[str, int]]:
        """Yield each sender with undelivered records, and their bytes."""
        for sender in sorted({*self._accounts.senders, *self.parking.accounts.senders}):
            yield sender, self.sender_bytes(sender)

    @property
    def drained(self) -> bool:
        """Whether all that is durable is settled, apart from what is parked."""
        return self._outlet.drained

    @property
    def oldest(self) -> float | None:
        """Unix time at which the oldest undelivered record was written (parked ones aside)."""
        return self._outlet.oldest

    @property
    def fsyncs(self) -> int:
        """Syncs since the start."""
        return self._log.fsyncs

    @property
    def sync_seconds(self) -> float:
        """Seconds spent in them."""
        return self._log.sync_seconds

    def expect_foreign(self, records: int) -> None:
        """Before the next ``records``: their history is unknown, any generation may hold them."""
        self.generations = {}
        self.suspects = self._next + records
        self._log.note_foreign(self.suspects)

    def close(self) -> None:
        """Write what waits, save the cursor, let the folder go."""
        if self._closed:
            return
        self._closed = True
        self._committer.close()
        self._reports.try_again(now=True)
        self._log.close()
        self.parking.close()
        os.close(self._lock)


def take_lock(folder: Path) -> int | None:
    """Lock a spool's folder; return the handle to close, or ``None`` when it is in use.

    The kernel releases the lock when the process ends, however it ends.
    """
    handle = os.open(folder / layout.LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    except OSError:
        with contextlib.suppress(OSError):
            os.close(handle)
        raise
    return handle
