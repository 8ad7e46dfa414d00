"""Everything hostile at once, beside a good sender."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.forward import ForwardClient, HandshakeRefused, NotAcknowledged
from tests.faults.collector import hostile
from tests.faults.collector.outcome import Outcome
from tests.faults.collector.post import post
from tests.faults.collector.scenarios import QUICK, finish
from tests.faults.collector.traffic import Traffic, activity
from tests.integration.process import SHARED_KEY, TOKEN, Collector, free_port

MOST_MEMORY = 400
"""MiB. Twice 16 MiB of body, 32 of inflated body and 128 in flight fit in."""


@contextlib.contextmanager
def slow_loris(collector: Collector, count: int) -> Iterator[None]:
    """Connections that begin a request, a message or a handshake and never go on."""
    beginnings = {
        collector.http_port: b"POST /v1/activities HTTP/1.1\r\nHost: x\r\nX-A: ",
        collector.forward_port: b"\x93\xaeactivity.native\xdd\x00\x00\xff\xff\x92",
    }
    with contextlib.ExitStack() as stack:
        for port, data in beginnings.items():
            for _ in range(count):
                peer = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
                peer.sendall(data)
        yield


def send_requests(collector: Collector) -> int:
    """Send each; every hostile request gets its status, and each event its reason."""
    requests = hostile.requests()
    for one in requests:
        headers: dict[str, Any] = dict(one.headers)
        source = headers.pop("source", "native")
        headers = {name.replace("-", "_"): value for name, value in headers.items()}
        status, _, answer = post(
            collector, one.body, token=one.token or TOKEN, source=source, **headers
        )
        assert status == one.status, (one.name, answer)
        if status == 200:
            (item,) = answer["items"]
            assert (item.get("reason") or item["status"]) in one.outcomes, (one.name, item)
            assert item["status"] == "accepted" or item["detail"], (one.name, item)
        else:
            assert answer["detail"] and answer["title"], (one.name, answer)
            assert not one.outcomes or answer["reason"] in one.outcomes, (one.name, answer)
    return len(requests)


def send_messages(collector: Collector) -> int:
    """Bad entries cost themselves; bytes that make no sense end the connection."""
    for name, message in hostile.acknowledged_messages().items():
        with ForwardClient(collector.forward) as client:
            client.write(message)
            assert client.read() == {"ack": "hostile"}, name
    for name, message in hostile.refused_messages().items():
        with ForwardClient(collector.forward) as client, pytest.raises((NotAcknowledged, OSError)):
            client.write(message)
            answer = client.read()
            raise AssertionError(f"{name}: {answer}")
    return len(hostile.acknowledged_messages()) + len(hostile.refused_messages())


def send_endless_line(collector: Collector) -> None:
    """A line of 100 MB is refused when its length is known, or grows too long."""
    for head in (b"Content-Length: 104857600\r\n", b"Transfer-Encoding: chunked\r\n"):
        with socket.create_connection(("127.0.0.1", collector.http_port), timeout=20) as peer:
            peer.sendall(
                b"POST /v1/activities HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n"
                b"Authorization: Bearer " + TOKEN.encode() + b"\r\n" + head + b"\r\n"
            )
            block = b"x" * 65536
            with contextlib.suppress(OSError):
                for _ in range(1600):
                    peer.sendall(b"10000\r\n" + block + b"\r\n" if b"chunked" in head else block)
            answer = b""
            with contextlib.suppress(OSError):
                while part := peer.recv(65536):
                    answer += part
            assert not answer or b" 413 " in answer[:30], answer[:200]


def shake_wrongly(port: int) -> None:
    """A wrong shared key, user or password is refused in the handshake, with a reason."""
    for key, password in (("wrong key", "right"), (SHARED_KEY, "wrong")):
        with pytest.raises(HandshakeRefused, match=r"\w"):
            ForwardClient(("127.0.0.1", port), shared_key=key, username="ada", password=password)
    with ForwardClient(
        ("127.0.0.1", port), shared_key=SHARED_KEY, username="ada", password="right"
    ) as client:
        client.send("activity.native", [(1_790_000_000, activity("with-user", 1))])


def hostile_input(folder: Path, node: Any) -> Outcome:
    """Every hostile request, message, handshake and connection, while good senders go on."""
    outcome = Outcome("hostile input beside a good sender")
    port = free_port()
    ada = {"name": "ada", "username": "ada", "password": "${ADA_PASSWORD}"}
    collector = Collector(folder, node.cluster, senders=[ada], **QUICK)
    collector.environment |= {"ADA_PASSWORD": "right", "SHARED_KEY": SHARED_KEY}
    listener = {"bind": f"127.0.0.1:{port}", "shared_key": "${SHARED_KEY}"}
    collector.document["collector"]["forward"].append(listener)
    with collector, Traffic(collector, single=2, bulk=1, http=1) as traffic:
        collector.start()
        pid = collector.pid
        with slow_loris(collector, 30):
            traffic.wait_acked(50)
            faults = send_requests(collector) + send_messages(collector)
            send_endless_line(collector)
            shake_wrongly(port)
            traffic.wait_acked(50)
            assert collector.get("/healthz") == (200, "ok\n")
        assert collector.alive and collector.pid == pid
        assert collector.resident() < MOST_MEMORY
        status, rejected = collector.metric("activity_center_ready"), _rejected(collector)
        assert status == 1 and rejected > 20
        outcome.note = (
            f"{rejected} bad records rejected; {collector.resident()} MiB resident at most"
        )
        finish(outcome, collector, traffic, node.client)
        assert outcome.rejected == 0, "OpenSearch refused what we let through"
    log = collector.log.read_text(errors="replace")
    assert "Traceback" not in log and "error in the collector" not in log
    for secret in (TOKEN, SHARED_KEY, "wr0ng", "wrong key"):
        assert secret not in log
    outcome.faults = faults
    return outcome


def _rejected(collector: Collector) -> int:
    text = collector.get("/metrics")[1]
    found = re.findall(
        r'^activity_center_records_total\{.*outcome="(\w+)".*\} ([\d.]+)', text, re.M
    )
    return sum(
        int(float(count)) for outcome, count in found if outcome not in ("accepted", "ignored")
    )
