"""Take over the spools of workers that no longer exist."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import structlog

from collector.spool import layout
from collector.spool.files import make_folder, remove_folder
from collector.spool.layout import Record
from collector.spool.parking import Parking
from collector.spool.segments import SegmentLog
from collector.spool.spool import DEFAULT_SEGMENT_BYTES, Spool, take_lock

_log = structlog.get_logger(__name__)

_DOCUMENTS: Final = 1000
_BYTES: Final = 4 * 1024 * 1024


def orphans(root: Path, own_index: int, workers: int) -> list[Path]:
    """Return the folders below ``root`` that worker ``own_index`` of ``workers`` takes over."""
    found = []
    for folder in sorted(root.iterdir()) if root.is_dir() else ():
        index = layout.worker_index(folder)
        if index is not None and index >= workers and index % workers == own_index:
            found.append(folder)
    return found


def adopt(spool: Spool, root: Path, own_index: int, workers: int) -> int:
    """Move the undelivered records of orphaned spools into ``spool``.

    A crash on the way only repeats records: their ids make that harmless. Call it
    before delivery starts. A folder that another process still uses is left alone.

    Args:
        spool: the spool of worker ``own_index``.
        root: the folder that holds the workers' folders.
        workers: how many workers there are now.

    Returns:
        How many records were taken over.

    Raises:
        SpoolFull: no room on the disk.
        SpoolFailed: a folder cannot be read, or the own one not written.
    """
    total = 0
    for folder in orphans(root, own_index, workers):
        lock = take_lock(folder)
        if lock is None:
            _log.warning("spool of a former worker is in use", folder=str(folder))
            continue
        try:
            taken = _move(spool, folder)
            _keep_quarantined(spool, folder)
            _keep_rechecks(spool, folder)
            remove_folder(folder)
        finally:
            os.close(lock)
        _log.info("spool of a former worker taken over", folder=str(folder), records=taken)
        total += taken
    return total


def _move(spool: Spool, folder: Path) -> int:
    log = SegmentLog(
        folder, DEFAULT_SEGMENT_BYTES, found=lambda record: None, damaged=spool.report_damage
    )
    taken = _copy(spool, log.read)
    log.close()
    parking = Parking(folder, DEFAULT_SEGMENT_BYTES, spool.report_damage)
    for stream in sorted(parking.streams):
        taken += _copy(spool, partial(parking.take, stream))
    parking.close()
    return taken


def _copy(spool: Spool, read: Callable[[int, int], list[Record]]) -> int:
    taken = 0
    while records := read(_DOCUMENTS, _BYTES):
        # Noted first: a kill between the two must not make them look new.
        spool.expect_foreign(len(records))
        spool.append_now([entry for *_, entry in records], force=True)
        taken += len(records)
    return taken


def _keep_quarantined(spool: Spool, folder: Path) -> None:
    """Damaged bytes outlive the folder that they were found in."""
    quarantined = folder / layout.QUARANTINE
    if quarantined.is_dir():
        target = spool.folder / layout.QUARANTINE
        make_folder(target)
        for file in quarantined.iterdir():
            shutil.move(str(file), target / f"{folder.name}-{file.name}")


def _keep_rechecks(spool: Spool, folder: Path) -> None:
    """What was to be looked for again still is."""
    with contextlib.suppress(FileNotFoundError):
        lines = (folder / layout.RECHECKS).read_bytes()
        with (spool.folder / layout.RECHECKS).open("ab") as file:
            file.write(lines)
