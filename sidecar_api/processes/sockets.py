"""One WebSocket (RFC 6455) of who watches processes; flask-sock has made the handshake.

Its greenlet reads what the client says, and sees to signs of life and to the rights. What there
is to tell is written by who makes it, the same bytes to all of a group, without waiting
(:meth:`Socket.offer`). Only a socket that cannot take it gets a greenlet for writing, until it
has caught up.
"""

from __future__ import annotations

import contextlib
import json
import math
import secrets
import socket
import ssl
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Literal
from weakref import WeakValueDictionary

import gevent
import structlog
from gevent.lock import BoundedSemaphore
from gevent.socket import wait_read, wait_write
from wsproto.connection import ConnectionState
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from sidecar_api import ending
from sidecar_api.processes import frames, messages

if TYPE_CHECKING:
    from simple_websocket import Server

    from sidecar_api.processes.hub import Hub
    from sidecar_api.processes.messages import Message, Reason
    from sidecar_api.processes.view import View

MAX_MESSAGE: Final = 4096
"""Bytes of what a client says at once."""
MAX_RATE: Final = 10
"""Of its messages in a second."""
RECHECK: Final = 60.0
"""Seconds after which it is made sure that the reader may still watch this."""
STALL: Final = 30.0
"""Seconds that a client has to take what it is sent."""
SEND_BUFFER: Final = 128 * 1024
"""Bytes that the kernel holds for a socket."""
CATCHING_UP: Final = 64
PER_READER: Final = 4
"""Sockets, in all and of one reader, that are sent what they missed at the same time: each holds
its messages in memory."""
TURN: Final = 5.0
"""Seconds after which one that takes nothing is in the way of others who wait for a turn."""
_LINGER: Final = 1.0
_BLOCKED: Final = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)

_turns = BoundedSemaphore(CATCHING_UP)
_turns_of: WeakValueDictionary[str, BoundedSemaphore] = WeakValueDictionary()
_log = structlog.get_logger("sidecar")


