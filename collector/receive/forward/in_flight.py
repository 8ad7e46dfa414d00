"""Messages of one connection that are being made durable, several at a time."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from collector.receive.forward.wire import ack

if TYPE_CHECKING:
    from activity_center.errors import SpoolFull
    from collector.receive.forward.connection import ForwardConnection


class InFlight:
    """One message.

    Attributes:
        chunk: the id to acknowledge, or ``None``.
        weight: estimated memory, bytes.
        durable: whether it may be acknowledged.
        settled: whether it is over, one way or the other.
    """

    __slots__ = ("chunk", "connection", "durable", "settled", "weight")

    def __init__(self, connection: ForwardConnection, chunk: bytes | None, weight: int) -> None:
        self.connection = connection
        self.chunk = chunk
        self.weight = weight
        self.durable = False
        self.settled = False

    def hold(self, full: SpoolFull) -> None:
        """The spool has no room for it."""
        self.connection.hold(full)

    def release(self) -> None:
        """It waits no longer."""
        self.connection.release()

    def over(self, wrong: BaseException | None, *, durable: bool) -> None:
        """It is kept, or it never will be.

        Args:
            wrong: what went wrong, or ``None``.
            durable: whether it may be acknowledged.
        """
        self.durable = durable
        self.connection.over(self, wrong)


class AckQueue:
    """Acknowledges in the order received, as clients with several chunks expect."""

    __slots__ = ("_messages",)

    def __init__(self) -> None:
        self._messages: deque[InFlight] = deque()

    def __len__(self) -> int:
        return len(self._messages)

    def add(self, message: InFlight) -> None:
        """Note a message as in flight."""
        self._messages.append(message)

    def settle(self, message: InFlight) -> tuple[bytes, int]:
        """Note that a message is over; return the acks that are due now, and their number."""
        message.settled = True
        acks, number = b"", 0
        messages = self._messages
        while messages and messages[0].settled:
            first = messages.popleft()
            if first.durable and first.chunk is not None:
                acks += ack(first.chunk)
                number += 1
        return acks, number
