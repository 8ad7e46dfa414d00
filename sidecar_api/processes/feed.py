"""A member of a group that reads at its own pace: the stream of server-sent events."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Literal

from sidecar_api.processes import messages
from sidecar_api.processes.messages import Message

if TYPE_CHECKING:
    from datetime import datetime

    from sidecar_api.processes.hub import Hub
    from sidecar_api.processes.messages import Reason
    from sidecar_api.processes.view import View


class Feed:
    """See :class:`sidecar_api.processes.groups.Member`.

    Args:
        reader: id of who watches.
        view: what they watch.
    """

    def __init__(self, hub: Hub, reader: str, view: View) -> None:
        self.reader = reader
        self.view = view
        self.number = 0
        self.lost: Reason | Literal[""] = ""
        self.code = 0
        self._hub = hub
        self._turn = threading.Event()

    def offer(self, _frame: bytes, _number: int) -> None:
        """There is something: it is read from the ring."""
        self._turn.set()

    def begin_anew(self, reason: Reason, _frame: bytes, _number: int) -> None:
        """What it has may be less than all."""
        self.lost = reason
        self._turn.set()

    def end(self, code: int, _reason: str) -> None:
        """End it."""
        self.code = code
        self._turn.set()

    def begin(self, offset: str) -> list[Message]:
        """Return with what it begins: at least its place; :meth:`close` in any case.

        Args:
            offset: of an earlier stream.

        Raises:
            RateLimited: see :meth:`sidecar_api.processes.hub.Hub.join`.
        """
        with self._hub.lock:
            _, found = self._hub.join(self, offset)
            # Who goes on and missed nothing hears that too: else it takes this for a way that
            # is blocked.
            return [found or self._hub.moved(self)]

    def next(self, seconds: float) -> list[Message]:
        """Return the messages since the last call; wait for some, and return none after that."""
        if self._turn.wait(seconds) and not self.code:
            self._turn.clear()
            return self._hub.pending(self)
        return []

    def ping(self) -> Message:
        """Return a sign of life; it moves the client's place where nothing waits to be read."""
        with self._hub.lock:
            told = messages.ping(self.stale_since)
            if self._turn.is_set():
                return Message("ping", "", "", told)
            return self._hub.moved(self)._replace(kind="ping", body=told)

    @property
    def stale_since(self) -> datetime | None:
        """See :attr:`sidecar_api.processes.hub.Hub.stale_since`."""
        return self._hub.stale_since

    def watch(self, view: View) -> None:
        """Go on with what the reader may watch as of now."""
        if view.binding() != self.view.binding():
            self._hub.move(self, view)
            self._turn.set()

    def close(self) -> None:
        """Watch no longer."""
        self._hub.leave(self)
