"""A server of the process stream that says what a test wants."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import Final

from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Request, TextMessage

HELLO: Final = '{"type":"hello","version":1,"heartbeat":15,"recovered":null}'
EMPTY: Final = '{"type":"snapshot","epoch":"e","offset":"o","processes":[]}'
Line = str | bytes | float | tuple[int, str]
"""A message, bytes as they are, seconds to say nothing, or the code and reason with which it
closes."""


class Liar:
    """A WebSocket server that says to each connection what a test wants.

    Args:
        lines: of each connection, the messages; ``(code, reason)`` closes it.

    Attributes:
        open: cleared, a handshake is not answered.
        targets: of the handshakes that it heard.
    """

    def __init__(self, *lines: list[Line]) -> None:
        self._lines = [*lines]
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.open = threading.Event()
        self.open.set()
        self.targets: list[str] = []
        self.heard: list[str] = []
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while self._lines:
            try:
                sock, _ = self._socket.accept()
            except OSError:
                return
            with sock, contextlib.suppress(OSError):  # who watches may be gone
                self._serve(sock, self._lines.pop(0))

    def _serve(self, sock: socket.socket, lines: list[Line]) -> None:
        protocol = WSConnection(ConnectionType.SERVER)
        opened = False
        while not opened:
            protocol.receive_data(sock.recv(65536))
            for event in protocol.events():
                if isinstance(event, Request):
                    self.targets.append(event.target)
                    self.open.wait()
                    subprotocol = event.subprotocols[0]
                    sock.sendall(protocol.send(AcceptConnection(subprotocol=subprotocol)))
                    opened = True
        for line in lines:
            if isinstance(line, tuple):
                sock.sendall(protocol.send(CloseConnection(code=line[0], reason=line[1])))
            elif isinstance(line, float):
                time.sleep(line)
            elif isinstance(line, bytes):
                sock.sendall(line)
            else:
                sock.sendall(protocol.send(TextMessage(data=line)))
        while data := sock.recv(65536):
            protocol.receive_data(data)
            for event in protocol.events():
                if isinstance(event, TextMessage):
                    self.heard.append(event.data)
                elif isinstance(event, CloseConnection):
                    return

    def close(self) -> None:
        """Take no further connection."""
        self._socket.close()

    def __enter__(self) -> Liar:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
