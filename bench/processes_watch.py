"""``python -m bench.processes_watch``: many WebSockets in one cheap process, for the bench.

It takes commands on standard input and answers each with one line: ``open N`` opens N more
sockets, ``clear`` forgets what was counted, ``count`` says how many deliveries there were,
``report`` says everything as JSON. Between them it reads
what comes, as raw frames: a library would cost more than the servers that are measured.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import selectors
import socket
import struct
import sys
import time
from pathlib import Path
from typing import Any, Final

MARK: Final = b"sent="
"""Stands before the monotonic time of sending, in ns, at a fixed number of digits."""
DIGITS: Final = 20
_TEXT: Final = 0x1
_CLOSE: Final = 0x8
_PING: Final = 0x9
_PONG: Final = 0xA
_READ: Final = 65_536


class One:
    """A socket, with what has come of a frame so far."""

    __slots__ = ("rest", "sock")

    def __init__(self, sock: socket.socket, rest: bytes) -> None:
        self.sock = sock
        self.rest = rest


class Watchers:
    """All sockets.

    Args:
        targets: ``(host, port, path, token)`` of each group; an empty token: none is sent.
        size: sockets of a group.
    """

    def __init__(self, targets: list[tuple[str, int, str, str]], size: int) -> None:
        self.latencies: list[int] = []
        self.bytes = self.others = self.closed = 0
        self._targets = targets
        self._size = size
        self._open = 0
        self._ready = selectors.EpollSelector()

    def open(self, count: int) -> None:
        """Open so many more sockets, group after group."""
        for number in range(self._open, self._open + count):
            sock, rest = _connected(*self._targets[number // self._size])
            one = One(sock, b"")
            self._ready.register(sock, selectors.EVENT_READ, one)
            self._take(one, rest)
            self.pump(0.0)
        self._open += count

    def listen(self, file: int) -> None:
        """Let :meth:`pump` return when ``file`` has something to read."""
        self._ready.register(file, selectors.EVENT_READ, None)

    def pump(self, wait: float | None) -> bool:
        """Read what is there; whether the file of :meth:`listen` has something."""
        said = False
        for key, _ in self._ready.select(wait):
            one = key.data
            if one is None:
                said = True
                continue
            try:
                data = one.sock.recv(_READ)
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            if data:
                self._take(one, data)
            else:
                self._ready.unregister(one.sock)
                one.sock.close()
                self.closed += 1
        return said

    def clear(self) -> None:
        """Forget what was counted."""
        self.latencies, self.bytes, self.others = [], 0, 0

    def report(self) -> dict[str, Any]:
        """Return what was counted; latencies in ns."""
        return {
            "latencies": self.latencies,
            "bytes": self.bytes,
            "others": self.others,
            "closed": self.closed,
        }

    def _take(self, one: One, data: bytes) -> None:
        now = time.monotonic_ns()
        data = one.rest + data if one.rest else data
        at, end = 0, len(data)
        while end - at >= 2:
            size, head = data[at + 1], 2
            if size == 126:
                if end - at < 4:
                    break
                size, head = int.from_bytes(data[at + 2 : at + 4], "big"), 4
            elif size == 127:
                if end - at < 10:
                    break
                size, head = int.from_bytes(data[at + 2 : at + 10], "big"), 10
            if end - at < head + size:
                break
            self._frame(one, data[at] & 0xF, data, at + head, at + head + size, now)
            at += head + size
        one.rest = data[at:]

    def _frame(self, one: One, opcode: int, data: bytes, begin: int, end: int, now: int) -> None:
        if opcode == _TEXT:
            found = data.find(MARK, begin, end)
            if found >= 0 and data.startswith(b'{"type":"delta"', begin):
                self.bytes += end - begin
                while found >= 0:  # a delta may hold several messages: each is one delivery
                    found += len(MARK)
                    self.latencies.append(now - int(data[found : found + DIGITS]))
                    found = data.find(MARK, found, end)
                return
            self.others += 1
            if data.startswith(b'{"type":"ping"', begin):
                one.sock.send(_masked(_TEXT, b'{"type":"pong"}'))
        elif opcode == _PING:
            one.sock.send(_masked(_PONG, data[begin:end]))
        elif opcode == _CLOSE:
            print(f"closed: {data[begin + 2 : end]!r}", file=sys.stderr)


def _connected(host: str, port: int, path: str, token: str) -> tuple[socket.socket, bytes]:
    """Open one socket (RFC 6455, section 4.1); return it and what came behind the handshake."""
    sock = socket.create_connection((host, port), timeout=30)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: {host}:{port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Protocol: activity-center.processes.v1",
        *([f"Authorization: Bearer {token}"] if token else []),
    ]
    sock.sendall("\r\n".join([*lines, "", ""]).encode())
    got = b""
    while b"\r\n\r\n" not in got:
        data = sock.recv(_READ)
        if not data:
            raise SystemExit(f"the handshake was refused: {got[:200]!r}")
        got += data
    head, _, rest = got.partition(b"\r\n\r\n")
    if b" 101 " not in head.partition(b"\r\n")[0]:
        raise SystemExit(f"the handshake was refused: {head[:200]!r}")
    sock.setblocking(False)
    return sock, rest


def _masked(opcode: int, body: bytes) -> bytes:
    """A short frame of a client; the mask 0 leaves the body as it is."""
    return struct.pack("!BB4x", 0x80 | opcode, 0x80 | len(body)) + body


def main() -> None:
    """Do what standard input says, until it ends."""
    parser = argparse.ArgumentParser(prog="python -m bench.processes_watch")
    parser.add_argument("targets", type=Path, help="JSON: [host, port, path, token] of each group")
    parser.add_argument("--size", type=int, required=True, help="sockets of a group")
    options = parser.parse_args()
    targets = [tuple(one) for one in json.loads(options.targets.read_text(encoding="utf-8"))]
    watchers = Watchers(targets, options.size)
    commands = sys.stdin.fileno()
    watchers.listen(commands)
    while True:
        if not watchers.pump(None):
            continue
        line = os.read(commands, _READ).decode().split()
        if not line:
            return
        if line[0] == "open":
            watchers.open(int(line[1]))
        elif line[0] == "clear":
            watchers.clear()
        said = watchers.report() if line[0] == "report" else {"count": len(watchers.latencies)}
        print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
