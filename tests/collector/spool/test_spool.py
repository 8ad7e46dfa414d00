"""The spool as its users see it."""

from __future__ import annotations

import asyncio
import shutil
import threading
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activity_center.errors import SpoolFailed, SpoolFull
from collector.rejected import RejectedStore
from collector.spool import Spool, layout
from tests.collector.spool.entries import (
    NEVER,
    entries_of,
    entry,
    reject,
    take_all,
    wait_until,
)

QUOTA = 1 << 20


def _segments(folder: Path) -> list[Path]:
    return sorted((folder / layout.SEGMENTS).iterdir())


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 5), st.sampled_from(["take", "restart", "wait"])), max_size=25
    )
)
def test_in_order_and_each_once(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, str]]
) -> None:
    """Whatever the sizes of segments and memory, restarts and takes: in order, none twice."""
    folder = tmp_path_factory.mktemp("spool")
    number, found = 0, []
    spool = Spool.open(folder, quota_bytes=QUOTA, segment_bytes=1500, memory_bytes=1000)
    for size, then in steps:
        batch = [entry(n) for n in range(number, number + size)]
        number += size
        spool.append_now(batch)
        if then == "take":
            found += take_all(spool, documents=3)
        elif then == "restart":
            spool.close()
            spool = Spool.open(folder, quota_bytes=QUOTA, segment_bytes=1500, memory_bytes=1000)
    found += take_all(spool, documents=3)
    assert entries_of(found) == [entry(n) for n in range(number)]
    positions = [record[0] for record in found]
    assert positions == sorted(set(positions))
    assert (spool.records, spool.bytes, list(spool.senders())) == (0, 0, [])
    assert spool.drained
    spool.close()


def test_many_appends_share_a_sync(tmp_path: Path) -> None:
    """64 connections that append single events do not pay one sync each."""
    spool = Spool.open(tmp_path, quota_bytes=QUOTA)

    async def connection(number: int) -> None:
        for step in range(10):
            await spool.append([entry(number * 100 + step)])

    async def all_of_them() -> None:
        await asyncio.gather(*[connection(number) for number in range(64)])

    asyncio.run(all_of_them())
    assert spool.records == 640
    assert spool.fsyncs <= 320
    assert spool.sync_seconds > 0
    spool.close()


def test_an_append_is_on_disk_when_it_returns(tmp_path: Path) -> None:
    """What another reader sees in the files is what was acknowledged."""
    spool = Spool.open(tmp_path, quota_bytes=QUOTA)
    for number in range(5):
        asyncio.run(spool.append([entry(number)]))
        blob = b"".join(path.read_bytes() for path in _segments(tmp_path))
        assert entry(number).body in blob
    spool.close()


def test_delivered_segments_are_deleted(tmp_path: Path) -> None:
    """Settled records leave the disk, segment by segment; the newest segment stays."""
    spool = Spool.open(tmp_path, quota_bytes=QUOTA, segment_bytes=1)
    for number in range(6):
        spool.append_now([entry(number)])
    assert len(_segments(tmp_path)) == 6
    first = spool.take(2, 5_000_000, 0, NEVER)
    spool.settle(first)
    assert len(_segments(tmp_path)) == 4
    take_all(spool)
    assert len(_segments(tmp_path)) == 1
    spool.close()


def test_a_batch_that_is_not_settled_comes_again(tmp_path: Path) -> None:
    """After a restart everything from the oldest unsettled batch on comes again."""
    spool = Spool.open(tmp_path, quota_bytes=QUOTA, segment_bytes=1)
    for number in range(6):
        spool.append_now([entry(number)])
    spool.settle(spool.take(2, 5_000_000, 0, NEVER))
    spool.take(2, 5_000_000, 0, NEVER)
    assert not spool.drained
    spool.close()
    spool = Spool.open(tmp_path, quota_bytes=QUOTA)
    assert entries_of(take_all(spool)) == [entry(n) for n in range(2, 6)]
    assert spool.drained
    spool.close()


def test_positions_never_come_again(tmp_path: Path) -> None:
    """After everything is delivered and the cursor is lost, positions still go on."""
    spool = Spool.open(tmp_path, quota_bytes=QUOTA)
    spool.append_now([entry(n) for n in range(5)])
    take_all(spool)
    spool.close()
    (tmp_path / layout.CURSOR).unlink()
    spool = Spool.open(tmp_path, quota_bytes=QUOTA)
    spool.append_now([entry(5)])
    assert [record[0] for record in take_all(spool)] == [*range(1, 7)]
    spool.close()


def test_the_quota_takes_nothing_partially(tmp_path: Path) -> None:
    """A batch that does not fit is refused whole, and fits once there is room."""
    spool = Spool.open(tmp_path, quota_bytes=3500)
    spool.append_now([entry(n) for n in range(6)])
    before = spool.bytes
    more = [entry(n) for n in range(10, 20)]
    with pytest.raises(SpoolFull) as full:
        asyncio.run(spool.append(more))
    assert full.value.retry_after > 0
    assert (spool.bytes, spool.records) == (before, 6)
    take_all(spool)
    asyncio.run(spool.append(more))
    assert entries_of(take_all(spool)) == more
    spool.close()


