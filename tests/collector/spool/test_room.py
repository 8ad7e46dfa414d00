"""Whose bytes count against which bound: parked ones, accepted ones, a sender's."""

from __future__ import annotations

from pathlib import Path

import pytest

from activity_center.errors import SpoolFull
from collector.spool import Spool
from tests.collector.spool.entries import STREAM, entry, take_all

QUOTA = 1 << 20
SIZE = 20_000
ROOM = "x" * SIZE


def _filled(spool: Spool, share: float, *, first: int = 0, sender: str = "web") -> int:
    """Append until ``share`` of the quota is used; return the next number."""
    number = first
    while spool.bytes + SIZE + 1000 < QUOTA * share:
        spool.append_now([entry(number, extra=ROOM, sender=sender)])
        number += 1
    return number


def _park_all(spool: Spool, stream: str = STREAM) -> None:
    for record in take_all(spool, settle=False):
        spool.parking.park(stream, [record])
        spool.settle([record])


def test_parked_bytes_count(tmp_path: Path) -> None:
    """What is parked takes room like everything else: the spool is full with it, and not ready."""
    spool = Spool.open(tmp_path / "spool", quota_bytes=QUOTA)
    number = _filled(spool, 0.98)
    before = spool.bytes
    _park_all(spool, "activity-audit-other")
    assert spool.bytes == pytest.approx(before, rel=0.01)
    assert spool.parking.accounts.bytes == spool.bytes
    assert spool.ready
    with pytest.raises(SpoolFull):
        spool.append_now([entry(number, extra=ROOM * 2)])
    assert not spool.ready
    spool.close()


def test_a_refusing_stream_takes_at_most_half(tmp_path: Path) -> None:
    """Beyond half of the quota a stream that refuses takes no more; the others do."""
    spool = Spool.open(tmp_path / "spool", quota_bytes=QUOTA)
    number = _filled(spool, 0.55)
    _park_all(spool)
    with pytest.raises(SpoolFull) as full:
        spool.append_now([entry(number, extra=ROOM)])
    assert full.value.retry_after == 30
    assert STREAM in full.value.message
    spool.append_now([entry(number, extra=ROOM, stream="activity-agent-permanent")])
    spool.close()


def test_parked_bytes_are_counted_after_a_start(tmp_path: Path) -> None:
    """A restart does not forget what is parked, nor whose it is."""
    spool = Spool.open(tmp_path / "spool", quota_bytes=QUOTA)
    _filled(spool, 0.3, sender="agents")
    _park_all(spool)
    before = spool.bytes, spool.sender_bytes("agents"), spool.parking.counts
    spool.close()
    again = Spool.open(tmp_path / "spool", quota_bytes=QUOTA)
    assert (again.bytes, again.sender_bytes("agents"), again.parking.counts) == before
    again.close()


def test_what_was_accepted_already_goes_beyond(tmp_path: Path) -> None:
    """``force`` is for the searchable copies of rejected events: no bound refuses those."""
    spool = Spool.open(tmp_path / "spool", quota_bytes=QUOTA, quota_of=lambda sender: QUOTA // 4)
    number = _filled(spool, 0.24)
    with pytest.raises(SpoolFull, match="share of sender"):
        spool.append_now([entry(number, extra=ROOM)])
    spool.append_now([entry(number, extra=ROOM)], force=True)
    number += 1
    for other in range(4):
        while spool.sender_bytes(f"s{other}") + SIZE + 1000 < QUOTA // 4 and (
            spool.bytes + SIZE + 1000 < QUOTA
        ):
            spool.append_now([entry(number, extra=ROOM, sender=f"s{other}")])
            number += 1
    with pytest.raises(SpoolFull):
        spool.append_now([entry(number, extra=ROOM * 2, sender="late")])
    spool.append_now([entry(number, extra=ROOM * 2, sender="late")], force=True)
    assert spool.bytes > QUOTA
    spool.close()


def test_a_senders_parked_bytes_count_as_its_own(tmp_path: Path) -> None:
    """A sender whose events are parked has that much less of its share."""
    spool = Spool.open(tmp_path / "spool", quota_bytes=QUOTA, quota_of=lambda sender: QUOTA // 4)
    number = _filled(spool, 0.2, sender="agents")
    _park_all(spool, "activity-audit-other")
    with pytest.raises(SpoolFull, match="share of sender 'agents'"):
        spool.append_now([entry(number + n, extra=ROOM, sender="agents") for n in range(3)])
    spool.append_now([entry(number + n, extra=ROOM, sender="web") for n in range(3)])
    spool.close()
