"""Which snapshots hold a period, and what their copies are called."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activity_center.policies import policies
from activity_center.setup.cluster import ask
from collector.retention import Snapshot, bring_back, covering, run, snapshots
from tests.collector.retention.place import REPOSITORY

STREAM = "activity-agent-standard-90d"
INDEX = f".ds-{STREAM}-000001"
DAY = timedelta(days=1)


def at(day: int) -> datetime:
    """A day in January."""
    return datetime(2026, 1, day, tzinfo=UTC)


def snapshot(name: str, index: str, **facts: Any) -> Snapshot:
    """A good one of that index."""
    return Snapshot(name, index, at(20), "SUCCESS", **facts)


JANUARY = snapshot("a", INDEX, first=at(1).isoformat(), last=at(9).isoformat(), uuid="u")


@pytest.mark.parametrize(
    ("since", "until", "chosen"),
    [
        (None, None, True),
        (at(9), None, True),
        (at(10), None, False),
        (None, at(1), False),
        (None, at(2), True),
        (at(3), at(4), True),
    ],
)
def test_a_period(since: datetime | None, until: datetime | None, chosen: bool) -> None:
    """An index is brought back if it may hold an entry from ``since`` on and before ``until``."""
    assert bool(covering([JANUARY], since=since, until=until)) == chosen


def test_without_noted_times_it_may_hold_anything() -> None:
    """ISM notes none: its snapshots are never left out for their period."""
    assert covering([snapshot("b", INDEX)], since=at(30), until=at(31))


def test_the_latest_good_one_of_each_index() -> None:
    """Failed ones never; an index that was made anew under the same name is another one."""
    later = snapshot("b", INDEX, uuid="u")
    anew = snapshot("c", INDEX, uuid="v")
    bad = Snapshot("d", INDEX, at(21), "PARTIAL", uuid="u")
    assert covering([JANUARY, later, anew, bad]) == [later, anew]
    assert covering([JANUARY], stream="activity-audit-standard-90d") == []


def test_a_stream_that_was_made_anew(place: Any, now: datetime) -> None:
    """Two indices of one name, one after the other: both come back, under names of their own."""
    place.set_up()
    for name in ("first", "second"):
        place.stream(STREAM, now - 85 * DAY)
        place.put(STREAM, [(name, now - 80 * DAY, "northwind")])
        place.roll(STREAM, now - 75 * DAY)
        assert run(place.client, policies(), now=now).failed == []
        ask(place.client, "DELETE", f"/_data_stream/{STREAM}")
    made = bring_back(place.client, REPOSITORY, covering(snapshots(place.client, REPOSITORY)))
    assert [place.ids(one.name) for one in made] == [{"first"}, {"second"}]
