"""``--workers N``: a parent that starts the workers, keeps them alive and passes signals on.

Each worker is a process of its own with a spool of its own; they share the TCP
addresses (``SO_REUSEPORT``), and the kernel spreads connections over them.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from types import FrameType
from typing import Final

import structlog

RESTART_WINDOW: Final = 60.0
"""Seconds; a worker that died more than ``MAX_RESTARTS`` times within it ends all."""
MAX_RESTARTS: Final = 5
FAILED_FOR_GOOD: Final = 2
"""Exit code of a worker whose configuration is wrong: starting it again is no use."""
PARENT: Final = "ACTIVITY_CENTER_SUPERVISOR"
"""Environment variable by which a worker knows its parent's process id."""

_log = structlog.get_logger("collector.supervise")


def hold_reload() -> None:
    """Keep a SIGHUP pending until :func:`release_reload`.

    By default it ends a process (signal(7)): a reload during a start would kill the collector.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})


def release_reload() -> None:
    """Take SIGHUP from now on, and one that came meanwhile."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})


class Supervisor:
    """Runs ``count`` copies of a command that takes ``--worker INDEX``.

    Args:
        command: the command without ``--worker``.
        count: number of workers.
        grace: seconds for workers to drain after SIGTERM, before they are killed.
    """

    def __init__(self, command: Sequence[str], count: int, grace: float) -> None:
        self._command = list(command)
        self._count = count
        self._grace = grace
        self._workers: dict[int, subprocess.Popen[bytes]] = {}
        self._deaths: dict[int, list[float]] = {}
        self._stopping = False

    def run(self) -> int:
        """Block until all workers have ended; return the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGHUP, self._pass_on)
        release_reload()
        for index in range(self._count):
            self._start(index)
        code = 0
        while self._workers:
            for index, worker in list(self._workers.items()):
                ended = worker.poll()
                if ended is None:
                    continue
                del self._workers[index]
                if not self._stopping and not self._may_restart(index, ended):
                    code = code or 1
                    self._stop(signal.SIGTERM, None)
                elif not self._stopping:
                    self._start(index)
                elif ended:
                    code = code or 1
            time.sleep(0.1)
        return code

    def _start(self, index: int) -> None:
        command = [*self._command, "--worker", str(index)]
        environment = {**os.environ, PARENT: str(os.getpid())}
        # The worker inherits the blocked signal, and takes it when it can reload.
        hold_reload()
        try:
            self._workers[index] = subprocess.Popen(command, env=environment)
        finally:
            release_reload()
        _log.info("worker started", worker=index, pid=self._workers[index].pid)

    def _may_restart(self, index: int, code: int) -> bool:
        now = time.monotonic()
        deaths = [one for one in self._deaths.get(index, ()) if now - one < RESTART_WINDOW]
        self._deaths[index] = [*deaths, now]
        again = code != FAILED_FOR_GOOD and len(deaths) < MAX_RESTARTS
        _log.error(
            "worker died",
            worker=index,
            exit_code=code,
            next="it is started again" if again else "all workers stop; see its last log lines",
        )
        return again

    def _pass_on(self, number: int, _frame: FrameType | None) -> None:
        for worker in self._workers.values():
            worker.send_signal(number)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if not self._stopping:
            self._stopping = True
            signal.signal(signal.SIGALRM, self._kill)
            signal.setitimer(signal.ITIMER_REAL, self._grace)
        self._pass_on(signal.SIGTERM, frame)

    def _kill(self, _number: int, frame: FrameType | None) -> None:
        _log.error("workers did not drain in time and are killed; their spools keep the rest")
        self._pass_on(signal.SIGKILL, frame)


async def parent_gone() -> None:
    """Return when the parent of this worker has ended; never in a process without one.

    Workers that outlived a killed parent would keep addresses and spools from the next one.
    """
    parent = os.environ.get(PARENT)
    if parent is None:
        await asyncio.get_running_loop().create_future()
    while str(os.getppid()) == parent:
        await asyncio.sleep(1.0)
    _log.error("the parent of the workers has ended; this one drains and ends too")


def worker_command(config: str) -> list[str]:
    """Return the command line of a worker for the configuration file ``config``."""
    return [sys.executable, "-m", "activity_center", "collect", "--config", config]
