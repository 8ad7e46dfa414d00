"""A spool, a publisher and a reader of its bus, for one test."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from activity_center.bus import Published, open_reader
from activity_center.config_processes import BusConfig
from collector.publish import PlaceFile, Publisher
from collector.records import Control, Entry
from collector.spool import Spool
from collector.spool.layout import worker_folder
from tests.activity_center.bus.servers import Follower
from tests.collector.spool.entries import entry
from tests.integration.process import until

PROCESS = "activity-process-permanent"
AUDIT = "activity-audit-permanent"
QUOTA = 4 * 1024 * 1024


def step(number: int, size: int = 0) -> Entry:
    """An entry of the process lens."""
    return entry(number, stream=PROCESS, extra="x" * size)


def control(number: int, kind: type[Entry] = Control) -> Entry:
    """A person's wish, of the audit lens."""
    body = b'{"n":%d,"event":{"action":"process.cancel"}}' % number
    return kind(AUDIT, f"c{number}", 1_700_000_000_000, "0" * 64, body, "web")


class Parts:
    """What one worker has.

    Args:
        root: of the data.
        bus: where it publishes; embedded below ``root`` by default.
        segment_bytes: of the spool.
    """

    def __init__(
        self, root: Path, bus: BusConfig | None = None, segment_bytes: int = 64 * 1024
    ) -> None:
        self.folder = worker_folder(root / "data", 0)
        self.bus = bus or BusConfig(folder=str(root / "bus"))
        self.places = PlaceFile(self.folder)
        self.spool = Spool.open(
            self.folder,
            quota_bytes=QUOTA,
            segment_bytes=segment_bytes,
            followed=self.places.followed,
        )
        self.publisher = Publisher(self.spool, self.places, self.bus)

    def start(self) -> Parts:
        self.publisher.start()
        return self

    def add(self, entries: Sequence[Entry], *, force: bool = False) -> None:
        self.spool.append_now(entries, force=force)

    def stop(self) -> None:
        self.publisher.stop()
        self.publisher.close()
        self.spool.close()


@contextlib.contextmanager
def running(root: Path, **more: Any) -> Iterator[Parts]:
    """A worker that publishes."""
    parts = Parts(root, **more).start()
    try:
        yield parts
    finally:
        parts.stop()


@contextlib.contextmanager
def following(bus: BusConfig) -> Iterator[Follower]:
    """A reader from the beginning."""
    reader = open_reader(bus)
    try:
        yield Follower(reader)
    finally:
        reader.close()


def collect(follower: Follower, count: int) -> list[bytes]:
    """Read until there are ``count`` entries, and what comes after them; return the bodies."""

    def there() -> bool:
        follower.read(0.1)
        return len(bodies(follower)) >= count

    until(there, why=f"{len(follower.items)} of {count}")
    follower.read_all()
    return bodies(follower)


def bodies(follower: Follower) -> list[bytes]:
    """Of the entries read so far."""
    return [item.body for item in follower.items if isinstance(item, Published)]


def texts(entries: Sequence[Entry]) -> list[bytes]:
    return [one.body for one in entries]
