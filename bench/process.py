"""What the kernel knows of a process: CPU time by thread, resident memory."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_TICK: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Cpu:
    """User and system time of a process so far, in seconds.

    Attributes:
        total: of the whole process.
        main: of its main thread.
    """

    total: float
    main: float

    def since(self, before: Cpu) -> Cpu:
        """Return what was used since ``before``."""
        return Cpu(self.total - before.total, self.main - before.main)


def cpu(pid: int) -> Cpu:
    """Return the CPU time of ``pid`` (proc(5), fields utime and stime of stat)."""
    return Cpu(_seconds(Path(f"/proc/{pid}/stat")), _seconds(Path(f"/proc/{pid}/task/{pid}/stat")))


def _seconds(stat: Path) -> float:
    # The name in parentheses may hold anything, spaces and parentheses too.
    fields = stat.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def resident(pid: int) -> tuple[float, float]:
    """Return (resident memory now, its peak) of ``pid`` in MB (10^6 bytes)."""
    found = {}
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name in ("VmRSS", "VmHWM"):
            found[name] = int(value.split()[0]) * 1024 / 1e6
    return found["VmRSS"], found["VmHWM"]
