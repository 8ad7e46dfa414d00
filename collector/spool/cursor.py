"""The cursor file: how far delivery has come, and what may have been sent.

Written in place and not synced: kill -9 loses nothing of it. After a loss of power it may
be an old one, which the boot's name in it shows: then all may have been sent, and that is
what the file says from then on.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import structlog

from collector.spool import layout
from collector.spool.files import boot_id
from collector.spool.layout import Cursor

_log = structlog.get_logger(__name__)

_BOOT: Final = boot_id()
_SECONDS: Final = 1.0
"""Between two writes of what is done; what is taken is written at once."""


class CursorFile:
    """The cursor of one folder. Not safe for threads: its log's lock guards it.

    Args:
        folder: where the file is.

    Attributes:
        value: what was read, then what was last noted.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / layout.CURSOR
        self._handle = -1
        self._saved = float("-inf")
        self.value = Cursor()
        with contextlib.suppress(FileNotFoundError):
            self.value = layout.decode_cursor(self._path.read_bytes())

    def begin(self, end: int) -> int:
        """Return the position below which records may have been sent before, and note it.

        Args:
            end: the answer when the file does not tell.
        """
        value = self.value
        known = bool(_BOOT) and value.boot == _BOOT
        taken = max(value.taken, value.position) if known else end
        if not known:
            self.value = Cursor(value.position, taken, _BOOT, value.generations)
            self.save()
        return taken

    def note_done(self, position: int, generations: Mapping[str, str] | None) -> None:
        """Everything below ``position`` is done; ``None`` keeps the generations."""
        value = self.value
        known = value.generations if generations is None else dict(generations)
        self.value = Cursor(max(position, value.position), value.taken, _BOOT, known)
        if time.monotonic() - self._saved >= _SECONDS:
            self.save()

    def note_taken(self, position: int) -> None:
        """What lies below ``position`` may be sent from now on."""
        value = self.value
        self.value = Cursor(value.position, max(position, value.taken), _BOOT, value.generations)
        self.save()

    def note_foreign(self, position: int) -> None:
        """What lies below ``position`` may be in any generation."""
        value = self.value
        self.value = Cursor(value.position, max(position, value.taken), _BOOT, {})
        self.save()

    def save(self) -> None:
        """Write the file. If that fails it is removed: then all may have been sent."""
        self._saved = time.monotonic()
        try:
            if self._handle < 0:
                flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
                self._handle = os.open(self._path, flags, 0o600)
            data = layout.encode_cursor(self.value)
            if os.pwrite(self._handle, data, 0) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as wrong:
            _log.warning("cursor not saved", file=str(self._path), error=wrong.strerror)
            self.close()
            with contextlib.suppress(OSError):
                self._path.unlink()

    def close(self) -> None:
        """Close the file; may be called twice."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
