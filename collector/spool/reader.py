"""Read one segment in order, and lose exactly the records whose bytes are damaged.

Reads nothing but the format of :mod:`collector.spool.layout`: it knows no writer,
no cursor and no quota, so it is also the independent checker of what a writer left.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, NamedTuple

from collector.spool import layout
from collector.spool.layout import RECORD_HEADER_BYTES, RECORD_MAGIC, Record

_WINDOW: Final = 256 * 1024
_PAGE: Final = 4096


class Damage(NamedTuple):
    """Bytes ``[start, end)`` of a segment that hold no readable record.

    Attributes:
        why: what is wrong, for people.
        torn: looks like a write that was cut short, at the end of what was read.
    """

    start: int
    end: int
    why: str
    torn: bool


class SegmentReader:
    """A place in one segment; :meth:`next` moves on by one record.

    Args:
        path: the segment's file.

    Raises:
        OSError: it cannot be opened.
        SpoolFailed: it is of another version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.first = layout.segment_first(path) or 0
        self.last = self.first - 1
        self.created = 0
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._data = b""
        self._base = 0
        try:
            header = layout.decode_segment_header(self._read(0, layout.SEGMENT_HEADER_BYTES))
        except BaseException:
            self.close()
            raise
        self.header_damaged = header is None
        if header is not None:
            self.created = header[1]
        self.offset = layout.SEGMENT_HEADER_BYTES

    def close(self) -> None:
        """Close the file; may be called twice."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> SegmentReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def next(self, end: int) -> Record | Damage | None:
        """Return what comes next before ``end`` (bytes), or ``None`` at ``end``."""
        start = self.offset
        if start >= end:
            return None
        at = self._window(start, RECORD_HEADER_BYTES, end)
        if at is None:
            return self._damage(end, "the file ends inside a record's header", torn=True)
        header = layout.decode_record_header(self._data, at)
        if header is None or header.position <= self.last:
            return self._resync(end)
        stop = start + RECORD_HEADER_BYTES + header.length
        at = self._window(start, stop - start, end)
        if at is None:
            return self._damage(end, "the file ends inside a record", torn=True)
        self.last = header.position
        entry = layout.decode_entry(
            header, self._data[at + RECORD_HEADER_BYTES : at + stop - start]
        )
        if entry is None:
            return self._damage(stop, "a record's checksum is wrong", torn=False)
        self.offset = stop
        return header.position, stop - start, entry

    def whole(self, end: int, documents: int, size: int) -> list[Record]:
        """Return records that are at hand and whole, as :meth:`next` would; may be none.

        At anything else it stops: :meth:`next` says what that is.

        Args:
            documents: at most so many.
            size: about so many bytes at most.
        """
        found: list[Record] = []
        data, at, last = self._data, self.offset - self._base, self.last
        limit = min(len(data), end - self._base)
        while 0 <= at <= limit - RECORD_HEADER_BYTES and len(found) < documents and size > 0:
            header = layout.decode_record_header(data, at)
            if header is None or header[1] <= last:
                break
            stop = at + RECORD_HEADER_BYTES + header[0]
            if stop > limit:
                break
            entry = layout.decode_entry(header, data[at + RECORD_HEADER_BYTES : stop])
            if entry is None:
                break
            last = header[1]
            found.append((last, stop - at, entry))
            size -= stop - at
            at = stop
        if found:
            self.offset, self.last = self._base + at, last
        return found

    def bytes_between(self, start: int, end: int) -> bytes:
        """Return the bytes ``[start, end)`` as they are; unreadable pages as zeros."""
        return self._read(start, end - start)

    def _damage(self, end: int, why: str, *, torn: bool) -> Damage:
        damage = Damage(self.offset, end, why, torn)
        self.offset = end
        return damage

    def _resync(self, end: int) -> Damage:
        """Skip to the next header that is whole and comes later than the last record."""
        seek = self.offset + 1
        only_zeros = True
        while (at := self._window(seek, 1, end)) is not None:
            stop = min(len(self._data), end - self._base)
            found = self._data.find(RECORD_MAGIC, at, stop)
            # Not the last bytes of the window: a header could begin there.
            upto = found if found >= 0 else max(stop - RECORD_HEADER_BYTES, at + 1)
            if found < 0 and self._base + stop >= end:
                upto = stop
            only_zeros = only_zeros and not self._data[at:upto].strip(b"\0")
            seek = self._base + upto
            if found < 0:
                continue
            only_zeros = False
            at = self._window(seek, RECORD_HEADER_BYTES, end)
            if at is None:
                break
            header = layout.decode_record_header(self._data, at)
            if header is not None and header.position > self.last:
                return self._damage(seek, "a record's header is damaged", torn=False)
            seek += 1
        at = self._window(self.offset, 1, end)
        zeros = only_zeros and at is not None and self._data[at] == 0
        why = "only zeros up to the end" if zeros else "a record's header is damaged"
        return self._damage(end, why, torn=zeros)

    def _window(self, start: int, size: int, end: int) -> int | None:
        """Make ``[start, start + size)`` readable; return its index in ``_data``.

        ``None`` when that reaches beyond ``end`` or beyond the file.
        """
        if start + size > end:
            return None
        at = start - self._base
        if at < 0 or at + size > len(self._data):
            self._data = self._read(start, min(max(size, _WINDOW), end - start))
            self._base = start
            at = 0
        return at if at + size <= len(self._data) else None

    def _read(self, start: int, size: int) -> bytes:
        parts = []
        while size > 0:
            try:
                part = os.pread(self._file, size, start)
            except OSError:
                part = self._read_around(start, size)
            if not part:
                break
            parts.append(part)
            start += len(part)
            size -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _read_around(self, start: int, size: int) -> bytes:
        """Read page by page; a page that the disk does not give becomes zeros."""
        size = min(size, max(os.fstat(self._file).st_size - start, 0), _PAGE - start % _PAGE)
        try:
            return os.pread(self._file, size, start)
        except OSError:
            return bytes(size)
