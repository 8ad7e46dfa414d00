"""The rejected store."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activity_center.errors import ConfigError, SpoolFailed, SpoolFull
from collector.records import REASONS, Reject
from collector.rejected import RejectedStore
from tests.collector.spool.entries import reject

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
REJECTS = st.builds(
    Reject,
    st.sampled_from(sorted(REASONS)),
    TEXT,
    TEXT,
    st.none() | st.binary(max_size=100),
    st.none() | st.binary(max_size=100),
    TEXT,
    TEXT,
    TEXT,
    st.integers(-(2**62), 2**62),
    st.none() | st.integers(-(2**62), 2**62),
)


@settings(deadline=None, max_examples=40)
@given(st.lists(REJECTS, max_size=6))
def test_what_is_added_comes_back(
    tmp_path_factory: pytest.TempPathFactory, rejects: list[Reject]
) -> None:
    """Every field of every reject is there again, after the store was closed."""
    folder = tmp_path_factory.mktemp("rejected")
    store = RejectedStore(folder)
    ids = store.add(rejects)
    store.close()
    store = RejectedStore(folder)
    for id_, given_ in zip(ids, rejects, strict=True):
        row = store.get(id_)
        assert row is not None
        raw = store.raw_path(id_).read_bytes() if row.raw_length is not None else None
        assert given_ == Reject(
            row.reason,
            row.detail,
            row.path,
            row.record,
            raw,
            row.sender,
            row.source,
            row.tag,
            row.received,
            row.time,
        )
    assert len(set(ids)) == len(ids) == store.count()
    assert [row.received for row in store.select()] == sorted(one.received for one in rejects)
    assert store.used_bytes == sum(row.size for row in store.select())
    store.close()


def test_the_same_reject_again_is_the_same_row(tmp_path: Path) -> None:
    """What a crash makes the deliverer repeat is stored once; equal ones of a call are two."""
    store = RejectedStore(tmp_path)
    assert store.add([reject(1), reject(1)]) == store.add([reject(1), reject(1)])
    assert store.count() == 2


def test_raw_bytes_are_for_the_owner_alone(tmp_path: Path) -> None:
    """Undecodable bytes are not redacted: mode 0600, in folders of mode 0700."""
    before = os.umask(0)
    try:
        store = RejectedStore(tmp_path / "rejected")
        (id_,) = store.add([reject(1, raw=b"\xff\x00secret")])
    finally:
        os.umask(before)
    files = [path for path in (tmp_path / "rejected").rglob("*") if path.is_file()]
    assert store.raw_path(id_) in files
    assert {path.stat().st_mode & 0o077 for path in files} == {0}
    assert (tmp_path / "rejected").stat().st_mode & 0o777 == 0o700


def test_rows_are_selected(tmp_path: Path) -> None:
    """Time, reason, sender, state and limit narrow what is listed, oldest first."""
    store = RejectedStore(tmp_path)
    store.add([reject(n, sender="ab"[n % 2]) for n in range(450)])
    (odd,) = store.add([reject(1000)._replace(reason="bad_text")])
    assert [row.received for row in store.select()] == [*range(450), 1000]
    assert [row.received for row in store.select(since=448)] == [448, 449, 1000]
    assert [row.id for row in store.select(reason="bad_text")] == [odd]
    assert store.count(sender="b") == 225
    assert [row.received for row in store.select(sender="b", limit=2)] == [1, 3]
    store.mark_replayed([odd])
    assert [row.id for row in store.select(replayed=True)] == [odd]
    assert store.count(replayed=False) == 450
    assert store.find(odd[:10]) == [odd]


def test_the_bound_holds_and_replayed_rows_make_room(tmp_path: Path) -> None:
    """Beyond the quota nothing is taken; what was replayed goes first when room is needed."""
    store = RejectedStore(tmp_path, quota_bytes=20_000)
    first = store.add([reject(n, sender=f"s{n}", raw=bytes(4000)) for n in range(4)])
    with pytest.raises(SpoolFull):
        store.add([reject(9, sender="s9", raw=bytes(4000))])
    assert len(list((tmp_path / "raw").iterdir())) == 4
    store.mark_replayed([first[2]])
    store.add([reject(9, sender="s9", raw=bytes(4000))])
    assert [row.received for row in store.select()] == [0, 1, 3, 9]
    assert not store.raw_path(first[2]).exists()
    assert store.used_bytes == sum(row.size for row in store.select()) <= 20_000


def test_one_sender_cannot_fill_it(tmp_path: Path) -> None:
    """Half of the store is left to the others."""
    store = RejectedStore(tmp_path, quota_bytes=20_000)
    store.add([reject(1, sender="loud", raw=bytes(9000))])
    with pytest.raises(SpoolFull, match="loud"):
        store.add([reject(2, sender="loud", raw=bytes(1000))])
    store.add([reject(3, sender="quiet", raw=bytes(1000))])


def test_a_reserve_is_left_for_what_was_accepted(tmp_path: Path) -> None:
    """A full store still takes what OpenSearch refuses later, up to a tenth more."""
    store = RejectedStore(tmp_path, quota_bytes=20_000)
    store.add([reject(n, sender=f"s{n}", raw=bytes(9400)) for n in range(2)])
    record = reject(3)._replace(record=b'"%s"' % (b"a" * 1000))
    with pytest.raises(SpoolFull):
        store.add([record])
    store.add([record], reserve=True)
    with pytest.raises(SpoolFull):
        store.add([reject(4, raw=bytes(2000))], reserve=True)


def test_a_raw_file_counts_for_a_block(tmp_path: Path) -> None:
    """However short the bytes, their file takes an inode and a block of the disk."""
    store = RejectedStore(tmp_path, quota_bytes=100_000)
    store.add([reject(n, raw=b"{") for n in range(10)])
    assert store.used_bytes > 10 * 4096
    with pytest.raises(SpoolFull):
        store.add([reject(n, raw=b"{") for n in range(10, 20)])
    assert len(list((tmp_path / "raw").iterdir())) == 10


def test_a_write_that_fails_deletes_no_bytes(tmp_path: Path) -> None:
    """Replayed rows that were to make room stay whole when the transaction is not committed."""
    store = RejectedStore(tmp_path, quota_bytes=20_000)
    (old,) = store.add([reject(1, sender="a", raw=bytes(9000))])
    store.add([reject(2, sender="b", raw=bytes(9000))])
    store.mark_replayed([old])
    with pytest.raises(SpoolFull, match="share"):
        store.add([reject(3, sender="c", raw=bytes(10_200))])
    assert store.count() == 2
    assert store.raw_path(old).read_bytes() == bytes(9000)
    store.add([reject(4, sender="c", raw=bytes(9000))])
    assert not store.raw_path(old).exists()


def test_raw_bytes_without_a_row_are_removed(tmp_path: Path) -> None:
    """A kill between file and row leaves unredacted bytes: they go at a later start."""
    store = RejectedStore(tmp_path)
    (kept,) = store.add([reject(1, raw=b"kept")])
    old, young = store.raw_path("0" * 32), store.raw_path("1" * 32)
    draft = old.with_name("2.bin.new")
    for path in (old, young, draft):
        path.write_bytes(b"left")
    for path in (old, draft, store.raw_path(kept)):
        os.utime(path, (0, 0))
    store.close()
    store = RejectedStore(tmp_path)
    assert {path.name for path in (tmp_path / "raw").iterdir()} == {f"{kept}.bin", young.name}
    store.close()


def test_a_store_of_an_earlier_release_opens(tmp_path: Path) -> None:
    """Rows of schema 1 are there, with the ids that the same rejects get now."""
    store = RejectedStore(tmp_path)
    ids = store.add([reject(1), reject(2, raw=b"\xff")])
    store.close()
    database = sqlite3.connect(tmp_path / "store.sqlite")
    database.executescript("ALTER TABLE rejected DROP COLUMN time; PRAGMA user_version = 1")
    database.close()
    for _ in range(2):
        store = RejectedStore(tmp_path)
        assert [(row.id, row.time) for row in store.select()] == [(id_, None) for id_ in ids]
        assert store.add([reject(1), reject(2, raw=b"\xff")]) == ids
        store.close()
    store = RejectedStore(tmp_path)
    (timed,) = store.add([reject(1)._replace(time=5)])
    assert timed not in ids
    row = store.get(timed)
    assert row is not None and row.time == 5


def test_a_time_beyond_64_bit_stops_nothing(tmp_path: Path) -> None:
    """What a sender may claim, SQLite may not hold: the record is kept without that time."""
    store = RejectedStore(tmp_path)
    ids = store.add([reject(1)._replace(time=value) for value in (2**63, -(2**63) - 1, 2**70, -1)])
    assert [row.time for row in map(store.get, ids) if row is not None] == [None] * 3 + [-1]


def test_a_store_of_a_later_release_is_left_alone(tmp_path: Path) -> None:
    """Nothing is written into tables that this release does not know."""
    RejectedStore(tmp_path).close()
    database = sqlite3.connect(tmp_path / "store.sqlite")
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(SpoolFailed, match="99"):
        RejectedStore(tmp_path)


def _add_many(folder: Path, worker: int) -> None:
    store = RejectedStore(folder)
    for number in range(20):
        store.add([reject(number, sender=f"worker {worker}")])
    store.close()


def test_workers_share_it(tmp_path: Path) -> None:
    """Several processes open it anew and write at the same time; nothing is lost."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(4, mp_context=context) as pool:
        list(pool.map(_add_many, [tmp_path] * 4, range(4)))
    store = RejectedStore(tmp_path)
    assert store.count() == 80
    assert store.used_bytes == sum(row.size for row in store.select())


def test_a_reader_makes_no_store(tmp_path: Path) -> None:
    """Naming a wrong folder is an error, not an empty store."""
    with pytest.raises(ConfigError, match="no store"):
        RejectedStore(tmp_path / "wrong", create=False)
    assert not (tmp_path / "wrong").exists()
