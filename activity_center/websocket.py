"""A WebSocket client (RFC 6455): one connection that is read and written by one thread."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Ping,
    RejectConnection,
    Request,
    TextMessage,
)
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

LONGEST: Final = 64 * 1024 * 1024
"""Characters of a message that is taken."""
_CONNECTS: Final = 15.0
"""Seconds that a connection and its handshake may take."""
_AT_ONCE: Final = 65_536
_ABNORMAL: Final = 1006
"""The connection is gone without a word (RFC 6455, section 7.4.1)."""
_TOO_BIG: Final = 1009
_REFUSED: Final = {401: 4401, 403: 4403}
"""What the refusal of a handshake means in the codes of the protocol."""


class Closed(Exception):
    """The connection is gone, or could not be made.

    Args:
        code: of the close frame (RFC 6455, section 7.4); 1006: there was none.
        reason: for people.
    """

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(f"{code} {reason}")
        self.code = code
        self.reason = reason


class Connection:
    """One connection after its handshake."""

    def __init__(self, sock: socket.socket, protocol: WSConnection) -> None:
        self._sock = sock
        self._protocol = protocol
        self._text: list[str] = []
        self._size = 0

    def receive(self, seconds: float) -> str:
        """Return the next message.

        Args:
            seconds: so long the other side may be silent, pings of the protocol included.

        Raises:
            Closed: it is gone.
        """
        until = time.monotonic() + seconds
        while True:
            with _told():
                for event in self._protocol.events():
                    if isinstance(event, TextMessage):
                        if (whole := self._part(event)) is not None:
                            return whole
                    elif isinstance(event, Ping):
                        self._sock.sendall(self._protocol.send(event.response()))
                        until = time.monotonic() + seconds
                    elif isinstance(event, CloseConnection):
                        with contextlib.suppress(OSError, LocalProtocolError):
                            self._sock.sendall(self._protocol.send(event.response()))
                        raise Closed(event.code, event.reason or "")
                    elif isinstance(event, BytesMessage):
                        raise Closed(4409, "the server sent something else than text")
                self._sock.settimeout(max(until - time.monotonic(), 0.001))
                data = self._sock.recv(_AT_ONCE)
                if not data:
                    raise Closed(_ABNORMAL, "the connection broke")
                self._protocol.receive_data(data)

    def send(self, text: str) -> None:
        """Send a message.

        Raises:
            Closed: it is gone.
        """
        with _told():
            self._sock.sendall(self._protocol.send(TextMessage(data=text)))

    def cut(self) -> None:
        """End it from any thread; who waits for a message is told."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Say good-bye, and end it."""
        with contextlib.suppress(OSError, LocalProtocolError):
            self._sock.settimeout(1.0)
            self._sock.sendall(self._protocol.send(CloseConnection(code=1000)))
        self._sock.close()

    def _part(self, event: TextMessage) -> str | None:
        self._text.append(event.data)
        self._size += len(event.data)
        if self._size > LONGEST:
            raise Closed(_TOO_BIG, f"the server sent a message of over {LONGEST} characters")
        if not event.message_finished:
            return None
        whole = "".join(self._text)
        self._text, self._size = [], 0
        return whole


@contextlib.contextmanager
def connect(
    url: str, subprotocol: str, *, headers: Mapping[str, str], ca: str = ""
) -> Iterator[Connection]:
    """Open a connection for the time of a block.

    Args:
        url: ``ws://`` or ``wss://``.
        headers: further ones of the handshake.
        ca: PEM file of the authority that signed the server's certificate.

    Raises:
        Closed: it cannot be opened, or is gone.
    """
    sock = _opened(url, ca)
    try:
        protocol = WSConnection(ConnectionType.CLIENT)
        parts = urlsplit(url)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        extra = [(name.encode(), value.encode()) for name, value in headers.items()]
        request = Request(parts.netloc, target, subprotocols=[subprotocol], extra_headers=extra)
        with _told():
            sock.sendall(protocol.send(request))
            _accepted(sock, protocol)
        connection = Connection(sock, protocol)
        try:
            yield connection
        finally:
            connection.close()
    finally:
        sock.close()


def _opened(url: str, ca: str) -> socket.socket:
    parts = urlsplit(url)
    secure = parts.scheme == "wss"
    address = (parts.hostname or "", parts.port or (443 if secure else 80))
    with _told():
        sock = socket.create_connection(address, timeout=_CONNECTS)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not secure:
            return sock
        try:
            context = ssl.create_default_context(cafile=ca or None)
            return context.wrap_socket(sock, server_hostname=address[0])
        except BaseException:
            sock.close()
            raise


def _accepted(sock: socket.socket, protocol: WSConnection) -> None:
    """Read the answer to the handshake, and leave what follows it where it is."""
    while True:
        data = sock.recv(_AT_ONCE)
        if not data:
            raise Closed(_ABNORMAL, "the server closed the connection in its handshake")
        protocol.receive_data(data)
        for event in protocol.events():
            if isinstance(event, RejectConnection):
                status = event.status_code
                code = _REFUSED.get(status, _ABNORMAL)
                raise Closed(code, f"the server answered {status} to the handshake")
            if isinstance(event, AcceptConnection):
                return


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Say what went wrong as :class:`Closed`."""
    try:
        yield
    except TimeoutError as wrong:
        raise Closed(_ABNORMAL, "nothing was heard for too long") from wrong
    except OSError as wrong:
        raise Closed(_ABNORMAL, wrong.strerror or str(wrong)) from wrong
    except (RemoteProtocolError, LocalProtocolError) as wrong:
        raise Closed(4409, f"the server broke the protocol: {wrong}") from wrong
