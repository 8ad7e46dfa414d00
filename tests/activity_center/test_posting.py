"""A post ends in time, whatever its receiver does."""

from __future__ import annotations

import contextlib
import socket
import threading

import pytest

from activity_center.posting import opener


@pytest.mark.parametrize(
    ("scheme", "first"),
    [
        ("http", b"HTTP/1.1 200 OK\r\nX: "),
        ("https", b"\x16\x03\x03\x40\x00"),
    ],
    ids=["headers", "handshake"],
)
def test_a_receiver_that_trickles_is_cut_off(scheme: str, first: bytes) -> None:
    """The time is over for all that comes after the connection: also for the handshake of TLS,
    of which the beginning of a record comes, and then byte by byte the rest."""
    stop, cut = threading.Event(), threading.Event()

    def trickle() -> None:
        connection, _ = server.accept()
        with connection, contextlib.suppress(OSError):
            connection.sendall(first)
            while not stop.wait(0.1):
                connection.sendall(b"a")
        cut.set()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=trickle, daemon=True).start()
        url = f"{scheme}://127.0.0.1:{server.getsockname()[1]}/"
        timer = threading.Timer(20, stop.set)
        timer.start()
        with contextlib.suppress(OSError):  # of an answer that was cut off, the status may be there
            opener(1.0).open(url, b"{}", timeout=10).close()
        assert not stop.is_set()
        assert cut.wait(15)
        assert not stop.is_set()
        timer.cancel()


def test_a_receiver_that_is_silent_has_all_its_time() -> None:
    """Longer than a connection may take: the time for an answer holds."""

    def answer() -> None:
        connection, _ = server.accept()
        with connection:
            threading.Event().wait(1.5)
            connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=answer, daemon=True).start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        with opener(60.0).open(url, b"{}", timeout=0.5) as got:
            assert got.status == 204
