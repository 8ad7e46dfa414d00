"""From the spool to the bus: everything once and in order, whatever happens to either."""

from __future__ import annotations

import resource
import shutil
from pathlib import Path

import pytest

from activity_center.bus import Gap, open_writer
from activity_center.config_processes import BusConfig
from activity_center.errors import SpoolFull
from collector.publish.feed import Feed
from collector.records import Entry
from tests.activity_center.bus.servers import RedisServer
from tests.collector.publish.parts import (
    Parts,
    bodies,
    collect,
    control,
    following,
    running,
    step,
    texts,
)
from tests.collector.spool.entries import entry, take_all
from tests.integration.process import until


def test_what_is_published(tmp_path: Path) -> None:
    """All of the process lens, and of the audit lens what is about a running process; nothing
    else, and nobody has to deliver first."""
    wanted = [step(1), control(2), step(3)]
    other = [entry(4), entry(5, stream="activity-agent-permanent"), entry(6)]
    with running(tmp_path) as parts, following(parts.bus) as follower:
        parts.add([other[0], *wanted[:1], other[1], *wanted[1:]])
        parts.add(other[2:])
        parts.add([step(7)])
        assert collect(follower, 4) == texts([*wanted, step(7)])
        until(lambda: parts.publisher.lag == 0)
        assert parts.publisher.published == 4
        assert parts.spool.records == 7, "nothing was delivered"


def test_a_restart_goes_on(tmp_path: Path) -> None:
    """After a stop in good order the next start goes on in the same epoch, without repeats."""
    with following(BusConfig(folder=str(tmp_path / "bus"))) as follower:
        for start in (0, 10, 20):
            with running(tmp_path) as parts:
                parts.add([step(start + number) for number in range(10)])
                collect(follower, start + 10)
                until(lambda: parts.publisher.lag == 0)
        assert bodies(follower) == texts([step(number) for number in range(30)])
        assert not [one for one in follower.items if isinstance(one, Gap)]


def test_what_was_accepted_without_a_publisher_comes_later(tmp_path: Path) -> None:
    """What the process that died had not published is read from the segments, controls too."""
    parts = Parts(tmp_path)
    given = [step(1), entry(2), control(3), step(4)]
    parts.add(given)
    parts.stop()
    with running(tmp_path) as parts, following(parts.bus) as follower:
        parts.add([step(5)])
        assert collect(follower, 4) == texts([given[0], given[2], given[3], step(5)])


def test_text_that_only_looks_like_a_control(tmp_path: Path) -> None:
    """Read from disk, an audit entry is published for its action alone, not for words in it."""
    parts = Parts(tmp_path)
    sly = entry(1, extra='"process.cancel')
    parts.add([sly, control(2, kind=Entry)])
    parts.stop()
    with running(tmp_path) as parts, following(parts.bus) as follower:
        assert collect(follower, 1) == [control(2).body]


def test_a_crash_between_bus_and_place(tmp_path: Path) -> None:
    """The bus had confirmed and the place was not written: published again, it is there once."""
    with running(tmp_path) as parts, following(parts.bus) as follower:
        parts.add([step(1)])
        collect(follower, 1)
        until(lambda: parts.publisher.lag == 0 and parts.publisher.published == 1)
        before = (parts.folder / "published").read_bytes()
        parts.add([step(2), step(3)])
        collect(follower, 3)
        until(lambda: parts.publisher.lag == 0)
    (parts.folder / "published").write_bytes(before)
    with running(tmp_path) as parts, following(parts.bus) as follower:
        parts.add([step(4)])
        assert collect(follower, 4) == texts([step(number) for number in (1, 2, 3, 4)])
        assert not [one for one in follower.items if isinstance(one, Gap)]
        assert parts.publisher.epochs == 0


@pytest.mark.parametrize("harm", ["missing", "damaged", "empty"])
def test_a_place_that_is_not_known(tmp_path: Path, harm: str) -> None:
    """Without its place it begins a new epoch from the oldest record that the spool has; who
    read before gets a gap first."""
    with running(tmp_path) as parts, following(parts.bus) as follower:
        parts.add([step(1), step(2)])
        collect(follower, 2)
        until(lambda: parts.publisher.lag == 0)
        places = dict(follower.places)
    file = parts.folder / "published"
    if harm == "missing":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-4] if harm == "damaged" else b"")
    with running(tmp_path) as parts, following(parts.bus) as follower:
        follower.places = places
        assert collect(follower, 2) == texts([step(1), step(2)])
        assert isinstance(follower.items[0], Gap)
        assert parts.publisher.epochs == 1


