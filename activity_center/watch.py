"""Watching processes from a program: the client of the process stream (docs/process-stream.md).

::

    for event in Watch("https://activity.example", token=TOKEN, channel="ssl"):
        for process in event.changed:
            print(process["name"], process["state"])

It connects again by itself and goes on where it was; an event says when something was missed.
Needs ``pip install 'activity-center[watch]'``, one small library more than the emitter.
"""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from activity_center.address import check, check_token
from activity_center.errors import WatchEnded
from activity_center.processes import ENDS, Key, merge
from activity_center.websocket import Closed, Connection, connect

SUBPROTOCOL: Final = "activity-center.processes.v1"
VERSION: Final = 1
FINAL: Final = frozenset({1008, 4401, 4403, 4409})
"""Close codes after which another try would end the same way."""
_SILENCE: Final = 3
"""Signs of life that may be missing before the connection counts as gone."""
_FIRST_WORD: Final = 30.0
"""Seconds until the server has said how often it gives a sign of life."""
_LONGEST_WAIT: Final = 300.0
_KEPT: Final = timedelta(minutes=65)
"""So long a process that ended stays: the server lets go of it after an hour."""
_ROOM: Final = 1000
"""Processes until it is looked for what can go."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened.

    Attributes:
        kind: ``snapshot`` (all that is shown), ``delta`` (what changed), ``waiting`` (the
            connection is gone, and is tried again after a while) or ``stale`` (the server can
            no longer read what is new, or can again: :attr:`Watch.stale_since`).
        changed: processes as they are now: of a snapshot all, of a delta those that changed.
        recovered: of the first snapshot or delta after a reconnect: whether nothing was missed;
            else ``None``.
        reason: why it waits, or why a snapshot came in between.
    """

    kind: str
    changed: list[dict[str, Any]] = field(default_factory=list)
    recovered: bool | None = None
    reason: str = ""


