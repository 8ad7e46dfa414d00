"""What persons ask of a process, as its producer hears of it: long polls of the sidecar.

``GET /api/v1/processes/{id}/controls`` answers as soon as somebody asks something, with the
sender's own token. What a program takes and what becomes of it, it says through the emitter.
"""

from __future__ import annotations

import importlib
import json
import random
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from activity_center.emit.over_http import TokenSource, tls_context
from activity_center.emit.over_http import words as words_of
from activity_center.emit.transport import Address, parse
from activity_center.errors import ConfigError

if TYPE_CHECKING:
    import ssl
    from http.client import HTTPConnection

KINDS: Final = ("cancel", "retry", "cleanup")
WAIT: Final = 30
"""Seconds that one poll may wait at the other side."""
TIMEOUT: Final = WAIT + 15.0
PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 30.0
ANSWER_BYTES: Final = 1024 * 1024
_REMEMBERED: Final = 1000
_UNKNOWN: Final = 4
"""Answers in a row that the process is not known, after which it is not just new."""
_HINTS: Final = {
    400: "where several organizations have a process of this id, the emitter has to name its own",
    401: "the sidecar does not accept the token; its configuration has to name this sender too",
    403: "this sender may not hear of controls there",
    404: "no such process there; controls_url has to be the sidecar's address, not the collector's",
}


class Cancelled(Exception):
    """A person asked to cancel; raised by :meth:`Process.check`."""


@dataclass(frozen=True, slots=True)
class Control:
    """What a person asked.

    Attributes:
        by: the ECS group ``user`` of that person.
        reason: their own words, perhaps none.
        attempt: of which attempt they asked it, if that is known.
    """

    id: str
    kind: str
    by: dict[str, Any]
    reason: str = ""
    attempt: int | None = None

    @property
    def words(self) -> str:
        """Who asked, and why, for the record."""
        who = self.by.get("name") or self.by.get("id") or "somebody"
        said = f"asked to {self.kind} by {who}"
        return f"{said}: {self.reason}"[:1000] if self.reason else said


