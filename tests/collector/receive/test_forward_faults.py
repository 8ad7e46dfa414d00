"""Full and failing spools, slow and hostile peers: one connection's trouble is its own."""

from __future__ import annotations

import socket
import struct
import threading
import time

import msgpack
import pytest

from collector.receive.limits import ConnectionLimits
from tests.clients.forward import ForwardClient, NotAcknowledged, encode

EVENT = [(1, {"n": 1})]
QUICK = {"connection_limits": ConnectionLimits(handshake_timeout=0.3, message_timeout=0.3)}


# -- spool ---------------------------------------------------------------------------


def test_full_spool_delays_the_ack(serve, sink):
    """No room: no ack until there is, and then exactly one; the records are intact."""
    sink.full = 3
    server = serve.forward()
    with ForwardClient(server.address) as client:
        client.send("a", [(1, {"n": n}) for n in range(5)])
    assert [batch.records for batch in sink.batches] == [[{"n": n} for n in range(5)]]
    assert server.counters.held == 3


def test_full_spool_stops_reading(serve, sink, until):
    """A sender without acks is slowed by its own socket; nothing of it is lost."""
    sink.full, sink.retry_after = 1, 0.5
    server = serve.forward()
    message = encode("a", [(1, {"n": 1, "text": "x" * 10_000})], "message")
    client = ForwardClient(server.address)
    client.write(message)
    until(lambda: server.counters.held)
    client.socket.setblocking(False)
    sent = 0
    try:
        while sent < 200_000_000:  # far more than socket buffers hold
            sent += client.socket.send(message[sent % len(message) :] + message * 10)
    except BlockingIOError:
        pass
    assert sent < 100_000_000
    assert sink.batches == []
    client.socket.setblocking(True)
    if sent % len(message):
        client.write(message[sent % len(message) :])
    client.close()
    due = 1 + -(-sent // len(message))
    until(lambda: len(sink.records) == due)
    assert server.counters.truncated == 0


def test_full_spool_for_one_sender(serve, sink):
    """Only the connection that found the spool full waits."""
    sink.full, sink.retry_after = 1, 1.0
    server = serve.forward()
    with ForwardClient(server.address) as waits, ForwardClient(server.address) as goes:
        waits.write(encode("a", EVENT, chunk="first"))
        time.sleep(0.1)
        goes.send("a", EVENT)
        assert len(sink.batches) == 1
        assert waits.read() == {"ack": "first"}


def test_sender_that_left_while_its_chunk_waited(serve, sink, until):
    """What was read is kept when there is room again, also if the sender is gone."""
    sink.full = 2
    server = serve.forward()
    with ForwardClient(server.address) as client:
        client.write(encode("a", EVENT, "forward", size=False))
        until(lambda: server.counters.held == 1)
    until(lambda: len(sink.batches) == 1)
    until(lambda: server.counters.open_connections == 0)


def test_failed_spool(serve, sink):
    """The disk failed: no ack, the connection is closed."""
    server = serve.forward()
    sink.broken = True
    with ForwardClient(server.address) as client, pytest.raises(NotAcknowledged):
        client.send("a", EVENT)
    assert server.counters.acks == 0
    sink.broken = False
    with ForwardClient(server.address) as client:
        client.send("a", EVENT)


def test_error_in_the_collector(serve, sink, capsys):
    """An error of ours: no ack, the connection is closed, the log has the traceback and the
    process goes on."""
    server = serve.forward()
    sink.crash = True
    with ForwardClient(server.address) as client, pytest.raises(NotAcknowledged):
        client.send("a", EVENT)
    assert "ZeroDivisionError" in capsys.readouterr().out
    sink.crash = False
    with ForwardClient(server.address) as client:
        client.send("a", EVENT)


def test_stop_drains(serve, sink, until):
    """stop() lets what has arrived become durable and acknowledged."""
    sink.blocked = threading.Event()
    server = serve.forward()
    with ForwardClient(server.address) as client:
        # More than are in flight at a time, so that some wait to be decoded.
        chunks = [encode("a", [(1, {"n": n})], "message", chunk=str(n)) for n in range(100)]
        client.write(b"".join(chunks))
        until(lambda: server.counters.bytes == len(b"".join(chunks)))
        stopped: list[bool] = []
        thread = threading.Thread(target=lambda: stopped.append(serve.loop.run(server.stop(5))))
        thread.start()
        sink.blocked.set()
        assert [client.read()["ack"] for _ in range(100)] == [str(n) for n in range(100)]
        with pytest.raises(NotAcknowledged):
            client.read()
        thread.join()
    assert stopped == [True]


def test_stop_gives_up_in_time(serve, sink, until):
    """stop() returns false when something did not become durable in time."""
    sink.blocked = threading.Event()
    server = serve.forward()
    with ForwardClient(server.address) as client:
        client.write(encode("a", EVENT, chunk="c"))
        until(lambda: sink.under_way == 1)
        assert serve.loop.run(server.stop(0.1)) is False
        with pytest.raises(NotAcknowledged):
            client.read()


def test_memory_budget(serve, sink, until):
    """What is in flight is bounded over all connections; all of it is taken in the end."""
    sink.blocked = threading.Event()
    limits = ConnectionLimits(in_flight_memory=1_000_000)
    server = serve.forward(options={"connection_limits": limits})
    chunk = [(1, {"text": "x" * 20_000})]
    clients = [ForwardClient(server.address) for _ in range(10)]
    for client in clients:
        for n in range(3):
            client.write(encode("a", chunk, chunk=str(n)))
    until(lambda: not server.budget.has_room())
    time.sleep(0.05)
    assert sink.under_way < 10
    sink.blocked.set()
    for client in clients:
        assert [client.read()["ack"] for _ in range(3)] == ["0", "1", "2"]
        client.close()
    assert server.budget.used == 0


# -- slow peers ----------------------------------------------------------------------


def test_slow_loris(serve, sink, until):
    """A message that does not get on is cut off; one that idles between messages is not."""
    server = serve.forward(options=QUICK)
    with ForwardClient(server.address) as idle, ForwardClient(server.address) as slow:
        idle.send("a", EVENT)
        slow.write(encode("a", EVENT, chunk="c")[:-1])
        with pytest.raises(NotAcknowledged):
            slow.read()
        assert server.counters.timeouts == 1
        idle.send("a", EVENT)


def test_slow_handshake(serve, until):
    """A peer that does not answer HELO is cut off."""
    server = serve.forward(options=QUICK, shared_key="k", sender="local")
    with ForwardClient(server.address) as client:
        client._unpacker = msgpack.Unpacker(raw=True)
        assert client.read()[0] == b"HELO"
        with pytest.raises(NotAcknowledged):
            client.read()
    assert server.counters.timeouts == 1


def test_slow_tls(serve, pki):
    """A peer that does not go on with TLS is cut off."""
    server = serve.forward(options=QUICK, tls=pki.server(), sender="local")
    with ForwardClient(server.address) as client:
        client.write(b"\x16\x03\x01")
        with pytest.raises(NotAcknowledged):
            client.read()


def test_unfinished_messages_are_bounded(serve, sink, until):
    """Unfinished messages of all connections together have a bound; the oldest gives way."""
    limits = ConnectionLimits(buffered=1_000_000)
    server = serve.forward(options={"connection_limits": limits})
    head = b"\x92\xa1a\xc6" + struct.pack(">I", 700_000)
    with ForwardClient(server.address) as old, ForwardClient(server.address) as new:
        old.write(head + bytes(600_000))
        until(lambda: server.counters.bytes > 600_000)
        new.write(head + b"\xc0" * 699_990)
        with pytest.raises(NotAcknowledged):
            old.read()
        new.write(b"\xc0" * 10)
        with ForwardClient(server.address) as another:
            another.send("a", EVENT)


def test_peer_that_reads_no_acks(serve, sink, until):
    """Whoever does not read its acks is not read from either, and stopping does not hang."""
    server = serve.forward(options=QUICK)
    client = ForwardClient(server.address)
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.socket.settimeout(0.2)
    message = encode("a", EVENT, "message", chunk="x" * 1000)
    with pytest.raises(TimeoutError):
        for _ in range(1_000_000):
            client.write(message * 50)
    taken = server.counters.chunks
    assert taken < 200_000
    client.close()
