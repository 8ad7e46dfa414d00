"""Decoding as functions over bytes: what comes out, and what it may cost."""

from __future__ import annotations

import gc
import gzip
import json
import math
import struct
import tracemalloc
from typing import Any

import msgpack
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from activity_center.errors import ProtocolError
from collector.decode import (
    DEFAULT_LIMITS,
    Framer,
    Limits,
    Unreadable,
    decode_json,
    decode_message,
    inflate,
)
from collector.decode.entries import Scale, decode_stream
from collector.decode.plain import plain

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | TEXT | st.floats()
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4)
)
RECORDS = st.lists(st.dictionaries(TEXT, JSON, max_size=5), max_size=8)
ODD = st.recursive(
    SCALARS | st.binary(max_size=8) | st.builds(msgpack.ExtType, st.integers(0, 127), st.binary()),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.integers(0, 99) | TEXT | st.binary(max_size=4) | st.none(), inner, max_size=4
        )
    ),
)


def same(one: Any, other: Any) -> bool:
    """Equality with NaN equal to itself."""
    return repr(one) == repr(other)


def packed(records: list[Any]) -> bytes:
    return b"".join(msgpack.packb([7, record]) for record in records)


@given(RECORDS, st.sampled_from(["forward", "packed", "gzip"]), st.booleans())
def test_records_come_out_as_they_went_in(records, mode, sized):
    """Plain JSON values survive every mode, NaN and large integers included."""
    stream: Any = packed(records)
    option: dict[str, Any] = {"size": len(records)} if sized else {}
    if mode == "gzip":
        stream, option = gzip.compress(stream), {**option, "compressed": "gzip"}
    content = [[7, record] for record in records] if mode == "forward" else stream
    message = decode_message(msgpack.packb(["t", content, option]), DEFAULT_LIMITS)
    assert same(message.decoded.records, records)
    assert message.decoded.times == [7_000_000_000] * len(records)
    assert message.decoded.broken == []


@given(st.lists(ODD, max_size=5))
def test_what_comes_out_is_json(values):
    """Whatever MessagePack says, records are JSON values, or broken with their bytes; the
    number of entries is that of the chunk."""
    stream = packed([{"v": value} for value in values])
    decoded = decode_stream(stream, None, DEFAULT_LIMITS)
    assert len(decoded.records) + len(decoded.broken) == len(values)
    json.dumps(decoded.records)
    for one in decoded.broken:
        assert one.reason == "bad_text" and one.raw in stream


@settings(max_examples=300)
@given(st.binary(max_size=200), st.lists(st.integers(1, 50), max_size=20))
def test_any_bytes(data, cuts):
    """Any bytes either decode or raise a ProtocolError, in whatever pieces they come, and
    nothing of them is lost: messages and rest together are what was fed."""
    framer = Framer(DEFAULT_LIMITS)
    seen, at = b"", 0
    try:
        for size in [*cuts, len(data)]:
            framer.feed(data[at : at + size])
            at += size
            while (message := framer.next()) is not None:
                seen += message
                decode_message(message, DEFAULT_LIMITS)
    except ProtocolError:
        pass
    else:
        assert at >= len(data)
    assert data.startswith(seen + framer.rest())


@given(RECORDS, st.binary(max_size=30), st.integers(0, 8))
def test_a_broken_entry_costs_itself_or_the_rest(records, junk, place):
    """Entries before foreign bytes are never lost, and no byte vanishes."""
    stream = packed(records[:place]) + junk + packed(records[place:])
    decoded = decode_stream(stream, len(records), DEFAULT_LIMITS)
    assert same(decoded.records[: min(place, len(records))], records[:place])
    assert all(one.raw and one.raw in stream for one in decoded.broken)


