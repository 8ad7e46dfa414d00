"""Forward over real sockets: down, slow, cut, half-closed; nothing waits, all is counted."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from activity_center import Emitter


def balanced(made: Emitter) -> bool:
    """Whether every event is accounted for."""
    stats = made.stats()
    return stats.emitted == stats.queued + stats.sent + stats.dropped


def test_delivery_in_order(forward: Any, emitter: Any) -> None:
    """What is emitted arrives once, in order."""
    server = forward()
    made = emitter(server.url)
    ids = [made.emit("server.create", metadata={"n": number}) for number in range(500)]
    assert made.close(10)
    while len(server.messages) < 500:
        time.sleep(0.002)
    assert [event["event"]["id"] for event in server.events] == ids
    assert made.stats().as_dict() == {
        "emitted": 500,
        "queued": 0,
        "sent": 500,
        "accepted": 0,
        "rejected": 0,
        "dropped": 0,
        "errors": 0,
        "replaced": 0,
    }


def test_unix_socket(forward: Any, emitter: Any, tmp_path: Path, until: Any) -> None:
    """``unix:///path`` goes over a Unix socket."""
    server = forward(str(tmp_path / "f.sock"))
    emitter(server.url).emit("a.b")
    until(lambda: server.events)


def test_nobody_listens(free_port: int, emitter: Any) -> None:
    """The queue fills up to its bound; what is beyond is dropped, counted, and logged."""
    made = emitter(f"forward://127.0.0.1:{free_port}", queue_size=100)
    results = [made.emit("a.b") for _ in range(250)]
    assert [result is not None for result in results] == [True] * 100 + [False] * 150
    stats = made.stats()
    assert (stats.queued, stats.dropped, stats.sent) == (100, 150, 0)
    assert not made.flush(0.01)
    assert not made.close(0.01)
    assert made.stats().dropped == 250
    assert balanced(made)
    assert made.emit("a.b") is None, "closed"


def test_the_queue_is_bounded_in_bytes(free_port: int, emitter: Any) -> None:
    """A few huge events do not eat the program's memory."""
    made = emitter(f"forward://127.0.0.1:{free_port}", queue_bytes=1_000_000)
    for _ in range(20):
        made.emit("a.b", metadata={"text": "x" * 100_000})
    assert made.stats().queued == 9
    assert made.stats().dropped == 11


def test_a_server_that_comes_up_late_gets_all(forward: Any, emitter: Any, free_port: int) -> None:
    """What waited is sent, in order, once there is somebody."""
    made = emitter(f"forward://127.0.0.1:{free_port}")
    ids = [made.emit("a.b") for _ in range(20)]
    assert not made.flush(0.05)
    server = forward(("127.0.0.1", free_port))
    assert made.flush(20)
    while len(server.messages) < 20:
        time.sleep(0.002)
    assert [event["event"]["id"] for event in server.events] == ids
    assert made.stats().errors >= 1


def test_a_server_that_does_not_read_blocks_nobody(forward: Any, emitter: Any) -> None:
    """Once the kernel's buffers are full events wait, then are dropped; emit() returns."""
    server = forward()
    server.reading.clear()
    made = emitter(server.url, queue_size=50)
    for _ in range(400):  # 40 MB, beyond any socket buffer here
        made.emit("a.b", metadata={"text": "x" * 100_000})
    stats = made.stats()
    assert stats.dropped > 0
    assert stats.queued == 50
    server.reading.set()
    assert made.flush(20)
    sent = made.stats().sent
    while len({event["event"]["id"] for event in server.events}) < sent:
        time.sleep(0.01)
    assert balanced(made)


def test_a_partial_send_doubles_no_other_event(forward: Any, emitter: Any, until: Any) -> None:
    """The one event that was cut is sent again; those before it are not."""
    server = forward()
    made = emitter(server.url)
    made.emit("first")
    until(lambda: server.events)
    server.reading.clear()
    # The reader thread is inside recv(): this wakes it, then it waits.
    ids = [made.emit("a.b", metadata={"text": "x" * 300_000}) for _ in range(60)]
    until(lambda: made.stats().errors)  # the send timed out in the middle of an event
    server.reading.set()
    assert made.flush(20)
    until(lambda: len({event["event"]["id"] for event in server.events}) == 61)
    arrived = [event["event"]["id"] for event in server.events if "metadata" in event]
    assert sorted(arrived) == sorted(ids)  # over two connections, so in any order


def test_a_restarted_server(forward: Any, emitter: Any, until: Any) -> None:
    """A killed and restarted listener: the connection is made anew, and nothing raises."""
    server = forward()
    made = emitter(server.url)
    made.emit("before")
    until(lambda: server.events)
    server.stop()
    until(lambda: port_is_free(server.port))
    made.emit("between")
    again = forward(("127.0.0.1", server.port))
    assert made.flush(20)
    until(lambda: again.events)
    assert [event["event"]["action"] for event in again.events] == ["between"]


def port_is_free(port: int) -> bool:
    """Whether nobody listens there any more."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_a_half_closed_connection_is_noticed(emitter: Any) -> None:
    """A peer that said goodbye is not written to: the event goes over a new connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)
        made = emitter(f"forward://127.0.0.1:{listener.getsockname()[1]}")
        made.emit("first")
        one, _ = listener.accept()
        assert one.recv(65536)
        one.shutdown(socket.SHUT_WR)
        made.emit("second")
        two, _ = listener.accept()
        two.settimeout(20)
        # A goodbye that came while "first" was still being sent makes it come again.
        came = b""
        while b"second" not in came:
            part = two.recv(65536)
            assert part, came
            came += part
        one.settimeout(20)
        assert one.recv(65536) == b"", "nothing was written to the half-closed connection"
        one.close()
        two.close()


def test_many_threads(forward: Any, emitter: Any) -> None:
    """Threads that emit at once lose nothing and count right."""
    server = forward()
    made = emitter(server.url)

    def work() -> None:
        for _ in range(200):
            made.emit("a.b")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made.flush(20)
    assert made.stats().sent == 1600
    while len(server.messages) < 1600:
        time.sleep(0.005)
    sequences = [event["event"]["sequence"] for event in server.events]
    assert len({event["event"]["id"] for event in server.events}) == 1600
    assert len(set(sequences)) == 1600


def test_the_thread_ends_with_the_emitter(forward: Any) -> None:
    """An emitter that nobody holds any more sends what it has and leaves no thread."""

    def names() -> list[str]:
        return [thread.name for thread in threading.enumerate()]

    server = forward()
    before = names().count("activity-center-emitter")
    Emitter(server.url).emit("a.b")
    deadline = time.monotonic() + 20
    while names().count("activity-center-emitter") > before or not server.events:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_warning_says_that_events_are_lost(
    free_port: int, emitter: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Silence in an audit must be noticed: one line, not one an event."""
    made = emitter(f"forward://127.0.0.1:{free_port}", queue_size=1)
    with caplog.at_level("WARNING", logger="activity_center.emit"):
        for _ in range(50):
            made.emit("a.b")
    lines = [record.message for record in caplog.records if "dropped" in record.message]
    assert lines == ["the queue is full: events are dropped"]
