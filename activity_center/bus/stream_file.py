"""One stream's file of the embedded bus: how it is read, and what its writer needs of that too."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from activity_center.bus import NOWHERE, Gap, Place, Published
from activity_center.bus.chain import begin_at, chained
from activity_center.errors import BusUnavailable

MENDED_SECONDS: Final = 30.0
"""After which a file that cannot be read and was not written counts as one that nobody writes: a
collector that lives looks at its own every few seconds, and begins a damaged one anew."""
ANSWER_BYTES: Final = 4 * 1024 * 1024
"""About how much of a stream one answer holds."""
WAIT_SECONDS: Final = 1.0
"""For a lock of another process."""


class _Gone(Exception):
    """The file is just being made, or was removed."""


class _Cut(Exception):
    """A page of the file is damaged: this stands before it, and the next answer begins there."""

    def __init__(self, found: list[Published | Gap]) -> None:
        super().__init__()
        self.found = found


class StreamFile:
    """One stream's file, and up to where it was found empty in which version of the file."""

    def __init__(self, stream: str, path: Path, inode: int) -> None:
        self.inode = inode
        self._failed_at: float | None = None
        self._stream = stream
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._empty: tuple[int, Place | None] | None = None

    @property
    def left_alone(self) -> bool:
        """Whether it cannot be read for long, and nobody writes it any more."""
        at = self._failed_at
        if at is None or time.monotonic() - at <= MENDED_SECONDS:
            return False
        files = (self._path, self._path.with_name(f"{self._path.name}-wal"))
        written = max((_written(file) for file in files), default=0.0)
        return time.time() - written > MENDED_SECONDS

    def read(self, after: Place | None) -> list[Published | Gap]:
        """Return what comes after a place; nothing of a file that is being made or removed.

        Raises:
            BusUnavailable: it cannot be read now, or is damaged.
        """
        try:
            return self._read_all(after)
        except _Gone:
            return []
        except _Cut as cut:
            self.close()
            return cut.found

    def _read_all(self, after: Place | None) -> list[Published | Gap]:
        with self._asking() as database:
            (version,) = database.execute("PRAGMA data_version").fetchone()
            if self._empty == (version, after):
                return []
            with transaction(database, "DEFERRED"):
                epoch, _ = state_of(database)
                found = self._read(database, epoch, after) if epoch else []
            self._empty = None if found else (version, after)
            self._failed_at = None
            return found

    def _read(
        self, database: sqlite3.Connection, epoch: str, after: Place | None
    ) -> list[Published | Gap]:
        rows, size = [], 0
        with closing(
            database.execute(
                "SELECT position, previous, body FROM entries WHERE position > ? ORDER BY position",
                (begin_at(after, epoch),),
            )
        ) as cursor:
            try:
                for row in cursor:
                    rows.append(row)
                    size += len(row[2])
                    if size >= ANSWER_BYTES:
                        break
            except sqlite3.DatabaseError as wrong:
                if not rows:
                    raise
                raise _Cut(chained(self._stream, epoch, after, rows)) from wrong
        return chained(self._stream, epoch, after, rows)

    def first(self) -> Place | None:
        """Return the place of the oldest entry, if there is any; raises as :meth:`read`."""
        with (
            contextlib.suppress(_Gone),
            self._asking() as database,
            transaction(database, "DEFERRED"),
        ):
            epoch, _ = state_of(database)
            (position,) = database.execute("SELECT min(position) FROM entries").fetchone()
            return None if position is None else (epoch, position)
        return None

    @contextlib.contextmanager
    def _asking(self) -> Iterator[sqlite3.Connection]:
        try:
            if self._connection is None:
                self._connection = sqlite3.connect(
                    f"{self._path.absolute().as_uri()}?mode=ro",
                    uri=True,
                    timeout=WAIT_SECONDS,
                    isolation_level=None,
                    check_same_thread=False,
                )
            yield self._connection
        except sqlite3.Error as wrong:
            self.close()
            if "no such table" in str(wrong) or not self._path.exists():
                raise _Gone from wrong
            self._failed_at = self._failed_at or time.monotonic()
            raise unavailable(str(wrong), self._path) from wrong

    def close(self) -> None:
        """Let it go; may be called twice."""
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None


def state_of(database: sqlite3.Connection) -> Place:
    """Return epoch and last position of a file."""
    row = database.execute(
        "SELECT epoch, (SELECT coalesce(max(position), 0) FROM entries) FROM meta"
    ).fetchone()
    return NOWHERE if row is None else (row[0], row[1])


@contextlib.contextmanager
def transaction(database: sqlite3.Connection, kind: str = "IMMEDIATE") -> Iterator[None]:
    """Commit at the end, or roll back."""
    database.execute(f"BEGIN {kind}")
    try:
        yield
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")


def _written(path: Path) -> float:
    """Unix time at which a file was last written; 0: there is none."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def unavailable(words: str, path: Path) -> BusUnavailable:
    """Return the error of a bus that cannot be used, with what to do."""
    return BusUnavailable(
        f"the embedded bus cannot be used: {words}",
        where=str(path),
        hint="collector and sidecar need this folder (bus.folder) as the same user",
    )
