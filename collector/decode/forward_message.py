"""One message of the transport phase of Fluent Forward, in any of its modes.

Message ``[tag, time, record, option?]``, Forward ``[tag, [[time, record], ...], option?]``,
PackedForward ``[tag, bytes, option?]`` and the same with ``compressed: gzip``
(Forward Protocol Specification v1, "Event Modes"). Fluentd sends the packed bytes as
*str*, others as *bin*; both are taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import msgpack
import msgspec

from activity_center.errors import ProtocolError
from collector.decode.entries import (
    DECODING_ERRORS,
    Scale,
    decode_stream,
    entries_type,
    record_type,
    typed_decoder,
    whole,
)
from collector.decode.frames import array_header, cut, string_header
from collector.decode.inflate import inflate
from collector.decode.plain import unix_ns
from collector.decode.result import RECORD_BYTES, Decoded, Limits, Unreadable

_CHUNK_ID_BYTES: Final = 1024
_NIL: Final = b"\xc0"
_FOUR: Final = b"\x94"
"""An array of four elements: only the message of one event can have so many."""
_TIMES: Final = frozenset({msgspec.msgpack.Ext, int, float})


@dataclass(slots=True)
class ForwardMessage:
    """A decoded message.

    Attributes:
        tag: the Forward tag.
        decoded: its records.
        chunk: the id that the sender wants back when all is durable, or ``None``.
        refused: why nothing of it can be read (then ``decoded`` is empty), or ``None``.
        keep: whether a refused message is worth keeping: ``False`` where the sender
            must be set up differently and will send it again.
    """

    tag: str
    decoded: Decoded
    chunk: bytes | None = None
    refused: Unreadable | None = None
    keep: bool = True


@dataclass(frozen=True, slots=True)
class _Option:
    chunk: bytes | None = None
    size: int | None = None
    compressed: str = ""
    signal: int = 0


_NO_OPTION: Final = _Option()


@cache
def _fast_forward(count: int) -> msgspec.msgpack.Decoder[Any]:
    """A typed decoder of a whole message: one call where nothing is odd about it."""
    return typed_decoder(*(str, entries_type(), dict[str, Any])[:count])


@cache
def _fast_message(count: int) -> msgspec.msgpack.Decoder[Any]:
    return typed_decoder(*(str, Any, record_type(), dict[str, Any])[:count])


def _fast_chunk(option: dict[str, Any]) -> tuple[bool, bytes | None]:
    """Return (whether the option holds nothing but a chunk id and a size, the id)."""
    for name, value in option.items():
        if name == "chunk":
            if value.__class__ is not str or len(value) > _CHUNK_ID_BYTES // 4:
                return False, None
        elif name != "size" and not (name == "fluent_signal" and value == 0):
            return False, None
    chunk = option.get("chunk")
    return True, chunk.encode() if chunk is not None else None


def _option(data: bytes) -> _Option:
    """Read the option map; its texts may be any bytes.

    Raises:
        ProtocolError: it is no map.
    """
    try:
        raw = msgpack.unpackb(data, raw=True, strict_map_key=False)
    except (ValueError, msgpack.UnpackException, RecursionError) as wrong:
        raise ProtocolError("the option map is not readable") from wrong
    if raw is None:
        return _NO_OPTION
    if not isinstance(raw, dict):
        raise ProtocolError("the option is not a map")
    chunk, size, compressed = raw.get(b"chunk"), raw.get(b"size"), raw.get(b"compressed")
    signal = raw.get(b"fluent_signal")
    if chunk is not None and not (isinstance(chunk, bytes) and len(chunk) <= _CHUNK_ID_BYTES):
        raise ProtocolError(f"the chunk id is not a string of at most {_CHUNK_ID_BYTES} bytes")
    return _Option(
        chunk=chunk,
        size=size if size.__class__ is int and size > 0 else None,
        compressed=compressed.decode("latin-1") if isinstance(compressed, bytes) else "",
        signal=signal if signal.__class__ is int else 0,
    )


def decode_message(message: bytes, limits: Limits) -> ForwardMessage | None:
    """Decode one whole message.

    Args:
        message: as cut by :class:`~collector.decode.frames.Framer`.
        limits: what to keep to.

    Returns:
        ``None`` for a heartbeat (nil). A message whose frame is sound and whose content
        is not comes back with ``refused`` set, so that it can still be acknowledged.

    Raises:
        ProtocolError: it is none of the modes; the connection makes no sense any more.
    """
    if message == _NIL:
        return None
    if message[:1] == _FOUR and len(message) <= limits.event_bytes:
        event = _event(message)
        if event is not None:
            return event
    header = array_header(message, 0)
    if header is None or not 2 <= header[0] <= 4:
        raise ProtocolError("not a Forward message: an array of 2 to 4 elements is due")
    count, at = header
    tag_at = string_header(message, at)
    if tag_at is None:
        raise ProtocolError("not a Forward message: the tag is not a string")
    tag = message[tag_at[0] : tag_at[1]].decode("utf-8", "replace")
    second = tag_at[1]
    packed = string_header(message, second)
    if packed is not None:
        return _packed(tag, message, packed, count, limits)
    entries = array_header(message, second)
    if entries is not None:
        return _forward(tag, message, second, entries, count, limits)
    if count < 3:
        raise ProtocolError("not a Forward message: neither entries nor a time follow the tag")
    return _message(tag, message, second, count, limits)


def _finish(
    tag: str, stream: bytes, claimed: int | None, option: _Option, limits: Limits
) -> ForwardMessage:
    if option.signal:
        refused = Unreadable(
            "undecodable",
            f"fluent_signal {option.signal} is metrics or traces, not logs",
            hint="route only logs to this output",
        )
        return ForwardMessage(tag, Decoded(), option.chunk, refused)
    try:
        if option.compressed == "gzip":
            stream = inflate(stream, limits)
        elif option.compressed not in ("", "text"):
            refused = Unreadable(
                "undecodable",
                f"compression {option.compressed[:20]!r} is not supported",
                hint="set compress gzip in the sender",
            )
            return ForwardMessage(tag, Decoded(), option.chunk, refused, keep=False)
        return ForwardMessage(tag, decode_stream(stream, claimed, limits), option.chunk)
    except Unreadable as refused:
        # Its traceback holds frames, and those what was decoded so far.
        return ForwardMessage(tag, Decoded(), option.chunk, refused.with_traceback(None))


def _packed(
    tag: str, message: bytes, packed: tuple[int, int], count: int, limits: Limits
) -> ForwardMessage:
    start, end = packed
    if count > 3:
        raise ProtocolError("not a Forward message: PackedForward has 2 or 3 elements")
    option = _option(message[end:]) if count == 3 else _NO_OPTION
    return _finish(tag, message[start:end], option.size, option, limits)


def _forward(
    tag: str, message: bytes, at: int, entries: tuple[int, int], count: int, limits: Limits
) -> ForwardMessage:
    if count > 3:
        raise ProtocolError("not a Forward message: Forward has 2 or 3 elements")
    number, start = entries
    if number <= limits.records and len(message) <= limits.event_bytes:
        scale = Scale(message)
        try:
            values = _fast_forward(count).decode(message)
        except DECODING_ERRORS:
            pass
        else:
            known, chunk = _fast_chunk(values[2]) if count == 3 else (True, None)
            if known:
                return ForwardMessage(tag, whole(values[1], scale), chunk)
    if count == 2:
        return _finish(tag, message[start:], number, _NO_OPTION, limits)
    ends, _ = cut(message[at:], 0)
    end = at + ends[0]
    option = _option(message[end:])
    return _finish(tag, message[start:end], number, option, limits)


def _event(message: bytes) -> ForwardMessage | None:
    """A message of one event with an option, if nothing about it is odd."""
    scale = Scale(message)
    try:
        tag, time, record, option = _fast_message(4).decode(message)
    except DECODING_ERRORS:
        return None
    if time.__class__ not in _TIMES:
        return None
    known, chunk = _fast_chunk(option)
    if not known:
        return None
    size = len(message)
    decoded = Decoded([record], [unix_ns(time)], [], size, max(scale.weight(), RECORD_BYTES))
    return ForwardMessage(tag, decoded, chunk)


def _message(tag: str, message: bytes, at: int, count: int, limits: Limits) -> ForwardMessage:
    """One event; unless that is quick, seen as a stream of one entry ``[time, record]``."""
    if len(message) <= limits.event_bytes:
        scale = Scale(message)
        try:
            values = _fast_message(count).decode(message)
        except DECODING_ERRORS:
            pass
        else:
            known, chunk = _fast_chunk(values[3]) if count == 4 else (True, None)
            if known:
                return ForwardMessage(tag, whole([values[1:3]], scale), chunk)
    if count == 3:
        return _finish(tag, b"\x92" + message[at:], 1, _NO_OPTION, limits)
    ends, _ = cut(message[at:], 1)
    option = _option(message[at + ends[1] :])
    return _finish(tag, b"\x92" + message[at : at + ends[1]], 1, option, limits)
