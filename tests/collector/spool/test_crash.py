"""kill -9 of a process that appends."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from collector.rejected import RejectedStore
from collector.spool import Spool
from tests.collector.spool.entries import entry, take_all

ROOT = Path(__file__).resolve().parents[3]


def _cycle(folder: Path, number: int, seconds: float) -> tuple[set[int], set[int]]:
    """Append until killed; return the acknowledged entries and rejects."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.collector.spool.appender", folder, str(number * 10**8)],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    acknowledged: set[int] = set()
    rejected: set[int] = set()
    for line in process.stdout.read().splitlines():
        parts = line.split()
        if len(parts) == 3:
            acknowledged.update(range(int(parts[0]), int(parts[1]) + 1))
            if parts[2] == b"1":
                rejected.add(int(parts[0]))
    process.stdout.close()
    process.wait()
    return acknowledged, rejected


def _check(folder: Path, cycles: int) -> None:
    acknowledged: set[int] = set()
    rejected: set[int] = set()
    chance = random.Random(cycles)
    for number in range(cycles):
        more, refused = _cycle(folder, number, chance.uniform(0.0, 0.4))
        acknowledged |= more
        rejected |= refused
    assert acknowledged
    store = RejectedStore(folder / "rejected")
    kept = {row.received for row in store.select()}
    assert rejected <= kept
    spool = Spool.open(folder / "spool", quota_bytes=1 << 30, rejected=store)
    records = take_all(spool, documents=1000)
    found = [record[2] for record in records]
    assert spool.corrupt == 0
    assert len({record[0] for record in records}) == len(records)
    bodies = {one.body for one in found}
    missing = [n for n in acknowledged if entry(n, extra="x" * 200).body not in bodies]
    assert missing == []
    spool.close()


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    """Killed at random moments, over and over: every acknowledged entry and reject is there."""
    _check(tmp_path, 3)


@pytest.mark.slow
def test_what_was_acknowledged_survives_fifty_kills(tmp_path: Path) -> None:
    """The same, fifty times in one folder."""
    _check(tmp_path, 50)
