"""Rejected records in SQLite; bytes that do not decode in files of their own.

::

    <data_dir>/rejected/store.sqlite      one row per rejected record (WAL, synchronous FULL)
    <data_dir>/rejected/raw/<id>.bin      mode 0600: not redacted, since not decoded

``synchronous=NORMAL`` would not be safe to acknowledge on: in WAL mode it syncs at
checkpoints only. All workers share one store; SQLite's locks let them.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from activity_center.errors import ConfigError, SpoolFailed, SpoolFull
from collector.records import Reject
from collector.rejected.database import DATABASE, connect
from collector.rejected.raw import make_durable
from collector.rejected.rows import COLUMNS, Rejected, numbered, row_of, where_clause
from collector.spool.files import make_folder, replace_file
from collector.spool.segments import trouble

RAW: Final = "raw"
DEFAULT_QUOTA: Final = 1024**3
SENDER_SHARE: Final = 0.5
"""Of the quota: what the rejects of one sender may take, so that it cannot fill it for all."""
RESERVE: Final = 0.1
"""Beyond the quota: room for what is refused after it was accepted."""
_PAGE: Final = 200
_STRAY_SECONDS: Final = 86_400.0


class RejectedStore:
    """The store in ``folder``; safe for several threads and processes.

    Args:
        folder: is made when missing (mode 0700).
        quota_bytes: bound of records and raw bytes together.
        create: ``False`` for readers: a missing store is then a :class:`ConfigError`.

    Attributes:
        failed: the disk failed under the database; nothing is taken any more.

    Raises:
        SpoolFailed: the database cannot be opened.
        ConfigError: there is no store, and ``create`` is false.
    """

    def __init__(
        self, folder: Path, *, quota_bytes: int = DEFAULT_QUOTA, create: bool = True
    ) -> None:
        self.folder = folder
        self.quota_bytes = quota_bytes
        self.failed = False
        self._lock = threading.Lock()
        if not create and not (folder / DATABASE).is_file():
            raise ConfigError(
                "there is no store of rejected records",
                where=str(folder),
                hint="name the collector's data_dir with --data-dir, or its file with --config",
            )
        try:
            make_folder(folder / RAW)
            self._database = connect(folder)
            self._remove_strays()
        except (OSError, sqlite3.Error) as wrong:
            raise SpoolFailed(f"cannot open: {wrong}", where=str(folder / DATABASE)) from wrong

    def add(self, rejects: Sequence[Reject], *, reserve: bool = False) -> list[str]:
        """Make ``rejects`` durable, all or none, and return their ids.

        The same reject again (same content, same time of receipt) is the same row:
        what a crash makes the deliverer repeat is stored once.

        Args:
            reserve: may go beyond the quota by a tenth: for what was accepted already.

        Raises:
            SpoolFull: the quota, the sender's share of it or the disk is full.
            SpoolFailed: the disk failed.
        """
        if self.failed:
            raise SpoolFailed(
                "the disk failed before",
                where=str(self.folder),
                hint="check the disk, then start the collector again",
            )
        rows = [row_of(reject, ordinal) for reject, ordinal in numbered(rejects)]
        raw = {
            self.raw_path(row[0]): reject.raw
            for row, reject in zip(rows, rejects, strict=True)
            if reject.raw is not None
        }
        fresh_files = [path for path in raw if not path.exists()]
        try:
            for path in fresh_files:
                replace_file(path, raw[path])
            make_durable(fresh_files)
            with self._transaction():
                gone = self._insert(rows, reserve=reserve)
        except BaseException as wrong:
            for path in fresh_files:
                path.unlink(missing_ok=True)
            if isinstance(wrong, OSError):
                raise trouble(wrong, self.folder) from wrong
            raise
        self._unlink_raw(gone)
        return [row[0] for row in rows]

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Commit what is done inside, or nothing of it.

        Raises:
            SpoolFull: no room on the disk.
            SpoolFailed: the disk failed.
        """
        try:
            with self._lock:
                self._database.execute("BEGIN IMMEDIATE")
                try:
                    yield
                    self._database.execute("COMMIT")
                finally:
                    if self._database.in_transaction:
                        self._database.execute("ROLLBACK")
        except sqlite3.Error as wrong:
            name = getattr(wrong, "sqlite_errorname", "")
            if name == "SQLITE_FULL":
                raise SpoolFull("no room on the disk", where=str(self.folder)) from wrong
            # A sync that failed must not be tried again on the same file.
            self.failed = self.failed or name.startswith("SQLITE_IOERR")
            raise SpoolFailed(f"cannot write: {wrong}", where=str(self.folder)) from wrong

    def select(
        self,
        *,
        since: int | None = None,
        reason: str | None = None,
        sender: str | None = None,
        limit: int | None = None,
        replayed: bool | None = None,
        newest: int | None = None,
    ) -> Iterator[Rejected]:
        """Yield rows, oldest first, those of one chunk in the order in which they came.

        Args:
            since: Unix time of receipt in ns, from then on.
            reason: a key of :data:`collector.records.REASONS`.
            sender: the name of a sender.
            limit: at most so many.
            replayed: only those that were, or were not, replayed.
            newest: only what was there when :meth:`newest` returned this.
        """
        where, values = where_clause(since, reason, sender, replayed, newest)
        last = (-(2**63), 0)
        left = limit if limit is not None else 2**62
        while left > 0:
            page = self._query(
                f"SELECT {COLUMNS}, rowid FROM rejected"  # noqa: S608 - constants
                f" WHERE {where} AND (received, rowid) > (?, ?)"
                " ORDER BY received, rowid LIMIT ?",
                [*values, *last, min(left, _PAGE)],
            )
            for *row, _ in page:
                yield Rejected(*row)
            if len(page) < min(left, _PAGE):
                return
            left -= len(page)
            last = (page[-1][1], page[-1][-1])

    def count(
        self,
        *,
        since: int | None = None,
        reason: str | None = None,
        sender: str | None = None,
        replayed: bool | None = None,
    ) -> int:
        """Return how many rows :meth:`select` would yield."""
        where, values = where_clause(since, reason, sender, replayed)
        rows = self._query(f"SELECT count(*) FROM rejected WHERE {where}", values)  # noqa: S608 - constants
        return int(rows[0][0])

    def newest(self) -> int:
        """Return a mark of what is there now."""
        return int(self._query("SELECT coalesce(max(rowid), 0) FROM rejected", [])[0][0])

    def get(self, id_: str) -> Rejected | None:
        """Return the row ``id_``, or ``None``."""
        rows = self._query(f"SELECT {COLUMNS} FROM rejected WHERE id = ?", [id_])  # noqa: S608 - constants
        return Rejected(*rows[0]) if rows else None

    def find(self, beginning: str) -> list[str]:
        """Return up to ten ids that begin with ``beginning``."""
        rows = self._query(
            "SELECT id FROM rejected WHERE substr(id, 1, ?) = ? ORDER BY id LIMIT 10",
            [len(beginning), beginning],
        )
        return [row[0] for row in rows]

    def raw_path(self, id_: str) -> Path:
        """Return the path of the bytes that did not decode."""
        return self.folder / RAW / f"{id_}.bin"

    def mark_replayed(self, ids: Sequence[str]) -> None:
        """Note that the records were sent again and answered for, all or none.

        Raises:
            SpoolFailed: the disk failed.
        """
        now = time.time_ns()
        with self._transaction():
            self._database.executemany(
                "UPDATE rejected SET replayed = ? WHERE id = ?", [(now, id_) for id_ in ids]
            )

    def discard(self, ids: Sequence[str]) -> None:
        """Delete rows and their raw files for good.

        Raises:
            SpoolFailed: the disk failed.
        """
        with self._transaction():
            freed: Counter[str] = Counter()
            for id_ in ids:
                for sender, size in self._database.execute(
                    "DELETE FROM rejected WHERE id = ? RETURNING sender, size", [id_]
                ).fetchall():
                    freed[sender] += size
            self._change_usage(freed, -1)
        self._unlink_raw(ids)

    @property
    def used_bytes(self) -> int:
        """Bytes that count for the quota."""
        return int(self._query("SELECT coalesce(sum(bytes), 0) FROM usage", [])[0][0])

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._database.close()

    def _insert(self, rows: list[tuple[Any, ...]], *, reserve: bool) -> list[str]:
        """Insert those that are new; return the ids of rows that made room for them."""
        fresh = [row for row in rows if not self._has(row[0])]
        more: Counter[str] = Counter()
        for row in fresh:
            more[row[8]] += row[11]
        used = dict(self._database.execute("SELECT sender, bytes FROM usage").fetchall())
        quota = self.quota_bytes * (1 + RESERVE if reserve else 1)
        over = sum(used.values()) + sum(more.values()) - quota
        gone: list[str] = []
        if over > 0:
            freed, gone = self._delete_replayed(over)
            over -= sum(freed.values())
            used = {sender: size - freed[sender] for sender, size in used.items()}
        if over > 0:
            raise SpoolFull("the store of rejected records is full", where=str(self.folder))
        for sender, size in more.items():
            if not reserve and used.get(sender, 0) + size > quota * SENDER_SHARE:
                raise SpoolFull(
                    f"the share of sender {sender!r} in the rejected records is full",
                    where=str(self.folder),
                )
        self._database.executemany(
            f"INSERT INTO rejected ({COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)",  # noqa: S608 - constants
            fresh,
        )
        self._change_usage(more, 1)
        return gone

    def _delete_replayed(self, size: float) -> tuple[Counter[str], list[str]]:
        """Make room: the oldest that were replayed go first; return bytes by sender, and ids.

        Their raw files are for the caller to remove once it has committed.
        """
        freed: Counter[str] = Counter()
        gone: list[str] = []
        rows = self._database.execute(
            "SELECT id, sender, size FROM rejected WHERE replayed IS NOT NULL ORDER BY replayed"
        )
        for id_, sender, bytes_ in rows:
            if sum(freed.values()) >= size:
                break
            freed[sender] += bytes_
            gone.append(id_)
        self._database.executemany("DELETE FROM rejected WHERE id = ?", [(id_,) for id_ in gone])
        self._change_usage(freed, -1)
        return freed, gone

    def _unlink_raw(self, ids: Sequence[str]) -> None:
        """Remove raw files whose rows are gone; what fails here goes at a later start."""
        for id_ in ids:
            with contextlib.suppress(OSError):
                self.raw_path(id_).unlink(missing_ok=True)

    def _remove_strays(self) -> None:
        """Remove raw files that a kill left without a row; young ones may be about to get it."""
        before = time.time() - _STRAY_SECONDS
        for path in (self.folder / RAW).iterdir():
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < before and not (
                    path.suffix == ".bin" and self._has(path.stem)
                ):
                    path.unlink()

    def _change_usage(self, sizes: Counter[str], sign: int) -> None:
        self._database.executemany(
            "INSERT INTO usage VALUES (?, ?) ON CONFLICT (sender)"
            " DO UPDATE SET bytes = max(0, bytes + excluded.bytes)",
            [(sender, sign * size) for sender, size in sizes.items()],
        )

    def _has(self, id_: str) -> bool:
        found = self._database.execute("SELECT 1 FROM rejected WHERE id = ?", [id_]).fetchone()
        return found is not None

    def _query(self, statement: str, values: list[Any]) -> list[Any]:
        with self._lock:
            return self._database.execute(statement, values).fetchall()
