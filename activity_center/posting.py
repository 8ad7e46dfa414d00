"""Posting to a webhook within a time that nobody can draw out.

The time limit of sockets is for each read, so a receiver that sends one byte every few seconds
would keep us for ever. Here a connection is cut off when its time is over, whatever it does.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
import urllib.request
from typing import Any, Final

TIMEOUT: Final = 10.0
"""Seconds for a connection."""
DEADLINE: Final = 15.0
"""Seconds from the connection on until the answer's status must be there."""


class _Plain(http.client.HTTPConnection):
    """A connection whose answer must be there in time."""

    deadline = DEADLINE
    _timer: threading.Timer | None = None

    def connect(self) -> None:
        """Connect, and let the time run."""
        super().connect()
        self.sock.settimeout(self.deadline)  # until now it was that of the connection
        # A second handle: TLS takes the first one away, and shakes hands in that time too.
        self._handle = self.sock.dup()
        self._timer = threading.Timer(self.deadline, _cut_off, (self._handle,))
        self._timer.daemon = True
        self._timer.start()

    def getresponse(self) -> http.client.HTTPResponse:
        """Wait for the status and the headers; nobody reads a body."""
        try:
            return super().getresponse()
        finally:
            self._stop()

    def close(self) -> None:
        """Close it; the time runs no more."""
        self._stop()
        super().close()

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._handle.close()


class _Secure(http.client.HTTPSConnection, _Plain):
    """The same with TLS; in this order, so that the time runs before its handshake."""


class _Http(urllib.request.HTTPHandler):
    def __init__(self, deadline: float) -> None:
        super().__init__()
        self._deadline = deadline

    def http_open(self, req: urllib.request.Request) -> Any:
        """Open with a connection of ours."""
        return self.do_open(self._made, req)

    def _made(self, host: str, /, **more: Any) -> http.client.HTTPConnection:
        made = _Plain(host, **more)
        made.deadline = self._deadline
        return made


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, deadline: float) -> None:
        super().__init__()
        self._deadline = deadline

    def https_open(self, req: urllib.request.Request) -> Any:
        """Open with a connection of ours."""
        return self.do_open(self._made, req, context=ssl.create_default_context())

    def _made(self, host: str, /, **more: Any) -> http.client.HTTPConnection:
        made = _Secure(host, **more)
        made.deadline = self._deadline
        return made


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would carry what is posted, and a secret address, to where nobody meant it."""

    def redirect_request(self, *_: Any) -> None:
        """Follow none: the answer is an error with the status of the redirect."""


def opener(deadline: float = DEADLINE) -> urllib.request.OpenerDirector:
    """Return what posts, follows no redirect, and waits for an answer's status so long at most.

    Args:
        deadline: seconds from the connection on.
    """
    return urllib.request.build_opener(_Http(deadline), _Https(deadline), _NoRedirects())


def _cut_off(handle: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it has ended already
        handle.shutdown(socket.SHUT_RDWR)
    handle.close()