class Closing(Exception):
    """The connection is to be closed.

    Args:
        code: of the close frame.
        reason: for people, at most 123 bytes.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Socket:
    """A member of a group; see :class:`sidecar_api.processes.groups.Member`.

    Args:
        ws: after the handshake; nobody else reads from it or writes to it.
        reader: id of who watches.
        view: what they watch.
        recheck: returns their view as of now.
            Raises Closing: they may not watch any more.
    """

    __slots__ = (
        "_behind",
        "_count",
        "_hub",
        "_open",
        "_protocol",
        "_recheck",
        "_rest",
        "_said",
        "_second",
        "_size",
        "_sock",
        "_turn",
        "lost",
        "number",
        "reader",
        "view",
    )

    def __init__(
        self, ws: Server, hub: Hub, reader: str, view: View, recheck: Callable[[], View]
    ) -> None:
        self.reader = reader
        self.view = view
        self.number = 0
        self.lost: Reason | Literal[""] = ""
        self._hub = hub
        self._sock = ws.sock
        self._protocol = ws.ws
        self._recheck = recheck
        self._turn = _turns_of.setdefault(reader, BoundedSemaphore(PER_READER))
        self._rest: memoryview | None = None
        self._behind = True
        self._open = True
        self._said: list[bytes] = []
        self._size = 0
        self._second = 0
        self._count = 0

    # -- what it is told -------------------------------------------------------------

    def offer(self, frame: bytes, number: int) -> None:
        """Take frames without waiting; fall behind where that cannot be."""
        if self._behind or not self._open:
            return
        try:
            sent = self._sock.send(frame)
        except _BLOCKED:
            sent = 0
        except OSError:
            self._drop()
            return
        if sent < len(frame):
            self._behind = True
            self._rest = memoryview(frame)[sent:]
            self.number = number
            gevent.spawn(self._catch_up)

    def begin_anew(self, reason: Reason, frame: bytes, number: int) -> None:
        """Take a reset and a snapshot without waiting, or read them when it has caught up."""
        if self._behind:
            self.lost = reason
        else:
            self.offer(frame, number)

    def end(self, code: int, reason: str) -> None:
        """Close it without waiting."""
        if not self._open:
            return
        self._open = False
        if self._rest is None:  # else the frame would stand in the middle of another
            with contextlib.suppress(OSError):
                self._sock.send(frames.close(code, reason))
        gevent.spawn_later(_LINGER, self._drop)

    def _catch_up(self) -> None:
        """Write what it has not had, until there is nothing more."""
        try:
            self._write_rest()  # without a turn: it is in memory already
            with self._turn, _turns:
                turn = time.monotonic() + TURN
                while self._open:
                    found = self._hub.pending(self)
                    if not found:
                        self._behind = False
                        return
                    self._rest = memoryview(frames.texts(*(one.body for one in found)))
                    self._write_rest(turn)
        except OSError:
            self._drop()

    def _write_rest(self, turn: float = math.inf) -> None:
        """Write all of it.

        Args:
            turn: monotonic seconds from when on it may not hold up others.

        Raises:
            OSError: the client takes nothing, or is gone.
        """
        until = time.monotonic() + STALL
        while self._rest is not None and self._rest.nbytes:
            try:
                sent = self._sock.send(self._rest)
            except _BLOCKED:
                sent = 0
            if sent:
                self._rest = self._rest[sent:]
                continue
            now = time.monotonic()
            if now >= until or (now >= turn and _turns.locked()):
                raise TimeoutError("the client takes nothing")
            with contextlib.suppress(TimeoutError):
                wait_write(self._sock.fileno(), min(until - now, 1.0))
        self._rest = None

    def _drop(self) -> None:
        """Cut the connection: whoever waits for it sees its end."""
        self._open = False
        with contextlib.suppress(OSError):
            self._sock.shutdown(2)

    # -- its life --------------------------------------------------------------------

    def run(self, recovered: bool | None, begin: Message | None) -> None:
        """Serve it, once it has joined, until it ends; nothing is raised.

        Args:
            recovered, begin: see :meth:`sidecar_api.processes.hub.Hub.join`.
        """
        try:
            self._sock.settimeout(0)
            # Else the kernel would keep megabytes for a client that takes nothing (tcp(7)).
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
            self._serve(recovered, begin)
        except Closing as told:
            self.close(told.code, told.reason)
        except (OSError, RemoteProtocolError, LocalProtocolError):
            pass
        except Exception:
            _log.error("a connection to live processes ended in an error", exc_info=True)
            self.close(1011, "this is a fault of ours")
        finally:
            self._hub.leave(self)
            self._drop()

    def refuse(self, told: Closing) -> None:
        """Close it before it watches anything."""
        with contextlib.suppress(OSError):
            self._sock.settimeout(0)
            self.close(told.code, told.reason)
        self._drop()

    def _serve(self, recovered: bool | None, begin: Message | None) -> None:
        hello = messages.hello(recovered, self._hub.stale_since)
        self._rest = memoryview(frames.texts(hello, *([begin.body] if begin else [])))
        self._catch_up()
        now = heard = time.monotonic()
        early = secrets.randbelow(1000) / 1000  # not all at the same moment
        spoken, checked = now - early * messages.HEARTBEAT / 2, now - early * RECHECK / 4
        while self._open and not ending.begun():
            due = min(spoken + messages.HEARTBEAT, checked + RECHECK, heard + messages.SILENCE)
            if self._wait(due - time.monotonic()) and self._listen():
                heard = time.monotonic()
            now = time.monotonic()
            if now - heard >= messages.SILENCE:
                raise Closing(messages.NO_HEARTBEAT, "no sign of life for 45 seconds")
            if now - spoken >= messages.HEARTBEAT:
                spoken = now
                self._beat()
            if now - checked >= RECHECK:
                checked = now
                self._check()
        if ending.begun():
            raise Closing(messages.GOING_AWAY, "the server goes away")

    def _wait(self, seconds: float) -> bool:
        """Whether there is something to read within that time."""
        try:
            wait_read(self._sock.fileno(), max(seconds, 0.0))
        except TimeoutError:
            return False
        return True

    def _beat(self) -> None:
        with self._hub.lock:
            if not self._behind:
                beat = frames.texts(
                    self._hub.moved(self).body, messages.ping(self._hub.stale_since)
                )
                self.offer(beat, self._hub.end)

    def _check(self) -> None:
        view = self._recheck()
        if view.binding() == self.view.binding():
            return
        behind, self._behind = self._behind, True
        self._hub.move(self, view)
        if not behind:
            self._catch_up()

    def close(self, code: int, reason: str) -> None:
        """Say why, and close it; wait a moment for the client to have read it."""
        if not self._open:
            return
        self._open = False
        if self._rest is None:
            told = frames.text(messages.error(code, reason)) + frames.close(code, reason)
            with contextlib.suppress(OSError):
                self._sock.send(told)
                self._sock.shutdown(1)
                until = time.monotonic() + _LINGER
                while self._wait(until - time.monotonic()):
                    if not self._sock.recv(65536):
                        return

    # -- what it says ----------------------------------------------------------------

    def _listen(self) -> bool:
        """Take what the client has sent; whether that was a sign of life.

        Raises:
            Closing: it goes, or says what it should not.
            OSError: it is gone.
        """
        heard = False
        while self._open:  # all there is: what TLS holds back does not make a socket readable
            try:
                data = self._sock.recv(MAX_MESSAGE)
            except _BLOCKED:
                return heard
            if not data:
                raise ConnectionResetError
            heard = True
            try:
                self._protocol.receive_data(data)
                for event in self._protocol.events():
                    self._take(event)
            except RemoteProtocolError as wrong:
                raise Closing(messages.PROTOCOL, "this is no WebSocket") from wrong
        return heard

    def _take(self, event: Any) -> None:
        self._count_one()
        if isinstance(event, CloseConnection):
            if self._protocol.state is not ConnectionState.REMOTE_CLOSING:
                raise Closing(messages.PROTOCOL, "this is no WebSocket")  # wsproto could not go on
            self._reply(self._protocol.send(event.response()))
            self._open = False
        elif isinstance(event, Ping):
            self._reply(self._protocol.send(event.response()))
        elif isinstance(event, BytesMessage):
            raise Closing(messages.PROTOCOL, "messages are JSON text")
        elif isinstance(event, TextMessage):
            self._said.append(event.data.encode("utf-8", "surrogatepass"))
            self._size += len(self._said[-1])
            if self._size > MAX_MESSAGE:
                raise Closing(messages.POLICY, f"a message may have {MAX_MESSAGE} bytes")
            if event.message_finished:
                text, self._said, self._size = b"".join(self._said), [], 0
                self._heard(text)
        elif not isinstance(event, Pong):
            raise Closing(messages.PROTOCOL, "this is no WebSocket")

    def _count_one(self) -> None:
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._count = second, 0
        self._count += 1
        if self._count > MAX_RATE:
            raise Closing(messages.POLICY, f"a client may say {MAX_RATE} things a second")

    def _heard(self, text: bytes) -> None:
        try:
            said = json.loads(text)
        except (ValueError, RecursionError):
            said = None
        kind = said.get("type") if isinstance(said, dict) else None
        if kind == "ping":
            self._reply(frames.text(messages.PONG))
        elif kind != "pong":
            raise Closing(messages.PROTOCOL, "a client says ping or pong")

    def _reply(self, frame: bytes) -> None:
        """Answer, unless it is behind: then what it gets is its answer."""
        with self._hub.lock:
            self.offer(frame, self._hub.end)
