"""What was decided here a moment ago and cannot be searched for yet.

A file a proposal, under a lock that all processes of one sidecar share: two people who decide at
the same time, or one who decides twice, come one after the other, and the second one sees what
the first one did. Several sidecars (several machines) do not share it: of the decisions of two of
them one is stored, since both have one id (:func:`sidecar_api.agents.decisions.decision_id`).
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sidecar_api import ending
from sidecar_api.agents.places import Key
from sidecar_api.failures import Unavailable

FOLDER: Final = "decisions"
KEPT: Final = 3600.0
"""Seconds: far longer than from the collector's spool to a search."""
PATIENCE: Final = 8.0
"""Seconds to wait for somebody else's decision on the same proposal to be recorded."""
_STEP: Final = 0.02
_MOST: Final = 1000
"""Files that are looked at for old ones."""


class Remembered:
    """The decisions of one sidecar.

    Args:
        folder: ``sidecar.data_dir``.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / FOLDER

    def entry(self, key: Key) -> dict[str, Any] | None:
        """Return the entry of the decision on a proposal, if it was made here."""
        try:
            return _read(self._path(key).read_bytes())
        except OSError:
            return None

    @contextmanager
    def one_at_a_time(self, key: Key) -> Iterator[Slot]:
        """Decide on one proposal alone.

        Raises:
            Unavailable: somebody else does for long, or there is no folder to write to.
        """
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = os.open(self._path(key), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            os.utime(file)  # in use: not old
        except OSError as wrong:
            raise Unavailable(
                "Decisions cannot be kept here.",
                hint="Whoever runs this: see that sidecar.data_dir can be written to.",
            ) from wrong
        try:
            _lock(file)
            yield Slot(file)
        finally:
            os.close(file)  # and with it the lock
        self._forget()

    def _path(self, key: Key) -> Path:
        text = json.dumps([key.organization, key.shown])
        name = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        return self._folder / f"{name}.json"

    def _forget(self) -> None:
        """Remove what is old; nobody decides on it any more."""
        limit = time.time() - KEPT
        with os.scandir(self._folder) as files:
            for _, file in zip(range(_MOST), files, strict=False):
                try:
                    if file.stat().st_mtime < limit:
                        Path(file).unlink()
                except OSError:
                    continue


class Slot:
    """The place of one decision, held by one who decides."""

    def __init__(self, file: int) -> None:
        self._file = file

    @property
    def entry(self) -> dict[str, Any] | None:
        """The entry of the decision that was made here."""
        return _read(os.pread(self._file, os.fstat(self._file).st_size, 0))

    def keep(self, entry: dict[str, Any]) -> None:
        """Keep the entry of a decision, as :func:`sidecar_api.agents.decisions.kept` makes it."""
        text = json.dumps(entry).encode()
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, text, 0)


def _lock(file: int) -> None:
    """Take the lock without stopping the other requests of this process."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError:
            if time.monotonic() > end or ending.pause(_STEP):
                raise Unavailable(
                    "Somebody else is deciding on this.", hint="Reload to see how it is now."
                ) from None


def _read(raw: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(raw)
    except ValueError:  # nothing was decided, or it was cut off
        return None
    return found if isinstance(found, dict) else None
