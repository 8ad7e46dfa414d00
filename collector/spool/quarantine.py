"""Keep damaged bytes aside, and report them."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

import structlog

from activity_center.errors import ActivityCenterError
from collector.records import Reject
from collector.spool import layout
from collector.spool.files import make_folder
from collector.spool.reader import Damage, SegmentReader

_log = structlog.get_logger(__name__)
_CHUNK: Final = 1024 * 1024
_AGAIN_SECONDS: Final = 5.0


class RejectSink(Protocol):
    """Where rejected records are kept; :class:`collector.rejected.RejectedStore` is one."""

    def add(self, rejects: Sequence[Reject], *, reserve: bool = False) -> object:
        """Make ``rejects`` durable.

        Args:
            reserve: may use the room that is kept for what is found after acceptance.

        Raises:
            SpoolFull: no room.
            SpoolFailed: the disk failed.
        """


class Reports:
    """Reports of damage on their way to the rejected store.

    Those that it does not take wait in memory; the log and the quarantined bytes tell of
    them too, if the process ends before.

    Args:
        sink: the store; ``None`` where there is none, and the log has to do.
    """

    def __init__(self, sink: RejectSink | None) -> None:
        self._sink = sink
        self._waiting: list[Reject] = []
        self._due = 0.0
        self._lock = threading.Lock()

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def add(self, report: Reject) -> None:
        """Store ``report``, now or later."""
        if self._sink is None:
            return
        with self._lock:
            self._waiting.append(report)
        self.try_again(now=True)

    def try_again(self, *, now: bool = False) -> None:
        """Store what waits, if it is time.

        Args:
            now: whenever the last try was.
        """
        if self._sink is None or not self._waiting:
            return
        with self._lock:
            if not now and time.monotonic() < self._due:
                return
            try:
                self._sink.add(self._waiting, reserve=True)
                self._waiting = []
            except ActivityCenterError as wrong:
                self._due = time.monotonic() + _AGAIN_SECONDS
                _log.error(
                    "damage cannot be noted in the rejected store: tried again",
                    reports=len(self._waiting),
                    error=str(wrong),
                )


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
