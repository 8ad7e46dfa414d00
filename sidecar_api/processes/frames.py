"""Frames that a WebSocket server sends (RFC 6455, section 5.2), made once for many sockets.

A server's frames are not masked, so the same bytes are right on every connection; without an
extension they are also whole in themselves.
"""

from __future__ import annotations

import struct
from typing import Final

_FINAL: Final = 0x80
_TEXT: Final = 0x1
_CLOSE: Final = 0x8
_LONGEST_REASON: Final = 123
"""Bytes: a control frame has 125 at most, two of them are the code (section 5.5)."""


def text(body: bytes) -> bytes:
    """Return the frame of a text message; ``body`` is UTF-8."""
    return _head(_TEXT, len(body)) + body


def texts(*bodies: bytes) -> bytes:
    """Return the frames of several text messages, in one piece."""
    return b"".join(map(text, bodies))


def close(code: int, reason: str) -> bytes:
    """Return the frame that closes a connection (section 5.5.1); a long reason is cut."""
    told = reason.encode()[:_LONGEST_REASON].decode(errors="ignore").encode()
    return _head(_CLOSE, len(told) + 2) + struct.pack("!H", code) + told


def _head(opcode: int, size: int) -> bytes:
    if size < 126:
        return struct.pack("!BB", _FINAL | opcode, size)
    if size < 1 << 16:
        return struct.pack("!BBH", _FINAL | opcode, 126, size)
    return struct.pack("!BBQ", _FINAL | opcode, 127, size)
