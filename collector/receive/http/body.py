"""Bodies of requests, read within the memory that all receivers of the process share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from aiohttp import StreamReader, web

from collector.decode import Limits
from collector.receive.budget import Budget
from collector.receive.http.problems import Problem, wait
from collector.receive.limits import ConnectionLimits


def too_large(detail: str) -> Problem:
    """Return 413."""
    return Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "too-large",
        detail,
        hint="send fewer activities per request",
        close=True,
    )


def _busy(content: StreamReader) -> Problem:
    """Return 503; a client that is still sending is told to stop."""
    status = HTTPStatus.SERVICE_UNAVAILABLE
    return wait("busy", "too much is under way", 1, status, close=not content.is_eof())


class _Unfinished:
    """A body of which something has arrived.

    Attributes:
        data: that.
        timeout: ends the reading.
        gives_way: whether it was ended to make room for others.
    """

    __slots__ = ("data", "gives_way", "timeout")

    def __init__(self, timeout: asyncio.Timeout) -> None:
        self.data = bytearray()  # not pieces: small ones would take many times their size
        self.timeout = timeout
        self.gives_way = False


class Bodies:
    """Reads the bodies of one listener's requests.

    Counted is what has arrived, not what was announced: who announces much and sends
    little takes no room from others.

    Args:
        limits: ``chunk_bytes`` bounds one body.
        connection_limits: ``buffered`` bounds all unfinished ones.
        budget: counts bodies from their first byte until their request is answered.
    """

    def __init__(self, limits: Limits, connection_limits: ConnectionLimits, budget: Budget) -> None:
        self._limits = limits
        self._connection_limits = connection_limits
        self._budget = budget
        self._unfinished: dict[_Unfinished, None] = {}  # by their first byte, oldest first
        self._buffered = 0  # bytes of them

    @asynccontextmanager
    async def read(self, request: web.BaseRequest) -> AsyncIterator[bytes]:
        """Give the body as sent, and count its memory as long as the context lasts.

        Raises:
            Problem: 413 if too large, 408 if too slow, 400 if cut short, 503 if there is no
                memory for it, or others needed it more.
        """
        announced, content = request.content_length, request.content
        if announced is not None:
            self._check_size(announced, "")
        if not self._budget.has_room():
            raise _busy(content)
        if request.headers.get("Expect", "").lower() == "100-continue":
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.writer.output_size = 0
        if content.is_eof():
            body = content.read_nowait(-1)
            self._check_size(len(body), "")
            self._budget.take(len(body))
        else:
            body = await self._read_slowly(content)
        try:
            yield body
        finally:
            self._budget.give(len(body))

    def _check_size(self, size: int, more: str) -> None:
        most = self._limits.chunk_bytes
        if size > most:
            raise too_large(f"a body of {size} bytes{more}; {most} are allowed")

    async def _read_slowly(self, content: StreamReader) -> bytes:
        """Return the body, its size taken from the budget."""
        limits = self._connection_limits
        due = asyncio.get_running_loop().time() + limits.message_timeout
        one: _Unfinished | None = None
        done = False
        try:
            async with asyncio.timeout_at(due) as timeout:
                one = _Unfinished(timeout)
                while piece := await content.readany():
                    self._add(one, piece, content)
                    timeout.reschedule(due + len(one.data) / limits.slowest)
            if not self._budget.has_room(beside=len(one.data)):
                raise _busy(content)  # taken by others since its last piece
            done = True
            return bytes(one.data)
        except TimeoutError as slow:
            if one is not None and one.gives_way:
                raise _busy(content) from slow
            status = HTTPStatus.REQUEST_TIMEOUT
            raise Problem(status, "too-slow", "the body took too long", close=True) from slow
        except (web.RequestPayloadError, ConnectionError) as cut:
            status = HTTPStatus.BAD_REQUEST
            raise Problem(status, "cut-short", "the body ended early", close=True) from cut
        finally:
            if one is not None:
                self._forget(one)
                if not done:
                    self._budget.give(len(one.data))

    def _add(self, one: _Unfinished, piece: bytes, content: StreamReader) -> None:
        self._check_size(len(one.data) + len(piece), " or more")
        if one.gives_way or not self._budget.has_room(beside=len(one.data)):
            raise _busy(content)
        self._unfinished.setdefault(one)
        one.data += piece
        self._budget.take(len(piece))
        self._buffered += len(piece)
        while self._buffered > self._connection_limits.buffered and len(self._unfinished) > 1:
            self._end(next(iter(self._unfinished)))
        if one.gives_way:
            raise _busy(content)

    def _end(self, oldest: _Unfinished) -> None:
        """Have a body give way; its own task ends and frees it."""
        self._forget(oldest)
        oldest.gives_way = True
        if not oldest.timeout.expired():
            oldest.timeout.reschedule(0)

    def _forget(self, one: _Unfinished) -> None:
        if one in self._unfinished:
            del self._unfinished[one]
            self._buffered -= len(one.data)
