"""Hostile and broken bytes over Forward: a clear error, and others go on."""

from __future__ import annotations

import gzip

import msgpack
import pytest

from collector.decode import Limits
from tests.clients.forward import ForwardClient, NotAcknowledged, encode

EVENT = [(1, {"n": 1})]


@pytest.fixture
def good(serve, sink):
    """A listener and a connection that must work before and after whatever happens."""
    server = serve.forward()
    with ForwardClient(server.address) as client:
        client.send("a", EVENT)
        yield server, client
        client.send("a", EVENT)
        with ForwardClient(server.address) as another:
            another.send("a", EVENT)


DEEP = b"\x92\xa1a\xc6"
RECORD = msgpack.packb([1, {"n": 2}])


def _packed(stream: bytes, option: dict | None = None) -> bytes:
    return msgpack.packb(["a", stream, {"chunk": "c", **(option or {})}])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\xc1", "not MessagePack"),
        (b"\x91" * 2000, "nested beyond 1024 levels"),
        (b"GET / HTTP/1.1\r\n\r\n", "speaks HTTP"),
        (b"POST /v1/activities HTTP/1.1\r\n\r\n", "speaks HTTP"),
        (b"\x16\x03\x01\x02\x00\x01", "speaks TLS"),
        (b'{"a": 1}\n', "sends JSON"),
        (b"<34>1 2003-10-11T22:14:15.003Z host su", "sends syslog"),
        (msgpack.packb({"a": 1}), "not a Forward message"),
        (msgpack.packb([]), "not a Forward message"),
        (msgpack.packb([1, 2, 3]), "the tag is not a string"),
        (msgpack.packb(["a", 5]), "neither entries nor a time"),
        (msgpack.packb(["a", [], {}, {}]), "2 or 3 elements"),
        (msgpack.packb(["a", b"", 5]), "option is not a map"),
        (msgpack.packb(["a", [], {"chunk": 5}]), "chunk id"),
        (msgpack.packb(["a", [], {"chunk": "x" * 2000}]), "chunk id"),
        (b"\x93\xa1a\x90\x81", None),
    ],
)
def test_bytes_that_make_no_sense(good, sink, capsys, until, data, reason):
    """The bytes are kept with the reason, the log says who and what next, the connection
    is closed, others go on."""
    server, _ = good
    with ForwardClient(server.address) as bad:
        bad.write(data)
        if reason is None:  # truncated: only the end of the connection shows it
            bad.close()
            until(lambda: server.counters.truncated == 1)
            return
        with pytest.raises(NotAcknowledged):
            bad.read()
    (kept,) = sink.rejected
    assert kept[:2] == ("local", data)
    assert reason in kept[2]
    log = capsys.readouterr().out
    assert "bytes not understood" in log and "hint=" in log and "sender=local" in log
    assert server.counters.protocol_errors == 1


def test_earlier_chunks_are_acknowledged_before_the_close(serve, sink):
    """Nonsense behind good chunks does not cost their acks."""
    with ForwardClient(serve.forward().address) as client:
        client.write(encode("a", EVENT, chunk="good") + b"\xc1")
        assert client.read() == {"ack": "good"}
        with pytest.raises(NotAcknowledged):
            client.read()
    assert sink.rejected == [("local", b"\xc1", "undecodable: the bytes are not MessagePack")]


@pytest.mark.parametrize("header", [b"\xdb", b"\xc6", b"\xdd", b"\xdf"])
def test_forged_lengths(good, until, header):
    """A length of 4 GiB that does not follow reserves nothing; str and bin of that length
    are refused as soon as their header is looked at."""
    server, _ = good
    with ForwardClient(server.address) as bad:
        bad.write(b"\x92\xa1a" + header + b"\xff\xff\xff\xff" + b"\xc0" * 8192)
        if header in (b"\xdb", b"\xc6"):
            with pytest.raises(NotAcknowledged):
                bad.read()
        else:
            bad.close()
            until(lambda: server.counters.truncated == 1)


def test_too_large_a_message(serve, sink, until):
    """A message above the limit is refused while it arrives, not when it is there."""
    server = serve.forward(options={"limits": Limits(chunk_bytes=1_000_000)})
    with ForwardClient(server.address) as bad, ForwardClient(server.address) as other:
        entries = [[1, {"x": "y" * 1000}]] * 2000
        with pytest.raises((NotAcknowledged, OSError)):
            bad.write(msgpack.packb(["a", entries, {"chunk": "c"}]))
            bad.read()
        other.send("a", EVENT)
    assert "too_large" in sink.rejected[0][2]
    assert len(sink.rejected[0][1]) < 1_600_000


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (b"\x92\x01\x81\xa1a\xa2\xff\xfe", "bad_text"),
        (b"\x92\x01\x81\xa2\xff\xfe\x01", "bad_text"),
        (b"\x92\x01\x81\xa1a\xc4\x02\xff\xfe", "bad_text"),
        (b"\x92\x01\x81\xa1a\xa3\xed\xa0\x80", "bad_text"),  # a surrogate in UTF-8
        (b"\x92\x01\x81\xa1a" + b"\x91" * 1010 + b"\x01", "too_deep"),
        (b"\x91\x01", "undecodable"),
        (msgpack.packb([1, {"text": "x" * 1_100_000}]), "too_large"),
    ],
)
def test_a_broken_entry_costs_itself(good, sink, entry, reason):
    """The other entries of the chunk are accepted, the broken one kept with its bytes, and
    the chunk acknowledged, so that it does not come again for ever."""
    server, client = good
    client.write(_packed(RECORD * 3 + entry + RECORD * 2))
    assert client.read() == {"ack": "c"}
    assert sink.batches[-1].records == [{"n": 2}] * 5
    (kept,) = sink.rejected
    assert kept[2].startswith(reason) and "entry 3" in kept[2]
    assert kept[1] == entry
    assert server.counters.broken_records == 1


