"""The output of one attempt: its last lines, and how much there is in all."""

from __future__ import annotations

from bisect import bisect_right, insort
from dataclasses import dataclass, field
from typing import Any, Final

KEPT_LINES: Final = 100
"""Lines of output that a process carries; all of it is in the history."""
KEPT_CHARACTERS: Final = 65_536
"""Characters of all these lines together; the last one is kept in any case."""
MOST_SPANS: Final = 200
"""Pieces between which something is missing. Of more, the earliest count as one, so that a
sender who leaves gaps costs no memory; what fills such a gap later is not counted."""

Line = tuple[Any, ...]
"""(place of its entry, number in its entry, what is shown): in the order of their keys."""


@dataclass(slots=True)
class Spans:
    """What of one step's stream has come: spans of positions that do not touch."""

    begins: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)

    def add(self, begin: int, end: int) -> bool:
        """Add a span; whether any of it is new."""
        at = bisect_right(self.begins, begin)
        if at and self.ends[at - 1] >= end:
            return False
        low = at - 1 if at and self.ends[at - 1] >= begin else at
        high = low
        while high < len(self.begins) and self.begins[high] <= end:
            begin = min(begin, self.begins[high])
            end = max(end, self.ends[high])
            high += 1
        self.begins[low:high] = [begin]
        self.ends[low:high] = [end]
        if len(self.begins) > MOST_SPANS:
            self.begins[:2] = [self.begins[0]]
            self.ends[:2] = [self.ends[1]]
        return True


@dataclass(slots=True)
class Output:
    """The last lines, in the order of the entries that brought them.

    A piece whose bytes have all come before is a repeat, whoever sends it again: a piece is
    known by step, stream and offset. One without an offset is known by the order of its entry.

    Attributes:
        size: bytes of all pieces.
        total: lines of all pieces.
    """

    lines: list[Line] = field(default_factory=list)
    size: int = 0
    total: int = 0
    _characters: int = 0
    _came: dict[tuple[str, str], Spans] = field(default_factory=dict)

    def add(
        self,
        place: tuple[int, int, str],
        *,
        step: str,
        stream: str,
        offset: int | None,
        text: str,
        at: str | None,
    ) -> None:
        """Add a piece, unless it is a repeat.

        Args:
            place: order of its entry: sequence, microseconds, id.
            offset: bytes of its stream before it; ``None``: the sender does not count.
            text: not empty.
        """
        size = len(text.encode("utf-8", "surrogatepass"))
        name = (step, stream) if offset is not None else (step, f"{stream} without offset")
        if len(self._came) >= MOST_SPANS and name not in self._came:
            return
        if offset is not None:
            span = (offset, offset + size)
        else:
            span = (place[0] or place[1], (place[0] or place[1]) + 1)
        if not self._came.setdefault(name, Spans()).add(*span):
            return
        self.size += size
        begin = offset or 0
        pieces = text.split("\n")
        if not pieces[-1]:
            pieces.pop()
        self.total += len(pieces)
        for number, line in enumerate(pieces):
            if number >= len(pieces) - KEPT_LINES:
                shown = {"offset": begin, "stream": stream, "step": step, "text": line, "at": at}
                insort(self.lines, (place, number, shown), key=_order)
                self._characters += len(line)
            begin += len(line.encode("utf-8", "surrogatepass")) + 1
        self._trim()

    def _trim(self) -> None:
        lines = self.lines
        while len(lines) > KEPT_LINES or (self._characters > KEPT_CHARACTERS and len(lines) > 1):
            self._characters -= len(lines.pop(0)[2]["text"])


def _order(line: Line) -> tuple[Any, ...]:
    return line[:2]
