"""What one client's connections may hold up: deadlines, and how many one address has.

=======================  ==============================================================
TLS handshake            :data:`HANDSHAKE_TIME`, then the connection is closed
body of a request        :data:`BODY_TIME` from its first read, then 408 and closed
answer                   :data:`STALL_TIME` in which the client takes nothing: closed
connections              :data:`MOST_OF_ONE` of one address in a worker; one more is closed
=======================  ==============================================================

Lines and headers of a request have gunicorn's keep-alive time.
"""

from __future__ import annotations

import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import gevent
import structlog
from gevent.server import StreamServer
from werkzeug.exceptions import RequestTimeout

from sidecar_api.client_address import Network, block_of, is_among, parse

HANDSHAKE_TIME: Final = 10.0
BODY_TIME: Final = 10.0
STALL_TIME: Final = 60.0
MOST_OF_ONE: Final = 250
"""A quarter of what a worker has; a browser uses six, and HTTP proxies are excepted."""

_log = structlog.get_logger("sidecar")


class Listener(StreamServer):  # type: ignore[misc]
    """Takes connections, within the limits of this module.

    Args:
        listener: an open, listening socket.
        free: networks whose addresses may have any number: proxies speak for many clients.
        most: connections of one address (IPv6: of its /64) at the same time.
        stall, handshake: seconds, see :data:`STALL_TIME` and :data:`HANDSHAKE_TIME`.
        rest: as of gevent's server.
    """

    def __init__(
        self,
        listener: Any,
        *,
        free: Sequence[Network],
        most: int = MOST_OF_ONE,
        stall: float = STALL_TIME,
        handshake: float = HANDSHAKE_TIME,
        **rest: Any,
    ) -> None:
        super().__init__(listener, **rest)
        self._free = free
        self._most = most
        self._stall = int(stall * 1000)
        self._handshake = handshake
        self._of: Counter[str] = Counter()

    def do_handle(self, client: Any, address: Any) -> None:
        """Serve a connection, or close it at once."""
        block = self._block(address)
        if block and self._of[block] >= self._most:
            client.close()
            return
        if block:
            self._of[block] += 1
            if self._of[block] == self._most:
                _log.warning("an address has as many connections as it may", address=block)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux, tcp(7); elsewhere a stalled one stays
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, self._stall)
        super().do_handle(client, address)

    def do_close(self, client: Any, address: Any) -> None:
        """A connection that was served has ended."""
        super().do_close(client, address)
        block = self._block(address)
        if block:
            self._of[block] -= 1
            if not self._of[block]:
                del self._of[block]

    def wrap_socket_and_handle(self, client_socket: Any, address: Any) -> Any:
        """Serve a connection over TLS."""
        wrapped = None
        with gevent.Timeout(self._handshake, False):
            wrapped = self.wrap_socket(client_socket, **self.ssl_args)
        if wrapped is None:
            return None
        with wrapped:
            return self.handle(wrapped, address)

    def _block(self, address: Any) -> str:
        """Whose connection counts together; empty: it is not counted."""
        found = parse(address[0]) if address else None  # a Unix socket has none
        if found is None or found.is_loopback or is_among(found, self._free):
            return ""
        return block_of(str(found))


class Silence(gevent.Timeout):  # type: ignore[misc]
    """How long a connection may be silent before its next request; used as ``with``.

    Args:
        seconds: then the block ends, without an error.
        waiting: those that are silent now -> the greenlet of each.
    """

    def __init__(self, seconds: float, waiting: dict[Silence, Any]) -> None:
        super().__init__(seconds, False)
        self._waiting = waiting

    def __enter__(self) -> Silence:
        self._waiting[self] = gevent.getcurrent()
        return super().__enter__()  # type: ignore[no-any-return]

    def __exit__(self, *said: Any) -> Any:
        self._waiting.pop(self, None)
        return super().__exit__(*said)


def break_silence(waiting: dict[Silence, Any]) -> None:
    """Let all of them be over now, as if their time were."""
    for silence, greenlet in list(waiting.items()):
        gevent.kill(greenlet, silence)


class Body:
    """The body of a request (PEP 3333, ``wsgi.input``) that must come in time.

    Args:
        raw: gunicorn's.
        seconds: from the first read to the end.
    """

    def __init__(self, raw: Any, seconds: float = BODY_TIME) -> None:
        self._raw = raw
        self._seconds = seconds
        self._until = 0.0

    def read(self, size: int | None = None) -> bytes:
        """Read at most ``size`` bytes, or all.

        Raises:
            RequestTimeout: it takes too long (RFC 9110 section 15.5.9).
        """
        return self._in_time(self._raw.read, size)

    def readline(self, size: int | None = None) -> bytes:
        """Read a line; see :meth:`read`."""
        return self._in_time(self._raw.readline, size)

    def readlines(self, _hint: int | None = None) -> list[bytes]:
        """Read all lines; see :meth:`read`."""
        return list(self)

    def __iter__(self) -> Body:
        return self

    def __next__(self) -> bytes:
        line = self.readline()
        if not line:
            raise StopIteration
        return line

    def _in_time(self, read: Callable[[int | None], bytes], size: int | None) -> bytes:
        self._until = self._until or time.monotonic() + self._seconds
        late = gevent.Timeout(max(self._until - time.monotonic(), 0.001))
        try:
            with late:
                return read(size)
        except gevent.Timeout as wrong:
            if wrong is not late:
                raise
            self._raw.failed = True  # gunicorn: where the next request starts is not known
            raise RequestTimeout from None


def in_time(application: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    """Return ``application`` (WSGI), with bodies that must come in time."""

    def timed(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ["wsgi.input"] = Body(environ["wsgi.input"])
        return application(environ, start_response)

    return timed
