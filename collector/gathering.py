"""Small batches that arrive in the same moment go through the stages and to disk together.

A stage that works for many records one after the other finds its code and its tables in
the processor's cache, and one append, one wake-up and one task serve all of them: with 64
connections that send single events, each costs half of what it costs alone.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final

import structlog

from collector.records import Entry, Reject
from collector.work import Part, Work

_log: Final = structlog.get_logger("collector.pipeline")

LARGE: Final = 64 * 1024
"""Bytes as sent; a batch above it is appended by itself, so that memory stays bounded."""

Done = Callable[[Exception | None], None]
"""Called once for each batch: all of it is durable, or why it is not."""
_Waiting = tuple[Work, Done, asyncio.Future[None] | None]
"""A batch, who is to be told, and the future of who can cease to wait for it."""


class Gathering:
    """Batches that wait for the end of a turn of the event loop.

    Args:
        process: what is to be done with all of them.
        append: makes entries and rejects durable, or raises.
        kept: called for each batch that is durable, before it is answered.
        most: records after which other tasks get a turn.
    """

    def __init__(
        self,
        process: Callable[[Sequence[Part]], None],
        append: Callable[[list[Entry], list[Reject]], Awaitable[None]],
        kept: Callable[[Work], None],
        most: int,
    ) -> None:
        self._process = process
        self._append = append
        self._kept = kept
        self._most = most
        self._waiting: deque[_Waiting] = deque()
        self._processed: list[_Waiting] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, work: Work, done: Done, future: asyncio.Future[None] | None = None) -> None:
        """Process ``work`` at the end of this turn, make it durable, then call ``done``.

        Args:
            future: when it is cancelled before that, ``work`` is left out.
        """
        if not self._waiting:
            loop = asyncio.get_running_loop()
            loop.call_soon(self._turn, loop)
        self._waiting.append((work, done, future))

    async def join(self, work: Work) -> None:
        """Return when ``work`` is processed and durable; raise what it met instead."""
        future = asyncio.get_running_loop().create_future()
        self.add(work, partial(_resolve, future), future)
        await future

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        waiting, group, records = self._waiting, list[_Waiting](), 0
        while waiting and records < self._most:
            one = waiting.popleft()
            if one[2] is None or not one[2].done():  # else nobody waits for it any more
                group.append(one)
                records += len(one[0].batch.records)
        if waiting:
            loop.call_soon(self._turn, loop)
        if not group:
            return
        try:
            self._process([(work, 0, len(work.batch.records)) for work, *_ in group])
        except Exception as wrong:
            for each in group:
                self._tell(each, wrong)
            return
        for work, *_ in group:
            work.batch.records[:] = [None] * len(work.batch.records)
        self._start(loop, group)

    def keep(self, work: Work, done: Done) -> None:
        """Make ``work``, which is processed, durable at the end of this turn; call ``done``."""
        if not self._processed:
            loop = asyncio.get_running_loop()
            loop.call_soon(self._end, loop)
        self._processed.append((work, done, None))

    def _end(self, loop: asyncio.AbstractEventLoop) -> None:
        group, self._processed = self._processed, []
        self._start(loop, group)

    def _start(self, loop: asyncio.AbstractEventLoop, group: list[_Waiting]) -> None:
        task = loop.create_task(self._keep(group))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _keep(self, group: list[_Waiting]) -> None:
        """Make all durable: together, and where that fails, each by itself.

        Rejected records go with their own batch alone: if they find no room, no other
        sender has to wait.
        """
        small = [one for one in group if not one[0].rejects and one[0].batch.size <= LARGE]
        alone = [one for one in group if one not in small] if len(small) < len(group) else []
        try:
            if entries := [entry for work, *_ in small for entry in work.entries]:
                await self._append(entries, [])
        except Exception:
            alone = group
        else:
            for one in small:
                self._tell(one, None)
        if alone:
            await asyncio.gather(*map(self._keep_alone, alone))

    async def _keep_alone(self, one: _Waiting) -> None:
        work = one[0]
        try:
            if work.entries or work.rejects:
                await self._append(work.entries, work.rejects)
        except Exception as wrong:
            self._tell(one, wrong)
        else:
            self._tell(one, None)

    def _tell(self, one: _Waiting, wrong: Exception | None) -> None:
        work, done, _ = one
        try:
            if wrong is None:
                self._kept(work)
            done(wrong)
        except Exception:  # the others wait too
            _log.exception("a sender could not be told what became of its batch")


def _resolve(future: asyncio.Future[None], wrong: Exception | None) -> None:
    if future.done():
        return
    if wrong is None:
        future.set_result(None)
    else:
        future.set_exception(wrong)