def test_a_wiped_spool_is_a_new_epoch(tmp_path: Path) -> None:
    """When the spool's folder is gone positions begin anew: in an epoch of their own."""
    with running(tmp_path) as parts, following(parts.bus) as follower:
        parts.add([step(number) for number in range(5)])
        collect(follower, 5)
        places = dict(follower.places)
        stream = parts.places.value.stream
    shutil.rmtree(parts.folder)
    with running(tmp_path) as parts, following(parts.bus) as follower:
        follower.places = places
        parts.add([step(9)])
        assert collect(follower, 1) == [step(9).body]
        assert isinstance(follower.items[0], Gap)
        assert parts.places.value.stream == stream, "the same collector has the same name"


def test_segments_wait_for_the_publisher(tmp_path: Path) -> None:
    """What is delivered stays on disk until it is published, also over a restart."""
    parts = Parts(tmp_path)
    given = [step(number, 20_000) for number in range(10)]
    for one in given:
        parts.add([one])
    take_all(parts.spool)
    assert parts.spool.records == 0
    parts.stop()
    with running(tmp_path) as parts, following(parts.bus) as follower:
        assert collect(follower, 10) == texts(given)
        until(lambda: parts.publisher.lag == 0)
        until(lambda: parts.places.value.place == parts.spool.next_position)
        parts.add([entry(99)])
        take_all(parts.spool)
        until(lambda: _settled(parts, 100))
        assert len(parts.spool.segments) <= 2


def _settled(parts: Parts, number: int) -> bool:
    """Delivering one more lets go what is published."""
    parts.add([entry(number)])
    take_all(parts.spool)
    return len(parts.spool.segments) <= 2


def test_the_bound(tmp_path: Path) -> None:
    """Delivered segments wait up to a quarter of the quota; then the oldest go, and what is
    left is published in a new epoch, which is counted."""
    with running(tmp_path) as parts, following(parts.bus) as follower:
        parts.add([step(0)])
        collect(follower, 1)
        until(lambda: parts.publisher.lag == 0)
    parts = Parts(tmp_path)
    given = [step(number, 60_000) for number in range(1, 60)]
    for one in given:
        parts.add([one])
        take_all(parts.spool)
    held = sum(segment.end for segment in parts.spool.segments)
    assert 512 * 1024 < held <= 1024 * 1024 + 3 * 64 * 1024
    parts.stop()
    with running(tmp_path) as parts:
        with following(parts.bus) as reader:
            until(lambda: parts.publisher.epochs == 1)
            found = collect(reader, 8)
            until(lambda: parts.publisher.lag == 0)
            reader.read_all()
            found = bodies(reader)
        assert found == texts(given)[-len(found) :]


def test_more_than_memory_holds(tmp_path: Path) -> None:
    """Entries beyond what waits in memory are read from disk, in order and once, while more
    comes."""
    parts = Parts(tmp_path)
    feed = Feed(parts.spool, memory=10_000)
    feed.rewind(1)
    assert feed.take(1000, 0) == ([], 1), "caught up: from here on it comes from memory"
    given = []
    for start in range(0, 400, 20):
        lot = [step(start + number, 200) for number in range(20)]
        given += lot
        parts.add(lot)
    found = []
    for number in range(400, 420):
        given.append(step(number))
        parts.add(given[-1:])
        taken = feed.take(1000, 0)
        assert taken is not None
        found += taken[0]
    while feed.waiting:
        taken = feed.take(5000, 0)
        assert taken is not None
        found += taken[0]
    given.append(step(999))
    parts.add(given[-1:])
    taken = feed.take(5000, 1)
    assert taken is not None
    found += taken[0]
    assert [body for _, body in found] == texts(given)
    assert taken[1] == parts.spool.next_position
    feed.close()
    parts.stop()


def test_a_bus_that_is_away(tmp_path: Path) -> None:
    """Accepting goes on while Redis is away, and all comes when it is back, once."""
    server = RedisServer(tmp_path / "redis", "--appendonly", "yes", "--appendfsync", "always")
    try:
        bus = BusConfig(url=server.url)
        with running(tmp_path, bus=bus) as parts, following(bus) as follower:
            parts.add([step(1)])
            collect(follower, 1)
            server.kill()
            parts.add([step(2), step(3)])
            until(lambda: parts.publisher.failures)
            parts.add([step(4)])
            assert parts.publisher.lag >= 1
            server.start()
            assert collect(follower, 4) == texts([step(number) for number in (1, 2, 3, 4)])
            assert not [one for one in follower.items if isinstance(one, Gap)]
    finally:
        server.kill()


def test_a_redis_that_keeps_nothing(tmp_path: Path) -> None:
    """A Redis without a file comes back empty: a new epoch has all that the spool has, and who
    read before is told."""
    server = RedisServer(tmp_path / "redis")
    try:
        bus = BusConfig(url=server.url)
        with running(tmp_path, bus=bus) as parts, following(bus) as follower:
            parts.add([step(1), step(2)])
            collect(follower, 2)
            server.kill()
            server.start()
            parts.add([step(3)])
            assert collect(follower, 5) == texts([step(number) for number in (1, 2, 1, 2, 3)])
            assert [isinstance(one, Gap) for one in follower.items].index(True) == 2
            assert parts.publisher.epochs == 2
    finally:
        server.kill()


