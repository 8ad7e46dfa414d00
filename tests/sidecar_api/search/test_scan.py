"""Reading from end to end: everything once, resumable, without leaving a PIT behind."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from sidecar_api.failures import RateLimited
from tests.sidecar_api.search.log import NOON, Log, document, filters, minutes


@pytest.fixture
def alone(own_log: Log) -> Iterator[Log]:
    """A log of this test on a node whose PITs nobody else makes meanwhile."""
    yield Log(own_log.client)
    own_log.client.cluster.put_settings(body={"transient": {"search.max_open_pit_context": None}})


def pits(log: Log) -> int:
    """How many points in time are open on the node."""
    return len(log.client.get_all_pits().get("pits", []))


def fill(log: Log, count: int) -> list[str]:
    """Entries of which ten each share a time; return their ids, newest first."""
    log.add(*(document(id=f"{n:04}", at=NOON + timedelta(seconds=n // 10)) for n in range(count)))
    return [f"{n:04}" for n in reversed(range(count))]


def test_everything_once_newest_first(alone: Log) -> None:
    """Small pages or one, over ties and a rollover: the same hits, whole documents, in order."""
    expected = fill(alone, 500)
    alone.client.indices.rollover(alias="activity-audit-permanent")
    alone.add(*(document(id=f"{n:04}", at=NOON + minutes(30)) for n in range(500, 600)))
    expected = [f"{n:04}" for n in reversed(range(500, 600))] + expected
    for size in (7, 100, 600, 5000):
        hits = list(alone.search.scan(alone, filters(), page_size=size))
        assert [hit["_source"]["event"]["id"] for hit in hits] == expected
    assert pits(alone) == 0
    assert {"_id", "_source", "sort"} <= hits[0].keys()
    only = list(alone.search.scan(alone, filters(q="zzz")))
    assert only == []


def test_a_point_in_time(alone: Log) -> None:
    """What arrives while reading is not read, and closing early leaves no PIT."""
    expected = fill(alone, 60)
    reading = alone.search.scan(alone, filters(), page_size=10)
    first = next(reading)
    assert pits(alone) == 1
    alone.add(*(document(id=f"x{n}", at=NOON + timedelta(seconds=n)) for n in range(6)))
    assert [hit["_source"]["event"]["id"] for hit in [first, *reading]] == expected
    assert pits(alone) == 0
    broken = alone.search.scan(alone, filters(), page_size=10)
    next(broken)
    broken.close()  # type: ignore[attr-defined]
    assert pits(alone) == 0


def test_too_many_readings(alone: Log) -> None:
    """Where no further PIT is allowed: 429 with a time to wait, and the others go on."""
    fill(alone, 30)
    alone.client.cluster.put_settings(body={"transient": {"search.max_open_pit_context": 6}})
    readings = []
    with pytest.raises(RateLimited) as refused:
        for _ in range(7):
            readings.append(alone.search.scan(alone, filters(), page_size=10))
            next(readings[-1])
    assert int(refused.value.headers["Retry-After"]) > 0
    assert len(readings) > 1
    assert len(list(readings[0])) == 29
    for reading in readings:
        reading.close()  # type: ignore[attr-defined]
    assert pits(alone) == 0