@given(st.lists(JSON, max_size=6))
def test_json_lines_and_arrays(values):
    """Lines and arrays give the values that the standard library reads from them."""
    finite = [json.loads(json.dumps(value), parse_constant=lambda _: None) for value in values]
    lines = "\n".join(json.dumps(value) for value in finite).encode()
    assert same(decode_json(lines + b"\n0", DEFAULT_LIMITS, lines=True).records, [*finite, 0])
    array = json.dumps([*finite, 0]).encode()
    assert same(decode_json(array, DEFAULT_LIMITS).records, [*finite, 0])


@settings(max_examples=300)
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda t: t.encode("utf-8", "replace")))
@example(b"[]")
def test_any_json(body):
    """Any body decodes, or breaks by line, or raises Unreadable; nothing at all comes only of
    an array without elements."""
    for lines in (False, True):
        try:
            decoded = decode_json(body, DEFAULT_LIMITS, lines=lines)
        except Unreadable as refused:
            assert refused.reason and refused.detail
        else:
            assert decoded.records or decoded.broken or json.loads(body) == []


def test_deep_records():
    """Records up to 900 levels are decoded, also by the slow path; deeper ones are named."""
    for record in ({"a": b"odd"}, {"a": "plain"}):
        for depth, fine in ((20, True), (900, True), (1020, False)):
            value: Any = record
            raw = b"\x92\x01" + b"\x81\xa1n" * depth + msgpack.packb(value)
            decoded = decode_stream(raw * 2, 2, DEFAULT_LIMITS)
            assert len(decoded.records) == (2 if fine else 0)
            assert {one.reason for one in decoded.broken} == (set() if fine else {"too_deep"})


def test_plain_does_not_recurse():
    """The walk over odd values needs no stack."""
    value: Any = b"x"
    for _ in range(100_000):
        value = [value]
    made = plain(value)
    for _ in range(100_000):
        made = made[0]
    assert made == "x"


@pytest.mark.parametrize("header", [b"\xdd", b"\xdf", b"\xdb", b"\xc6", b"\xdc\xff\xff"])
def test_forged_lengths_allocate_nothing(header):
    """A claim of 4 GiB in an entry costs no memory."""
    data = b"\x92\x01\x81\xa1a" + header + b"\xff\xff\xff\xff" + b"\x01" * 1000
    tracemalloc.start()
    decoded = decode_stream(data, 1, DEFAULT_LIMITS)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert decoded.records == [] and len(decoded.broken) == 1
    assert peak < 5_000_000


@pytest.mark.parametrize(
    "filler", [b"\x80", b"\x90", b"\x81\xa0\x01", b"\x91\x01", b"\xa1x", b"\x01"]
)
def test_weight_is_no_underestimate(filler):
    """The estimate of memory holds for what takes most of it per byte on the wire, so that
    the budget in flight bounds real memory."""
    for count in (1000, 14_000, 300_000):
        body = filler * count
        raw = b"\x92\x01\x81\xa1a\xdd" + struct.pack(">I", count) + body
        gc.collect()  # what other tests left would be freed meanwhile, and taken off the estimate
        tracemalloc.start()
        decoded = decode_stream(raw, 1, DEFAULT_LIMITS)
        now, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(decoded.records) == 1
        assert decoded.weight > 0.7 * now


def test_weight_of_an_ordinary_event():
    """An ordinary event is not taken for a large one."""
    record = {f"field_{n}": f"value {n}" for n in range(30)}
    raw = packed([record])
    assert Scale(raw).weight() < 20 * len(raw)


def test_inflate_is_bounded():
    """A bomb is refused after a bounded piece of it, whichever bound it breaks."""
    bomb = gzip.compress(bytes(300_000_000), 9)
    for limits, words in (
        (Limits(inflated_bytes=10_000_000, ratio=10_000), "holds more than"),
        (Limits(ratio=100), "more than 100 times"),
    ):
        tracemalloc.start()
        with pytest.raises(Unreadable, match=words):
            inflate(bomb, limits)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 70_000_000


def test_many_empty_members():
    """Half a million empty gzip members take no quadratic time."""
    assert inflate(gzip.compress(b"") * 500_000, DEFAULT_LIMITS) == b""