def test_an_empty_spool_takes_what_is_larger_than_the_quota(tmp_path: Path) -> None:
    """A batch beyond the whole quota could else never be sent; the next one waits for it."""
    spool = Spool.open(tmp_path, quota_bytes=1000)
    large = [entry(n) for n in range(20)]
    asyncio.run(spool.append(large))
    assert spool.bytes > spool.quota_bytes
    with pytest.raises(SpoolFull):
        spool.append_now([entry(99)])
    assert entries_of(take_all(spool)) == large
    spool.append_now([entry(99)])
    assert entries_of(take_all(spool)) == [entry(99)]
    spool.close()


def test_a_senders_share_does_not_touch_the_others(tmp_path: Path) -> None:
    """One sender cannot fill the spool; its share counts again after a restart."""
    shares = {"loud": 1500}
    spool = Spool.open(tmp_path, quota_bytes=QUOTA, quota_of=shares.get)
    spool.append_now([entry(n, sender="loud") for n in range(4)])
    for _ in range(2):
        with pytest.raises(SpoolFull, match="loud"):
            spool.append_now(
                [
                    entry(9, sender="quiet"),
                    entry(10, sender="loud"),
                    *[entry(n, sender="loud") for n in range(11, 13)],
                ]
            )
        spool.append_now([entry(20, sender="quiet")])
        used = dict(spool.senders())
        spool.close()
        spool = Spool.open(tmp_path, quota_bytes=QUOTA, quota_of=shares.get)
        assert dict(spool.senders()) == used
    take_all(spool)
    spool.append_now([entry(9, sender="loud")])
    spool.close()


def test_a_folder_has_one_owner(tmp_path: Path) -> None:
    """Two collectors with one data_dir do not write over each other."""
    spool = Spool.open(tmp_path, quota_bytes=QUOTA)
    with pytest.raises(SpoolFailed, match="another process"):
        Spool.open(tmp_path, quota_bytes=QUOTA)
    spool.close()
    Spool.open(tmp_path, quota_bytes=QUOTA).close()


def test_rejects_are_durable_with_the_entries(tmp_path: Path) -> None:
    """When the append returns, its rejects are in the store; a full store takes none of it."""
    store = RejectedStore(tmp_path / "rejected", quota_bytes=2000)
    spool = Spool.open(tmp_path / "spool", quota_bytes=QUOTA, rejected=store)

    async def both() -> None:
        await spool.append([entry(1)], [reject(1)])
        results = await asyncio.gather(
            spool.append([entry(2)], [reject(2, raw=bytes(5000))]),
            spool.append([entry(3)], [reject(3)]),
            spool.append([entry(4)]),
            return_exceptions=True,
        )
        assert isinstance(results[0], SpoolFull)
        assert results[1:] == [None, None]

    asyncio.run(both())
    assert [row.detail for row in store.select()] == ["number 1", "number 3"]
    assert entries_of(take_all(spool)) == [entry(1), entry(3), entry(4)]
    spool.close()


def test_a_cancelled_append_does_no_harm(tmp_path: Path) -> None:
    """A sender that goes away while it waits: its events are kept, the writer lives."""
    spool = Spool.open(tmp_path, quota_bytes=QUOTA)

    async def cancelled() -> None:
        task = asyncio.create_task(spool.append([entry(1)]))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await spool.append([entry(2)])

    asyncio.run(cancelled())
    assert entries_of(take_all(spool)) == [entry(1), entry(2)]
    spool.close()


def test_a_taker_waits_for_more_but_not_long(tmp_path: Path) -> None:
    """The linger ends when the batch is full, or when its time is over."""
    spool = Spool.open(tmp_path, quota_bytes=QUOTA)
    taken: list[int] = []

    def taker() -> None:
        for linger in (30.0, 0.05):
            records = spool.take(3, 5_000_000, linger, NEVER)
            taken.append(len(records))
            spool.settle(records)

    thread = threading.Thread(target=taker)
    thread.start()
    for number in range(4):
        spool.append_now([entry(number)])
    thread.join(20)
    assert taken == [3, 1]
    assert spool.oldest is None
    spool.close()


def test_a_closed_spool_takes_nothing(tmp_path: Path) -> None:
    """After close nothing is acknowledged."""
    spool = Spool.open(tmp_path, quota_bytes=QUOTA)
    spool.close()
    with pytest.raises(SpoolFailed):
        asyncio.run(spool.append([entry(1)]))


