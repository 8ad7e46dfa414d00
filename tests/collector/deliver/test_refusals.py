"""Answers that are not "created", on a real node."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from activity_center.config import Delivery
from activity_center.streams import REJECTED_STREAM
from collector.deliver.deliverer import REFUSED
from tests.collector.deliver.gate import Answer, Gate, Request, answer_first
from tests.collector.deliver.rig import Rig, make_stream, stored
from tests.collector.spool.entries import entry, reject, wait_until

TEXT = {"Content-Type": "text/plain; charset=UTF-8"}
HTML = {"Content-Type": "text/html"}
JSON = {"Content-Type": "application/json"}


def _now() -> int:
    return int(time.time() * 1000)


def _entries(stream: str, numbers: range, **more: Any) -> list[Any]:
    now = _now()
    return [entry(number, stream=stream, time_ms=now, **more) for number in numbers]


def _once(client: Any, stream: str, entries: list[Any]) -> bool:
    return stored(client, stream) == dict.fromkeys([one.id for one in entries], 1)


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (Answer(502, b"<html>Bad Gateway</html>", HTML), "unanswered"),
        (Answer(503, b"OpenSearch Security not initialized.", TEXT), "unanswered"),
        (Answer(504, b"", HTML), "unanswered"),
        (Answer(429, b'{"error":{"type":"rejected_execution_exception"}}', JSON), "pushback"),
        (Answer(401, b"Unauthorized", TEXT), "unauthorized"),
        (Answer(403, b'{"error":{"type":"security_exception"}}', JSON), "unauthorized"),
        (Answer(200, b"<html>Welcome to the hotel</html>", HTML), "unanswered"),
        (Answer(200, b'{"items": []}', JSON), "unanswered"),
        (Answer(200, b'{"items": [{"create": 1}, {}, {}, {}, {}]}', JSON), "unanswered"),
        (Answer(200, b'{"items": [{"cre', JSON), "unanswered"),
        (Answer(404, b"no such page", TEXT), "unanswered"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{value.status}-{value.body[:8]!r}",
)
def test_a_request_that_fails_as_a_whole_is_repeated(
    opensearch: Any,
    stream: str,
    gate: Gate,
    rig: Callable[..., Rig],
    answer: Answer,
    cause: str,
) -> None:
    """Whatever answers in OpenSearch's place, the events stay and arrive once it is back."""
    gate.rule = answer_first(3, answer)
    here = rig(gate.url)
    entries = _entries(stream, range(5))
    here.deliver(entries)
    wait_until(lambda: here.deliverer.alarm == cause)
    here.wait()
    assert _once(opensearch.client, stream, entries)
    assert here.courier.failures[cause] == 3
    assert here.deliverer.alarm == ""
    assert here.rejected.count() == 0


def test_a_body_that_is_too_long_is_split(
    opensearch: Any, stream: str, gate: Gate, rig: Callable[..., Rig]
) -> None:
    """413: halves, and smaller requests from then on; one event alone is refused at last."""

    def rule(request: Request) -> Answer | None:
        if request.is_bulk and len(request.body) > 100_000:
            return Answer(413, b"<html>Request Entity Too Large</html>", HTML)
        return request.forward()

    gate.rule = rule
    here = rig(gate.url)
    entries = _entries(stream, range(1000), extra="x" * 1000)
    here.deliver(entries)
    here.wait()
    assert _once(opensearch.client, stream, entries)
    splits = here.courier.failures["too_large"]
    more = _entries(stream, range(2000, 2400), extra="x" * 1000)
    huge = entry(5000, stream=stream, time_ms=_now(), extra="x" * 120_000)
    here.accept(more)
    here.wait()
    assert here.courier.failures["too_large"] <= splits + 6
    here.accept([huge])
    here.wait()
    (row,) = here.rejected.select()
    assert (row.reason, row.record) == ("refused", huge.body)
    assert _once(opensearch.client, stream, [*entries, *more])


