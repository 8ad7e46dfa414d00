"""Lines of a file, or of standard input, in posts that can be sent again.

Memory stays flat: a line is read up to the limit of an event, a post holds a bounded
number of lines. The standard library only, since a sender's machine may have no more.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Final, cast

from collector.records import MAX_EVENT_BYTES

POST_LINES: Final = 1000
POST_BYTES: Final = 1024**2
REMEMBERED: Final = 100_000
"""Equal lines at most this far apart are told apart."""
MOST_COPIES: Final = 1000
MOST_COPY_BYTES: Final = 4 * 1024**2

_GZIP: Final = b"\x1f\x8b"
_PIECE: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Unsent:
    """A line that is not sent.

    Attributes:
        number: of the line, from 1.
        reason: a key of :data:`collector.records.REASONS`.
        detail: words for a person.
    """

    number: int
    reason: str
    detail: str


@dataclass(slots=True)
class Post:
    """Lines of one request.

    Attributes:
        lines: without line ends.
        numbers: of each line, from 1; 0 for a copy of a line that was sent before.
        size: bytes of the lines.
        count: lines without the copies.
    """

    lines: list[bytes] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    size: int = 0
    count: int = 0

    def add(self, number: int, line: bytes) -> None:
        """Add a line."""
        self.numbers.append(number)
        self.lines.append(line)
        self.size += len(line) + 1
        self.count += number > 0

    def body(self) -> bytes:
        """Return the lines as NDJSON."""
        return b"\n".join(self.lines) + b"\n"


def opened(stream: io.BufferedReader) -> BinaryIO:
    """Return ``stream``, decompressed if it begins like gzip."""
    if stream.peek(2)[:2] != _GZIP:
        return stream
    return cast(BinaryIO, gzip.GzipFile(fileobj=stream, mode="rb"))


def read_lines(
    stream: BinaryIO, limit: int = MAX_EVENT_BYTES
) -> Iterator[tuple[int, bytes] | Unsent]:
    """Yield (number, line) for each line that is not blank.

    A line beyond ``limit`` bytes is read past without being held, and reported.
    """
    number = 0
    while line := stream.readline(limit + 2):
        number += 1
        ended = line.endswith(b"\n")
        size = len(line.rstrip(b"\r\n")) if ended else len(line)
        if size > limit:
            while not ended and (rest := stream.readline(_PIECE)):
                ended = rest.endswith(b"\n")
                size += len(rest) - ended
            yield Unsent(number, "too_large", f"the line has {size} bytes; {limit} are allowed")
            continue
        stripped = line.strip(b" \t\r\n")
        if stripped:
            yield number, stripped


class _Repeats:
    """Counts equal lines, over the last 100,000 to 200,000 different ones.

    Lines are known by their 64-bit hash; that two different ones meet is as likely as one
    in a billion for a full memory.
    """

    def __init__(self) -> None:
        self._recent: dict[int, int] = {}
        self._older: dict[int, int] = {}

    def count(self, line: bytes) -> int:
        """Return how often the line came before, and count it."""
        key = hash(line)
        before = self._recent.get(key) or self._older.get(key, 0)
        self._recent[key] = before + 1
        if len(self._recent) >= REMEMBERED:
            self._older, self._recent = self._recent, {}
        return before


def posts(
    lines: Iterator[tuple[int, bytes] | Unsent], post_lines: int = POST_LINES
) -> Iterator[Post | Unsent]:
    """Put lines together to posts.

    An event without an id of its own gets one from its content and its place among equal
    events of one request. So that equal lines in different requests stay different events,
    and a file sent again gives the same ids wherever the requests are cut, a line that came
    before goes with copies of its earlier ones: the collector knows those already.
    """
    repeats = _Repeats()
    post, here = Post(), set[bytes]()
    for line in lines:
        if isinstance(line, Unsent):
            yield line
            continue
        number, text = line
        before = repeats.count(text)
        if before and text not in here:
            if before > MOST_COPIES or before * len(text) > MOST_COPY_BYTES:
                detail = f"equal to {before} lines before it: give the records an id or a time"
                yield Unsent(number, "invalid", detail)
                continue
            for _ in range(before):
                post.add(0, text)
        here.add(text)
        post.add(number, text)
        if post.count >= post_lines or post.size >= POST_BYTES:
            yield post
            post, here = Post(), set()
    if post.lines:
        yield post
