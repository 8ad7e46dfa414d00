"""Posting one alert to one webhook, within a time that nobody can draw out.

The time limit of sockets is for each read, so a receiver that sends one byte every few seconds
would keep us for ever. Here a connection is cut off when its time is over, whatever it does.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any, Final

from activity_center.config_alerts import Webhook
from collector.alerts.payloads import body, headers

TIMEOUT: Final = 10.0
"""Seconds for a connection, and for each read of an answer."""
DEADLINE: Final = 15.0
"""Seconds from the connection on until the answer's status must be there."""
LONGEST_WAIT: Final = 900.0
"""Seconds that a receiver's Retry-After may make us wait."""


class _Cut:
    """What both kinds of connection share: the answer must be there in time."""

    sock: Any
    _timer: threading.Timer

    def __init__(self, *arguments: Any, deadline: float = DEADLINE, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._deadline = deadline

    def connect(self) -> None:
        """Connect, and let the time run."""
        super().connect()  # type: ignore[misc]  # of the connection that it is mixed into
        self._timer = threading.Timer(self._deadline, _cut_off, (self.sock,))
        self._timer.daemon = True
        self._timer.start()

    def getresponse(self) -> Any:
        """Wait for the status and the headers; nobody reads a body."""
        try:
            return super().getresponse()  # type: ignore[misc]
        finally:
            self._timer.cancel()


class _Plain(_Cut, http.client.HTTPConnection):
    pass


class _Secure(_Cut, http.client.HTTPSConnection):
    pass


class _Http(urllib.request.HTTPHandler):
    def __init__(self, deadline: float) -> None:
        super().__init__()
        self._deadline = deadline

    def http_open(self, req: urllib.request.Request) -> Any:
        """Open with a connection of ours."""
        return self.do_open(_Plain, req, deadline=self._deadline)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, deadline: float) -> None:
        super().__init__()
        self._deadline = deadline

    def https_open(self, req: urllib.request.Request) -> Any:
        """Open with a connection of ours."""
        context = ssl.create_default_context()
        return self.do_open(_Secure, req, context=context, deadline=self._deadline)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would carry an alert, and a secret address, to where nobody configured it."""

    def redirect_request(self, *_: Any) -> None:
        """Follow none: the answer is an error with the status of the redirect."""


def post(
    webhook: Webhook,
    id_: str,
    alert: Mapping[str, Any],
    link: str,
    *,
    deadline: float = DEADLINE,
) -> tuple[int | None, float]:
    """Send one alert.

    Args:
        id_: of the alert; the same when it is sent again.
        alert: the document of the stream ``activity-alerts``.
        link: address of the page, or ``""``.
        deadline: seconds from the connection to the answer's status.

    Returns:
        The status, or ``None`` without an answer, and how many seconds to wait.
    """
    data = body(webhook, alert, link)
    request = urllib.request.Request(  # noqa: S310 - the configuration's check allows http(s)
        webhook.address,
        data=data,
        method="POST",
        headers=headers(webhook, id_, data, int(time.time())),
    )
    handlers = (_Http(deadline), _Https(deadline), _NoRedirects())
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=TIMEOUT) as answer:
            return int(answer.status), 0.0
    except urllib.error.HTTPError as wrong:
        with wrong:
            return wrong.code, _seconds(wrong.headers.get("Retry-After"))
    except (OSError, http.client.HTTPException, ValueError):
        return None, 0.0


def _cut_off(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it has ended already


def _seconds(value: str | None) -> float:
    """``Retry-After`` in seconds (RFC 9110, 10.2.3); a date is not read."""
    return min(float(value), LONGEST_WAIT) if value and value.isascii() and value.isdigit() else 0.0
