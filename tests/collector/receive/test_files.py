"""Lines of files, and the requests that they become."""

from __future__ import annotations

import gzip
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.decode import DEFAULT_LIMITS, decode_json
from collector.mapping import Router, load_all
from collector.normalize import Normalizer
from collector.normalize.digest import Digests
from collector.normalize.pseudonyms import Pseudonyms
from collector.pipeline import Pipeline, Stages
from collector.receive.files import Post, Unsent, opened, posts, read_lines
from collector.records import MAX_EVENT_BYTES, Batch, Entry, Reject, Sender
from collector.redact import Redactor


def lines_of(data: bytes, limit: int = MAX_EVENT_BYTES) -> list:
    return list(read_lines(io.BytesIO(data), limit))


def test_lines():
    """Line ends of both kinds, blank lines left out but counted, the last one without an end."""
    assert lines_of(b'{"a":1}\r\n\n  \n{"b":2}\n{"c":3}') == [
        (1, b'{"a":1}'),
        (4, b'{"b":2}'),
        (5, b'{"c":3}'),
    ]


@pytest.mark.parametrize("size", [9, 10, 11, 12, 200_000])
def test_too_long_a_line(size):
    """A line beyond the limit is named with its number and size; the rest goes on."""
    found = lines_of(b"a\n" + b"x" * size + b"\nb\n", 10)
    long = (2, b"x" * size) if size <= 10 else Unsent(2, "too_large", found[1].detail)
    assert found == [(1, b"a"), long, (3, b"b")]
    if size > 10:
        assert str(size) in found[1].detail


def test_too_long_a_line_at_the_end():
    """Also without a line end."""
    assert [one.number for one in lines_of(b"x" * 100_000, 10)] == [1]


def test_gzip_is_found_out():
    """gzip by its first bytes, several members too; an empty file is none."""
    data = b'{"a":1}\n{"b":2}\n'
    for stored in (data, gzip.compress(data), gzip.compress(data[:8]) + gzip.compress(data[8:])):
        stream = opened(io.BufferedReader(io.BytesIO(stored)))
        assert [line for _, line in read_lines(stream)] == [b'{"a":1}', b'{"b":2}']
    assert list(read_lines(opened(io.BufferedReader(io.BytesIO(b""))))) == []


def test_posts_are_bounded():
    """A request has at most 1000 lines, or the line that goes over 1 MiB."""
    many = list(posts((n, b"%d" % n) for n in range(1, 2502)))
    assert [len(post.lines) for post in many] == [1000, 1000, 501]
    large = list(posts((n, b"%d" % n * 300_000) for n in range(1, 10)))
    assert all(len(post.lines) <= 4 for post in large)
    assert sum(len(post.lines) for post in large) == 9


def test_a_line_too_often():
    """Where equal lines would need too many copies, the line is refused, not merged."""
    found = list(posts((n, b'{"a":1}') for n in range(1, 10_001)))
    refused = [one for one in found if isinstance(one, Unsent)]
    sent = {number for one in found if isinstance(one, Post) for number in one.numbers if number}
    assert len(sent) + len(refused) == 10_000
    assert len(sent) >= 2000
    assert refused[0].reason == "invalid" and "equal to" in refused[0].detail


class _Nowhere:
    async def append(self, entries: list[Entry], rejects: list[Reject]) -> None:
        """Make nothing durable."""


PIPELINE = Pipeline(
    Stages(
        Router(load_all().values()),
        Normalizer({}, {}, "permanent"),
        Redactor(),
        Pseudonyms((), b""),
        Digests(b""),
    ),
    _Nowhere(),
)


def ids_of(lines: list[bytes], size: int) -> list[str]:
    """Ids that the collector gives to the lines, copies left out."""
    ids = []
    for post in posts(enumerate(lines, 1), size):
        decoded = decode_json(post.body(), DEFAULT_LIMITS, lines=True)
        batch = Batch(Sender("s"), decoded.records, source="native", received=10**18)
        receipt, _, _ = PIPELINE.process(batch)
        assert not receipt.rejected
        ids += [made[0] for made, n in zip(receipt.ids, post.numbers, strict=True) if n]
    return ids


@given(st.lists(st.integers(0, 3), min_size=1, max_size=12), st.integers(1, 5), st.integers(1, 5))
def test_equal_lines_stay_different_events(numbers, one_size, other_size):
    """Each line becomes an event of its own, and the ids do not depend on where the requests
    are cut: a file sent again, or by another version, gives the same ones."""
    lines = [
        json.dumps(
            {"event.action": "user.login", "@timestamp": "2026-01-01T00:00:00Z", "user.id": str(n)}
        ).encode()
        for n in numbers
    ]
    found = [ids_of(lines, size) for size in (one_size, other_size)]
    assert found[0] == found[1]
    assert len(set(found[0])) == len(lines)
