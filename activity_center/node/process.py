"""Is a recorded process still that process, and how to end it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_children: Final[dict[int, subprocess.Popen[bytes]]] = {}
"""Processes that this process started; they must be reaped by it, or stay as zombies."""


@dataclass(frozen=True, slots=True)
class Process:
    """A process that cannot be mistaken for a later one with the same number.

    Attributes:
        pid: its number.
        started: when it began, in the words of the operating system.
    """

    pid: int
    started: str


def identify(pid: int) -> Process | None:
    """Return the living process ``pid``, or None."""
    started = _start_mark(pid)
    return Process(pid, started) if started else None


def _start_mark(pid: int) -> str | None:
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            # proc(5): the name in parentheses may hold anything; the field after it is the
            # state, the 18th the number of threads, the 20th the start in ticks since boot.
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        # A killed process shows as a zombie while threads of it still hold its ports.
        if fields[0] in "ZX" and int(fields[17]) <= 1:
            return None
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{fields[19]}"
    answer = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    state, _, begun = answer.stdout.strip().partition(" ")
    return None if state.startswith("Z") else begun.strip() or None


def spawn(popen: subprocess.Popen[bytes]) -> Process | None:
    """Adopt a process just started; None when it has already ended."""
    _children[popen.pid] = popen
    return identify(popen.pid)


def is_alive(process: Process) -> bool:
    """Whether exactly this process still runs."""
    child = _children.get(process.pid)
    if child is not None and child.poll() is not None:
        del _children[process.pid]
    return _start_mark(process.pid) == process.started


def end(process: Process, *, grace: float) -> None:
    """SIGTERM, and SIGKILL when it is still there after ``grace`` seconds (0: at once).

    Returns when the process is gone.
    """
    if grace > 0:
        _signal(process, signal.SIGTERM)
        if wait_until(lambda: not is_alive(process), grace):
            return
    _signal(process, signal.SIGKILL)
    wait_until(lambda: not is_alive(process), 60)


def _signal(process: Process, number: signal.Signals) -> None:
    if is_alive(process):
        try:
            os.kill(process.pid, number)
        except ProcessLookupError:
            return


def wait_until(condition: Callable[[], bool], timeout: float, *, every: float = 0.05) -> bool:
    """Poll ``condition``; return whether it came true within ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(every)
    return True
