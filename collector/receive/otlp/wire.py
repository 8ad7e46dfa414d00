"""The outer parts of a protobuf request, cut without decoding what they hold.

Decoded as a whole, a body of 16 MiB can take gigabytes: an empty message is two bytes on the
wire. Cut first, each record is decoded alone, and a broken one costs only itself.
https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from typing import Final

from collector.decode import Unreadable

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED: Final = {_FIXED64: 8, _FIXED32: 4}
_MAX_VARINT: Final = 10


class Cutter:
    """Cuts messages into the fields of theirs that are messages or texts.

    Args:
        most: fields in all that are cut; what bounds the time that it takes.
    """

    __slots__ = ("_left", "_most")

    def __init__(self, most: int) -> None:
        self._left = self._most = most

    def fields(self, message: memoryview) -> dict[int, list[memoryview]]:
        """Return field number -> the bytes of each value, in the order sent.

        Raises:
            Unreadable: ``undecodable`` for what is not protobuf, ``too_large`` for too many.
        """
        found: dict[int, list[memoryview]] = {}
        at, end = 0, len(message)
        while at < end:
            self._left -= 1
            if self._left < 0:
                raise Unreadable("too_large", f"more than {self._most} parts in one body")
            tag, at = _varint(message, at)
            kind, number = tag & 7, tag >> 3
            if kind == _BYTES:
                length, at = _varint(message, at)
                stop = at + length
                found.setdefault(number, []).append(message[at:stop])
                at = stop
            elif kind == _VARINT:
                _, at = _varint(message, at)
            elif kind in _FIXED:
                at += _FIXED[kind]
            else:
                raise _broken()
            if at > end or not number:
                raise _broken()
        return found


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """Return a number and the position after it."""
    value = shift = 0
    for byte in message[at : at + _MAX_VARINT]:
        value |= (byte & 0x7F) << shift
        shift += 7
        at += 1
        if byte < 0x80:
            return value, at
    raise _broken()


def _broken() -> Unreadable:
    return no_request("the body is no request of this signal in protobuf")


def no_request(detail: str) -> Unreadable:
    """Return the error for a body that is no request of OTLP."""
    hint = "send what an OTLP/HTTP exporter sends, with the Content-Type that it is in"
    return Unreadable("undecodable", detail, hint=hint)