def test_one_malformed_line_does_not_block_the_others(
    opensearch: Any, stream: str, rig: Callable[..., Rig]
) -> None:
    """An id over 512 bytes makes OpenSearch refuse the whole request: only it is refused."""
    here = rig()
    entries = _entries(stream, range(99))
    bad = entry(500, stream=stream, time_ms=_now())._replace(id="x" * 600)
    here.deliver([*entries[:40], bad, *entries[40:]])
    here.wait()
    (row,) = here.rejected.select()
    assert (row.reason, row.record) == ("refused", bad.body)
    assert _once(opensearch.client, stream, entries)


def test_a_server_that_refuses_every_body_empties_nothing(
    opensearch: Any, stream: str, gate: Gate, rig: Callable[..., Rig]
) -> None:
    """400 to everything for a while is not the events' fault."""
    gate.rule = answer_first(60, Answer(400, b"what?", TEXT))
    here = rig(gate.url)
    entries = _entries(stream, range(8))
    here.deliver(entries)
    here.wait()
    assert here.rejected.count() == 0
    assert _once(opensearch.client, stream, entries)


def test_a_mapping_error_refuses_that_event_alone(
    opensearch: Any, stream: str, rig: Callable[..., Rig]
) -> None:
    """The bad one is in the rejected store with reason and path, whole; the others arrive."""
    here = rig()
    entries = _entries(stream, range(50))
    bad = entry(60, stream=stream, time_ms=_now(), n='"no number"', sender="sloppy")
    worse = entry(61, stream=stream, time_ms=_now())._replace(body=b'{"event":{}}')
    here.deliver([*entries[:20], bad, worse, *entries[20:]])
    here.wait()
    rows = {row.record: row for row in here.rejected.select()}
    assert rows.keys() == {bad.body, worse.body}
    row = rows[bad.body]
    assert (row.reason, row.path, row.sender) == ("refused", "/n", "sloppy")
    assert "mapper_parsing_exception" in row.detail
    assert stream in row.detail
    assert _once(opensearch.client, stream, entries)
    assert here.courier.outcomes["rejected"] == 2


def test_a_refusal_is_searchable_and_does_not_go_round(
    opensearch: Any, stream: str, rig: Callable[..., Rig]
) -> None:
    """A copy goes to activity-rejected; when that is refused too, it is counted and dropped."""
    client = opensearch.client
    here = rig()
    bad = entry(int(time.time() * 1000), stream=stream, time_ms=_now(), n='"no number"')
    here.deliver([bad])
    wait_until(lambda: here.spool.drained and here.rejected.count() == 1)
    # Whether the stream exists here depends on what ran before: parked, or delivered.
    assert here.courier.copies_dropped == 0
    broken = entry(1, stream=REJECTED_STREAM, time_ms=_now())._replace(body=b"[]")
    if client.indices.exists(index=REJECTED_STREAM):
        here.accept([broken])
        wait_until(lambda: here.spool.records == 0)
        assert here.courier.copies_dropped == 1
    assert here.rejected.count() == 1


def test_a_full_store_holds_up_nobody(
    opensearch: Any, stream: str, rig: Callable[..., Rig]
) -> None:
    """What is refused and finds no room is kept aside; the others arrive, also after a start."""
    here = rig()
    here.rejected.quota_bytes = 300
    (full,) = here.rejected.add([reject(1)], reserve=True)
    bad = [entry(n, stream=stream, time_ms=_now(), n='"no number"') for n in range(60, 63)]
    entries = _entries(stream, range(50))
    here.deliver([*entries[:20], *bad, *entries[20:40]])
    here.wait()
    here.accept(entries[40:])
    here.wait()
    assert _once(opensearch.client, stream, entries)
    assert here.deliverer.store_alarm
    assert here.spool.parking.counts == {REFUSED: 3}
    assert here.rejected.count() == 1
    assert not here.close(0.2)
    again = rig()
    again.rejected.quota_bytes = 300
    again.deliverer.start()
    wait_until(lambda: again.deliverer.store_alarm != "")
    assert again.spool.parking.counts == {REFUSED: 3}
    again.rejected.discard([full])
    again.rejected.quota_bytes = 100_000
    wait_until(lambda: REFUSED not in again.spool.parking.streams)
    assert {row.record for row in again.rejected.select()} == {one.body for one in bad}
    assert again.deliverer.store_alarm == ""


