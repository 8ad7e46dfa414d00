"""The small database of sign-ins, shared by the worker processes of one sidecar."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from activity_center.errors import ConfigError
from sidecar_api.failures import Unavailable

FILE: Final = "sign-ins.sqlite3"
BUSY: Final = 2.0
"""Seconds to wait while another process writes."""

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS sessions (
  id TEXT PRIMARY KEY,     -- SHA-256 of the cookie's value
  subject TEXT NOT NULL,   -- JSON: who signed in, and how
  owner TEXT NOT NULL,     -- whose sessions are counted together
  created REAL NOT NULL,   -- seconds since 1970
  seen REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sessions_owner ON sessions (owner, created);
CREATE TABLE IF NOT EXISTS spent (
  id TEXT PRIMARY KEY,     -- SHA-256 of something that counts once
  until REAL NOT NULL      -- seconds since 1970; later it would be refused anyway
) STRICT, WITHOUT ROWID;
"""


class Store:
    """One SQLite file in WAL mode; one connection per process, opened when first used.

    A connection is not carried over a fork (sqlite.org/howtocorrupt.html, section 2.6).

    Args:
        folder: ``sidecar.data_dir``; made 0700 when missing.

    Raises:
        ConfigError: the folder or the file cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._process = 0
        self._inherited: list[sqlite3.Connection] = []  # of the parent: neither used nor closed
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
            self.run("SELECT count(*) FROM sessions")
        except (OSError, Unavailable) as wrong:
            raise ConfigError(
                f"the sign-ins cannot be kept here: {wrong}",
                where=str(self._path),
                hint="sidecar.data_dir names a folder that this account may write to; a file "
                "that is broken can be removed: everybody signs in anew then",
            ) from wrong

    def run(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement in a transaction of its own and return its rows.

        Raises:
            Unavailable: the file cannot be read or written now.
        """
        with self._lock:
            try:
                with self._open() as connection:
                    return connection.execute(statement, values).fetchall()
            except (sqlite3.Error, OSError) as wrong:
                raise Unavailable(
                    "The sidecar cannot read or write its sign-ins.",
                    hint=f"The operator should look at the folder sidecar.data_dir ({wrong}).",
                ) from wrong

    def close(self) -> None:
        """Close this process's connection; the next statement opens another."""
        with self._lock:
            if self._connection is not None and self._process == os.getpid():
                self._connection.close()
            self._connection = None

    def _open(self) -> sqlite3.Connection:
        if self._connection is not None and self._process != os.getpid():
            self._inherited.append(self._connection)
            self._connection = None
        if self._connection is None:
            self._connection, self._process = self._connect(), os.getpid()
        return self._connection

    def _connect(self) -> sqlite3.Connection:
        # Workers start at the same time, and SQLite does not wait for who switches to WAL.
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            connection = sqlite3.connect(self._path, timeout=BUSY, check_same_thread=False)
            connection.execute("PRAGMA journal_mode = WAL")
            # A sign-out must not come undone when the machine loses power.
            connection.execute("PRAGMA synchronous = FULL")
            connection.executescript(_SCHEMA)
            return connection
        finally:
            # gevent closes later, in its loop: the lock would outlive this call.
            fcntl.flock(folder, fcntl.LOCK_UN)
            os.close(folder)