class Source:
    """Where the emitter's processes hear of controls, and its agents of decisions.

    Args:
        address: of the sidecar.
        token: of the sender; asked before each request.
        tls: verifying context, for ``https``.
        warn: takes a kind of trouble and words for the log.
    """

    def __init__(
        self,
        address: Address,
        token: TokenSource,
        tls: ssl.SSLContext | None,
        warn: Callable[[str, str], None],
    ) -> None:
        self._address, self._token, self._tls = address, token, tls
        self.warn = warn
        self._listeners: weakref.WeakSet[Listener] = weakref.WeakSet()
        self._closed = False
        self._http = importlib.import_module("http.client")  # in the caller's thread, see over_http

    def joined(self, listener: Listener) -> bool:
        """Take in who begins to listen; ``False``: nobody does any more."""
        self._listeners.add(listener)
        return not self._closed

    def close(self) -> None:
        """End all listening: what would become of a control could not be told any more."""
        self._closed = True
        for listener in list(self._listeners):
            listener.stop()

    def open(self, timeout: float = TIMEOUT) -> HTTPConnection:
        """Return a connection that connects with its first request; seconds for each answer."""
        place = (self._address.host, self._address.port)
        if self._address.scheme == "https":
            made = self._http.HTTPSConnection(*place, timeout=timeout, context=self._tls)
        else:
            made = self._http.HTTPConnection(*place, timeout=timeout)
        connection: HTTPConnection = made
        return connection

    def get(self, connection: HTTPConnection, path: str) -> tuple[int, float, bytes]:
        """Return status, seconds to wait before the next request, and body.

        Raises:
            OSError, http.client.HTTPException: there was no answer.
        """
        token = self._token()
        headers = {"Accept": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        body = answer.read(ANSWER_BYTES)
        later = answer.getheader("Retry-After", "")
        wait = min(float(later), LONGEST_PAUSE) if later.isascii() and later.isdigit() else 0.0
        return answer.status, wait, body

    def ask(
        self, connection: HTTPConnection, process: str, organization: str
    ) -> tuple[int, float, list[Control]]:
        """Wait for controls; return status, seconds to wait before the next, what is asked.

        Args:
            organization: id of that of the process; empty: none is named.

        Raises:
            OSError, http.client.HTTPException: there was no answer.
            ValueError, KeyError, TypeError: it is not understood.
        """
        path = (
            f"/api/v1/processes/{quote(process, safe='')}/controls"
            f"?wait={WAIT}&organization={quote(organization, safe='')}"
        )
        status, wait, body = self.get(connection, path)
        if status != 200:
            return status, wait, []
        return 200, wait, [_control(one) for one in json.loads(body)["controls"]]

    @property
    def faults(self) -> tuple[type[Exception], ...]:
        """What :meth:`ask` raises when the other side, or the way to it, is at fault."""
        return (OSError, self._http.HTTPException, ValueError, KeyError, TypeError, RecursionError)

    def __str__(self) -> str:
        return str(self._address)


def source_of(
    url: str | None, token: TokenSource, ca: str | Path | None, warn: Callable[[str, str], None]
) -> Source | None:
    """Return the source at an address; ``None``: no address, nothing is heard.

    Raises:
        ConfigError: the address or the authorities cannot be used.
    """
    if url is None:
        return None
    address = parse(url)
    if address.scheme not in ("http", "https"):
        raise ConfigError("controls_url must be http or https", where=str(address))
    return Source(address, token, tls_context(ca) if address.scheme == "https" else None, warn)


def _control(one: dict[str, Any]) -> Control:
    by = {name: str(one["by"][name]) for name in ("id", "name") if one["by"].get(name)}
    attempt = one.get("attempt")
    return Control(
        str(one["id"]),
        str(one["kind"]),
        by,
        str(one.get("reason") or ""),
        None if attempt is None else int(attempt),
    )


def listener_of(
    source: Source | None, process: str, around: Mapping[str, Any], take: Callable[[Control], bool]
) -> Listener | None:
    """Return who hears for a process of what surrounds it; ``None``: there is no source."""
    if source is None:
        return None
    group = around.get("organization")
    id_ = group.get("id") if isinstance(group, Mapping) else None
    return Listener(source, process, "" if id_ is None else str(id_), take)


class Listener:
    """Hears, in a thread of its own, what is asked of one process.

    Args:
        process: its id.
        organization: id of its organization; empty: it names none.
        take: does what is asked; ``False`` when it cannot.
    """

    def __init__(
        self, source: Source, process: str, organization: str, take: Callable[[Control], bool]
    ) -> None:
        self._source, self._take = source, take
        self._process = (process, organization)
        self._until = 0.0
        self._lock = threading.Lock()
        self._changed = threading.Event()
        self._connection: HTTPConnection | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen, until told to stop."""
        if not self._source.joined(self):
            return
        with self._lock:
            self._until = float("inf")
            self._changed.clear()
            if self._thread is not None:
                return
            thread = threading.Thread(
                target=self._run, name="activity-center-controls", daemon=True
            )
            with suppress(RuntimeError):  # the interpreter ends
                thread.start()
                self._thread = thread

    def stop(self, after: float = 0.0) -> None:
        """Stop listening, at once or after some seconds."""
        with self._lock:
            if self._changed.is_set():
                return  # it has stopped
            self._until = time.monotonic() + after
            if after > 0:
                return
            self._changed.set()
            sock = getattr(self._connection, "sock", None)
            if sock is not None:
                with suppress(OSError):
                    sock.shutdown(2)  # both ways: it wakes the thread that reads

    def _over(self) -> bool:
        with self._lock:
            if time.monotonic() < self._until:
                return False
            self._thread = None
        return True

    def _run(self) -> None:
        taken: dict[str, None] = {}
        failures = unknown = 0
        while not self._over():
            connection = self._connection = self._connection or self._source.open()
            try:
                status, wait, asked = self._source.ask(connection, *self._process)
            except self._source.faults as wrong:
                status, wait, asked = 0, 0.0, []
                words = words_of(wrong)
            else:
                words = f"HTTP {status}: {_HINTS[status]}" if status in _HINTS else f"HTTP {status}"
            if status == 200:
                failures = unknown = 0
                new = [one for one in asked if one.id not in taken]
                taken |= {one.id: None for one in new if self._take(one)}
                while len(taken) > _REMEMBERED:
                    del taken[next(iter(taken))]
                # What is taken stays open until that has gone round; what is not, until it expires.
                wait = PAUSE if asked else wait
            else:
                self._close()
                failures += 1
                unknown = unknown + 1 if status == 404 else 0
                # A new process is not known at once; a stop cuts the connection.
                if unknown not in range(1, _UNKNOWN) and not self._changed.is_set():
                    words = f"cannot hear of controls: {self._source}: {words}"
                    self._source.warn("controls", words)
                wait = max(wait, min(LONGEST_PAUSE, PAUSE * 2 ** min(failures - 1, 8)))
                wait *= 0.5 + random.random() / 2  # noqa: S311 - jitter
            self._changed.wait(wait)
        self._close()

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
