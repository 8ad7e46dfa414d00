"""Cut a stream of bytes into whole MessagePack messages without building them.

``msgpack.Unpacker.skip`` walks iteratively, allocates nothing for what a header claims,
keeps its place between calls and gives up beyond 1024 levels.
"""

from __future__ import annotations

from typing import Final

import msgpack

from collector.decode.result import Limits, Unreadable

_SLACK: Final = 1024**2

_STR_BIN: Final = {0xD9: 1, 0xC4: 1, 0xDA: 2, 0xC5: 2, 0xDB: 4, 0xC6: 4}
_ARRAY: Final = {0xDC: 2, 0xDD: 4}


def array_header(data: bytes, at: int) -> tuple[int, int] | None:
    """Return (elements, offset of the first) of the array at ``at``; ``None`` if it is none."""
    if at >= len(data):
        return None
    first = data[at]
    if 0x90 <= first <= 0x9F:
        return first & 0x0F, at + 1
    width = _ARRAY.get(first)
    if width is None or at + 1 + width > len(data):
        return None
    return int.from_bytes(data[at + 1 : at + 1 + width], "big"), at + 1 + width


def string_header(data: bytes, at: int) -> tuple[int, int] | None:
    """Return (start, end) of the str or bin at ``at``; ``None`` if it is none.

    ``end`` is what the header claims and may lie beyond the data.
    """
    if at >= len(data):
        return None
    first = data[at]
    if 0xA0 <= first <= 0xBF:
        return at + 1, at + 1 + (first & 0x1F)
    width = _STR_BIN.get(first)
    if width is None or at + 1 + width > len(data):
        return None
    start = at + 1 + width
    return start, start + int.from_bytes(data[at + 1 : start], "big")


def claimed_size(head: bytes) -> int:
    """Return the bytes that a PackedForward message needs at least, by its own headers.

    0 where the head says nothing: other modes, or too few bytes yet.
    """
    array = array_header(head, 0)
    if array is None:
        return 0
    tag = string_header(head, array[1])
    if tag is None:
        return 0
    packed = string_header(head, tag[1])
    return packed[1] if packed else tag[1]


class Framer:
    """Whole messages out of pieces of a stream.

    Args:
        limits: ``chunk_bytes`` bounds one message.
    """

    __slots__ = ("_base", "_data", "_limit", "_start", "_total", "_unpacker")

    def __init__(self, limits: Limits) -> None:
        self._limit = limits.chunk_bytes
        # Twice the limit: whole messages may wait in front of one that is not.
        self._unpacker = msgpack.Unpacker(
            read_size=4096, max_buffer_size=2 * limits.chunk_bytes + _SLACK
        )
        self._data = bytearray()  # not pieces: small ones would take many times their size
        self._base = 0  # offset in the stream of the first byte of _data
        self._start = 0  # offset in the stream of the next message
        self._total = 0  # bytes fed

    @property
    def buffered(self) -> int:
        """Bytes fed that no message took yet."""
        return self._total - self._start

    @property
    def taken(self) -> int:
        """Bytes that messages took since the beginning."""
        return self._start

    def feed(self, data: bytes) -> None:
        """Add bytes.

        Raises:
            Unreadable: far more is waiting than a message may have.
        """
        try:
            self._unpacker.feed(data)
        except msgpack.BufferFull as full:
            raise Unreadable(
                "too_large", "more bytes are waiting than a connection may have"
            ) from full
        self._data += data
        self._total += len(data)

    def next(self) -> bytes | None:
        """Return the next whole message, or ``None`` until more is fed.

        Raises:
            Unreadable: the bytes are not MessagePack (``undecodable``), nested beyond 1024
                levels (``too_deep``), or the message is ``too_large``. The stream cannot be
                read on after that; :meth:`rest` gives what is left.
        """
        try:
            self._unpacker.skip()
        except msgpack.OutOfData:
            self._trim()
            self._check_size()
            return None
        except msgpack.StackError as deep:
            raise Unreadable("too_deep", "nested beyond 1024 levels") from deep
        except ValueError as wrong:  # FormatError and what else the C code raises
            raise Unreadable("undecodable", "the bytes are not MessagePack") from wrong
        end = self._unpacker.tell()
        if end - self._start > self._limit:
            raise Unreadable("too_large", self._too_large(end - self._start), hint=_SMALLER)
        with memoryview(self._data) as data:  # one copy, not two
            message = bytes(data[self._start - self._base : end - self._base])
        self._start = end
        if end == self._total:
            self._trim()
        return message

    def _trim(self) -> None:
        """Let go of the bytes that messages took."""
        del self._data[: self._start - self._base]
        self._base = self._start

    def _check_size(self) -> None:
        waiting = self.buffered
        if waiting > self._limit:
            raise Unreadable("too_large", self._too_large(waiting), hint=_SMALLER)
        if waiting > 4096:
            claimed = claimed_size(bytes(self._data[:4096]))
            if claimed > self._limit:
                raise Unreadable("too_large", self._too_large(claimed), hint=_SMALLER)

    def _too_large(self, size: int) -> str:
        return f"a message of {size} bytes or more; {self._limit} are allowed"

    def rest(self) -> bytes:
        """Return the bytes that no message took."""
        return bytes(self._data[self._start - self._base :])


_SMALLER: Final = "lower the sender's chunk size (Fluentd: chunk_limit_size; Fluent Bit: 2 MB)"


def cut(data: bytes, most: int) -> tuple[list[int], Unreadable | None]:
    """Return the ends of the objects that follow each other in ``data``.

    Args:
        data: a MessagePack event stream.
        most: stop after this many plus one.

    Returns:
        The offsets where each whole object ends, and why the rest is not readable
        (``None`` when there is no rest).
    """
    size = max(1, len(data))
    unpacker = msgpack.Unpacker(read_size=size, max_buffer_size=size)
    unpacker.feed(data)
    ends: list[int] = []
    skip, tell, add = unpacker.skip, unpacker.tell, ends.append
    try:
        while len(ends) <= most:
            skip()
            add(tell())
    except msgpack.OutOfData:
        if not ends or ends[-1] < len(data):
            return ends, Unreadable("undecodable", "the event stream ends inside an entry")
    except msgpack.StackError:
        return ends, Unreadable("too_deep", "nested beyond 1024 levels")
    except ValueError:
        return ends, Unreadable("undecodable", "the bytes are not MessagePack")
    return ends, None
