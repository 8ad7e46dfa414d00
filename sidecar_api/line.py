"""A line of readers, for what costs so much that one at a time may have it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sidecar_api.failures import Unavailable


class Line:
    """Readers who wait for their turn; the first of the line has it.

    Each stands in it once: whoever asks several times at once waits for themselves, behind those
    who came in between.

    Args:
        patience: seconds after which who waits is told to come again.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._moved = threading.Condition()
        self._line: dict[str, None] = {}

    def __contains__(self, reader: str) -> bool:
        """Whether a reader stands in it."""
        return reader in self._line

    @contextmanager
    def turn(self, reader: str) -> Iterator[None]:
        """Have a turn.

        Raises:
            Unavailable: others took too long.
        """
        end = time.monotonic() + self._patience
        with self._moved:
            self._wait(lambda: reader not in self._line, end)
            self._line[reader] = None
        try:
            with self._moved:
                self._wait(lambda: next(iter(self._line)) == reader, end)
            yield
        finally:
            with self._moved:
                del self._line[reader]
                self._moved.notify_all()

    def _wait(self, until: Callable[[], bool], end: float) -> None:
        if not self._moved.wait_for(until, max(0.0, end - time.monotonic())):
            raise Unavailable(
                "Others are being answered, and this needs a turn of its own.",
                hint="Try again in a moment.",
            )
