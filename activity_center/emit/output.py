"""Output of a process: gathered, and cut into pieces that one activity can carry."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from activity_center.emit.step import Step

PIECE: Final = 32 * 1024
"""Bytes of one piece; the field ``activity.output.text`` takes as many characters."""
STREAMS: Final = frozenset({"stdout", "stderr", "log"})


@dataclass(slots=True)
class Held:
    """Output that waits to go with what comes next.

    Attributes:
        step, stream: all of it is of these.
        parts: UTF-8, each ending with a line feed.
        size: bytes of the parts.
    """

    step: Step | None = None
    stream: str = "stdout"
    parts: list[bytes] = field(default_factory=list)
    size: int = 0

    def cut(self, offsets: dict[str, int]) -> Iterator[dict[str, Any]]:
        """Yield the groups ``activity.output`` of what is held.

        Args:
            offsets: bytes that each stream has had so far; moved on.
        """
        for piece in pieces(b"".join(self.parts)):
            at = offsets[self.stream]
            offsets[self.stream] += len(piece)
            yield {"stream": self.stream, "offset": at, "text": piece.decode()}


def written(text: str | bytes) -> bytes:
    """Return the text as UTF-8 with a line feed at its end; what is no text becomes a mark."""
    if isinstance(text, bytes | bytearray | memoryview):
        data = bytes(text).decode("utf-8", "replace").encode()
    else:
        data = str(text).encode("utf-8", "backslashreplace")
    return data if data.endswith(b"\n") or not data else data + b"\n"


def pieces(data: bytes) -> Iterator[bytes]:
    """Cut into pieces of at most :data:`PIECE` bytes: at line ends, else between characters."""
    at = 0
    while at < len(data):
        end = at + PIECE
        if end < len(data):
            line = data.rfind(b"\n", at, end) + 1
            if line:
                end = line
            else:
                while data[end] & 0xC0 == 0x80:  # in the middle of a character
                    end -= 1
        yield data[at:end]
        at = end
