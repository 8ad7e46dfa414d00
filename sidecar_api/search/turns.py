"""Searches by a part of a value, of which OpenSearch gets few at a time, whoever asks.

For each pattern OpenSearch builds an automaton, anew for each field and each index, before it
looks at any entry: the reader's wall makes it no cheaper, and its own ``timeout`` does not end
it. Eight words of 24 letters cost a log of 43 indices five seconds of all its threads, in which
nobody else is answered (``make bench ARGS=text``). So these wait for each other here: one of a
reader at a time, and few in all; whoever was answered longest ago is next.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from sidecar_api.failures import RateLimited

AT_ONCE: Final = 2
"""Such searches of one process that are under way."""
LONGEST: Final = 20.0
"""Seconds that one waits for its turn."""

asking: ContextVar[str] = ContextVar("asking", default="")
"""Id of the reader for whom this thread searches; empty: nobody's."""


class Turns:
    """Who may search now.

    Args:
        at_once: how many at the same time.
        longest: seconds to wait.
    """

    def __init__(self, at_once: int = AT_ONCE, longest: float = LONGEST) -> None:
        self._at_once = at_once
        self._longest = longest
        self._changed = threading.Condition()
        self._busy: set[str] = set()
        self._waiting: Counter[str] = Counter()
        self._last: dict[str, int] = {}  # of those that wait: number of their last turn
        self._number = 0

    @contextmanager
    def turn(self, reader: str) -> Iterator[None]:
        """Wait for a turn of this reader's; it ends with the block.

        Raises:
            RateLimited: none came in time.
        """
        end = time.monotonic() + self._longest
        with self._changed:
            self._waiting[reader] += 1
            try:
                while not self._is_next(reader):
                    if not self._changed.wait(end - time.monotonic()):
                        raise RateLimited(
                            "Other searches by part of a word are still under way.",
                            retry_after=5,
                            hint="Wait a moment; fewer and shorter words are found sooner.",
                        )
                self._busy.add(reader)
            finally:
                self._waiting -= Counter([reader])
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._busy.discard(reader)
                self._number += 1
                self._last[reader] = self._number
                self._last = {one: at for one, at in self._last.items() if self._waiting[one]}
                self._changed.notify_all()

    def _is_next(self, reader: str) -> bool:
        if len(self._busy) >= self._at_once or reader in self._busy:
            return False
        ready = [one for one in self._waiting if one not in self._busy]
        return reader == min(ready, key=lambda one: self._last.get(one, 0))


TURNS: Final = Turns()
"""Those of this process."""
