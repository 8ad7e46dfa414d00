"""Events that must be recorded: sent in the caller's thread, proven or an error."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

from activity_center.emit.over_forward import ForwardTransport
from activity_center.emit.over_http import HttpTransport, TokenSource, tls_context
from activity_center.emit.transport import Address, Event, Transport, parse
from activity_center.errors import ConfigError, NotRecorded

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


def transport_factory(
    address: Address, token: TokenSource, ca: str | Path | None, timeout: float = 10.0
) -> Callable[[], Transport]:
    """Return what makes transports to an address; ``timeout`` in seconds, for HTTP alone."""
    if address.scheme in ("forward", "unix"):
        return lambda: ForwardTransport(address)
    tls = tls_context(ca) if address.scheme == "https" else None
    return lambda: HttpTransport(address, token=token, tls=tls, timeout=timeout)


def recorder_of(
    address: Address,
    record_url: str | None,
    token: TokenSource,
    ca: str | Path | None,
    timeout: float,
) -> Recorder | None:
    """Return the recorder of an emitter; ``None``: none of its addresses gives a proof.

    Raises:
        ConfigError: ``record_url`` is not HTTP.
    """
    target = parse(record_url) if record_url is not None else address
    if target.scheme not in ("http", "https"):
        if record_url is not None:
            raise ConfigError("record_url must be http or https", where=str(target))
        return None
    return Recorder(transport_factory(target, token, ca, timeout), timeout)


def no_proof() -> ConfigError:
    """Return the error of whoever needs a proof that no address of the emitter gives."""
    return ConfigError(
        "require_record needs an acknowledgement, which Forward from fluent-logger has not",
        where="Emitter",
        hint="use url='https://...' or add record_url='https://...'",
    )


def not_possible() -> NotRecorded:
    """Return what such a need ends with once the emitter is made."""
    wrong = no_proof()
    return NotRecorded(wrong.message, where=wrong.where, hint=wrong.hint)
