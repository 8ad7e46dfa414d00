"""Fewer workers than before: nothing is left behind."""

from __future__ import annotations

import shutil
from pathlib import Path

from collector.spool import Spool, adopt, layout
from collector.spool.adopt import orphans
from collector.spool.layout import worker_folder
from tests.collector.spool.entries import NEVER, entries_of, entry, take_all

QUOTA = 1 << 20


def _open(root: Path, index: int) -> Spool:
    return Spool.open(worker_folder(root, index), quota_bytes=QUOTA, segment_bytes=1000)


def test_each_orphan_has_one_heir(tmp_path: Path) -> None:
    """Every folder beyond the workers goes to exactly one of them, none of the living."""
    for index in (0, 1, 2, 5, 7):
        worker_folder(tmp_path, index).mkdir()
    (tmp_path / "worker-x").mkdir()
    (tmp_path / "rejected").mkdir()
    heirs = [orphans(tmp_path, index, 2) for index in range(2)]
    assert [[folder.name for folder in one] for one in heirs] == [
        ["worker-2"],
        ["worker-5", "worker-7"],
    ]


def test_what_was_undelivered_is_taken_over(tmp_path: Path) -> None:
    """Undelivered and parked records move; delivered ones do not; the folder goes."""
    former = _open(tmp_path, 1)
    former.append_now([entry(number) for number in range(10)])
    first = former.take(4, 5_000_000, 0, NEVER)
    former.parking.park("refusing", first[:2])
    former.settle(first)
    former.close()
    (worker_folder(tmp_path, 1) / layout.RECHECKS).write_bytes(b"later\n")
    heir = _open(tmp_path, 0)
    heir.append_now([entry(100)])
    heir.close()
    heir = _open(tmp_path, 0)
    assert adopt(heir, tmp_path, 0, 1) == 8
    assert heir.records == 9
    # Any generation may hold them: nothing is known of their history here.
    assert heir.generations == {}
    assert heir.suspects == 10
    assert not worker_folder(tmp_path, 1).exists()
    assert (heir.folder / layout.RECHECKS).read_bytes() == b"later\n"
    heir.close()
    heir = _open(tmp_path, 0)
    found = entries_of(take_all(heir))
    assert found == [entry(100), *[entry(n) for n in range(4, 10)], entry(0), entry(1)]
    heir.close()


def test_a_kill_after_taking_over_keeps_the_doubt(tmp_path: Path) -> None:
    """What was taken over may be in any generation, also after kill -9 before it is sent."""
    former = _open(tmp_path, 1)
    former.append_now([entry(number) for number in range(10)])
    former.take(4, 5_000_000, 0, NEVER)
    former.close()
    heir = _open(tmp_path, 0)
    heir.append_now([entry(100)])
    heir.settle(heir.take(1, 5_000_000, 0, NEVER), {"s": ".ds-s-000003"})
    adopt(heir, tmp_path, 0, 1)
    killed = tmp_path / "killed"
    shutil.copytree(heir.folder, killed)
    heir.close()
    again = Spool.open(killed, quota_bytes=QUOTA)
    assert again.generations == {}
    assert again.suspects == 12
    again.close()


def test_a_spool_in_use_is_left_alone(tmp_path: Path) -> None:
    """A worker that still runs keeps its spool."""
    former, heir = _open(tmp_path, 1), _open(tmp_path, 0)
    former.append_now([entry(1)])
    assert adopt(heir, tmp_path, 0, 1) == 0
    assert worker_folder(tmp_path, 1).exists()
    former.close()
    assert adopt(heir, tmp_path, 0, 1) == 1
    heir.close()


def test_damage_in_an_adopted_spool_is_kept(tmp_path: Path) -> None:
    """A flipped byte costs its record there too, and the bytes move along."""
    former = _open(tmp_path, 1)
    former.append_now([entry(number) for number in range(3)])
    former.close()
    (segment,) = (worker_folder(tmp_path, 1) / layout.SEGMENTS).iterdir()
    content = bytearray(segment.read_bytes())
    content[100] ^= 1
    segment.write_bytes(content)
    heir = _open(tmp_path, 0)
    assert adopt(heir, tmp_path, 0, 1) == 2
    assert heir.corrupt == 1
    (kept,) = (worker_folder(tmp_path, 0) / layout.QUARANTINE).iterdir()
    assert kept.read_bytes() in bytes(content)
    heir.close()
