"""A small disk that can be filled, and damage to the segments of a stopped collector."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from collector.records import Entry
from collector.spool.layout import encode_records
from collector.spool.reader import SegmentReader
from tests.integration.process import Collector


class Disk(Protocol):
    """Where a collector keeps its data."""

    folder: Path

    def fill(self, collector: Collector) -> None:
        """Leave no room."""

    def free(self, collector: Collector) -> None:
        """Give room again."""


class SmallDisk:
    """A tmpfs of 24 MiB, filled by a file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self, collector: Collector) -> None:
        """Write until ENOSPC."""
        with (self.folder / "ballast").open("ab", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(bytes(4096))
            except OSError:
                return

    def free(self, collector: Collector) -> None:
        """Remove the file."""
        (self.folder / "ballast").unlink()


class LimitedFiles:
    """Without the right to mount: files of the collector may not grow (EFBIG)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self, collector: Collector) -> None:
        """Let no file be longer than the open segment is now."""
        (segment,) = segments(collector)[-1:]
        self._limit(collector, segment.stat().st_size)

    def free(self, collector: Collector) -> None:
        """Lift the limit."""
        self._limit(collector, resource.RLIM_INFINITY)

    @staticmethod
    def _limit(collector: Collector, size: int) -> None:
        _, most = resource.prlimit(collector.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(collector.pid, resource.RLIMIT_FSIZE, (size, most))


@contextmanager
def small_disk(folder: Path) -> Iterator[Disk]:
    """A disk that can be full; a real one where this process may mount."""
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m,mode=0700", "tmpfs", str(folder)]
    if os.getuid() or subprocess.run(mount, capture_output=True).returncode:
        yield LimitedFiles(folder)
        return
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def segments(collector: Collector) -> list[Path]:
    """The segment files of the first worker, oldest first."""
    return sorted((collector.data_dir / "worker-0/segments").iterdir())


def flip_byte(segment: Path, marker: bytes) -> None:
    """Turn one bit of the record that holds ``marker``."""
    data = bytearray(segment.read_bytes())
    place = data.index(marker)
    data[place] ^= 0x04
    segment.write_bytes(data)


def tear_tail(segment: Path) -> None:
    """Append the first half of the next record, as a power cut leaves it."""
    entry = Entry("activity-audit-permanent", "torn", 0, "0" * 64, b"{}" * 100, "tests")
    with SegmentReader(segment) as reader:
        while reader.next(segment.stat().st_size) is not None:
            pass
    blob, _ = encode_records(reader.last + 1, [entry])
    with segment.open("ab") as file:
        file.write(blob[: len(blob) // 2])
