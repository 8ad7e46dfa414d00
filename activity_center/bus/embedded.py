"""The bus of one machine: an SQLite file for each stream, in one folder.

A commit is not synced: kill -9 of either side loses nothing, and what a loss of power takes
the writer notices, as with a Redis that lost its newest entries.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import structlog

from activity_center.bus import Gap, Place, Published
from activity_center.bus.stream_file import (
    WAIT_SECONDS,
    StreamFile,
    state_of,
    transaction,
    unavailable,
)
from activity_center.config_processes import BusConfig
from activity_center.errors import BusUnavailable

_log = structlog.get_logger(__name__)

SUFFIX: Final = ".db"
POLL_SECONDS: Final = 0.02
DEAD_SECONDS: Final = 7 * 24 * 3600
_SLACK: Final = 16
"""A sixteenth more than what is kept may be there, so that not every entry costs a deletion."""
_TABLES: Final = """
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    PRAGMA journal_size_limit = 4194304;
    BEGIN IMMEDIATE;
    CREATE TABLE IF NOT EXISTS meta (epoch TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS entries (
        position INTEGER PRIMARY KEY, previous INTEGER NOT NULL, body BLOB NOT NULL);
    COMMIT;
"""


class EmbeddedWriter:
    """See :class:`activity_center.bus.Writer`.

    Args:
        config: of the bus.
        stream: its name, which becomes that of a file.
    """

    def __init__(self, config: BusConfig, stream: str) -> None:
        self._folder = Path(config.folder)
        self._path = self._folder / f"{stream}{SUFFIX}"
        self._keep = (config.keep_entries, config.keep_bytes)
        self._connection: sqlite3.Connection | None = None
        self._inode = 0
        self._held = (0, 0)

    def state(self) -> Place:
        """See :meth:`activity_center.bus.Writer.state`."""
        with self._asking() as database:
            return state_of(database)

    def begin(self, epoch: str) -> None:
        """See :meth:`activity_center.bus.Writer.begin`."""
        with self._asking() as database, transaction(database):
            database.execute("DELETE FROM entries")
            database.execute("DELETE FROM meta")
            database.execute("INSERT INTO meta VALUES (?)", (epoch,))
            self._held = (0, 0)

    def publish(self, after: Place, entries: Sequence[tuple[int, bytes]]) -> Place:
        """See :meth:`activity_center.bus.Writer.publish`."""
        with self._asking() as database, transaction(database):
            epoch, last = state_of(database)
            if epoch != after[0] or last < after[1]:
                return epoch, last
            count, size = self._held
            for position, body in entries:
                if position > last:
                    database.execute("INSERT INTO entries VALUES (?, ?, ?)", (position, last, body))
                    last, count, size = position, count + 1, size + len(body)
            self._held = _trim(database, (count, size), self._keep)
            return epoch, last

    def touch(self) -> None:
        """See :meth:`activity_center.bus.Writer.touch`."""
        with self._asking():
            os.utime(self._path)
            for file in self._folder.glob(f"*{SUFFIX}"):
                if time.time() - file.stat().st_mtime > DEAD_SECONDS:
                    _remove(file)

    def close(self) -> None:
        """See :meth:`activity_center.bus.Writer.close`."""
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    @contextlib.contextmanager
    def _asking(self) -> Iterator[sqlite3.Connection]:
        """The database under our name; one that is damaged is removed, which loses what it held.

        Raises:
            BusUnavailable: it cannot be opened, read or written.
        """
        try:
            yield self._open()
        except sqlite3.OperationalError as wrong:
            self.close()
            raise unavailable(str(wrong), self._path) from wrong
        except sqlite3.DatabaseError as wrong:
            self.close()
            _log.error("embedded bus damaged: begun anew", file=str(self._path), error=str(wrong))
            with contextlib.suppress(OSError):
                _remove(self._path)
            raise unavailable(str(wrong), self._path) from wrong
        except OSError as wrong:
            self.close()
            raise unavailable(wrong.strerror or str(wrong), self._path) from wrong

    def _open(self) -> sqlite3.Connection:
        if self._connection is not None and _inode(self._path) == self._inode:
            return self._connection
        self.close()
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _inode(self._path):
            # A journal without its database is of one that somebody deleted.
            _remove(self._path)
        self._connection = database = sqlite3.connect(
            self._path, timeout=WAIT_SECONDS, isolation_level=None, check_same_thread=False
        )
        database.executescript(_TABLES)
        self._inode = _inode(self._path)
        held = database.execute("SELECT count(*), coalesce(sum(length(body)), 0) FROM entries")
        self._held = held.fetchone()
        return database


class EmbeddedReader:
    """See :class:`activity_center.bus.Reader`; a folder that is not there yet holds nothing."""

    def __init__(self, config: BusConfig) -> None:
        self.trouble: BusUnavailable | None = None
        self._folder = Path(config.folder)
        self._files: dict[str, StreamFile] = {}
        self._answered = float("-inf")
        self._lock = threading.Lock()

    def read(self, after: Mapping[str, Place], wait: float) -> list[Published | Gap]:
        """See :meth:`activity_center.bus.Reader.read`."""
        until = time.monotonic() + wait
        # So that an answer holds what came meanwhile, and not each entry costs one of its own.
        early = self._answered + POLL_SECONDS - time.monotonic()
        if early > 0:
            time.sleep(min(early, wait))
        while True:
            with self._lock:
                found = self._poll(after)
            left = until - time.monotonic()
            if found:
                self._answered = time.monotonic()
            if found or left <= 0:
                return found
            time.sleep(min(POLL_SECONDS, left))

    def first(self) -> dict[str, Place]:
        """See :meth:`activity_center.bus.Reader.first`."""
        with self._lock:
            self._look()
            found: dict[str, Place] = {}
            self.trouble = None
            for stream, file in self._files.items():
                try:
                    place = file.first()
                except BusUnavailable as wrong:  # one bad file holds up no other stream
                    self._note(file, wrong)
                    continue
                if place is not None:
                    found[stream] = place
        return found

    def close(self) -> None:
        """See :meth:`activity_center.bus.Reader.close`."""
        with self._lock:
            for file in self._files.values():
                file.close()
            self._files.clear()

    def _poll(self, after: Mapping[str, Place]) -> list[Published | Gap]:
        self._look()
        found: list[Published | Gap] = []
        self.trouble = None
        for stream, file in self._files.items():
            try:
                found += file.read(after.get(stream))
            except BusUnavailable as wrong:  # one bad file holds up no other stream
                self._note(file, wrong)
        return found

    def _note(self, file: StreamFile, wrong: BusUnavailable) -> None:
        if not file.left_alone:
            self.trouble = wrong

    def _look(self) -> None:
        """Notice files that came, went or were replaced."""
        try:
            with os.scandir(self._folder) as entries:
                there = {
                    entry.name.removesuffix(SUFFIX): entry.inode()
                    for entry in entries
                    if entry.name.endswith(SUFFIX)
                }
        except FileNotFoundError:
            there = {}
        except OSError as wrong:
            raise unavailable(wrong.strerror or str(wrong), self._folder) from wrong
        for stream, file in [*self._files.items()]:
            if there.get(stream) != file.inode:
                file.close()
                del self._files[stream]
        for stream, inode in there.items():
            if stream not in self._files:
                self._files[stream] = StreamFile(stream, self._folder / f"{stream}{SUFFIX}", inode)


def _trim(
    database: sqlite3.Connection, held: tuple[int, int], keep: tuple[int, int]
) -> tuple[int, int]:
    """Delete the oldest beyond what is kept; the newest stays. Return what is left."""
    count, size = held
    most, most_bytes = keep
    if count <= most + most // _SLACK and size <= most_bytes + most_bytes // _SLACK:
        return held
    upto = 0
    oldest = database.execute("SELECT position, length(body) FROM entries ORDER BY position")
    for position, length in oldest:
        if count <= 1 or (count <= most and size <= most_bytes):
            break
        upto, count, size = position, count - 1, size - length
    oldest.close()
    database.execute("DELETE FROM entries WHERE position <= ?", (upto,))
    return count, size


def _inode(path: Path) -> int:
    """The file's inode number; 0: there is none of that name."""
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return 0


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