def test_a_small_repetitive_log_is_fine():
    """The ratio counts only from 4 MiB on."""
    data = b'{"n":1}\n' * 100_000
    assert inflate(gzip.compress(data), DEFAULT_LIMITS) == data


def test_framer_is_linear():
    """Many messages in one piece, and one message in many pieces, are cut alike."""
    small = msgpack.packb(["t", 1, {"n": 1}])
    framer = Framer(DEFAULT_LIMITS)
    framer.feed(small * 10_000 + small[:3])
    found = 0
    while framer.next() is not None:
        found += 1
    assert found == 10_000 and framer.rest() == small[:3]
    framer.feed(small[3:])
    assert framer.next() == small and framer.buffered == 0
    large = msgpack.packb(["t", b"x" * 5_000_000])
    for at in range(0, len(large), 1000):
        assert framer.next() is None
        framer.feed(large[at : at + 1000])
    assert framer.next() == large
    assert framer.taken == 10_001 * len(small) + len(large)


def test_eighty_bit_integers_stay():
    """JSON integers beyond 64 bit are not turned into floats; that is decided behind."""
    (value,) = decode_json(b'{"n": 1208925819614629174706176}', DEFAULT_LIMITS).records
    assert value == {"n": 2**80} and isinstance(value["n"], int)


def test_nan_in_msgpack_stays():
    """NaN and infinity arrive as such."""
    decoded = decode_stream(packed([{"n": math.nan, "i": math.inf}]), 1, DEFAULT_LIMITS)
    assert math.isnan(decoded.records[0]["n"]) and math.isinf(decoded.records[0]["i"])


def test_errors_show_no_content():
    """What goes into logs and answers has no value of a record in it."""
    secret = "hunter2-hunter2"
    for body in (
        f'{{"password": "{secret}", "n": NaN}}',
        f'{{"password": "{secret}"',
        f'{{"{secret}": 1e999}}',
        f'{{"password": "{secret}\\ud800"}}',
    ):
        try:
            broken = decode_json(body.encode(), DEFAULT_LIMITS).broken
            words = broken[0].detail + repr(broken)
        except Unreadable as refused:
            words = str(refused)
        assert secret not in words
    raw = msgpack.packb([1, {secret: b"\xff" + secret.encode()}])
    assert secret not in repr(decode_stream(raw, 1, DEFAULT_LIMITS))


def test_a_refused_chunk_lets_its_memory_go():
    """What was decoded before the refusal is not held by it."""
    entry = b"\x92\x01\x81\xa1a\xdd" + struct.pack(">I", 300_000) + b"\x80" * 300_000
    raw = msgpack.packb(["t", entry * 5, {"chunk": "c"}])
    tracemalloc.start()
    message = decode_message(raw, Limits(values=1_000_000))
    now, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert message.refused.reason == "too_large" and message.chunk == b"c"
    assert now < 1_000_000


def test_small_pieces_take_little_memory():
    """An unfinished message takes a few times its bytes, in however small pieces it comes."""
    framer = Framer(DEFAULT_LIMITS)
    framer.feed(b"\x92\xa1a\xc6" + (10**6).to_bytes(4, "big"))
    tracemalloc.start()
    try:
        for number in range(100_000):
            framer.feed(bytes((number & 255, 0)))
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert framer.next() is None and framer.buffered == 200_008
    assert taken < 4 * 200_000


def test_short_records_weigh_what_they_become():
    """A record weighs at least what the activity made of it takes, however short it is."""
    limits = Limits()
    lines = decode_json(b"{}\n" * 1000 + b"{\n" * 10, limits, lines=True)
    assert lines.weight >= 1010 * 2500
    stream = decode_stream(b"\x92\x01\x80" * 1000, 1000, limits)
    assert stream.weight >= 1000 * 2500
    assert decode_json(b'{"a": "%s"}' % (b"b" * 100_000), limits).weight >= 800_000
