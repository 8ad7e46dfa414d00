"""``POST /v1/activities``: the way beyond this machine, and the only one with a proof.

An event counts as accepted when the collector's answer says so: it answers after
fdatasync. A request without an answer is sent again with the same ``event.id``, by which
the collector knows it. Redirects are not followed: they would carry the token away.
"""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from activity_center.emit.transport import Address, Event, Outcome
from activity_center.errors import ConfigError

if TYPE_CHECKING:
    import ssl
    from http.client import HTTPConnection
    from types import ModuleType

HTTP_OK: Final = 200
REFUSED_WHOLE: Final = (400, 413, 422)
"""Statuses that sending the same bytes again will not change."""
PATH: Final = "/v1/activities?source=native"
GZIP_FROM: Final = 8 * 1024
"""Bytes of body from which on compressing pays."""
ANSWER_BYTES: Final = 16 * 1024 * 1024
LONGEST_WAIT: Final = 60.0
"""Seconds: the most that a Retry-After is obeyed."""

TokenSource = Callable[[], str | None]


class NoToken(OSError):
    """There is no token to send; its words are for the log."""


def token_source(token: str | None, token_file: str | Path | None) -> TokenSource:
    """Return a function that gives the token; a file is read again for each request.

    Raises:
        ConfigError: both are given, or the token cannot stand in a header.
    """
    if token is not None and token_file is not None:
        raise ConfigError("token and token_file exclude each other", where="Emitter")
    if token_file is not None:
        path = Path(token_file)
        return lambda: _read(path)
    if token is not None and not (token.isascii() and token.isprintable() and token.strip()):
        raise ConfigError("the token has characters that no header may carry", where="Emitter")
    return lambda: token


def _read(path: Path) -> str:
    try:
        token = path.read_text(encoding="ascii").strip()
    except OSError as wrong:
        reason = wrong.strerror or type(wrong).__name__
        raise NoToken(
            f"the token file {path} cannot be read: {reason}; write the sender's token into it"
        ) from None
    except UnicodeError:
        token = ""
    if not (token and token.isprintable()):
        raise NoToken(f"the token file {path} holds no token: it must be one line of ASCII")
    return token


def tls_context(ca: str | Path | None) -> ssl.SSLContext:
    """Return a verifying context: the system's authorities, or only those of ``ca``.

    Raises:
        ConfigError: the file of authorities cannot be read.
    """
    import ssl

    try:
        return ssl.create_default_context(cafile=None if ca is None else str(ca))
    except (OSError, ssl.SSLError) as wrong:
        raise ConfigError(
            f"cannot read the certificate authorities: {wrong.strerror or type(wrong).__name__}",
            where=str(ca),
        ) from None


