"""Clients of the live stream that a test holds in its hand: each message is checked."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import requests
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Message, Ping, TextMessage

from activity_center.processes import merge
from tests.integration.process import until
from tests.sidecar_api.processes.stage import Stage, valid

SUBPROTOCOL: Final = "activity-center.processes.v1"
PATIENCE: Final = 90.0
"""Seconds after which what does not come fails the test; the slowest rule has 60."""


class Gone(Exception):
    """The server closed the connection."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code} {reason}")
        self.code = code
        self.reason = reason


class Told:
    """What one client was told so far, however it came.

    Attributes:
        said: all messages but signs of life, in order.
        processes: what follows from them, by (organization, id).
        raw: every byte of them.
        resets: reasons.
        pings: how many came.
        stale_since: since when the server cannot read what is new, as it last said.

    Args:
        after: what the client had before this connection.
    """

    def __init__(self, after: Told | None = None) -> None:
        self.said: list[dict[str, Any]] = []
        self.processes: dict[tuple[str, str], dict[str, Any]] = (
            {} if after is None else dict(after.processes)
        )
        self.raw = b""
        self.epoch = "" if after is None else after.epoch
        self.offset = "" if after is None else after.offset
        self.resets: list[str] = []
        self.pings = 0
        self.stale_since: str | None = None

    def take(self, text: bytes) -> dict[str, Any]:
        """Take a message of the server."""
        message: dict[str, Any] = valid(json.loads(text))
        self.raw += text
        kind = message["type"]
        if kind in ("hello", "ping"):
            self.stale_since = message.get("stale_since")
        self.pings += kind == "ping"
        if kind in ("ping", "pong"):
            return message
        self.said.append(message)
        if kind == "snapshot":
            rows = message["processes"]
            self.processes = {(one["organization"]["id"], one["id"]): one for one in rows}
        elif kind == "delta":
            for change in message["changes"]:
                key = (change["organization"], change["id"])
                self.processes[key] = valid(merge(self.processes.get(key), change), "process")
        elif kind == "reset":
            self.resets.append(message["reason"])
        if kind in ("snapshot", "delta"):
            self.epoch, self.offset = message["epoch"], message["offset"]
        return message

    @property
    def changes(self) -> list[dict[str, Any]]:
        """All deltas in order."""
        return [
            change
            for message in self.said
            if message["type"] == "delta"
            for change in message["changes"]
        ]

    @property
    def moves(self) -> list[int]:
        """The thousandths of progress that came as deltas, in order."""
        return [
            round(one["process"]["progress"] * 1000)
            for one in self.changes
            if "progress" in one.get("process", {}) and "id" not in one["process"]
        ]

    def kinds(self) -> list[str]:
        """Types of messages so far; a delta that moves the place alone is left out."""
        return [one["type"] for one in self.said if one["type"] != "delta" or one["changes"]]

    def shows(self, process: str) -> dict[str, Any] | None:
        """A process as this client has it."""
        return next((one for (_, id_), one in self.processes.items() if id_ == process), None)

    def at(self, process: str) -> int:
        """Its progress in thousandths; -1: it is not there."""
        found = self.shows(process)
        return -1 if found is None else round(found["progress"] * 1000)


