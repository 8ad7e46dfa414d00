"""Damaged and torn segments."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from collector.rejected import RejectedStore
from collector.spool import Record, Spool, layout
from tests.collector.spool.entries import entries_of, entry, reject, take_all, wait_until

QUOTA = 1 << 20
ENTRIES = [entry(number, extra="x" * (number % 7)) for number in range(6)]


def _write(folder: Path) -> tuple[Path, bytes]:
    """Spool ENTRIES in three appends; return the segment and its bytes."""
    spool = Spool.open(folder, quota_bytes=QUOTA)
    for start in range(0, 6, 2):
        spool.append_now(ENTRIES[start : start + 2])
    spool.close()
    (segment,) = (folder / layout.SEGMENTS).iterdir()
    return segment, segment.read_bytes()


def _edges() -> list[int]:
    """Offsets at which the records of ENTRIES begin, and the end."""
    edges = [layout.SEGMENT_HEADER_BYTES]
    for _, size, _ in layout.encode_records(1, ENTRIES)[1]:
        edges.append(edges[-1] + size)
    return edges


def test_a_tail_torn_at_any_byte_costs_only_what_is_torn(tmp_path: Path) -> None:
    """Cut anywhere, the whole records before the cut come back, and appending goes on."""
    segment, content = _write(tmp_path / "spool")
    edges = _edges()
    assert len(content) == edges[-1]
    for cut in range(len(content)):
        for file in segment.parent.iterdir():
            file.unlink()
        segment.write_bytes(content[:cut])
        spool = Spool.open(tmp_path / "spool", quota_bytes=QUOTA)
        whole = sum(edge <= cut for edge in edges[1:])
        assert spool.records == whole
        assert segment.stat().st_size in (edges[whole], cut if cut < edges[0] else -1)
        spool.append_now([entry(99)])
        found = entries_of(take_all(spool, settle=False))
        assert found == [*ENTRIES[:whole], entry(99)], cut
        assert spool.corrupt == 0
        spool.close()


def test_a_repair_is_told(tmp_path: Path) -> None:
    """A torn tail is a line of the log: which file, how many bytes; a whole one is none."""
    segment, content = _write(tmp_path / "spool")
    with capture_logs() as quiet:
        Spool.open(tmp_path / "spool", quota_bytes=QUOTA).close()
    assert quiet == []
    segment.write_bytes(content[:-5])
    with capture_logs() as told:
        Spool.open(tmp_path / "spool", quota_bytes=QUOTA).close()
    (line,) = told
    assert line["log_level"] == "warning"
    assert "torn tail" in line["event"]
    assert line["segment"] == segment.name
    assert line["bytes"] == _edges()[-1] - _edges()[-2] - 5


@pytest.mark.parametrize("flip", [0x01, 0xFF])
def test_a_flipped_byte_costs_exactly_its_record(tmp_path: Path, flip: int) -> None:
    """Any byte of any record, its length included: the others come back, one is reported."""
    folder = tmp_path / "spool"
    segment, content = _write(folder)
    edges = _edges()
    store = RejectedStore(tmp_path / "rejected")
    for at in range(len(content)):
        for file in segment.parent.iterdir():
            file.unlink()
        damaged = bytearray(content)
        damaged[at] ^= flip
        if 8 <= at < 12:
            continue  # the version: another one is refused, see below
        segment.write_bytes(damaged)
        spool = Spool.open(folder, quota_bytes=QUOTA, rejected=store)
        found = entries_of(take_all(spool))
        lost = sum(edge <= at for edge in edges) - 1
        expected = ENTRIES if lost < 0 else ENTRIES[:lost] + ENTRIES[lost + 1 :]
        assert found == expected, at
        assert spool.corrupt == (lost >= 0)
        if lost >= 0:
            name = layout.quarantine_name(1, edges[lost], edges[lost + 1])
            kept = folder / layout.QUARANTINE / name
            assert kept.read_bytes() == bytes(damaged[edges[lost] : edges[lost + 1]])
            assert kept.stat().st_mode & 0o777 == 0o600
        spool.close()
        (folder / layout.CURSOR).unlink()
    reports = list(store.select(reason="spool_corrupt"))
    assert {name.detail.partition("segment: ")[2].partition(":")[0] for name in reports} == {
        f"bytes {start} to {end}" for start, end in pairwise(edges)
    }


def test_damage_found_again_is_reported_once(tmp_path: Path) -> None:
    """The report follows from the place: a restart before settling does not double it."""
    segment, content = _write(tmp_path / "spool")
    segment.write_bytes(content[:200] + b"?" + content[201:])
    store = RejectedStore(tmp_path / "rejected")
    for _ in range(3):
        spool = Spool.open(tmp_path / "spool", quota_bytes=QUOTA, rejected=store)
        assert len(take_all(spool, settle=False)) == 5
        spool.close()
    assert store.count(reason="spool_corrupt") == 1


def test_damage_at_the_end_takes_no_position_again(tmp_path: Path) -> None:
    """A damaged last record may have been acknowledged: its position is not given away."""
    segment, content = _write(tmp_path / "spool")
    segment.write_bytes(content[:-1] + b"?")
    spool = Spool.open(tmp_path / "spool", quota_bytes=QUOTA)
    spool.append_now([entry(99)])
    found = take_all(spool)
    assert entries_of(found) == [*ENTRIES[:5], entry(99)]
    assert found[-1][0] > 6
    assert spool.corrupt == 1
    spool.close()


def test_settling_all_after_damage_leaves_nothing(tmp_path: Path) -> None:
    """A record lost to damage does not stay in the accounts for ever."""
    spool = Spool.open(tmp_path / "spool", quota_bytes=QUOTA, memory_bytes=0)
    spool.append_now(ENTRIES[:1])
    spool.append_now(ENTRIES[1:])
    (segment,) = (tmp_path / "spool" / layout.SEGMENTS).iterdir()
    content = bytearray(segment.read_bytes())
    content[-1] ^= 1
    segment.write_bytes(content)
    assert len(take_all(spool)) == 5
    assert (spool.records, spool.bytes, list(spool.senders())) == (0, 0, [])
    assert spool.drained
    spool.close()


def test_a_segment_of_a_later_version_is_refused(tmp_path: Path) -> None:
    """Nothing is read, deleted or repaired that this release does not understand."""
    import struct
    import zlib

    from activity_center.errors import SpoolFailed

    segment, content = _write(tmp_path / "spool")
    head = content[:8] + struct.pack("<I", 2) + content[12:28]
    later = head + struct.pack("<I", zlib.crc32(head)) + content[32:]
    segment.write_bytes(later)
    with pytest.raises(SpoolFailed, match="version 2"):
        Spool.open(tmp_path / "spool", quota_bytes=QUOTA)
    assert segment.read_bytes() == later


def test_garbage_between_records_is_skipped(tmp_path: Path) -> None:
    """Whatever stands between two records, even half headers, both are found."""
    segment, content = _write(tmp_path / "spool")
    edges = _edges()
    for garbage in (b"\0" * 5000, b"\xff\xfeAC" * 100, content[edges[2] : edges[2] + 20] * 3):
        segment.write_bytes(content[: edges[3]] + garbage + content[edges[3] :])
        spool = Spool.open(tmp_path / "spool", quota_bytes=QUOTA)
        assert entries_of(take_all(spool)) == ENTRIES
        assert spool.corrupt == 1
        spool.close()
        (tmp_path / "spool" / layout.CURSOR).unlink()


def test_a_segment_whose_only_record_is_damaged_is_not_taken_for_empty(tmp_path: Path) -> None:
    """What was acknowledged and cannot be read is reported, also when the writer goes on."""
    spool = Spool.open(tmp_path, quota_bytes=QUOTA)
    spool.append_now([entry(1)])
    spool.close()
    (segment,) = (tmp_path / layout.SEGMENTS).iterdir()
    content = bytearray(segment.read_bytes())
    content[-1] ^= 1
    segment.write_bytes(content)
    spool = Spool.open(tmp_path, quota_bytes=QUOTA)
    spool.append_now([entry(2)])
    assert entries_of(take_all(spool)) == [entry(2)]
    assert spool.corrupt == 1
    spool.close()


@pytest.mark.parametrize("kept", [9, -5])
def test_a_write_that_failed_is_no_damage(tmp_path: Path, kept: int) -> None:
    """A torn tail before a later segment (a sync failed there) was never acknowledged."""
    spool = Spool.open(tmp_path, quota_bytes=QUOTA, segment_bytes=1)
    for number in range(3):
        spool.append_now([entry(number)])
    spool.close()
    first, second, _ = sorted((tmp_path / layout.SEGMENTS).iterdir())
    written = layout.encode_records(2, [entry(1)])[0]
    second.unlink()
    first.write_bytes(first.read_bytes() + written[:kept])
    spool = Spool.open(tmp_path, quota_bytes=QUOTA)
    assert entries_of(take_all(spool)) == [entry(0), entry(2)]
    assert spool.corrupt == 0
    spool.close()


def test_a_full_store_does_not_hold_up_what_is_whole(tmp_path: Path) -> None:
    """A report that finds no room waits, beside the records, until there is room."""
    segment, content = _write(tmp_path / "spool")
    segment.write_bytes(content[:200] + b"?" + content[201:])
    store = RejectedStore(tmp_path / "rejected", quota_bytes=5000)
    (old,) = store.add([reject(1, raw=bytes(4800))], reserve=True)
    spool = Spool.open(tmp_path / "spool", quota_bytes=QUOTA, rejected=store)
    assert len(take_all(spool)) == 5
    assert spool.corrupt == 1
    assert spool.unreported == 1
    assert store.count() == 1
    store.discard([old])
    spool.append_now([entry(99)])
    found: list[Record] = []

    def reported() -> bool:
        found.extend(take_all(spool))
        return spool.unreported == 0

    wait_until(reported)
    assert entries_of(found) == [entry(99)]
    assert store.count(reason="spool_corrupt") == 1
    spool.close()
