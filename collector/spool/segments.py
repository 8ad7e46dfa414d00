"""Append-only segments in one folder: write and sync, read in order, delete what is done.

Synchronous, and knows neither senders nor quotas: the spool and the parked
records of each stream are both made of it. One thread appends, one reads.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import structlog

from activity_center.errors import ActivityCenterError, SpoolFailed, SpoolFull
from collector.spool import layout
from collector.spool.cursor import CursorFile
from collector.spool.files import make_folder, remove_folder, sync_folder
from collector.spool.layout import Cursor, Record
from collector.spool.reader import Damage, SegmentReader
from collector.spool.recovery import Segment, recover

_log = structlog.get_logger(__name__)

_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
MANY_BLOBS: Final = 8
"""So many are joined first: they are small, and a write of each would cost more."""
_HINT_BYTES: Final = 1024 * 1024


class SegmentLog:
    """The segments and the cursor in ``folder``.

    Args:
        folder: is made when missing (mode 0700).
        segment_bytes: a new segment begins when one has grown to this.
        found: called at opening for each record that is not delivered yet.
        damaged: called while reading for each stretch that holds no readable record.
        followed: returns the position from which on somebody else reads too: what is done
            waits for them, up to ``waiting_bytes``.

    Attributes:
        suspects: positions below this may have been sent before the opening.

    Raises:
        SpoolFailed: the folder cannot be read or written.
        SpoolFull: the disk has no room for the folder.
    """

    def __init__(
        self,
        folder: Path,
        segment_bytes: int,
        *,
        found: Callable[[Record], None],
        damaged: Callable[[SegmentReader, Damage], None],
        followed: Callable[[], int] = lambda: sys.maxsize,
        waiting_bytes: int = 0,
    ) -> None:
        self.folder = folder
        self.segment_bytes = segment_bytes
        self.fsyncs = 0
        self.sync_seconds = 0.0
        self.next_position = 1
        self._damaged = damaged
        self._followed = followed
        self._waiting_bytes = waiting_bytes
        self._lock = threading.Lock()
        self._segments: list[Segment] = []
        self._file = -1
        self._reader: SegmentReader | None = None
        self._reading: Segment | None = None
        self._directory = folder / layout.SEGMENTS
        try:
            make_folder(self._directory)
            self._cursor = CursorFile(folder)
            self._segments, self.next_position = recover(
                self._directory, self._cursor.value.position, followed(), found
            )
        except OSError as wrong:
            raise trouble(wrong, self._directory) from wrong
        self.suspects = self._cursor.begin(self.next_position)
        start = self._segments[0].first if self._segments else self.next_position
        self.place = max(self._cursor.value.position, start)

    # -- writing -----------------------------------------------------------------

    def append(self, blobs: Sequence[bytes], first: int, last: int) -> None:
        """Write encoded records, and return when all of them are on disk.

        Args:
            blobs: the records, in order.
            first: position of its first record.
            last: position of its last record.

        Raises:
            SpoolFull: no room; nothing was taken.
            SpoolFailed: write or fdatasync failed; this segment is not used again.
        """
        if self._file < 0 or self._segments[-1].end >= self.segment_bytes:
            self.begin_segment(first)
        segment = self._segments[-1]
        try:
            for blob in blobs if len(blobs) < MANY_BLOBS else [b"".join(blobs)]:
                view = memoryview(blob)
                while view:
                    view = view[os.write(self._file, view) :]
        except OSError as wrong:
            self._cut_back(segment)
            raise self._no_write(wrong, segment.path) from wrong
        self._sync(segment.path)
        with self._lock:
            if segment.end - (segment.hints[-1][1] if segment.hints else 0) >= _HINT_BYTES:
                segment.hints.append((first, segment.end))
            segment.end += sum(map(len, blobs))
            segment.last = last
            self.next_position = segment.last + 1

    def begin_segment(self, first: int) -> None:
        """Begin a segment whose first position is ``first``.

        Raises:
            SpoolFull: no room.
            SpoolFailed: it cannot be made or synced.
        """
        self._close_file()
        self._remove_empty()
        path = self._directory / layout.segment_name(first)
        created = time.time_ns()
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            header = layout.encode_segment_header(first, created)
            if os.write(self._file, header) != len(header):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self._sync(path)
            sync_folder(self._directory)
        except (OSError, ActivityCenterError) as wrong:
            self._close_file()
            with contextlib.suppress(OSError):
                path.unlink()
            if isinstance(wrong, OSError):
                raise self._no_write(wrong, path) from wrong
            raise
        with self._lock:
            self._segments.append(
                Segment(first, path, layout.SEGMENT_HEADER_BYTES, first - 1, created)
            )
            self.next_position = max(self.next_position, first)

    def _no_write(self, wrong: OSError, path: Path) -> SpoolFull | SpoolFailed:
        """:func:`trouble`; on a full disk nothing that is done waits for the follower."""
        if wrong.errno in _NO_ROOM:
            self._delete_done(0)
        return trouble(wrong, path)

    def _remove_empty(self) -> None:
        """Remove the last segment if it holds nothing: it may have the name that is needed.

        One whose records are damaged is not empty.
        """
        with self._lock:
            if not self._segments or self._segments[-1].end > layout.SEGMENT_HEADER_BYTES:
                return
            path = self._segments[-1].path
            try:
                path.unlink(missing_ok=True)
            except OSError as wrong:
                raise trouble(wrong, path) from wrong
            self._segments.pop()

    def _sync(self, path: Path) -> None:
        """Make what was written durable.

        After a failure the kernel may have dropped the dirty pages and would
        report success the next time: the file is never synced again.
        """
        begun = time.perf_counter()
        try:
            os.fdatasync(self._file)
        except OSError as wrong:
            self._close_file()
            raise SpoolFailed(
                f"fdatasync failed: {wrong.strerror}",
                where=str(path),
                hint="check the disk; a new segment is tried for what comes next",
            ) from wrong
        finally:
            self.fsyncs += 1
            self.sync_seconds += time.perf_counter() - begun

    def _cut_back(self, segment: Segment) -> None:
        """Remove a write that came only in part; if that fails too, leave the segment."""
        try:
            os.ftruncate(self._file, segment.end)
            os.lseek(self._file, segment.end, os.SEEK_SET)
        except OSError:
            self._close_file()

    def _close_file(self) -> None:
        if self._file >= 0:
            with contextlib.suppress(OSError):
                os.close(self._file)
            self._file = -1

    # -- reading -----------------------------------------------------------------

    def seek(self, position: int) -> None:
        """Go on reading at ``position``."""
        self._close_reader()
        self.place = position

    def read(self, documents: int, size: int) -> list[Record]:
        """Return the next records, up to ``documents`` and about ``size`` bytes.

        Afterwards :attr:`place` is the position behind them.

        Raises:
            SpoolFailed: a segment cannot be opened.
        """
        found: list[Record] = []
        while size > 0 and len(found) < documents:
            with self._lock:
                segment, following = self._current()
                end = segment.end if segment else 0
                upto = self.next_position
            if segment is None:
                self.place = max(self.place, upto)
                break
            try:
                size, whole = self._read_segment(
                    self._reader_of(segment), end, documents, size, found
                )
            except ActivityCenterError:
                if found:
                    break
                raise
            if not whole:
                break
            if following is None:
                self.place = max(self.place, upto)
                break
            self._close_reader(following)
        return found

    def _read_segment(
        self, reader: SegmentReader, end: int, documents: int, size: int, found: list[Record]
    ) -> tuple[int, bool]:
        """Read on in one segment; return what is left of ``size``, and whether it ended."""
        while size > 0 and len(found) < documents:
            for record in reader.whole(end, documents - len(found), size):
                if record[0] >= self.place:
                    self.place = record[0] + 1
                    size -= record[1]
                    found.append(record)
            if size <= 0 or len(found) >= documents:
                break
            before, item = reader.last, reader.next(end)
            if item is None:
                return size, True
            if isinstance(item, Damage):
                # Reported by itself, so that a report that fails loses no record.
                if found:
                    reader.offset, reader.last = item.start, before
                    break
                self._report(reader, item, before)
            elif item[0] >= self.place:
                self.place = item[0] + 1
                size -= item[1]
                found.append(item)
        return size, False

    def _report(self, reader: SegmentReader, damage: Damage, before: int) -> None:
        try:
            self._damaged(reader, damage)
        except BaseException:
            reader.offset, reader.last = damage.start, before
            raise

    def _current(self) -> tuple[Segment | None, Segment | None]:
        """Return the segment to read and the one after it."""
        segments = self._segments
        if not segments:
            return None, None
        if self._reading in segments:
            index = segments.index(self._reading)
        else:
            index = max(bisect_right([one.first for one in segments], self.place) - 1, 0)
        return segments[index], segments[index + 1] if index + 1 < len(segments) else None

    def _reader_of(self, segment: Segment) -> SegmentReader:
        if self._reader is not None and self._reading is segment:
            return self._reader
        self._close_reader()
        try:
            self._reader = SegmentReader(segment.path)
        except OSError as wrong:
            raise trouble(wrong, segment.path) from wrong
        if self._reader.header_damaged:
            _log.warning("header of a segment damaged", segment=segment.path.name)
        for position, offset in segment.hints:
            if position <= self.place:
                self._reader.offset, self._reader.last = offset, position - 1
        self._reading = segment
        return self._reader

    def _close_reader(self, following: Segment | None = None) -> None:
        if self._reader is not None:
            self._reader.close()
        self._reader, self._reading = None, following

    # -- progress ----------------------------------------------------------------

    def release(self, position: int, generations: Mapping[str, str] | None = None) -> None:
        """Everything below ``position`` is done: note it, and delete whole segments.

        Args:
            generations: see :class:`collector.spool.layout.Cursor`.
        """
        with self._lock:
            self._cursor.note_done(position, generations)
        self._delete_done(self._waiting_bytes)

    def _delete_done(self, most: int) -> None:
        """Delete segments that are done, except ``most`` bytes that the follower needs."""
        with self._lock:
            segments, position, followed = self._segments, self.cursor.position, self._followed()
            done = 0
            while done + 1 < len(segments) and segments[done + 1].first <= position:
                done += 1
            waiting = sum([segment.end for segment in segments[:done]])
            going = 0
            while going < done and (segments[going + 1].first <= followed or waiting > most):
                waiting -= segments[going].end
                going += 1
            gone, segments[:going] = segments[:going], []
        for segment in gone:
            with contextlib.suppress(OSError):
                segment.path.unlink()

    def segments(self) -> list[Segment]:
        """Return what is there now, in order, as copies: for a reader beside this one."""
        with self._lock:
            return [replace(segment) for segment in self._segments]

    def note_taken(self, place: int) -> None:
        """What lies below ``place`` may be sent from now on: note it before it is."""
        with self._lock:
            self._cursor.note_taken(place)

    def note_foreign(self, place: int) -> None:
        """What lies below ``place`` may be anywhere, whoever sent it: note it now."""
        with self._lock:
            self._cursor.note_foreign(place)

    @property
    def cursor(self) -> Cursor:
        """How far it has come."""
        return self._cursor.value

    @property
    def oldest(self) -> int | None:
        """Unix time in ns at which the oldest segment was begun."""
        with self._lock:
            return self._segments[0].created if self._segments else None

    def close(self) -> None:
        """Save the cursor and close the files."""
        with self._lock:
            self._cursor.save()
            self._cursor.close()
        self._close_file()
        self._close_reader()

    def remove(self) -> None:
        """Close, and delete the folder with all that is in it."""
        self._cursor.close()
        self._close_file()
        self._close_reader()
        remove_folder(self.folder)


def trouble(wrong: OSError, path: Path) -> SpoolFull | SpoolFailed:
    """Turn an operating system's error on ``path`` into ours."""
    if wrong.errno in _NO_ROOM:
        return SpoolFull(f"no room on the disk: {wrong.strerror}", where=str(path))
    return SpoolFailed(
        f"{wrong.strerror}", where=str(path), hint="check the disk and the rights of the folder"
    )
