"""Bodies of requests take bounded memory, however many, large and slow they are."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from activity_center.config import Cluster
from collector.decode import Limits
from collector.receive.limits import ConnectionLimits
from tests.clients.http import Client, head, problem, raw_connection
from tests.integration.process import TOKEN, Collector

MIB = 1024**2
NOWHERE = Cluster(url="http://127.0.0.1:1")  # what is accepted stays in the spool


def answer_of(raw: socket.socket) -> bytes:
    """What is answered until the server closes, or a moment passes."""
    raw.settimeout(5)
    answer = b""
    with contextlib.suppress(OSError):
        while piece := raw.recv(65536):
            answer += piece
            if b"\r\n\r\n" in answer:
                break
    return answer


@contextlib.contextmanager
def bodies_without_end(
    address: tuple[str, int], connections: int, size: int
) -> Iterator[list[bytes]]:
    """Send ``connections`` bodies at the same time, each but its last byte; keep them open.

    Gives the answers of those that were answered.
    """
    start = head(str(size).encode()).replace(b"token-of-app", TOKEN.encode())
    data = memoryview(start + b" " * (size - 1))
    with contextlib.ExitStack() as opened:
        unsent = {}
        for _ in range(connections):
            one = opened.enter_context(socket.create_connection(address, timeout=10))
            one.setblocking(False)
            unsent[one] = data
        every = list(unsent)
        end = time.monotonic() + 30
        while unsent:
            assert time.monotonic() < end, "the bodies were not read"
            for one, rest in list(unsent.items()):
                try:
                    unsent[one] = rest[one.send(rest[:MIB]) :]
                except BlockingIOError:
                    continue
                except OSError:  # closed after the answer
                    unsent[one] = rest[:0]
                if not unsent[one]:
                    del unsent[one]
        answers = []
        for one in every:
            with contextlib.suppress(OSError):
                answers.append(one.recv(65536))
        yield answers


def resident(pid: int, name: str) -> int:
    """``VmRSS`` or ``VmHWM`` of a process, bytes (proc(5))."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(rf"{name}:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) * 1024


def test_many_large_slow_bodies(tmp_path: Path) -> None:
    """100 bodies of 8 MiB that one sender never ends: the process stays within the bound
    of unfinished ones, those that have no room are told when to come again, and others
    are served."""
    with Collector(tmp_path / "collector", NOWHERE) as collector:
        collector.start()
        before = resident(collector.pid, "VmRSS")
        with bodies_without_end(("127.0.0.1", collector.http_port), 100, 8 * MIB) as answers:
            assert resident(collector.pid, "VmHWM") - before < 160 * MIB
            assert len(answers) > 50
            for answer in answers:
                assert answer.startswith(b"HTTP/1.1 503 ")
                assert b"Retry-After: 1\r\n" in answer
            client = Client(f"127.0.0.1:{collector.http_port}")
            auth = {"Authorization": f"Bearer {TOKEN}"}
            assert client({"event": {"action": "server.create"}}, auth=auth).status == 200


def test_the_oldest_gives_way(serve, sink):
    """Unfinished bodies of a listener have a bound; the oldest is answered 503 with
    Retry-After, the newer one is taken."""
    server = serve.http(connection_limits=ConnectionLimits(buffered=1_000_000))
    body = b'{"n": "' + b"x" * 900_000 + b'"}'
    length = str(len(body)).encode()
    with raw_connection(server.address) as old, raw_connection(server.address) as new:
        old.sendall(head(length) + body[:600_000])
        new.sendall(head(length) + body[:600_000])
        answer = answer_of(old)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"Retry-After: 1\r\n" in answer and b"urn:activity-center:problem:busy" in answer
        new.sendall(body[600_000:])
        assert answer_of(new).startswith(b"HTTP/1.1 200 ")
    assert len(sink.records) == 1
    assert server.counters.held == 1 and server.budget.used == 0


def test_bodies_count_in_the_budget(serve, sink, until):
    """What has arrived of a body counts as memory in flight; one that finds too much is
    answered 503 before it is read, and those begun can end."""
    server = serve.http(connection_limits=ConnectionLimits(in_flight_memory=500_000))
    body = b'{"n": "' + b"x" * 900_000 + b'"}'
    with raw_connection(server.address) as raw:
        raw.sendall(head(str(len(body)).encode()) + body[:700_000])
        until(lambda: server.budget.used == 700_000)
        problem(Client(server.address)({"n": 1}), 503, "busy")
        with raw_connection(server.address) as asks:
            asks.sendall(head(b"8", b"Expect: 100-continue\r\n"))
            assert answer_of(asks).startswith(b"HTTP/1.1 503 ")
        raw.sendall(body[700_000:])
        assert answer_of(raw).startswith(b"HTTP/1.1 200 ")
    assert server.budget.used == 0
    assert Client(server.address)({"n": 1}).status == 200


def test_a_body_under_way_finds_no_room(serve, sink, until):
    """A body that has begun is answered 503 when others have taken all the memory since."""
    sink.blocked = threading.Event()
    server = serve.http(connection_limits=ConnectionLimits(in_flight_memory=500_000))
    with raw_connection(server.address) as slow:
        slow.sendall(head(b"900000") + b" " * 100_000)
        until(lambda: server.budget.used == 100_000)
        client = threading.Thread(target=lambda: Client(server.address)({"n": "x" * 300_000}))
        client.start()
        until(lambda: sink.under_way == 1)
        slow.sendall(b" " * 100_000)
        assert answer_of(slow).startswith(b"HTTP/1.1 503 ")
        sink.blocked.set()
        client.join()
    until(lambda: server.counters.open_requests == 0)
    assert server.budget.used == 0


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (head(b"100") + b'{"n"', b" 408 "),
        (head(b"2000000"), b" 413 "),
        (head(None, b"Transfer-Encoding: chunked\r\n") + b"fffff\r\n" + b" " * 1_048_575, b" 413 "),
        (head(b"9") + b"{no json}", b" 400 "),
    ],
)
def test_memory_is_given_back(serve, sink, until, sent, status):
    """However a request ends, its memory is free again."""
    server = serve.http(
        limits=Limits(chunk_bytes=1_000_000),
        connection_limits=ConnectionLimits(message_timeout=0.3),
    )
    with raw_connection(server.address) as raw:
        raw.sendall(sent)
        assert status in answer_of(raw)
    with raw_connection(server.address) as raw:  # and one that breaks off
        raw.sendall(head(b"100") + b'{"n"')
        until(lambda: server.budget.used == 4)
    until(lambda: server.counters.open_requests == 0)
    assert server.budget.used == 0
