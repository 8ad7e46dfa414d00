"""Events that must be recorded: sent in the caller's thread, proven or an error."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from activity_center.emit.transport import Event, Transport
from activity_center.errors import NotRecorded

PAUSE: Final = 0.2
"""Seconds before a second try, at least; the deadline of the call bounds all tries."""
KEPT: Final = 8
"""Idle connections that are kept."""


class Recorder:
    """Posts single events and waits for "accepted".

    Connections are kept in a stack, so that calls from several threads do not wait for
    each other.

    Args:
        make: makes an HTTP transport.
        timeout: seconds that one :meth:`record` may take in all.
    """

    def __init__(self, make: Callable[[], Transport], timeout: float) -> None:
        self._make = make
        self._timeout = timeout
        self._idle: deque[Transport] = deque()
        self._pid = os.getpid()

    def record(self, event: Event) -> None:
        """Return once the collector has made the event durable.

        Raises:
            NotRecorded: refused by the collector, or no proof within the time. It may be
                durable nevertheless if only the answer was lost; the same ``event.id``
                makes a repetition harmless.
        """
        deadline = time.monotonic() + self._timeout
        transport, kept = self._take(), False
        try:
            while True:
                outcome = transport.send([event])
                if outcome.accepted:
                    kept = True
                    return
                if outcome.done:
                    reason = next(iter(outcome.reasons.values()), outcome.error or "refused")
                    raise NotRecorded(f"the collector did not take the event: {reason}")
                wait = max(PAUSE, outcome.retry_after or 0.0)
                if time.monotonic() + wait >= deadline:
                    raise NotRecorded(
                        f"not made durable within {self._timeout:g} s: {outcome.error}",
                        hint="the same event_id may be sent again without harm",
                    )
                time.sleep(wait)
        finally:
            if kept and len(self._idle) < KEPT:
                self._idle.append(transport)
            else:
                transport.close()

    def _take(self) -> Transport:
        if self._pid != os.getpid():  # a fork: the parent still uses these connections
            self._pid = os.getpid()
            while self._idle:
                self._idle.popleft().abandon()
        try:
            return self._idle.pop()
        except IndexError:
            return self._make()

    def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.popleft().close()
