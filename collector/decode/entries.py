"""Entries of a Forward event stream: ``[time, record]`` one after the other.

The usual case is one call for all of them: a typed decoder takes only what JSON has and
is as fast as the untyped one. What it does not take (binary strings, odd keys, invalid
UTF-8, records deeper than its type) is decoded entry by entry, so that a broken one costs
only itself.
"""

from __future__ import annotations

import sys
from functools import cache
from types import GenericAlias
from typing import Any, Final

import msgspec
from msgspec.msgpack import Ext

from collector.decode.frames import cut
from collector.decode.plain import event_time, plain, unix_ns
from collector.decode.result import Broken, Decoded, Limits, Unreadable

_TYPED_LEVELS: Final = 12
_SLICE: Final = 1024**2
_MEASURED: Final = 128 * 1024
_CONTAINERS: Final = bytes(range(0x80, 0xA0)) + b"\xdc\xdd\xde\xdf"
_BYTES_PER_VALUE: Final = 80
_METADATA: Final = "fluent_metadata"


@cache
def record_type() -> Any:
    """Return the type of a record of plain JSON values, 12 levels deep.

    msgspec knows no recursive aliases, so the type is spelled out level by level.
    """
    value: Any = str | int | float | bool | None
    for _ in range(_TYPED_LEVELS - 1):
        value = (
            GenericAlias(dict, (str, value))
            | GenericAlias(list, (value,))
            | str
            | int
            | float
            | bool
            | None
        )
    return GenericAlias(dict, (str, value))


def typed_decoder(*elements: Any) -> msgspec.msgpack.Decoder[Any]:
    """Return a decoder of an array with exactly these element types."""
    return msgspec.msgpack.Decoder(GenericAlias(tuple, elements))


def entries_type() -> Any:
    """Return the type of a list of entries ``[time, record]``."""
    return GenericAlias(list, (GenericAlias(tuple, (Any, record_type())),))


@cache
def _many() -> msgspec.msgpack.Decoder[Any]:
    return msgspec.msgpack.Decoder(entries_type())


def reason_of(wrong: msgspec.MsgspecError) -> str:
    """Return why bytes were refused; msgspec up to 0.22 raised UnicodeDecodeError for text."""
    return "bad_text" if "Invalid UTF-8" in str(wrong) else "undecodable"


DECODING_ERRORS: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What a decoder of msgspec raises for bytes it does not take."""

_ANY: Final = msgspec.msgpack.Decoder()


class Scale:
    """Tells how much memory the decoded form of some bytes takes. Make it before decoding.

    Text is cheap, containers are not: an empty map is one byte on the wire and 64 in
    memory, a map with one pair 3 and 232. For small data the bytes that look like a
    container's header are counted, wherever they stand; for larger data the interpreter's
    allocated blocks are compared, which is exact and costs some 20 us.
    """

    __slots__ = ("_before", "data")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._before = sys.getallocatedblocks() if len(data) > _MEASURED else -1

    def values(self) -> int:
        """Number of values since; 0 for small data, whose number is bounded by its size."""
        return sys.getallocatedblocks() - self._before if self._before >= 0 else 0

    def weight(self) -> int:
        """Estimated bytes of memory."""
        data = self.data
        if self._before >= 0:
            return max(8 * len(data), self.values() * _BYTES_PER_VALUE)
        return 8 * len(data) + 230 * (len(data) - len(data.translate(None, _CONTAINERS)))


def _array(data: bytes, count: int) -> bytes:
    """Return ``data`` with the header of an array of ``count`` elements before it."""
    return b"\xdd" + count.to_bytes(4, "big") + data


class _Sink:
    """Collects what entries become."""

    __slots__ = ("decoded", "index", "times")

    def __init__(self, size: int) -> None:
        self.times: list[int | None] = []
        self.decoded = Decoded(times=self.times, size=size)
        self.index = 0

    def take(self, entries: list[Any]) -> None:
        """Add decoded pairs of (time, plain record)."""
        add_time, add = self.times.append, self.decoded.records.append
        for time, record in entries:
            if time.__class__ is Ext:
                add_time(event_time(time))
                add(record)
                continue
            add_time(unix_ns(time))
            if time.__class__ is list and len(time) > 1 and time[1]:
                _keep_metadata(record, time[1])
            add(record)
        self.index += len(entries)

    def reject(self, reason: str, detail: str, raw: bytes) -> None:
        self.decoded.broken.append(Broken(self.index, reason, detail, raw))
        self.index += 1

    def one(self, raw: bytes) -> None:
        """Decode a single entry that the fast path did not take, or reject it."""
        try:
            entry = _ANY.decode(raw)
            if entry.__class__ is not list or len(entry) != 2:
                return self.reject("undecodable", "the entry is not [time, record]", raw)
            time = entry[0]
            if time.__class__ is list and len(time) > 1:
                time[1] = plain(time[1])
            record = plain(entry[1])
        except RecursionError:
            return self.reject("too_deep", "nested deeper than about 1000 levels", raw)
        except UnicodeDecodeError as wrong:
            return self.reject("bad_text", f"not UTF-8: {wrong.reason} at byte {wrong.start}", raw)
        except msgspec.MsgspecError as wrong:
            return self.reject(reason_of(wrong), str(wrong), raw)
        self.take([(time, record)])


def _keep_metadata(record: Any, metadata: Any) -> None:
    """Put an entry's metadata (Forward protocol 1.5) into its record, under a free name."""
    if record.__class__ is not dict:
        return
    try:
        metadata = plain(metadata)
    except (UnicodeDecodeError, RecursionError):
        metadata = repr(metadata)[:4096].encode("utf-8", "replace").decode()
    name = _METADATA
    while name in record:
        name += "_"
    record[name] = metadata