@pytest.mark.parametrize(
    ("stream", "good_records", "reason"),
    [
        (RECORD * 2 + RECORD[:-1], 2, "undecodable"),
        (RECORD * 2 + b"\xc1" + RECORD, 2, "undecodable"),
        (RECORD * 2 + b"\x91" * 3000 + b"\x01" + RECORD, 2, "too_deep"),
        (b"\xdd\xff\xff\xff\xff", 0, "undecodable"),
        (RECORD + b"\x92\x01\xdf\xff\xff\xff\xff", 1, "undecodable"),
    ],
)
def test_a_stream_that_breaks_off(good, sink, stream, good_records, reason):
    """What comes before the break is accepted; the rest is kept as it is."""
    _, client = good
    before = len(sink.records)
    client.write(_packed(stream))
    assert client.read() == {"ack": "c"}
    assert len(sink.records) - before == good_records
    (kept,) = sink.rejected
    assert kept[2].startswith(reason)
    assert stream.endswith(kept[1])


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (_packed(gzip.compress(bytes(40_000_000)), {"compressed": "gzip"}), "too_large"),
        (_packed(b"no gzip", {"compressed": "gzip"}), "undecodable"),
        (_packed(gzip.compress(RECORD)[:-4], {"compressed": "gzip"}), "undecodable"),
        (_packed(RECORD, {"fluent_signal": 1}), "undecodable"),
    ],
    ids=["bomb", "no gzip", "cut gzip", "metrics"],
)
def test_a_chunk_that_cannot_be_read(good, sink, message, reason):
    """A chunk in a sound message is kept whole and acknowledged: sent again it would be no
    better."""
    server, client = good
    client.write(message)
    assert client.read() == {"ack": "c"}
    (kept,) = sink.rejected
    assert kept[1] == message and kept[2].startswith(reason)
    assert server.counters.refused_chunks == 1


def test_zstd_is_refused(good, sink, capsys, until):
    """zstd is not supported: not acknowledged, so that a sender with acks keeps it until it
    is set up for gzip; from one without acks the bytes are kept."""
    server, _ = good
    for option, kept in (({}, 0), ({"chunk": None}, 1)):
        with ForwardClient(server.address) as client:
            client.write(_packed(b"(\xb5/\xfd", {"compressed": "zstd", **option}))
            with pytest.raises(NotAcknowledged):
                client.read()
        assert len(sink.rejected) == kept
    assert "set compress gzip" in capsys.readouterr().out


def test_gzip_members(serve, sink):
    """Fluentd's compressed chunks have a gzip member per write."""
    stream = b"".join(gzip.compress(RECORD) for _ in range(50))
    with ForwardClient(serve.forward().address) as client:
        client.write(_packed(stream, {"compressed": "gzip"}))
        client.read()
    assert len(sink.records) == 50


def test_bounds_on_records_and_values(serve, sink):
    """Too many records, or values that would take hundreds of MB, are refused whole."""
    limits = Limits(records=1000, values=200_000)
    server = serve.forward(options={"limits": limits})
    with ForwardClient(server.address) as client:
        for stream in (
            b"\x92\x01\x80" * 1001,
            (b"\x92\x01\x81\xa1a\x9f" + b"\x80" * 15) * 900 * 25,
        ):
            client.write(_packed(stream))
            assert client.read() == {"ack": "c"}
        client.send("a", EVENT)
    assert [kept[2].split(":")[0] for kept in sink.rejected] == ["too_large"] * 2
    assert len(sink.records) == 1


def test_odd_but_whole(good, sink):
    """80-bit integers do not exist in MessagePack; NaN, dates far off, dotted keys and 10,000
    keys arrive as they are: what to do with them is decided behind."""
    _, client = good
    record = {
        "nan": float("nan"),
        "big": 2**64 - 1,
        "small": -(2**63),
        "a.b.c": {"": 1},
        "when": "9999-12-31T23:59:59Z",
        **{f"key{n}": n for n in range(10_000)},
    }
    client.send("a", [(0, record), (2**32 - 1, {"n": 3})])
    got = sink.batches[-1].records[0]
    assert got.pop("nan") != record.pop("nan")
    assert got == record
    assert sink.batches[-1].times == [0, (2**32 - 1) * 10**9]
