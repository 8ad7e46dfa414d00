"""A budget of memory that all receivers of a process share."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable


class Budget:
    """Counts estimated bytes in flight; who finds it spent is called when there is room.

    Args:
        limit: bytes. A single taker may exceed it when nothing else is in flight.
    """

    __slots__ = ("_waiting", "limit", "used")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self._waiting: deque[Callable[[], None]] = deque()

    def has_room(self, *, beside: int = 0) -> bool:
        """Whether anything more may be taken now.

        Args:
            beside: bytes that the asker has taken already; only the others' count.
        """
        return self.used - beside < self.limit

    def take(self, size: int) -> None:
        """Count ``size`` bytes as in flight."""
        self.used += size

    def give(self, size: int) -> None:
        """Give back what :meth:`take` counted, and call who waits."""
        self.used -= size
        while self._waiting and self.has_room():
            self._waiting.popleft()()

    def wait(self, call: Callable[[], None]) -> None:
        """Have ``call`` called once when there is room."""
        self._waiting.append(call)
