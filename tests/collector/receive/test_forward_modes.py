"""Every way in which clients put events on the wire."""

from __future__ import annotations

import struct
import threading
import time

import msgpack
import pytest

from tests.clients.forward import ForwardClient, Mode, encode, event_time

NS = 1_700_000_000_123_456_789
RECORDS = [{"n": n, "user": {"name": "ada"}, "ok": True, "x": None} for n in range(20)]
ENTRIES = [(NS + n, record) for n, record in enumerate(RECORDS)]


@pytest.mark.parametrize("metadata", [False, True])
@pytest.mark.parametrize(
    ("mode", "compressed", "size"),
    [
        ("forward", False, True),
        ("forward", False, False),
        ("packed", False, True),
        ("packed", False, False),
        ("packed", True, True),
        ("packed", True, False),
    ],
)
def test_batch_modes(serve, sink, mode: Mode, compressed: bool, size: bool, metadata: bool):
    """Forward, PackedForward and CompressedPackedForward, with Fluent Bit's pair of time
    and metadata or without, give the same records and times, acknowledged by their id."""
    with ForwardClient(serve.forward().address) as client:
        client.send("app.x", ENTRIES, mode, compressed=compressed, metadata=metadata, size=size)
    (batch,) = sink.batches
    assert batch.records == RECORDS
    assert batch.times == [NS + n for n in range(20)]
    assert (batch.tag, batch.sender.name, batch.source) == ("app.x", "local", None)
    assert batch.received > NS


def test_message_mode(serve, sink):
    """Message mode: one event, acknowledged when it carries a chunk id."""
    with ForwardClient(serve.forward(source="native").address) as client:
        client.send("app.x", ENTRIES[:1], "message")
    assert sink.batches[0].records == RECORDS[:1]
    assert sink.batches[0].source == "native"


def test_without_acks(serve, sink, until):
    """What carries no chunk id is kept too, also when the client closes at once."""
    address = serve.forward().address
    with ForwardClient(address) as client:
        client.write(encode("a", ENTRIES, "message"))
        client.write(encode("a", ENTRIES, "forward", size=False))
    until(lambda: len(sink.records) == 40)
    assert sink.records == RECORDS * 2


@pytest.mark.parametrize(
    ("sent", "due"),
    [
        (1_700_000_000, 1_700_000_000_000_000_000),
        (1_700_000_000.25, 1_700_000_000_250_000_000),
        (event_time(NS), NS),
        (msgpack.ExtType(0, b"short"), None),
        (msgpack.Timestamp.from_unix_nano(NS), 1_700_000_000_123_457_000),  # to the microsecond
        (float("nan"), None),
        (True, None),
        (None, None),
        (-5, -5_000_000_000),
        (2**63, 2**63 * 1_000_000_000),
    ],
)
def test_times(serve, sink, sent, due):
    """EventTime, whole and fractional seconds and MessagePack's timestamp are times in ns;
    a time that is none does not cost the event."""
    with ForwardClient(serve.forward().address) as client:
        client.write(msgpack.packb(["a", [[sent, {"n": 1}]], {"chunk": "c"}]))
        assert client.read() == {"ack": "c"}
    assert sink.batches[0].records == [{"n": 1}]
    assert sink.batches[0].times == [due]


def test_packed_as_str(serve, sink):
    """Fluentd sends the packed entries with a header of type str32."""
    stream = b"".join(msgpack.packb([event_time(NS), record]) for record in RECORDS)
    message = (
        b"\x93\xa1a\xdb" + struct.pack(">I", len(stream)) + stream + msgpack.packb({"chunk": "é"})
    )
    with ForwardClient(serve.forward().address) as client:
        client.write(message)
        assert client.read() == {"ack": "é"}
    assert sink.records == RECORDS


def test_ack_is_a_str(serve):
    """The id goes back as str even if it came as bin: Fluent Bit takes nothing else."""
    with ForwardClient(serve.forward().address) as client:
        for chunk in (b"bin", b"\xff" * 40, b"x" * 300):
            client.write(msgpack.packb(["a", [[1, {}]], {"chunk": chunk}]))
            head = {3: b"\xa3", 40: b"\xd9\x28", 300: b"\xda\x01\x2c"}[len(chunk)]
            due = b"\x81\xa3ack" + head + chunk
            got = b""
            while len(got) < len(due):
                got += client.socket.recv(len(due) - len(got))
            assert got == due