def test_lost_newest_entries_come_again(tmp_path: Path) -> None:
    """A Redis that came back with older data gets what it lost from the spool, in the same
    epoch: no reader sees one twice."""
    server = RedisServer(tmp_path / "redis")
    try:
        bus = BusConfig(url=server.url)
        with running(tmp_path, bus=bus) as parts, following(bus) as follower:
            parts.add([step(1), step(2)])
            collect(follower, 2)
            client = server.client()
            client.save()
            parts.add([step(3)])
            collect(follower, 3)
            until(lambda: parts.publisher.lag == 0)
            server.kill()
            server.start()
            parts.add([step(4)])
            assert collect(follower, 4) == texts([step(number) for number in (1, 2, 3, 4)])
            with following(bus) as other:
                assert collect(other, 4) == bodies(follower)
            assert not [one for one in follower.items if isinstance(one, Gap)]
            assert parts.publisher.epochs == 1
    finally:
        server.kill()


def test_a_stop_publishes_what_is_there(tmp_path: Path) -> None:
    """``stop`` brings what waits to the bus; with the bus away it ends all the same."""
    parts = Parts(tmp_path)
    parts.add([step(number) for number in range(100)])
    parts.start()
    assert parts.publisher.stop(60)
    parts.stop()
    with following(parts.bus) as follower:
        assert len(collect(follower, 100)) == 100
    away = Parts(tmp_path, bus=BusConfig(url="redis://127.0.0.1:1"))
    away.add([step(100)])
    away.start()
    assert not away.publisher.stop(60)
    assert away.publisher.failures
    away.stop()


def test_another_writer_of_our_name(tmp_path: Path) -> None:
    """An epoch that somebody else began is not written to: ours begins anew."""
    with running(tmp_path) as parts, following(parts.bus) as follower:
        parts.add([step(1)])
        collect(follower, 1)
        other = open_writer(parts.bus, parts.places.value.stream)
        other.begin("theirs")
        other.close()
        parts.add([step(2)])
        assert collect(follower, 3) == texts([step(1), step(1), step(2)])
        assert parts.publisher.epochs == 2


def test_a_full_disk_lets_go_what_only_waits_for_the_bus(tmp_path: Path) -> None:
    """Accepting comes before publishing: on a full disk delivered segments do not wait."""
    parts = Parts(tmp_path)
    for number in range(7):
        parts.add([step(number, 60_000)])
    take_all(parts.spool)
    before = len(parts.spool.segments)
    assert before > 2
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(SpoolFull):
            for number in range(6, 9):
                parts.add([step(number, 60_000)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert len(parts.spool.segments) < before
    parts.stop()


def test_what_a_failover_lost_comes_again_by_itself(tmp_path: Path) -> None:
    """A replica that lacks what was confirmed gets it although nothing new happens."""
    server = RedisServer(tmp_path / "redis")
    try:
        bus = BusConfig(url=server.url)
        with running(tmp_path, bus=bus) as parts:
            parts.add([step(1)])
            until(lambda: parts.publisher.published == 1)
            client = server.client()
            before = {key: client.dump(key) for key in client.scan_iter()}
            parts.add([step(2)])
            until(lambda: parts.publisher.published == 2)
            client.flushall()
            for key, value in before.items():
                client.restore(key, 0, value)
            with following(bus) as follower:
                assert collect(follower, 2) == texts([step(1), step(2)])
                assert parts.publisher.epochs == 1
    finally:
        server.kill()


def test_collectors_of_one_name_have_streams_of_their_own(tmp_path: Path) -> None:
    """Two clusters, the same pod and path in each, and one bus: a copy of the path is enough
    to see that the name hangs on the data folder, not on where it is."""
    bus = BusConfig(folder=str(tmp_path / "bus"))
    with running(tmp_path / "a", bus=bus) as one:
        one.add([step(1)])
        until(lambda: one.publisher.published == 1)
    (tmp_path / "a").rename(tmp_path / "elsewhere")
    with running(tmp_path / "a", bus=bus) as two, following(bus) as follower:
        two.add([step(2)])
        assert sorted(collect(follower, 2)) == texts([step(1), step(2)])
        assert two.places.value.stream != one.places.value.stream
    shutil.rmtree(tmp_path / "a")
    (tmp_path / "elsewhere").rename(tmp_path / "a")
    (tmp_path / "a" / "data" / one.folder.name / "published").unlink()
    with running(tmp_path / "a", bus=bus) as again:
        assert again.places.value.stream == one.places.value.stream
