"""Deadlines of connections, and how many one address may have: over real sockets."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import gevent.ssl
import pytest
from gevent.pool import Pool

from sidecar_api.client_address import Network, networks
from sidecar_api.connections import Listener

Handle = Callable[[Any, Any], None]


class Counted(Listener):
    """Counts loopback's connections as those of anybody else."""

    def _block(self, address: Any) -> str:
        return "" if self._free else str(address[0])


@contextlib.contextmanager
def served(handle: Handle, **rest: Any) -> Iterator[tuple[str, int]]:
    """The address of a server that runs in a thread, with a loop of its own."""
    address: list[tuple[str, int]] = []
    ready, ended = threading.Event(), threading.Event()

    def serve() -> None:
        rest.setdefault("free", ())
        server = Counted(("127.0.0.1", 0), handle=handle, spawn=Pool(20), **rest)
        server.start()
        address.append(server.address)
        ready.set()
        while not ended.is_set():
            gevent.sleep(0.02)
        server.stop(0.1)

    thread = threading.Thread(target=serve)
    thread.start()
    assert ready.wait(10)
    try:
        yield address[0]
    finally:
        ended.set()
        thread.join(10)


def echo(client: Any, _address: Any) -> None:
    while part := client.recv(10):
        client.sendall(part)


def answers(connection: socket.socket) -> bool:
    """Whether the other side serves the connection."""
    connection.settimeout(10)
    with contextlib.suppress(ConnectionError):
        connection.sendall(b"x")
        return connection.recv(1) == b"x"
    return False


@pytest.mark.parametrize(("free", "served_too"), [((), False), (("127.0.0.0/8",), True)])
def test_an_address_has_so_many_connections(free: tuple[str, ...], served_too: bool) -> None:
    """One more is closed, until another has ended; a trusted proxy has as many as it likes."""
    trusted: tuple[Network, ...] = networks(free, where="")
    with served(echo, most=3, free=trusted) as address, contextlib.ExitStack() as open_ones:
        held = [open_ones.enter_context(socket.create_connection(address)) for _ in range(3)]
        assert all(answers(one) for one in held)
        with socket.create_connection(address) as fourth:
            assert answers(fourth) is served_too
        held[0].shutdown(socket.SHUT_WR)
        assert held[0].recv(1) == b""  # it has ended there too
        with socket.create_connection(address) as another:
            assert answers(another)


def test_who_takes_nothing_is_cut_off() -> None:
    """A client that never reads its answer does not keep the greenlet that sends it."""
    ended = threading.Event()

    def pour(client: Any, _address: Any) -> None:
        try:
            while True:
                client.sendall(b"x" * 65536)
        except OSError:
            ended.set()

    with served(pour, stall=0.5) as address, socket.create_connection(address):
        assert ended.wait(30)


def test_a_handshake_that_never_comes() -> None:
    """A client that speaks no TLS to an address with TLS is cut off."""
    context = gevent.ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with served(echo, handshake=0.3, ssl_context=context) as address:
        silent = socket.create_connection(address)
        silent.settimeout(10)
        assert silent.recv(1) == b""
        silent.close()
