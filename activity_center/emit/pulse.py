"""The one thread that speaks for an emitter's running processes while their code is busy."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from activity_center.emit.process import Process

LONGEST: Final = 60.0
"""Seconds between two looks: what is about to end has nothing due."""


class Pulse:
    """Beats for each process when it is time: a heartbeat, and output that was gathered.

    The thread runs while there are processes. After a fork the child begins with none: those
    of the parent go on there.
    """

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._changed = threading.Condition()
        self._hurried = False
        self._running: set[Process] = set()
        self._thread: threading.Thread | None = None

    def add(self, process: Process) -> None:
        """Beat for a process from now on."""
        if self._pid != os.getpid():
            self._reset()
        with self._changed:
            self._running.add(process)
            self._hurried = True
            if self._thread is None:
                thread = threading.Thread(
                    target=self._run, name="activity-center-pulse", daemon=True
                )
                try:
                    thread.start()
                except RuntimeError:  # the interpreter ends: so does the process, soon
                    return
                self._thread = thread
            self._changed.notify()

    def discard(self, process: Process) -> None:
        """Beat for it no more."""
        with self._changed:
            self._running.discard(process)
            self._hurried = True
            self._changed.notify()

    def hurry(self) -> None:
        """Look again when the next beat is due."""
        with self._changed:
            self._hurried = True
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._running:
                    self._thread = None
                    return
                self._hurried = False
                running = list(self._running)
            due = min(process.beat(time.monotonic()) for process in running)
            with self._changed:
                if not self._hurried:
                    self._changed.wait(min(LONGEST, max(0.0, due - time.monotonic())))
