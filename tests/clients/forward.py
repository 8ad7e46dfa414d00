"""A Fluent Forward client that waits for acknowledgements (fluent-logger has none).

Written from the Forward Protocol Specification v1, independent of the collector's code.

    with ForwardClient("127.0.0.1:24224") as client:
        client.send("app.audit", [(time.time_ns(), {"event.action": "server.create"})])
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import hashlib
import os
import socket
import ssl
import struct
import uuid
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgpack

Mode = Literal["message", "forward", "packed"]
Entry = tuple[Any, dict[str, Any]]
"""(time, record); an int from 10^15 on is taken as nanoseconds and becomes an EventTime."""


class HandshakeRefused(Exception):
    """The server said PONG with ``false``; the text is its reason."""


class NotAcknowledged(Exception):
    """The connection ended, or something else than the ack came back."""


def event_time(nanoseconds: int) -> msgpack.ExtType:
    """EventTime of a Unix time in ns."""
    return msgpack.ExtType(0, struct.pack(">II", *divmod(nanoseconds, 1_000_000_000)))


def _time(value: Any) -> Any:
    return event_time(value) if isinstance(value, int) and value >= 10**15 else value


def encode(
    tag: str,
    entries: Iterable[Entry],
    mode: Mode = "packed",
    *,
    compressed: bool = False,
    chunk: str | None = None,
    metadata: bool = False,
    size: bool = True,
) -> bytes:
    """The bytes of one message (of several in mode ``message`` with several entries)."""
    pairs = [[[_time(when), {}] if metadata else _time(when), what] for when, what in entries]
    option: dict[str, Any] = {}
    if chunk is not None:
        option["chunk"] = chunk
    if mode == "message":
        tail = [option] if option else []
        return b"".join(msgpack.packb([tag, *pair, *tail]) for pair in pairs)
    if size:
        option["size"] = len(pairs)
    if mode == "forward":
        return msgpack.packb([tag, pairs, option] if option else [tag, pairs])
    stream = b"".join(msgpack.packb(pair) for pair in pairs)
    if compressed:
        option["compressed"] = "gzip"
        stream = gzip.compress(stream, 1)
    return msgpack.packb([tag, stream, option] if option else [tag, stream])


def ping(helo: Any, shared_key: str, hostname: str, username: str, password: str) -> bytes:
    """PING for a HELO. The salt is 16 raw bytes sent as *str*, as Fluent Bit does."""
    nonce, auth = helo[1][b"nonce"], helo[1].get(b"auth", b"")
    salt = os.urandom(16)
    digest = hashlib.sha512(salt + hostname.encode() + nonce + shared_key.encode()).hexdigest()
    secret = ""
    if auth:
        secret = hashlib.sha512(auth + username.encode() + password.encode()).hexdigest()
    return (
        b"\x96"
        + msgpack.packb("PING")
        + msgpack.packb(hostname)
        + b"\xb0"
        + salt
        + msgpack.packb(digest)
        + msgpack.packb(username if auth else "")
        + msgpack.packb(secret)
    )


def check_pong(pong: Any) -> None:
    """Raise :class:`HandshakeRefused` unless the server let us in."""
    if pong[0] != b"PONG" or pong[1] is not True:
        raise HandshakeRefused(pong[2].decode())


def check_ack(answer: Any, chunk: str) -> None:
    """Raise :class:`NotAcknowledged` unless ``answer`` is the ack, with a *str* in it."""
    if answer != {"ack": chunk}:
        raise NotAcknowledged(f"{answer!r} instead of the ack of {chunk!r}")


def parse(address: str | tuple[str, int]) -> str | tuple[str, int]:
    """``host:port``, ``[v6]:port`` or ``unix:/path`` -> (host, port) or the path."""
    if isinstance(address, tuple):
        return address
    if address.startswith("unix:"):
        return address[5:]
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


class ForwardClient:
    """Synchronous client; one connection."""

    def __init__(
        self,
        address: str | tuple[str, int],
        *,
        tls: ssl.SSLContext | None = None,
        shared_key: str = "",
        username: str = "",
        password: str = "",
        hostname: str = "test-client",
        timeout: float = 10.0,
    ) -> None:
        where = parse(address)
        if isinstance(where, str):
            self.socket: socket.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.socket.settimeout(timeout)
            self.socket.connect(where)
        else:
            self.socket = socket.create_connection(where, timeout=timeout)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        self._unpacker = msgpack.Unpacker(raw=False)
        if shared_key:
            self._unpacker = msgpack.Unpacker(raw=True)
            helo = self.read()
            self.write(ping(helo, shared_key, hostname, username, password))
            check_pong(self.read())
            self._unpacker = msgpack.Unpacker(raw=False)

    def write(self, data: bytes) -> None:
        """Send raw bytes."""
        self.socket.sendall(data)

    def read(self) -> Any:
        """Read one MessagePack object; :class:`NotAcknowledged` if the connection ends."""
        while True:
            try:
                return self._unpacker.unpack()
            except msgpack.OutOfData:
                pass
            try:
                data = self.socket.recv(65536)
            except ConnectionError:
                data = b""
            if not data:
                raise NotAcknowledged("the server closed the connection")
            self._unpacker.feed(data)

    def send(
        self,
        tag: str,
        entries: Sequence[Entry],
        mode: Mode = "packed",
        *,
        compressed: bool = False,
        ack: bool = True,
        chunk: str | None = None,
        metadata: bool = False,
        size: bool = True,
    ) -> None:
        """Send entries as one message and wait until it is acknowledged."""
        if ack and chunk is None:
            chunk = uuid.uuid4().hex
        self.write(
            encode(
                tag,
                entries,
                mode,
                compressed=compressed,
                chunk=chunk,
                metadata=metadata,
                size=size,
            )
        )
        if ack and chunk is not None:
            check_ack(self.read(), chunk)

    def close(self) -> None:
        """Close the connection."""
        self.socket.close()

    def __enter__(self) -> ForwardClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncForwardClient:
    """The same for asyncio: ``client = await AsyncForwardClient.connect(...)``."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self._unpacker = msgpack.Unpacker(raw=False)

    @classmethod
    async def connect(
        cls,
        address: str | tuple[str, int],
        *,
        tls: ssl.SSLContext | None = None,
        shared_key: str = "",
        username: str = "",
        password: str = "",
        hostname: str = "test-client",
    ) -> AsyncForwardClient:
        """Connect and shake hands."""
        where = parse(address)
        name = "localhost" if tls is not None else None
        if isinstance(where, str):
            streams = await asyncio.open_unix_connection(where, ssl=tls, server_hostname=name)
        else:
            streams = await asyncio.open_connection(*where, ssl=tls, server_hostname=name)
        self = cls(*streams)
        if shared_key:
            self._unpacker = msgpack.Unpacker(raw=True)
            helo = await self.read()
            self.writer.write(ping(helo, shared_key, hostname, username, password))
            check_pong(await self.read())
            self._unpacker = msgpack.Unpacker(raw=False)
        return self

    async def read(self) -> Any:
        """Read one MessagePack object; :class:`NotAcknowledged` if the connection ends."""
        while True:
            try:
                return self._unpacker.unpack()
            except msgpack.OutOfData:
                pass
            try:
                data = await self.reader.read(65536)
            except ConnectionError:
                data = b""
            if not data:
                raise NotAcknowledged("the server closed the connection")
            self._unpacker.feed(data)

    async def send(
        self,
        tag: str,
        entries: Sequence[Entry],
        mode: Mode = "packed",
        *,
        compressed: bool = False,
        ack: bool = True,
        chunk: str | None = None,
        metadata: bool = False,
        size: bool = True,
    ) -> None:
        """Send entries as one message and wait until it is acknowledged."""
        if ack and chunk is None:
            chunk = uuid.uuid4().hex
        self.writer.write(
            encode(
                tag,
                entries,
                mode,
                compressed=compressed,
                chunk=chunk,
                metadata=metadata,
                size=size,
            )
        )
        await self.writer.drain()
        if ack and chunk is not None:
            check_ack(await self.read(), chunk)

    async def close(self) -> None:
        """Close the connection."""
        self.writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await self.writer.wait_closed()