@pytest.mark.parametrize(
    "trouble", ["flood stage", "write block", "read-only", "missing", "pipeline"]
)
def test_a_stream_that_refuses_holds_up_nobody(
    opensearch: Any, stream: str, rig: Callable[..., Rig], trouble: str
) -> None:
    """Its events are parked, survive a restart, and arrive in order when it is mended."""
    client = opensearch.client
    other = make_stream(client)
    index = client.indices.get_data_stream(name=other)["data_streams"][0]["indices"][0][
        "index_name"
    ]
    blocks = {
        "write block": "index.blocks.write",
        "read-only": "index.blocks.read_only",
        "flood stage": "index.blocks.read_only_allow_delete",
    }
    if trouble == "missing":
        client.indices.delete_data_stream(name=other)
    elif trouble == "pipeline":
        client.indices.put_settings(index=index, body={"index.default_pipeline": "not-there"})
    else:
        client.indices.put_settings(index=index, body={blocks[trouble]: True})
    here = rig()
    good, held = _entries(stream, range(40)), _entries(other, range(40))
    mixed = [one for pair in zip(good, held, strict=True) for one in pair]
    here.deliver(mixed[:40], size=10)
    here.wait()
    here.accept(mixed[40:], size=10)
    here.wait()
    assert _once(client, stream, good)
    assert here.spool.parking.counts == {other: 40}
    assert here.spool.bytes == here.spool.sender_bytes("web") > 0
    assert not here.close(0.2)
    again = rig()
    assert again.spool.records == 40
    again.deliverer.start()
    if trouble == "missing":
        assert not client.indices.exists(index=other)
        make_stream(client, other)
    elif trouble == "pipeline":
        client.indices.put_settings(index=index, body={"index.default_pipeline": None})
    else:
        client.indices.put_settings(index=index, body={blocks[trouble]: None})
    wait_until(lambda: again.spool.records == 0)
    assert again.rejected.count() == 0
    assert _once(client, other, held)
    assert again.close()
    client.indices.delete_data_stream(name=other)


def test_what_is_parked_is_bounded(opensearch: Any, stream: str, rig: Callable[..., Rig]) -> None:
    """A stream that refuses takes at most half of the quota; others still find room."""
    from activity_center.errors import SpoolFull

    here = rig(quota_bytes=40_000)
    missing = f"{stream}-not-there"
    here.deliverer.start()
    with pytest.raises(SpoolFull, match="parked") as full:
        for number in range(1000):
            here.accept([entry(number, stream=missing, time_ms=_now())])
            here.wait()
    assert full.value.retry_after > 0
    assert 20_000 < here.spool.bytes < 25_000
    entries = _entries(stream, range(30))
    here.accept(entries)
    here.wait()
    assert _once(opensearch.client, stream, entries)


def test_stopping_delivers_what_is_left(
    opensearch: Any, stream: str, rig: Callable[..., Rig]
) -> None:
    """Draining does not wait for the linger, and says whether nothing is left."""
    here = rig(delivery=Delivery(linger=60.0, timeout=10))
    entries = _entries(stream, range(100))
    here.deliver(entries)
    assert here.close()
    assert _once(opensearch.client, stream, entries)


def test_stopping_ends_in_time_without_a_cluster(
    tmp_path: Any, stream: str, gate: Gate, rig: Callable[..., Rig]
) -> None:
    """With OpenSearch away, stopping ends and says that something is left."""
    gate.close()
    here = rig(gate.url)
    here.deliver(_entries(stream, range(10)))
    wait_until(lambda: here.deliverer.alarm == "unreachable")
    assert not here.close(0.5)
    again = rig(gate.url)
    assert again.spool.records == 10
