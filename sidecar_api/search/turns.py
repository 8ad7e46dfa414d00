"""Searches for parts of words, of which OpenSearch gets few at a time, whoever asks.

For each pattern OpenSearch builds an automaton, anew for each field and each index, before it
looks at any entry: the reader's wall makes it no cheaper, and its own ``timeout`` does not end
it. A page of somebody else's beside a single one of the costliest, sent as it is, takes several
times as long (``make bench ARGS=text``). So these wait for each other here: few in all, one of a
reader, and next is whose have taken the least time. Long ones wait for long ones and short ones
for short ones, so that a reader may have one of each under way: two words that somebody typed
never wait for eight of 24 letters.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from sidecar_api.failures import RateLimited

SHORT_LENGTH: Final = 512
"""Length of all patterns that a short search has at most; others are long ones."""
MOST_LENGTH: Final = 4096
"""The same of a long one; beyond, it is refused: it would hold up all other long ones."""
AT_ONCE: Final = 2
"""Short searches of one process that are under way; of long ones it is one."""
LONGEST_WAIT: Final = 20.0
"""Seconds that one waits for its turn."""
RECENT: Final = 60.0
"""Seconds after which a turn is so long ago that it is not kept when it was."""

reader: ContextVar[str] = ContextVar("reader", default="")
"""Id of the reader for whom this thread searches; empty: nobody's."""


class FairQueue:
    """Lets few search at a time: one of a reader, who has more waiting an equal share of the time.

    Next is who was served for the shortest time, among the readers that are here; who comes begins
    with the time of the least served of them (as the virtual run time of Linux's Completely Fair
    Scheduler, Documentation/scheduler/sched-design-CFS.rst). What a search costs is so known when
    it ends, whatever it looks for, and what never got its turn costs nothing. Of two with the same
    time, next is whose last turn is longer ago, or who came first where both had none within
    :data:`RECENT`. So who seldom asks comes after what is under way, as a rule, and at the latest
    after one turn of each other that waits, however these go and come back. A reader's own
    searches are in the order they came.

    Args:
        at_once: how many at the same time.
        longest: seconds to wait.
        clock: seconds.
    """

    def __init__(
        self,
        at_once: int = AT_ONCE,
        longest: float = LONGEST_WAIT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._at_once = at_once
        self._longest = longest
        self._clock = clock
        self._changed = threading.Condition()
        self._busy: dict[str, float] = {}
        """Since when each reader that has a turn has it."""
        self._waiting: dict[str, deque[object]] = {}
        """The searches of each reader, the oldest first; readers in the order they came."""
        self._served: dict[str, tuple[float, float]] = {}
        """Seconds for which each reader was served, from where they came in on, and until when."""
        self._least = 0.0
        """Seconds of the least served of those that were here when the last one came or went."""

    @contextmanager
    def turn(self, reader_id: str) -> Iterator[None]:
        """Wait for a turn of a reader's; it ends with the block.

        Raises:
            RateLimited: none came in time.
        """
        ours = object()
        with self._changed:
            alone = not self._here() - {reader_id}
            if reader_id not in self._busy:
                self._pass()
                seconds, until = self._served.get(reader_id, (0, 0))
                self._served[reader_id] = (max(seconds, self._least), until)
            self._waiting.setdefault(reader_id, deque()).append(ours)
            try:
                if not self._changed.wait_for(lambda: self._is_next(ours), self._longest):
                    raise RateLimited(
                        "Other searches for parts of words are still under way.",
                        retry_after=5,
                        hint="Wait a moment; fewer and shorter words are found sooner.",
                    )
                self._busy[reader_id] = self._clock()
            finally:
                self._waiting[reader_id].remove(ours)
                if not self._waiting[reader_id]:
                    del self._waiting[reader_id]
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._end(reader_id, alone)
                self._changed.notify_all()

    def _is_next(self, search: object) -> bool:
        free = [one for one in self._waiting if one not in self._busy]
        if not free or len(self._busy) >= self._at_once:
            return False
        return self._waiting[min(free, key=lambda one: self._served[one])][0] is search

    def _so_far(self, reader_id: str) -> float:
        """Seconds for which a reader was served, with those of the turn that is under way."""
        now = self._clock()
        return self._served[reader_id][0] + now - self._busy.get(reader_id, now)

    def _here(self) -> set[str]:
        return {*self._busy, *self._waiting}

    def _pass(self) -> None:
        """Take the time that passed for those that are here."""
        self._least = min(map(self._so_far, self._here()), default=0)

    def _end(self, reader_id: str, alone: bool) -> None:
        """Take note of a turn, and forget what makes no difference to who is next.

        Whoever was alone when they came, and is when they end, took nothing from anybody. When
        nobody is here, all have had the same time.
        """
        now = self._clock()
        seconds, until = self._so_far(reader_id), self._served[reader_id][1]
        del self._busy[reader_id]
        here = self._here()
        counts = not alone or here - {reader_id}
        self._served[reader_id] = (seconds, now if counts else until)
        self._pass()
        newcomer = (self._least, max(0, now - RECENT))
        for one in self._served.keys() - here:
            seconds, until = self._served.pop(one)
            served = (max(seconds, self._least) if here else 0, until)
            if served > newcomer:
                self._served[one] = served


SHORT: Final = FairQueue()
LONG: Final = FairQueue(at_once=1)
"""Those of this process."""
