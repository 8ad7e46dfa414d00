"""Server-sent events (WHATWG HTML, section 9.2): what every stream of them has in common."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Final

from flask import Response, request

from sidecar_api.conditional import PRIVATE

MEDIA: Final = "text/event-stream"
RETRY: Final = 5000
"""Milliseconds after which a client comes back."""
OPEN: Final = f"retry: {RETRY}\n: open\n\n".encode()
"""What a stream begins with: its client knows that it is open."""
_ESTABLISHED: Final = 1
"""``tcpi_state`` of a connection that neither side has closed (Linux, tcp(7))."""


def response() -> Response:
    """Return the head of a stream."""
    made = Response(content_type=MEDIA)
    made.headers["Cache-Control"] = PRIVATE
    made.headers["X-Accel-Buffering"] = "no"  # nginx would hold the events back
    return made


def here() -> Callable[[], bool]:
    """Return whether the client of this request has not hung up: seen before a write to it fails.

    Else a page that is loaded again and again would keep all its former places for a while.
    """
    connection = request.environ.get("gunicorn.socket")
    if connection is None or not hasattr(socket, "TCP_INFO"):  # not gunicorn, or not Linux
        return lambda: True

    def look() -> bool:
        try:
            state: bytes = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
        except OSError:
            return False
        return state[0] == _ESTABLISHED

    return look