def decode_stream(data: bytes, claimed: int | None, limits: Limits) -> Decoded:
    """Decode an event stream.

    Args:
        data: entries one after the other, decompressed.
        claimed: number of entries that the sender gave in the option ``size``; only a
            short cut, a wrong one does no harm.
        limits: what to keep to.

    Raises:
        Unreadable: ``too_large`` for too many records or values.
    """
    if not data:
        return Decoded(times=[])
    if claimed and claimed <= limits.records and len(data) <= limits.event_bytes:
        scale = Scale(data)
        try:
            entries = _many().decode(_array(data, claimed))
        except DECODING_ERRORS:
            pass
        else:
            return whole(entries, scale)
    return _cut_and_decode(data, limits)


def whole(entries: list[Any], scale: Scale) -> Decoded:
    """Return what one call of a typed decoder gave: pairs of (time, plain record)."""
    sink = _Sink(len(scale.data))
    sink.take(entries)
    sink.decoded.weigh(scale.weight())
    return sink.decoded


def _cut_and_decode(data: bytes, limits: Limits) -> Decoded:
    ends, unreadable = cut(data, limits.records)
    if len(ends) > limits.records:
        raise Unreadable("too_large", f"more than {limits.records} records in one chunk")
    sink = _Sink(len(data))
    scale = Scale(data)
    for start, stop, count in _slices(ends, limits.event_bytes):
        piece = data[start:stop]
        if count == 1 and len(piece) > limits.event_bytes:
            sink.reject("too_large", f"the event has {len(piece)} bytes", piece)
            continue
        _decode_slice(sink, piece, count)
        if scale.values() > limits.values:
            raise Unreadable("too_large", f"more than {limits.values} values in one chunk")
    if unreadable:
        rest = data[ends[-1] if ends else 0 :]
        sink.reject(unreadable.reason, unreadable.detail, rest)
    sink.decoded.weigh(scale.weight())
    return sink.decoded


def _slices(ends: list[int], event_bytes: int) -> list[tuple[int, int, int]]:
    """Group entries into (start, stop, count) of at most 1 MiB; an oversized one is alone."""
    slices = []
    start = last = count = 0
    for end in ends:
        too_long = end - last > event_bytes
        if count and (too_long or end - start > _SLICE):
            slices.append((start, last, count))
            start, count = last, 0
        count += 1
        last = end
        if too_long:
            slices.append((start, end, 1))
            start, count = end, 0
    if count:
        slices.append((start, last, count))
    return slices


def _decode_slice(sink: _Sink, piece: bytes, count: int) -> None:
    try:
        sink.take(_many().decode(_array(piece, count)))
        return
    except DECODING_ERRORS:
        pass
    ends, _ = cut(piece, count)
    start = 0
    for end in ends:
        sink.one(piece[start:end])
        start = end
