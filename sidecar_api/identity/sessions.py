"""Sessions of signed-in people, kept on the server.

The cookie holds a random id of 256 bits and nothing else; the database knows its SHA-256 alone,
so that who reads the file cannot take over a session. A session says who signed in, not what
they may: rights are looked up for each request. Only those that an identity provider claims
cannot be; a session with them lives for :data:`CLAIMED` at most.

Sources: OWASP Session Management; RFC 6265bis section 4.1.3 (``__Host-``).
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable
from typing import Final

from flask import Request
from werkzeug import Response

from activity_center.config_sidecar import Sessions as Life
from sidecar_api.identity.store import Store
from sidecar_api.identity.subject import Subject

MAX_OF_ONE: Final = 100
"""Sessions of one person; beyond, the oldest ends."""
CLAIMED: Final = 8 * 3600
"""Seconds in all of a session whose roles came with the sign-in: they are not looked up again."""
TOUCH: Final = 60.0
"""Seconds by which the time of last use may lag: so seldom is it written."""
_ID_LENGTH: Final = 43
"""Characters of 32 bytes as base64url."""


class Sessions:
    """Begins, finds and ends sessions.

    Args:
        store: where they are kept.
        life: how long, without use and in all.
        secure: whether browsers come over TLS.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        store: Store,
        life: Life,
        *,
        secure: bool,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._life = life
        self._secure = secure
        self._clock = clock
        self.cookie: Final = self.named("activity_session")

    def named(self, cookie: str) -> str:
        """Return the name that a cookie has here: over TLS no other host can set it."""
        return f"__Host-{cookie}" if self._secure else cookie

    def recognize(self, request: Request, *, use: bool = True) -> Subject | None:
        """Return whom the request's cookie stands for; an old or unknown one is nobody's.

        Args:
            request: the request.
            use: whether this is use, which prolongs the session.
        """
        value = request.cookies.get(self.cookie, "")
        if len(value) != _ID_LENGTH:
            return None
        key = _key(value)
        rows = self._store.run("SELECT subject, created, seen FROM sessions WHERE id = ?", (key,))
        if not rows:
            return None
        [(text, created, seen)] = rows
        now, subject = self._clock(), Subject.from_json(text, session=key)
        claimed = bool(subject.organizations or subject.platform_roles)
        if self._is_over(created, seen, now) or (claimed and now - created >= CLAIMED):
            self._end(key)
            return None
        if use and now - seen > min(TOUCH, self._life.idle / 10):
            self._store.run("UPDATE sessions SET seen = ? WHERE id = ?", (now, key))
        return subject

    def begin(self, request: Request, response: Response, subject: Subject) -> None:
        """Start a session under a new id, and end the one that the browser had.

        An id that somebody planted in the browser before the sign-in is worth nothing after it.
        """
        self.end(request, response)
        now = self._clock()
        self._store.run(
            "DELETE FROM sessions WHERE created <= ? OR seen <= ?",
            (now - self._life.absolute, now - self._life.idle),
        )
        value = secrets.token_urlsafe(32)
        owner = subject.owner
        self._store.run(
            "INSERT INTO sessions VALUES (?, ?, ?, ?, ?)",
            (_key(value), subject.to_json(), owner, now, now),
        )
        self._store.run(
            "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE owner = ? "
            "ORDER BY created DESC LIMIT -1 OFFSET ?)",
            (owner, MAX_OF_ONE),
        )
        self.set_cookie(response, self.cookie, value, self._life.absolute)

    def end(self, request: Request, response: Response) -> None:
        """End the session of the request, if it has one: its id is worth nothing from now on."""
        value = request.cookies.get(self.cookie, "")
        if value:
            self._end(_key(value))
            self.set_cookie(response, self.cookie, "", 0)

    def set_cookie(self, response: Response, name: str, value: str, seconds: int) -> None:
        """Set a cookie that scripts cannot read and other sites cannot have sent by a form."""
        response.set_cookie(
            name,
            value,
            max_age=seconds,
            path="/",
            secure=self._secure,
            httponly=True,
            samesite="Lax",
        )

    def _is_over(self, created: float, seen: float, now: float) -> bool:
        return now - created >= self._life.absolute or now - seen >= self._life.idle

    def _end(self, key: str) -> None:
        self._store.run("DELETE FROM sessions WHERE id = ?", (key,))


def _key(value: str) -> str:
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