class Watch:
    """Processes as they move. Iterate over it; :meth:`close` ends that from any thread.

    Args:
        url: of the sidecar, ``https://...``, or ``http://`` to this machine.
        token: API token of a reader.
        channel, organization, process: only those of this channel, organization, id.
        ca: PEM file of the authority that signed the server's certificate, instead of the
            system's.
        retry: seconds until the next try; half of it is chance.

    Attributes:
        processes: all that is shown, by (organization id, process id), those that ended for an
            hour. Not to be changed.
        cut: whether there are more than these.
        stale_since: since when the server cannot read what is new; ``None``: it can.

    Raises:
        ConfigError: the URL is none or would send the token in the clear, or the token is none.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str = "",
        channel: str = "",
        organization: str = "",
        process: str = "",
        ca: str = "",
        retry: float = 5.0,
    ) -> None:
        check(url)
        check_token(token)
        self.processes: dict[Key, dict[str, Any]] = {}
        self.cut = False
        self.stale_since: datetime | None = None
        self._url = url
        self._channel = channel
        self._wanted = {"organization": organization, "process": process}
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._ca = ca
        self._retry = retry
        self._place: dict[str, str] = {}
        self._room = _ROOM
        self._ahead = timedelta()
        self._connection: Connection | None = None
        self._closed = threading.Event()

    def __iter__(self) -> Iterator[Event]:
        """Yield what happens, until :meth:`close`.

        Raises:
            WatchEnded: the first connection cannot be made, or the server says that another
                one would be refused too.
        """
        began = False
        while not self._closed.is_set():
            try:
                for event in self._listen():
                    began = True
                    yield event
                return
            except Closed as gone:
                if self._closed.is_set():
                    return
                if gone.code in FINAL or not began:
                    raise WatchEnded(
                        gone.reason or f"the connection was closed ({gone.code})",
                        where=self._address().partition("?")[0],
                        hint=self._hint(gone.code),
                        code=gone.code,
                    ) from gone
                reason = gone.reason or str(gone.code)
            yield Event("waiting", reason=reason)
            self._closed.wait(wait_after(reason, self._retry))

    def close(self) -> None:
        """End the watching."""
        self._closed.set()
        connection = self._connection
        if connection is not None:
            connection.cut()

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _listen(self) -> Iterator[Event]:
        """Yield what one connection tells.

        Raises:
            Closed: it could not be made, or is gone.
        """
        headers = self._headers
        with connect(self._address(), SUBPROTOCOL, headers=headers, ca=self._ca) as connection:
            self._connection = connection
            if self._closed.is_set():
                return
            silence, recovered, reason = _FIRST_WORD, None, ""
            while True:
                message = _parsed(connection.receive(silence))
                kind = message.get("type")
                turned = kind in ("hello", "ping") and self._as_of_now(message)
                if kind == "hello":
                    if message.get("version") != VERSION:
                        raise Closed(4409, "the server speaks another version of the protocol")
                    silence = _SILENCE * float(message.get("heartbeat") or _FIRST_WORD)
                    recovered = message.get("recovered")
                    if recovered:  # there may be nothing to tell for long
                        yield Event("delta", [], recovered)
                        recovered = None
                elif kind == "ping":
                    connection.send('{"type":"pong"}')
                    self._forget()
                elif kind == "reset":
                    recovered, reason = False, str(message.get("reason", ""))
                elif kind in ("snapshot", "delta"):
                    yield Event(kind, self._take(message), recovered, reason)
                    recovered, reason = None, ""
                if turned:
                    yield Event("stale")

    def _as_of_now(self, message: Mapping[str, Any]) -> bool:
        """Take over the server's clock and staleness; whether the latter has changed."""
        if message.get("at"):
            self._ahead = _moment(message["at"]) - datetime.now(UTC)
        since = message.get("stale_since")
        before, self.stale_since = self.stale_since, None if since is None else _moment(since)
        return before != self.stale_since

    def _take(self, message: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Take over a snapshot or deltas; return what changed."""
        try:
            touched: dict[Key, None] = {}
            if message["type"] == "snapshot":
                rows, self.cut = message["processes"], message.get("cut") is True
                self.processes = {(one["organization"]["id"], one["id"]): one for one in rows}
                touched = dict.fromkeys(self.processes)
            else:
                for change in message["changes"]:
                    key = (change["organization"], change["id"])
                    self.processes[key] = merge(self.processes.get(key), change)
                    touched[key] = None
            self._place = {"epoch": str(message["epoch"]), "offset": str(message["offset"])}
        except (KeyError, TypeError, IndexError) as wrong:
            raise Closed(4409, f"the server sent a {message['type']} without all of it") from wrong
        changed = [self.processes[key] for key in touched]
        if len(self.processes) > self._room:
            self._forget()
        return changed

    def _forget(self) -> None:
        """Let go of what ended long ago by the server's clock."""
        now = datetime.now(UTC)
        for key, one in [*self.processes.items()]:
            age = now - _moment(one.get("updated")) + self._ahead
            if one.get("state") in ENDS and age > _KEPT:
                del self.processes[key]
        self._room = max(_ROOM, 2 * len(self.processes))

    def _hint(self, code: int) -> str | None:
        if code in (1008, 4401) and not self._headers:
            return "give an API token of a reader: --token-file or ACTIVITY_CENTER_API_TOKEN"
        return _HINTS.get(code)

    def _address(self) -> str:
        parts = urlsplit(self._url)
        scheme = "wss" if parts.scheme == "https" else "ws"
        path = parts.path.rstrip("/") + "/ws/processes"
        if self._channel:
            path += f"/{quote(self._channel, safe='')}"
        query = urlencode({k: v for k, v in {**self._wanted, **self._place}.items() if v})
        return f"{scheme}://{parts.netloc}{path}" + (f"?{query}" if query else "")


_HINTS: Final = {
    1006: "is the sidecar running there? activity-center serve; see --url",
    1008: "see sidecar.origins in activity-center.yml",
    4401: "the API token is missing, unknown or revoked",
    4403: "this needs a role with process:view in the organization",
    4409: "client and server must speak the same version: update the older one",
}


def wait_after(reason: str, retry: float) -> float:
    """Return the seconds until the next try.

    Args:
        reason: why the connection is gone; where it names seconds (``Retry-After: 30``), it is
            no sooner than that.
        retry: seconds; half of them is chance, so that not everybody comes at once.
    """
    _, found, rest = reason.partition("Retry-After:")
    digits = rest.strip().split(";")[0].strip()
    asked = min(float(digits), _LONGEST_WAIT) if found and digits.isdecimal() else 0.0
    return max(asked, retry * (0.5 + random.random() / 2))  # noqa: S311


def _moment(text: Any) -> datetime:
    """Return an RFC 3339 time of the protocol; now, where it is none."""
    try:
        found = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return datetime.now(UTC)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _parsed(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as wrong:
        raise Closed(4409, "the server sent no JSON") from wrong
    if not isinstance(found, dict):
        raise Closed(4409, "the server sent no JSON object")
    return found
