"""A disk that is full, or fails."""

from __future__ import annotations

import asyncio
import os
import re
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from activity_center.errors import SpoolFull
from collector.rejected import RejectedStore
from collector.spool import Spool, layout
from tests.collector.spool.entries import entries_of, entry, reject, take_all, wait_until

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def no_large_files() -> Iterator[None]:
    """Files end at 40,000 bytes: the kernel answers EFBIG, after a partial write."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, check=False).returncode:
        pytest.skip("mounting a tmpfs needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.usefixtures("no_large_files")
def test_a_write_that_comes_in_part_is_taken_back(tmp_path: Path) -> None:
    """SpoolFull, nothing half written, and smaller appends still fit."""
    spool = Spool.open(tmp_path, quota_bytes=1 << 20)
    for number in range(100):
        spool.append_now([entry(number)])
    with pytest.raises(SpoolFull) as full:
        spool.append_now([entry(number, extra="x" * 3000) for number in range(100, 105)])
    assert full.value.retry_after > 0
    assert spool.state == "full"
    assert not spool.ready
    spool.append_now([entry(200)])
    assert spool.state == "ok"
    assert spool.records == 101
    spool.close()
    spool = Spool.open(tmp_path, quota_bytes=1 << 20)
    assert entries_of(take_all(spool)) == [*[entry(n) for n in range(100)], entry(200)]
    assert spool.corrupt == 0
    spool.close()


def test_a_full_disk_slows_and_loses_nothing(small_disk: Path) -> None:
    """ENOSPC: senders are told to wait; what was taken is delivered, and then there is room."""
    spool = Spool.open(small_disk, quota_bytes=1 << 30, segment_bytes=32_768)
    kept: list[int] = []

    async def fill() -> None:
        number = 0
        full = 0
        while full < 3:
            try:
                await spool.append([entry(number, extra="x" * 2000)])
                kept.append(number)
            except SpoolFull:
                full += 1
            number += 1

    asyncio.run(fill())
    assert not spool.ready
    spool.close()
    spool = Spool.open(small_disk, quota_bytes=1 << 30, segment_bytes=32_768)
    found = entries_of(take_all(spool))
    assert found == [entry(number, extra="x" * 2000) for number in kept]
    asyncio.run(spool.append([entry(10_000)]))
    assert spool.ready
    spool.close()


def test_a_full_disk_becomes_ready_again_by_itself(small_disk: Path) -> None:
    """Readiness comes back without traffic: without readiness none would come."""
    spool = Spool.open(small_disk, quota_bytes=1 << 30)
    ballast = small_disk / "ballast"
    with pytest.raises(OSError, match="No space"):
        ballast.write_bytes(bytes(1 << 20))
    with pytest.raises(SpoolFull):
        spool.append_now([entry(1)])
    assert not spool.ready
    ballast.unlink()
    wait_until(lambda: spool.ready)
    spool.append_now([entry(2)])
    assert entries_of(take_all(spool)) == [entry(2)]
    spool.close()


def test_a_full_disk_under_the_rejected_store(small_disk: Path) -> None:
    """Rejects that find no room are SpoolFull; entries without rejects go on."""
    store = RejectedStore(small_disk / "rejected")
    spool = Spool.open(small_disk.parent / "spool", quota_bytes=1 << 20, rejected=store)
    with pytest.raises(SpoolFull):
        for number in range(400):
            spool.append_now([entry(number)], [reject(number, raw=bytes(4000))])
    spool.append_now([entry(1000)])
    assert entry(1000) in entries_of(take_all(spool))
    assert not list((small_disk / "rejected" / "raw").glob("*.new"))
    spool.close()
    store.close()


def _broken_disk(folder: Path, how: str) -> list[str]:
    """Append on a disk that breaks; return what each append said."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.collector.spool.broken_disk", folder, how],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [line for line in done.stdout.splitlines() if re.match(r"\d ", line)]


def test_a_failed_fdatasync_is_not_tried_again(tmp_path: Path) -> None:
    """EIO: not acknowledged, not ready, and a new segment for what comes next."""
    assert _broken_disk(tmp_path, "sync") == [
        "0 kept ok True",
        "1 SpoolFailed failed False",
        "2 SpoolFailed failed False",
        "3 kept ok True",
        "4 kept ok True",
    ]
    names = sorted(path.name for path in (tmp_path / layout.SEGMENTS).iterdir())
    assert len(names) == 2
    spool = Spool.open(tmp_path, quota_bytes=1 << 20)
    found = entries_of(take_all(spool))
    assert [one for one in found if one != entry(1)] == [entry(0), entry(3), entry(4)]
    spool.close()


def test_a_disk_that_becomes_read_only_answers_every_append(tmp_path: Path) -> None:
    """EROFS while the writer tries again by itself: it lives, and appends fail and return."""
    assert _broken_disk(tmp_path, "read-only") == [
        "0 SpoolFull full False",
        "1 SpoolFailed failed False",
        "2 SpoolFailed failed False",
    ]


def test_the_name_of_a_segment_is_durable_too(tmp_path: Path) -> None:
    """A folder that cannot be synced: the file in it could vanish by name, so nothing is acked."""
    assert _broken_disk(tmp_path, "folder") == ["0 SpoolFailed failed False"]


def test_a_rejected_record_is_synced_before_it_is_acknowledged(tmp_path: Path) -> None:
    """EIO under the rejected store's database: what was not synced is not said to be kept."""
    assert _broken_disk(tmp_path, "store") == ["0 kept", "1 SpoolFailed"]