def test_heartbeat_and_empty_chunk(serve, sink):
    """nil is a heartbeat and answered by nothing; an empty chunk is acknowledged."""
    server = serve.forward()
    with ForwardClient(server.address) as client:
        client.write(b"\xc0")
        client.send("a", [], "forward")
        client.send("a", [], "packed")
    assert sink.batches == []
    assert server.counters.chunks == server.counters.acks == 2


def test_metadata_is_kept(serve, sink):
    """Metadata of an entry (Forward protocol 1.5) is not lost."""
    entry = [[event_time(NS), {"otlp": {"id": b"bin"}}], {"n": 1, "fluent_metadata": "taken"}]
    with ForwardClient(serve.forward().address) as client:
        client.write(msgpack.packb(["a", [entry], {"chunk": "c"}]))
        client.read()
    assert sink.records == [
        {"n": 1, "fluent_metadata": "taken", "fluent_metadata_": {"otlp": {"id": "bin"}}}
    ]


def test_values_that_json_lacks(serve, sink):
    """Binary text, keys that are no text and extensions become what JSON has."""
    record = {
        b"bytes": b"caf\xc3\xa9",
        1: {None: [b"x", (1, 2)]},
        "time": event_time(NS),
        "ext": msgpack.ExtType(9, b"\x00"),
        "stamp": msgpack.Timestamp(1_700_000_000),
        "1": "a key of its own",
    }
    with ForwardClient(serve.forward().address) as client:
        client.write(msgpack.packb(["a", [[1, record]], {"chunk": "c"}]))
        client.read()
    assert sink.records == [
        {
            "bytes": "café",
            "1": {"null": ["x", [1, 2]]},
            "time": "2023-11-14T22:13:20.123456789Z",
            "ext": {"type": 9, "data": "AA=="},
            "stamp": "2023-11-14T22:13:20Z",
            "1_": "a key of its own",
        }
    ]


def test_many_chunks_at_a_time(serve, sink, until):
    """Chunks of one connection are made durable together, within a bound, and
    acknowledged in the order sent."""
    sink.blocked = threading.Event()
    server = serve.forward()
    with ForwardClient(server.address) as client:
        for n in range(100):
            client.write(encode("a", [(1, {"n": n})], "message", chunk=str(n)))
        until(lambda: sink.under_way == server.connection_limits.in_flight)
        sink.blocked.set()
        assert [client.read()["ack"] for _ in range(100)] == [str(n) for n in range(100)]
    assert sink.most_under_way == server.connection_limits.in_flight
    assert sorted(record["n"] for record in sink.records) == list(range(100))
    assert server.counters.acks == server.counters.chunks == 100


def test_chunk_in_pieces(serve, sink):
    """A message may arrive byte by byte."""
    with ForwardClient(serve.forward().address) as client:
        for byte in encode("a", ENTRIES[:3], "packed", compressed=True, chunk="c"):
            client.write(bytes([byte]))
            time.sleep(0)
        assert client.read() == {"ack": "c"}
    assert sink.records == RECORDS[:3]


def test_large_chunk(serve, sink):
    """A chunk of several MB, beyond the single-call path, keeps all records and order."""
    entries = [(NS, {"n": n, "text": "x" * 1000}) for n in range(6000)]
    with ForwardClient(serve.forward().address) as client:
        client.send("a", entries, "packed")
        client.send("a", entries, "forward")
    assert [batch.records for batch in sink.batches] == [[record for _, record in entries]] * 2


def test_fluent_bit(serve, sink):
    """Fluent Bit's option map has fluent_signal 0 for logs; then the chunk is one of logs."""
    pairs = [[[event_time(NS), {}], {"n": 1}]]
    option = {"chunk": "YWJj", "size": 1, "fluent_signal": 0}
    with ForwardClient(serve.forward().address) as client:
        for content in (pairs, msgpack.packb(pairs[0])):
            client.write(msgpack.packb(["kube.x", content, option]))
            assert client.read() == {"ack": "YWJj"}
    assert sink.records == [{"n": 1}] * 2
    assert [batch.times for batch in sink.batches] == [[NS]] * 2
