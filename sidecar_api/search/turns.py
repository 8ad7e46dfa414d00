"""Searches for parts of words, of which OpenSearch gets few at a time, whoever asks.

For each pattern OpenSearch builds an automaton, anew for each field and each index, before it
looks at any entry: the reader's wall makes it no cheaper, and its own ``timeout`` does not end
it. A page of somebody else's beside a single one of the costliest, sent as it is, takes several
times as long (``make bench ARGS=text``). So these wait for each other here, in turn: few in all,
one of a reader, and who looked for less comes first. Long ones wait for long ones and short ones
for short ones, so that a reader may have one of each under way: two words that somebody typed
never wait for eight of 24 letters.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import islice
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

reader: ContextVar[str] = ContextVar("reader", default="")
"""Id of the reader for whom this thread searches; empty: nobody's."""


@dataclass(slots=True, eq=False)
class _Search:
    """A search that waits, or is under way.

    Attributes:
        begin: how much each reader may have had looked for when its turn comes.
        length: how much it looks for itself.
    """

    begin: int
    length: int

    @property
    def end(self) -> int:
        """How much each reader may have had looked for when it ends."""
        return self.begin + self.length


class FairQueue:
    """Lets few search at a time: one of a reader, each reader an equal share of what is looked for.

    Of the readers that wait, that one is next whose search would end first if all were served at
    the same time, bit by bit (Demers, Keshav, Shenker: Analysis and Simulation of a Fair Queueing
    Algorithm, SIGCOMM 1989). So one search of somebody who seldom asks waits for those under way,
    and for none of those who always ask for more. A reader's own are in the order they came.

    Args:
        at_once: how many at the same time.
        longest: seconds to wait.
    """

    def __init__(self, at_once: int = AT_ONCE, longest: float = LONGEST_WAIT) -> None:
        self._at_once = at_once
        self._longest = longest
        self._changed = threading.Condition()
        self._busy: set[str] = set()
        self._waiting: dict[str, deque[_Search]] = {}
        """The searches of each reader, the oldest first; readers in the order they came."""
        self._begun = 0
        """Where the last search that got its turn began."""
        self._ends: dict[str, int] = {}
        """Where the last search of a reader ends; of those beyond :attr:`_begun`."""

    @contextmanager
    def turn(self, reader_id: str, length: int = 1) -> Iterator[None]:
        """Wait for a turn of a reader's; it ends with the block.

        Args:
            length: how much is looked for (:func:`sidecar_api.search.clauses.pattern_length`).

        Raises:
            RateLimited: none came in time.
        """
        with self._changed:
            begin = max(self._begun, self._ends.get(reader_id, 0))
            ours = _Search(begin, length)
            self._ends[reader_id] = ours.end
            self._waiting.setdefault(reader_id, deque()).append(ours)
            try:
                if not self._changed.wait_for(lambda: self._is_next(ours), self._longest):
                    self._give_up(reader_id, ours)
                    raise RateLimited(
                        "Other searches for parts of words are still under way.",
                        retry_after=5,
                        hint="Wait a moment; fewer and shorter words are found sooner.",
                    )
                self._busy.add(reader_id)
                self._begun = max(self._begun, ours.begin)
                self._ends = {one: end for one, end in self._ends.items() if end > self._begun}
            finally:
                self._waiting[reader_id].remove(ours)
                if not self._waiting[reader_id]:
                    del self._waiting[reader_id]
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._busy.discard(reader_id)
                if not self._busy and not self._waiting:
                    self._ends.clear()
                self._changed.notify_all()

    def _give_up(self, reader_id: str, search: _Search) -> None:
        """Let what the reader asks for later, another try of it among that, have its place."""
        mine = self._waiting[reader_id]
        for later in islice(mine, mine.index(search) + 1, None):
            later.begin -= search.length
        self._ends[reader_id] = search.begin if mine[-1] is search else mine[-1].end

    def _is_next(self, search: _Search) -> bool:
        free = [searches[0] for one, searches in self._waiting.items() if one not in self._busy]
        first = min(free, key=lambda one: one.end, default=None)
        return len(self._busy) < self._at_once and search is first


SHORT: Final = FairQueue()
LONG: Final = FairQueue(at_once=1)
"""Those of this process."""
