"""How long a peer may take for what it has begun."""

from __future__ import annotations

from collector.receive.limits import ConnectionLimits


class Pace:
    """The clock of one unfinished message or handshake.

    A message may take ``message_timeout`` plus the time its bytes need at the slowest rate
    allowed; a handshake ``handshake_timeout`` in all. The clock stands while we do not read.

    Args:
        limits: of the connection.
    """

    __slots__ = ("_limits", "_received", "_standing", "_started")

    def __init__(self, limits: ConnectionLimits) -> None:
        self._limits = limits
        self._started: float | None = None
        self._received = 0
        self._standing = False

    def begin(self, now: float) -> None:
        """Something begins now."""
        self._started = now
        self._received = 0

    def add(self, size: int, now: float) -> None:
        """Bytes have arrived; they begin something if nothing is under way."""
        if self._started is None:
            self.begin(now)
        self._received += size

    def clear(self) -> None:
        """Nothing is under way."""
        self._started = None

    def stand(self) -> None:
        """We stop reading."""
        self._standing = True

    def go(self, now: float) -> None:
        """We read again; what is under way gets its full time."""
        self._standing = False
        if self._started is not None:
            self.begin(now)

    def age(self, now: float) -> float:
        """Seconds since it began; 0 where nothing is under way or we do not read."""
        return 0.0 if self._started is None or self._standing else now - self._started

    def overdue(self, now: float, handshake: bool) -> float | None:
        """Return the seconds that were allowed if they are over, else ``None``."""
        allowed = self._limits.handshake_timeout
        if not handshake:
            allowed = self._limits.message_timeout + self._received / self._limits.slowest
        return allowed if self.age(now) > allowed else None
