"""When a new epoch has to begin while the publisher runs, or before; and its signs of life."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from activity_center.bus import Gap, open_writer
from activity_center.bus.embedded import DEAD_SECONDS
from tests.activity_center.bus.servers import Bus, entries
from tests.collector.publish.parts import (
    Parts,
    bodies,
    collect,
    following,
    running,
    step,
    texts,
)
from tests.collector.spool.entries import entry, take_all
from tests.integration.process import until


@pytest.mark.parametrize("ahead", ["place", "bus"])
def test_a_spool_that_begins_anew_is_a_new_epoch(tmp_path: Path, ahead: str) -> None:
    """Where the segments are gone and the file of places is not, positions are given a second
    time: what is there now comes in an epoch of its own, all of it, with a gap before it. That
    shows in a place behind the spool's end, or in a bus that has what the spool never had."""
    first = [step(number) for number in range(4)]
    with running(tmp_path) as parts, following(parts.bus) as follower:
        parts.add(first[:1])
        collect(follower, 1)
        until(lambda: parts.publisher.lag == 0 and parts.publisher.published == 1)
        early = (parts.folder / "published").read_bytes()
        parts.add([entry(number) for number in range(10, 16)] if ahead == "place" else first[1:])
        collect(follower, 1 if ahead == "place" else 4)
        until(lambda: parts.places.value.place == parts.spool.next_position)
        places = dict(follower.places)
    _wipe_segments(parts.folder)
    if ahead == "bus":
        (parts.folder / "published").write_bytes(early)
    parts = Parts(tmp_path)
    fresh = [step(20), step(21)]
    parts.add(fresh)
    known, end = parts.places.value, parts.spool.next_position
    ((_, last),) = places.values()
    assert (known.place > end, last >= end) == (ahead == "place", ahead == "bus")
    parts.start()
    try:
        with following(parts.bus) as follower:
            follower.places = places
            assert collect(follower, 2) == texts(fresh)
            assert isinstance(follower.items[0], Gap)
            until(lambda: parts.publisher.lag == 0)
            assert parts.publisher.epochs == 1
            assert parts.places.value.place == parts.spool.next_position
    finally:
        parts.stop()


def _wipe_segments(folder: Path) -> None:
    """All that the spool has is gone; how far the bus is stays."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != "published":
            path.unlink()


def test_what_was_let_go_of_meanwhile_is_a_gap(tmp_path: Path) -> None:
    """The bus is away for so long that the spool lets go of what nobody has published: when it is
    back, what memory held is published, then a new epoch begins with the oldest that is left, and
    whoever follows is told of the gap."""
    bus = Bus("embedded", tmp_path)
    given = [step(0)]
    with running(tmp_path, bus=bus.config()) as parts, following(parts.bus) as follower:
        parts.add(given)
        collect(follower, 1)
        until(lambda: parts.publisher.lag == 0)
        with bus.away():
            for start in range(1, 161, 4):
                lot = [step(start + number, 60_000) for number in range(4)]
                given += lot
                parts.add(lot)
                take_all(parts.spool)
            until(lambda: parts.publisher.failures)
        until(lambda: follower.read(0.1) is None or bodies(follower)[-1:] == texts(given[-1:]))
        until(lambda: parts.publisher.lag == 0)
        assert parts.publisher.epochs == 2
        gaps = [number for number, one in enumerate(follower.items) if isinstance(one, Gap)]
    before, left = bodies(follower)[: gaps[0]], bodies(follower)[gaps[-1] - len(gaps) + 1 :]
    assert before == texts(given)[: len(before)]
    assert 8 < len(left) < 80
    assert left == texts(given)[-len(left) :]


def test_a_sign_of_life_at_the_start(tmp_path: Path) -> None:
    """A collector that starts says that its stream lives, and with that the streams are forgotten
    that gave no sign for a week."""
    bus = Bus("embedded", tmp_path)
    writer = open_writer(bus.config(), "gone")
    writer.begin("e")
    writer.publish(("e", 0), entries(1))
    writer.close()
    bus.age("gone", DEAD_SECONDS + 60)
    with running(tmp_path, bus=bus.config()) as parts, following(parts.bus) as follower:
        parts.add([step(1)])
        until(lambda: bus.traces("gone") == [])
        assert collect(follower, 1)[-1] == step(1).body
        assert bus.traces(parts.places.value.stream)
