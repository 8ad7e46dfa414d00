"""Until when silence is normal, whatever the clock of the producer says."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from activity_center.processes import apply, stalled
from activity_center.processes.lease import DEFAULT_LEASE
from tests.activity_center.processes.entries import NOON, entry
from tests.activity_center.processes.test_fold import folded

MINUTE = timedelta(minutes=1)


def _beat(sequence: int, clock: timedelta, lease: timedelta | None = MINUTE) -> dict[str, Any]:
    """A sign of life that is received ``sequence`` seconds after noon."""
    now = NOON + timedelta(seconds=sequence)
    one = entry("process.heartbeat", sequence, event__ingested=now.isoformat())
    one["@timestamp"] = (now + clock).isoformat()
    if lease is not None:
        one["activity"]["process"]["lease"] = (now + clock + lease).isoformat()
    return one


@pytest.mark.parametrize("minutes", [-120, -2, 0, 2, 120])
@pytest.mark.parametrize("lease", [MINUTE, None])
def test_a_clock_that_is_wrong(minutes: int, lease: timedelta | None) -> None:
    """A producer that is heard in time has not stalled, and one that is not has: how long it may
    be silent counts from when it was received. An entry that says so agrees."""
    clock = timedelta(minutes=minutes)
    process = folded([_beat(1, clock, lease), _beat(20, clock, lease)])
    end = NOON + timedelta(seconds=20) + (lease or DEFAULT_LEASE)
    assert process.lease == end
    assert not stalled(process, end)
    assert stalled(process, end + timedelta(seconds=1))
    told = process.as_dict()["lease"]
    assert (told is None) is (lease is None)
    fell_silent = entry("process.stalled", None, activity__process__lease=told)
    fell_silent["@timestamp"] = (end + timedelta(seconds=2)).isoformat()
    apply(process, fell_silent)
    assert process.as_dict()["stalled"]
    late = int((end - NOON).total_seconds()) + 10
    apply(process, _beat(late, clock, lease))
    assert not process.as_dict()["stalled"]


@pytest.mark.parametrize("span", [timedelta(seconds=-1), timedelta(days=31)])
def test_a_lease_that_is_no_span(span: timedelta) -> None:
    """A lease that is over before its own entry, or far longer than silence ever is, counts as
    the moment that was said; so does one of an entry that does not say when it was received."""
    one = _beat(0, timedelta(hours=-2), span)
    assert folded([one]).lease == NOON - timedelta(hours=2) + span
    unknown = _beat(0, timedelta(hours=-2))
    del unknown["event"]["ingested"]
    assert folded([unknown]).lease == NOON - timedelta(hours=2) + MINUTE


def test_an_entry_that_was_received_twice() -> None:
    """It counts as received first, in either order."""
    first, again = _beat(0, MINUTE), _beat(0, MINUTE)
    again["event"]["ingested"] = (NOON + timedelta(seconds=30)).isoformat()
    for entries in ([first, again], [again, first]):
        assert folded(entries).lease == NOON + MINUTE
