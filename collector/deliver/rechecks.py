"""Look once more, later: a request that was under way may be executed after we looked.

Two kinds are possible. Our own request whose answer was lost may wait somewhere and
create its documents after a rollover, beside the repetition's. And another collector's
request, sent before a rollover, may write to the former index after we looked there.
So what was sent without an answer, and what was created within two minutes of a
rollover, is looked for again after one minute and after ten; the newer copy is removed.
What waits to be looked for is kept in the spool's folder and outlives the process.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import deque
from pathlib import Path
from typing import Final

import msgspec
import structlog

from collector.deliver.generations import Generations
from collector.deliver.once import Once, second_copies

_log = structlog.get_logger(__name__)

AFTER_SECONDS: Final = (60.0, 600.0)
MAX_IDS: Final = 50_000
"""Beyond this, the oldest are looked for early and then given up: memory is bounded."""
_FILE_BYTES: Final = 16 * 1024 * 1024


class Group(msgspec.Struct):
    """Ids of one stream that are to be looked for again.

    Attributes:
        since: the oldest backing index that may hold them.
        looks: how many looks are behind us.
        due: :func:`time.monotonic` of the next one; counted anew after a start.
    """

    stream: str
    since: str
    ids: list[str]
    looks: int = 0
    due: float = 0.0


class Rechecks:
    """The groups, in memory and in ``file``.

    Args:
        file: JSON lines; written in place, not synced.
    """

    def __init__(self, file: Path, generations: Generations, once: Once) -> None:
        self._file = file
        self._generations = generations
        self._once = once
        self._lock = threading.Lock()
        self._groups: deque[Group] = deque()
        self._written = 0
        self._load()

    @property
    def ids(self) -> int:
        """How many ids wait to be looked for."""
        with self._lock:
            return sum(len(group.ids) for group in self._groups)

    def add(self, stream: str, since: str, ids: list[str]) -> None:
        """Look for ``ids`` again in a minute, and in ten."""
        group = Group(stream, since, ids, due=time.monotonic() + AFTER_SECONDS[0])
        with self._lock:
            self._groups.append(group)
            self._append(group)

    def run(self, *, everything: bool = False) -> None:
        """Look at what is due.

        Args:
            everything: also at what is not due yet; it stays for its later looks.

        Raises:
            RequestFailed: no answer; it stays due.
        """
        with self._lock:
            groups = list(self._groups)
        excess = sum(len(group.ids) for group in groups) - MAX_IDS
        for group in groups:
            late = excess > 0
            if not (everything or late or group.due <= time.monotonic()):
                continue
            self._look(group)
            excess -= len(group.ids)
            if group.due > time.monotonic() and not late:
                continue
            group.looks += 1
            group.due = time.monotonic() + AFTER_SECONDS[-1] - AFTER_SECONDS[0]
            if late or group.looks == len(AFTER_SECONDS):
                self._forget(group)

    def _look(self, group: Group) -> None:
        stream = self._generations.get(group.stream, fresh=True)
        if stream is None or len(stream.backing) < 2:
            return
        oldest = stream.place(group.since) or 0
        found = self._once.find(
            stream, dict.fromkeys(range(oldest, len(stream.backing)), group.ids)
        )
        surplus = [copy for copies in found.copies.values() for copy in second_copies(copies, None)]
        self._once.remove(group.stream, surplus)

    def _forget(self, group: Group) -> None:
        with self._lock:
            self._groups.remove(group)
            if not self._groups or self._written > _FILE_BYTES:
                self._rewrite()

    def _load(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            for line in self._file.read_bytes().splitlines():
                with contextlib.suppress(msgspec.DecodeError):  # torn
                    group = msgspec.json.decode(line, type=Group)
                    group.looks = 0
                    group.due = time.monotonic() + AFTER_SECONDS[0]
                    self._groups.append(group)

    def _append(self, group: Group) -> None:
        data = msgspec.json.encode(group) + b"\n"
        self._written += len(data)
        self._write(data, os.O_APPEND)

    def _rewrite(self) -> None:
        self._written = 0
        self._write(b"", os.O_TRUNC)
        for group in self._groups:
            self._append(group)

    def _write(self, data: bytes, how: int) -> None:
        try:
            handle = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | how, 0o600)
            try:
                os.write(handle, data)
            finally:
                os.close(handle)
        except OSError as wrong:
            _log.warning("rechecks not saved", file=str(self._file), error=wrong.strerror)