def test_the_generations_are_kept_with_the_cursor(tmp_path: Path) -> None:
    """After a restart it is known which backing index took writes before."""
    spool = Spool.open(tmp_path, quota_bytes=QUOTA)
    spool.append_now([entry(1), entry(2)])
    spool.settle(spool.take(1, 5_000_000, 0, NEVER), {"s": ".ds-s-000003"})
    spool.close()
    cursor = layout.decode_cursor((tmp_path / layout.CURSOR).read_bytes())
    assert (cursor.position, cursor.taken) == (2, 2)
    spool = Spool.open(tmp_path, quota_bytes=QUOTA)
    assert spool.generations == {"s": ".ds-s-000003"}
    spool.close()


def test_what_was_taken_is_suspect_after_a_start(tmp_path: Path) -> None:
    """What may have been sent is known after kill -9; in doubt, all may have been."""
    spool = Spool.open(tmp_path, quota_bytes=QUOTA)
    spool.append_now([entry(number) for number in range(9)])
    spool.settle(spool.take(2, 5_000_000, 0, NEVER))
    spool.take(3, 5_000_000, 0, NEVER)
    killed = tmp_path.with_name("killed")
    shutil.copytree(tmp_path, killed)
    spool.close()
    for change, suspects in (
        (lambda content: content, 6),
        (lambda content: content[:-3], 10),
        (lambda content: content.replace(b'"boot":"', b'"boot":"x'), 10),
        (lambda content: b"", 10),
    ):
        copy = tmp_path.with_name("copy")
        shutil.copytree(killed, copy)
        content = (killed / layout.CURSOR).read_bytes()
        (copy / layout.CURSOR).write_bytes(change(content))
        again = Spool.open(copy, quota_bytes=QUOTA)
        assert again.suspects == suspects
        again.close()
        shutil.rmtree(copy)


def test_what_a_taker_does_not_fetch_is_not_kept_in_memory(tmp_path: Path) -> None:
    """The tail in memory is bounded; the rest comes from disk, and then memory again."""
    spool = Spool.open(tmp_path, quota_bytes=QUOTA, memory_bytes=2000)
    for number in range(100):
        spool.append_now([entry(number)])
    assert spool._outlet._tail_bytes <= 2000
    assert entries_of(take_all(spool)) == [entry(n) for n in range(100)]
    spool.append_now([entry(100)])
    wait_until(lambda: len(spool._outlet._tail) == 1)
    assert entries_of(take_all(spool)) == [entry(100)]
    spool.close()


def _killed(folder: Path, name: str) -> Path:
    """The folder as kill -9 leaves it now."""
    copy = folder.with_name(name)
    shutil.copytree(folder, copy)
    return copy


def test_what_may_have_been_sent_never_becomes_less(tmp_path: Path) -> None:
    """Five sent, kill, one of them again, kill: all five still may have been sent."""
    spool = Spool.open(tmp_path / "a", quota_bytes=QUOTA)
    spool.append_now([entry(number) for number in range(9)])
    spool.take(5, 5_000_000, 0, NEVER)
    first = _killed(tmp_path / "a", "b")
    spool.close()
    spool = Spool.open(first, quota_bytes=QUOTA)
    assert spool.suspects == 6
    spool.settle(spool.take(1, 5_000_000, 0, NEVER))
    second = _killed(first, "c")
    spool.close()
    spool = Spool.open(second, quota_bytes=QUOTA)
    assert spool.suspects == 6
    spool.close()


def test_a_kill_after_a_loss_of_power_forgets_nothing(tmp_path: Path) -> None:
    """After a loss of power all may have been sent; a kill before it is sent changes nothing."""
    spool = Spool.open(tmp_path / "a", quota_bytes=QUOTA)
    spool.append_now([entry(number) for number in range(9)])
    spool.settle(spool.take(2, 5_000_000, 0, NEVER))
    spool.close()
    cursor = layout.decode_cursor((tmp_path / "a" / layout.CURSOR).read_bytes())
    other_boot = msgspec.structs.replace(cursor, boot="another boot")
    (tmp_path / "a" / layout.CURSOR).write_bytes(layout.encode_cursor(other_boot))
    spool = Spool.open(tmp_path / "a", quota_bytes=QUOTA)
    assert spool.suspects == 10
    early = _killed(tmp_path / "a", "b")
    spool.settle(spool.take(1, 5_000_000, 0, NEVER))
    late = _killed(tmp_path / "a", "c")
    spool.close()
    for folder in (early, late):
        spool = Spool.open(folder, quota_bytes=QUOTA)
        assert spool.suspects == 10
        spool.close()


def test_several_lots_are_handed_out_only_when_they_are_all_there(tmp_path: Path) -> None:
    """Twice as much for two requests at a time; otherwise one request's worth, and no wait."""
    spool = Spool.open(tmp_path, quota_bytes=QUOTA)
    spool.append_now([entry(number) for number in range(9)])
    for expected in (6, 3):
        records = spool.take(3, 5_000_000, 0, NEVER, lots=2)
        assert len(records) == expected
        spool.settle(records)
    spool.close()
