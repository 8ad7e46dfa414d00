"""Forward to a loopback or Unix listener, through fluent-logger's own sender.

Read in the source of fluent-logger 0.11 and guarded against here:

- after a failed send it keeps the bytes and prepends them to the next ones, also after a
  part of them was sent: whole events would arrive twice. We send one event a call, take
  the kept bytes away (``pendings``) and send that event again ourselves: what arrived in
  part is no event, and ``event.id`` makes a second whole one recognizable;
- what it cannot pack it replaces by an error record (``forward_packet_error``): off;
- its time is whole seconds unless ``nanosecond_precision`` is on;
- it notices a peer that closed only by reading: it does so before and after each send.

There is no acknowledgement: "sent" means handed to the kernel, no more.
"""

from __future__ import annotations

import importlib
import os
import time
from typing import TYPE_CHECKING, Final

from activity_center.emit.transport import Address, Event, Outcome

if TYPE_CHECKING:
    from types import ModuleType

    from fluent.sender import FluentSender  # type: ignore[import-untyped]

TAG: Final = "activity.native"


class ForwardTransport:
    """One connection to a Forward listener on this machine.

    Args:
        timeout: seconds that one connect or send may take in the background thread.
    """

    batch_events = 200
    batch_bytes = 8 * 1024 * 1024

    def __init__(self, address: Address, *, tag: str = TAG, timeout: float = 3.0) -> None:
        self._address = address
        self._tag = tag
        self._timeout = timeout
        self._sender: FluentSender | None = None
        # Here, in the caller's thread: a program that forks while the background thread
        # imports would have a child in which that import is never finished.
        self._fluent: ModuleType = importlib.import_module("fluent.sender")

    def send(self, events: list[Event]) -> Outcome:
        """Send one Message-mode packet per event; stop at the first that did not go."""
        sender = self._sender = self._sender or self._connect()
        lost = 0
        for at, event in enumerate(events):
            now = self._fluent.EventTime.from_unix_nano(max(0, time.time_ns()))
            try:
                sent = sender.emit_with_time(None, now, event)
            except Exception:
                # msgpack refused it (all values are plain by now, so this is rare).
                lost += 1
                continue
            if not sent:
                sender.pendings = None
                reason = sender.last_error
                words = getattr(reason, "strerror", None) or type(reason).__name__
                return Outcome(at, lost=lost, error=f"{self._address}: {words}")
        return Outcome(len(events), lost=lost)

    def _connect(self) -> FluentSender:
        unix = self._address.scheme == "unix"
        return self._fluent.FluentSender(
            self._tag,
            host=f"unix://{self._address.host}" if unix else self._address.host,
            port=self._address.port,
            timeout=self._timeout,
            nanosecond_precision=True,
            forward_packet_error=False,
        )

    def close(self) -> None:
        """Close the socket; nothing is kept inside the sender."""
        if self._sender is not None:
            self._sender.close()
            self._sender = None

    def abandon(self) -> None:
        """Drop the inherited socket without shutdown(), which would end the parent's."""
        sender, self._sender = self._sender, None
        if sender is not None and sender.socket is not None:
            os.close(sender.socket.detach())
            sender.socket = None