class HttpTransport:
    """One kept-alive connection to a collector.

    Args:
        token: asked before each request; ``None`` sends no ``Authorization``.
        tls: verifying context, for ``https``.
        timeout: seconds for connecting and for each answer.
    """

    batch_events = 500
    batch_bytes = 1024 * 1024

    def __init__(
        self,
        address: Address,
        *,
        token: TokenSource,
        tls: ssl.SSLContext | None,
        timeout: float = 10.0,
    ) -> None:
        self._address = address
        self._token = token
        self._tls = tls
        self._timeout = timeout
        self._named = False
        self._connection: HTTPConnection | None = None
        self._limit: int | None = None
        # Here, in the caller's thread: a program that forks while the background thread
        # imports would have a child in which that import is never finished.
        self._http: ModuleType = importlib.import_module("http.client")
        self._gzip: ModuleType = importlib.import_module("gzip")
        importlib.import_module("encodings.idna")  # getaddrinfo() does it otherwise

    def send(self, events: list[Event]) -> Outcome:
        """Post the events as one array (fewer after the collector found them too large)."""
        part = events[: self._limit] if self._limit else events
        try:
            body = json.dumps(part, ensure_ascii=False, separators=(",", ":")).encode()
        except (TypeError, ValueError, RecursionError) as wrong:
            if len(part) > 1:
                return self.send(events[:1])
            return Outcome(1, lost=1, error=f"cannot be written as JSON: {type(wrong).__name__}")
        try:
            status, retry_after, answer = self._post(body)
        except (OSError, self._http.HTTPException, UnicodeError) as wrong:
            self.close()
            return Outcome(0, error=f"{self._address}: {words(wrong)}")
        return self._judge(part, status, retry_after, answer)

    def _post(self, body: bytes) -> tuple[int, str | None, bytes]:
        """One request; a kept connection that the peer had closed is opened anew once."""
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        token = self._token()
        self._named = bool(token)
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if len(body) >= GZIP_FROM:
            body = self._gzip.compress(body, compresslevel=1, mtime=0)
            headers["Content-Encoding"] = "gzip"
        kept = self._connection is not None
        try:
            return self._exchange(body, headers)
        except (ConnectionError, self._http.HTTPException):
            self.close()
            if not kept:
                raise
        return self._exchange(body, headers)

    def _exchange(self, body: bytes, headers: dict[str, str]) -> tuple[int, str | None, bytes]:
        connection = self._connection = self._connection or self._open()
        connection.request("POST", PATH, body=body, headers=headers)
        response = connection.getresponse()
        answer = response.read(ANSWER_BYTES)
        retry_after = response.getheader("Retry-After")
        if response.will_close or not response.isclosed():
            self.close()
        return response.status, retry_after, answer

    def _open(self) -> HTTPConnection:
        host, port = self._address.host, self._address.port
        if self._address.scheme == "https":
            made = self._http.HTTPSConnection(host, port, timeout=self._timeout, context=self._tls)
        else:
            made = self._http.HTTPConnection(host, port, timeout=self._timeout)
        connection: HTTPConnection = made
        return connection

    def _judge(
        self, part: list[Event], status: int, retry_after: str | None, answer: bytes
    ) -> Outcome:
        """Read the collector's verdict; anything unclear means: not accepted, try again."""
        outcome = read_answer(answer, len(part)) if status == HTTP_OK else None
        if outcome is not None:
            self._limit = None
            return outcome
        if status in REFUSED_WHOLE:
            if len(part) > 1:  # find the one that the whole request was refused for
                self._limit = len(part) // 2
                return self.send(part)
            self._limit = None
            return Outcome(
                1, rejected=1, error=f"{self._address}: HTTP {status}", reasons={0: "refused"}
            )
        none = "this needs a token, and none was given: token or token_file"
        known = {
            401: "the token is not accepted" if self._named else none,
            403: "the token may not send this",
        }
        error = known.get(status, "unexpected answer" if status < 300 else "not accepted")
        return Outcome(
            0, error=f"{self._address}: HTTP {status}, {error}", retry_after=_seconds(retry_after)
        )

    def close(self) -> None:
        """Close the connection; the next send opens one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def abandon(self) -> None:
        """Close our copy of the inherited descriptor without a TLS goodbye."""
        connection, self._connection = self._connection, None
        sock = getattr(connection, "sock", None)
        if sock is not None:
            os.close(sock.detach())


def read_answer(answer: bytes, count: int) -> Outcome | None:
    """Return what the collector's JSON says of ``count`` events, or ``None`` if unclear.

    ``items`` has one object per event, in order, with ``status`` accepted, rejected (and
    ``reason``, ``detail``) or ignored. Less than that is no proof of anything.
    """
    try:
        items = json.loads(answer)["items"]
        statuses = [item["status"] for item in items]
    except (ValueError, RecursionError, KeyError, TypeError):
        return None
    if len(statuses) != count or not set(statuses) <= {"accepted", "rejected", "ignored"}:
        return None
    reasons = {
        at: f"{item.get('reason', '')}: {item.get('detail', '')}"[:500]
        for at, item in enumerate(items)
        if item["status"] == "rejected"
    }
    accepted = statuses.count("accepted")
    return Outcome(count, accepted=accepted, rejected=len(reasons), reasons=reasons)


def _seconds(retry_after: str | None) -> float | None:
    """Retry-After as seconds (RFC 9110, 10.2.3); the collector never sends the date form."""
    if retry_after is None or not retry_after.strip().isdigit():
        return None
    return min(LONGEST_WAIT, float(retry_after.strip()))


def words(wrong: Exception) -> str:
    """Return what failed, without anything that could hold a header."""
    if isinstance(wrong, NoToken):
        return str(wrong)
    reason = getattr(wrong, "verify_message", None) or getattr(wrong, "strerror", None)
    return f"{type(wrong).__name__}: {reason}" if reason else type(wrong).__name__
