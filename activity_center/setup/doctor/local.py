"""This machine, where the collector keeps its spool and the rejected store, and the step bus."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from activity_center.bus import open_reader
from activity_center.setup.doctor.finding import Finding, fail, ok, warn

if TYPE_CHECKING:
    from activity_center.config import CollectorConfig
    from activity_center.config_processes import BusConfig

_GIB: Final = 1024**3


@dataclass(frozen=True, slots=True)
class SpoolFolder:
    """A worker's folder as found on disk.

    Attributes:
        index: the number in its name.
        size: bytes of what it holds.
        undelivered: whether records are in it that no one has delivered.
        owned: whether a running collector holds it.
    """

    path: Path
    index: int
    size: int
    undelivered: bool
    owned: bool


def check_data_dir(config: CollectorConfig) -> Iterator[Finding]:
    """The data folder exists or can be made, is ours alone, and has room for the quota."""
    folder = Path(config.data_dir).absolute()
    if not folder.exists():
        above = next(parent for parent in folder.parents if parent.exists())
        if os.access(above, os.W_OK | os.X_OK):
            yield ok("data folder", f"{folder} does not exist yet; collect creates it")
            yield from _room(above, config, used=0)
        else:
            yield fail(
                "data folder",
                f"{folder} does not exist, and {above} is not writable",
                f"create it and give it to the collector's user: install -d -m 700 {folder}",
            )
        return
    if not folder.is_dir():
        yield fail("data folder", f"{folder} is not a folder", "set collector.data_dir")
        return
    status = folder.stat()
    problems = [*_rights(folder, status)]
    yield from problems
    if not problems:
        yield ok("data folder", f"{folder} is writable and closed to others")
    yield from _room(folder, config, used=_size(folder))


def _rights(folder: Path, status: os.stat_result) -> Iterator[Finding]:
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        yield fail(
            "data folder",
            f"{folder} is not writable for this user (uid {os.geteuid()})",
            f"chown it to the collector's user; it belongs to uid {status.st_uid}",
        )
    elif status.st_uid != os.geteuid():
        yield warn(
            "data folder",
            f"{folder} belongs to uid {status.st_uid}, this is uid {os.geteuid()}",
            "run collect and doctor as the same user, or the spool gets files of both",
        )
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield warn(
            "data folder",
            f"{folder} is open to other users (mode {stat.S_IMODE(status.st_mode):04o}): "
            "it holds activities",
            f"chmod 700 {folder}",
        )


def _room(folder: Path, config: CollectorConfig, *, used: int) -> Iterator[Finding]:
    """Free space against what the workers may still write."""
    free = shutil.disk_usage(folder).free
    wanted = max(config.workers * config.quota_bytes - used, 0)
    words = (
        f"{free / _GIB:.1f} GiB free, {wanted / _GIB:.1f} GiB may still be written "
        f"({config.workers} × {config.quota_bytes / _GIB:.1f} GiB quota)"
    )
    if free < wanted:
        yield warn(
            "spool space",
            words,
            "a long outage of OpenSearch fills the disk before the quota stops senders: "
            "lower collector.quota or give it more disk",
        )
    else:
        yield ok("spool space", words)


def check_spools(folders: Sequence[SpoolFolder], workers: int) -> Iterator[Finding]:
    """Folders of workers that no longer exist and still hold records."""
    orphans = [one for one in folders if one.index >= workers and one.undelivered and not one.owned]
    for one in orphans:
        yield warn(
            "spools",
            f"{one.path} holds {one.size} bytes and has no worker ({workers} configured)",
            "a running collector adopts it; without one on this volume start collect here, "
            f"or with --workers {one.index + 1}",
        )
    if not orphans:
        yield ok("spools", "no orphaned spool folder")


def check_bus(config: BusConfig) -> Iterator[Finding]:
    """The step bus can be asked.

    Raises:
        BusUnavailable: it cannot; :func:`.finding.run` makes a finding of it.
    """
    with closing(open_reader(config)) as reader:
        count = len(reader.first())
        if reader.trouble is not None:
            raise reader.trouble
    where = config.url or config.folder
    yield ok("step bus", f"{where} holds steps of {count} collector processes")


def _size(folder: Path) -> int:
    return sum(
        file.stat().st_size
        for file in folder.rglob("*")
        if file.is_file() and not file.is_symlink()
    )
