"""Searches for parts of words, of which OpenSearch gets few at a time, whoever asks.

For each pattern OpenSearch builds an automaton, anew for each field and each index, before it
looks at any entry: the reader's wall makes it no cheaper, and its own ``timeout`` does not end
it. A page of somebody else's beside a single one of the costliest, sent as it is, takes several
times as long (``make bench ARGS=text``). So these wait for each other here, in turn: few in all,
and each reader once a round. Long ones wait for long ones and short ones for short ones, so that
a reader may have one of each under way: two words that somebody typed never wait for eight of 24
letters.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Iterator
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

reader: ContextVar[str] = ContextVar("reader", default="")
"""Id of the reader for whom this thread searches; empty: nobody's."""


class FairQueue:
    """Lets few search at a time: one of a reader, in the order they came, each reader once a round.

    Args:
        at_once: how many at the same time.
        longest: seconds to wait.
    """

    def __init__(self, at_once: int = AT_ONCE, longest: float = LONGEST_WAIT) -> None:
        self._at_once = at_once
        self._longest = longest
        self._changed = threading.Condition()
        self._busy: set[str] = set()
        self._waiting: OrderedDict[str, deque[object]] = OrderedDict()
        """The searches of each reader; the first reader that is not busy is next."""

    @contextmanager
    def turn(self, of: str) -> Iterator[None]:
        """Wait for a turn of a reader's; it ends with the block.

        Raises:
            RateLimited: none came in time.
        """
        ours = object()
        with self._changed:
            self._waiting.setdefault(of, deque()).append(ours)
            try:
                if not self._changed.wait_for(lambda: self._is_next(of, ours), self._longest):
                    raise RateLimited(
                        "Other searches for parts of words are still under way.",
                        retry_after=5,
                        hint="Wait a moment; fewer and shorter words are found sooner.",
                    )
                self._busy.add(of)
            finally:
                self._waiting[of].remove(ours)
                if not self._waiting[of]:
                    del self._waiting[of]
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._busy.discard(of)
                if of in self._waiting:
                    self._waiting.move_to_end(of)
                self._changed.notify_all()

    def _is_next(self, of: str, search: object) -> bool:
        free = (one for one in self._waiting if one not in self._busy)
        first = len(self._busy) < self._at_once and next(free, None) == of
        return first and self._waiting[of][0] is search


SHORT: Final = FairQueue()
LONG: Final = FairQueue(at_once=1)
"""Those of this process."""
