"""The SQLite file of the rejected store: its tables and how it is opened."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from pathlib import Path
from typing import Final

from activity_center.errors import SpoolFailed
from collector.spool.files import sync_folder

DATABASE: Final = "store.sqlite"
_LOCK: Final = "lock"
_BUSY_SECONDS: Final = 30.0

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS rejected (
    id TEXT PRIMARY KEY, received INTEGER NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL,
    path TEXT NOT NULL, record BLOB, raw_length INTEGER, raw_sha256 TEXT, sender TEXT NOT NULL,
    source TEXT NOT NULL, tag TEXT NOT NULL, size INTEGER NOT NULL, replayed INTEGER,
    time INTEGER
);
CREATE INDEX IF NOT EXISTS rejected_received ON rejected (received);
CREATE INDEX IF NOT EXISTS rejected_replayed ON rejected (replayed) WHERE replayed IS NOT NULL;
CREATE TABLE IF NOT EXISTS usage (sender TEXT PRIMARY KEY, bytes INTEGER NOT NULL);
PRAGMA user_version = 2;
"""
_MIGRATIONS: Final = {
    0: _SCHEMA,
    1: "ALTER TABLE rejected ADD COLUMN time INTEGER; PRAGMA user_version = 2;",
}
"""Version that is found -> what brings it to :data:`_VERSION`."""
_VERSION: Final = 2


def connect(folder: Path) -> sqlite3.Connection:
    """Open the database, one process at a time: SQLite does not wait while WAL begins.

    Raises:
        SpoolFailed: it is of a later release.
        OSError: a file cannot be opened.
        sqlite3.Error: it is no database, or cannot be written.
    """
    handle = os.open(folder / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        path = folder / DATABASE
        if not path.exists():
            os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
            sync_folder(folder)
        database = sqlite3.connect(
            path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        version = database.execute("PRAGMA user_version").fetchone()[0]
        if version > _VERSION:
            database.close()
            raise SpoolFailed(
                f"its schema is version {version}; this release knows {_VERSION}",
                where=str(path),
                hint="use the release that wrote it, or a later one",
            )
        if version in _MIGRATIONS:
            database.executescript(f"BEGIN IMMEDIATE; {_MIGRATIONS[version]} COMMIT;")
        return database
    finally:
        os.close(handle)