class Peer(Told):
    """A WebSocket, opened at once.

    Args:
        who: with whose API token; empty: without.
        channel: of the address.
        headers: beside or instead of what a program sends.
        after: an earlier connection, to go on from with what it was told.
        receive: bytes of the kernel's buffer; small: a client that takes little.
        answers: whether it answers pings.
        query: of the address.
    """

    def __init__(
        self,
        stage: Stage,
        who: str = "owner",
        channel: str = "",
        *,
        headers: dict[str, str] | None = None,
        after: Told | None = None,
        receive: int = 0,
        answers: bool = True,
        **query: str,
    ) -> None:
        super().__init__(after)
        if after is not None:
            query = {"epoch": after.epoch, "offset": after.offset, **query}
        self.sock = socket.socket()
        if receive:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(("127.0.0.1", stage.port))
        path = "/ws/processes" + (f"/{channel}" if channel else "")
        path += f"?{urlencode(query)}" if query else ""
        lines = {
            "Host": f"127.0.0.1:{stage.port}",
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Protocol": SUBPROTOCOL,
            **({"Authorization": f"Bearer {stage.token(who)}"} if who else {}),
            **(headers or {}),
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value)
        self.sock.sendall(f"GET {path} HTTP/1.1\r\n{head}\r\n".encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            more = self.sock.recv(65536)
            assert more, answer
            answer += more
        top, rest = answer.split(b"\r\n\r\n", 1)
        self.status = int(top.split(b" ")[1])
        self.head = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in top.decode().split("\r\n")[1:])
        }
        self._answers = answers
        self._protocol = Connection(ConnectionType.CLIENT)
        self._waiting: list[Event] = []
        self._text = ""
        if self.status == 101 and rest:
            self._protocol.receive_data(rest)

    @property
    def hello(self) -> dict[str, Any]:
        """The first message."""
        self.until(lambda: bool(self.said))
        assert self.said[0]["type"] == "hello"
        return self.said[0]

    def on_its_way(self) -> int:
        """Bytes that the server has sent and the client has not taken: in the kernel's queues of
        both ends (proc_net_tcp of Linux)."""
        ends = {
            f"0100007F:{one[1]:04X}" for one in (self.sock.getsockname(), self.sock.getpeername())
        }
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        queues = [row[4].split(":") for row in rows if set(row[1:3]) == ends]
        assert len(queues) == 2
        return sum(int(one, 16) for pair in queues for one in pair)

    def until(self, condition: Callable[[], bool]) -> Peer:
        """Take messages until something holds.

        Raises:
            Gone: the server closed the connection before.
        """
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, (self.said[-3:], "and it did not come about")
            self.next()
        return self

    def next(self) -> dict[str, Any]:
        """Take one message; a ping is answered.

        Raises:
            Gone: the server closed the connection.
        """
        while True:
            event = self._event()
            if isinstance(event, TextMessage):
                self._text += event.data
                if event.message_finished:
                    text, self._text = self._text, ""
                    message = self.take(text.encode())
                    if message["type"] == "ping" and self._answers:
                        self.say('{"type":"pong"}')
                    return message
            elif isinstance(event, CloseConnection):
                with contextlib.suppress(OSError):
                    self.sock.sendall(self._protocol.send(event.response()))
                raise Gone(event.code, event.reason or "")
            elif isinstance(event, Ping):
                self.sock.sendall(self._protocol.send(event.response()))

    def end(self) -> Gone:
        """Take all messages up to the end; return how it ended."""
        end = time.monotonic() + PATIENCE
        try:
            while True:
                assert time.monotonic() < end, "it did not end"
                self.next()
        except Gone as gone:
            return gone

    def say(self, text: str) -> None:
        """Send a text message, whatever it says."""
        self.send(TextMessage(data=text))

    def send(self, event: Message | BytesMessage | TextMessage | Ping) -> None:
        """Send a frame."""
        self.sock.sendall(self._protocol.send(event))

    def break_off(self) -> Peer:
        """Be gone without a word."""
        self.sock.close()
        return self

    def _event(self) -> Event:
        while not self._waiting:
            self._waiting += self._protocol.events()
            if self._waiting:
                break
            data = self.sock.recv(65536)
            if not data:
                raise Gone(1006, "")
            self._protocol.receive_data(data)
        return self._waiting.pop(0)

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()


class Stream(Told):
    """Server-sent events, read as a browser reads them (WHATWG HTML, section 9.2).

    Attributes:
        id: of the last event that had one.
    """

    def __init__(
        self,
        stage: Stage,
        who: str = "owner",
        *,
        last: str = "",
        after: Stream | None = None,
        headers: dict[str, str] | None = None,
        **query: str,
    ) -> None:
        super().__init__(after)
        last = last if after is None else after.id
        self.answer: requests.Response = stage.get(
            "/api/v1/processes/stream",
            who,
            params=query,
            headers={**(headers or {}), **({"Last-Event-ID": last} if last else {})},
            stream=True,
            timeout=PATIENCE,
        )
        self.id = last
        self._lines = self._read()

    def until(self, condition: Callable[[], bool]) -> Stream:
        """Take events until something holds; fails where the stream ends before."""
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, (self.said[-3:], "and it did not come about")
            assert self.next(), (self.said[-3:], "and the stream ended")
        return self

    def end(self) -> None:
        """Take all events up to the end."""
        while self.next():
            pass

    def next(self) -> bool:
        """Take one event, or a comment; ``False``: it has ended."""
        kind, data, seen = "", b"", False
        for line in self._lines:
            if not line:
                if kind:
                    message = self.take(data)
                    assert message["type"] == kind
                    if message.get("offset"):
                        assert self.id == f"{self.epoch}:{self.offset}"
                if seen:
                    return True
                continue
            seen = True
            name, _, value = line.partition(b":")
            if name == b"event":
                kind = value.strip().decode()
            elif name == b"data":
                data = value.strip()
            elif name == b"id":
                self.id = value.strip().decode()
        return False

    def _read(self) -> Iterator[bytes]:
        rest = b""
        for data in self.answer.iter_content(chunk_size=None):
            *lines, rest = (rest + data).split(b"\n")
            yield from lines

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.answer.close()


class Poller(Told):
    """Who polls, as docs/process-stream.md says.

    Attributes:
        recovered: of each answer.
    """

    def __init__(self, stage: Stage, who: str = "owner", **query: str) -> None:
        super().__init__()
        self._stage, self._who, self._query = stage, who, query
        self.recovered: list[bool | None] = []

    def ask(self) -> Poller:
        """Ask once, and take over what is answered."""
        since = f"{self.epoch}:{self.offset}" if self.offset else ""
        said = self._stage.poll(self._who, since, **self._query)
        self.recovered.append(said["recovered"])
        kind, part = "delta", "changes"
        if said["processes"] is not None:
            assert said["changes"] == []
            kind, part = "snapshot", "processes"
        message = {"type": kind, **{name: said[name] for name in ("epoch", "offset", part)}}
        self.take(json.dumps(message).encode())
        return self

    def until(self, condition: Callable[[], bool]) -> Poller:
        """Ask until something holds."""
        until(lambda: self.ask() and condition())
        return self
