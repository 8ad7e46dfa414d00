"""The stand-in's WebSocket says nothing after its close."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Any

from simple_websocket import Server

from tests.browser.web_socket import WebSocket

ENVIRON = {
    "HTTP_HOST": "localhost",
    "HTTP_UPGRADE": "websocket",
    "HTTP_CONNECTION": "Upgrade",
    "HTTP_SEC_WEBSOCKET_KEY": "dGhlIHNhbXBsZSBub25jZQ==",
    "HTTP_SEC_WEBSOCKET_VERSION": "13",
}
TEXT = b"\x81\x05hello"
CLOSE = b"\x88\x02\x03\xe8"
CLOSE_OF_A_CLIENT = b"\x88\x82\0\0\0\0\x03\xe8"


class Slow:
    """A socket with which a message is slow to leave.

    Attributes:
        about_to: a message is there to be sent.
        may: it may go.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.about_to, self.may = threading.Event(), threading.Event()

    def send(self, data: bytes) -> int:
        """Send it, a message only when it may go."""
        if data == TEXT:
            self.about_to.set()
            assert self.may.wait(30)
        return self._sock.send(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


def test_what_is_sent_while_it_closes_comes_before_the_close() -> None:
    """A browser takes nothing after it, and says so in its console."""
    client, ours = socket.socketpair()
    slow = Slow(ours)
    made: Server = WebSocket({**ENVIRON, "werkzeug.socket": slow})
    assert b"101" in client.recv(4096)
    saying = threading.Thread(target=made.send, args=("hello",))
    saying.start()
    assert slow.about_to.wait(30)
    client.sendall(CLOSE_OF_A_CLIENT)
    client.settimeout(0.5)
    heard = b""
    with suppress(TimeoutError):
        heard = client.recv(4096)  # the answer, where nothing holds it up
    slow.may.set()
    saying.join(30)
    client.settimeout(30)
    while piece := client.recv(4096):
        heard += piece
    assert heard == TEXT + CLOSE
    client.close()
