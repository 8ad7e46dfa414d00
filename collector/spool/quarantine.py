"""Keep damaged bytes aside, and word the record of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import structlog

from collector.records import Reject
from collector.spool import layout
from collector.spool.files import make_folder
from collector.spool.reader import Damage, SegmentReader

_log = structlog.get_logger(__name__)
_CHUNK: Final = 1024 * 1024


def quarantine(folder: Path, reader: SegmentReader, damage: Damage) -> Reject:
    """Copy the damaged bytes to a file (mode 0600) below ``folder`` and return the reject.

    The name and the reject follow from the place of the damage alone: found again
    after a restart, it is the same one. A disk without room for the copy loses the
    copy, not the report.
    """
    name = layout.quarantine_name(reader.first, damage.start, damage.end)
    path = folder / layout.QUARANTINE / name
    kept = "kept in " + str(path)
    try:
        make_folder(path.parent)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as file:
            for start in range(damage.start, damage.end, _CHUNK):
                file.write(reader.bytes_between(start, min(start + _CHUNK, damage.end)))
    except OSError as wrong:
        kept = f"they could not be copied to {path}: {wrong.strerror}"
    detail = f"{reader.path}: bytes {damage.start} to {damage.end}: {damage.why}; {kept}"
    _log.error(
        "spool record damaged on disk",
        segment=str(reader.path),
        start=damage.start,
        end=damage.end,
        why=damage.why,
    )
    return Reject(
        reason="spool_corrupt",
        detail=detail,
        path="",
        record=None,
        raw=None,
        sender="",
        source="",
        tag="",
        received=reader.created,
    )
