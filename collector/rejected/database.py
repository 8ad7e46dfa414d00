"""The SQLite file of the rejected store: its tables and how it is opened."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from pathlib import Path
from typing import Final

from collector.spool.files import sync_folder

DATABASE: Final = "store.sqlite"
_LOCK: Final = "lock"
_BUSY_SECONDS: Final = 30.0

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS rejected (
    id TEXT PRIMARY KEY, received INTEGER NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL,
    path TEXT NOT NULL, record BLOB, raw_length INTEGER, raw_sha256 TEXT, sender TEXT NOT NULL,
    source TEXT NOT NULL, tag TEXT NOT NULL, size INTEGER NOT NULL, replayed INTEGER
);
CREATE INDEX IF NOT EXISTS rejected_received ON rejected (received);
CREATE INDEX IF NOT EXISTS rejected_replayed ON rejected (replayed) WHERE replayed IS NOT NULL;
CREATE TABLE IF NOT EXISTS usage (sender TEXT PRIMARY KEY, bytes INTEGER NOT NULL);
PRAGMA user_version = 1;
"""


def connect(folder: Path) -> sqlite3.Connection:
    """Open the database, one process at a time: SQLite does not wait while WAL begins."""
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
        if database.execute("PRAGMA user_version").fetchone()[0] == 0:
            database.executescript(_SCHEMA)
        return database
    finally:
        os.close(handle)
