"""A hundred and twenty days with moved clocks: the right entries in each tier, and no others."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from activity_center.policies import policies
from collector.retention import bring_back, covering, run, snapshots

STEP = 5
LAST = 120
STREAMS = {
    "activity-agent-standard-30d": "short",
    "activity-agent-standard-90d": "middle",
    "activity-agent-permanent": "long",
}


def labels(prefix: str, first: int, last: int) -> set[str]:
    """Ids of the entries of some days, first and last included."""
    return {f"{prefix}-{day}" for day in range(first, last + 1, STEP)}


def tiers(place: Any, stream: str) -> dict[str, set[str]]:
    """Entries by what was done to their index, as the node tells it, not the plan."""
    found: dict[str, set[str]] = {"open": set(), "closed": set(), "closed, no copies": set()}
    for one in place.backing(stream):
        kind = "open"
        if one.read_only:
            assert one.segments <= 1
            kind = "closed" if one.replicas else "closed, no copies"
        found[kind] |= place.ids(one.name)
    return found


def test_a_hundred_and_twenty_days(place: Any, now: datetime) -> None:
    """Each class keeps what it promises, archives before it deletes, and deletes the rest.

    Every five days entries are stored and retention runs. An index of the 30 days' class
    rolls over at 5 days, of the 90 days' at 10, of the permanent one at 30.
    """
    start = now - timedelta(days=LAST)
    place.set_up()
    for stream in STREAMS:
        place.stream(stream, start)
    for day in range(0, LAST + 1, STEP):
        today = start + timedelta(days=day)
        place.born(today)
        for stream, prefix in STREAMS.items():
            place.put(stream, [(f"{prefix}-{day}", today, "northwind")])
        outcome = run(place.client, policies(), now=today)
        assert outcome.failed == []

    # Rolled over on the day they were stored; gone 30 days after that; closed after one.
    assert tiers(place, "activity-agent-standard-30d") == {
        "open": labels("short", 120, 120),
        "closed": labels("short", 95, 115),
        "closed, no copies": set(),
    }
    # Rolled over at the next full ten days; archived 60, gone 90 days after that.
    assert tiers(place, "activity-agent-standard-90d") == {
        "open": labels("middle", 115, 120),
        "closed": labels("middle", 65, 110),
        "closed, no copies": labels("middle", 35, 60),
    }
    assert tiers(place, "activity-agent-permanent") == {
        "open": labels("long", 95, 120),
        "closed": labels("long", 0, 90),
        "closed, no copies": set(),
    }

    found = snapshots(place.client, "activity-center-archive")
    assert {one.index.split("-00")[0] for one in found} == {".ds-activity-agent-standard-90d"}
    bring_back(place.client, "activity-center-archive", covering(found))
    assert place.ids("restored-*") == labels("middle", 0, 60)

    archived = {one["metadata"]["index"] for one in place.records("retention.archived")}
    assert archived == {one.index for one in found}
    deleted = place.records("retention.deleted")
    assert sum(int(one["metadata"]["documents"]) for one in deleted) == len(
        labels("short", 0, 90) | labels("middle", 0, 30)
    )
    assert run(place.client, policies(), now=now).steps == []
