"""A process of the demo's: started with a log of its own, waited for, ended.

Beside its log is ``<name>.pid``: who finds a process of a demo that was killed can end it.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from activity_center.errors import ActivityCenterError
from activity_center.node.process import Process, identify, is_alive

_READY_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 45.0


@dataclass(slots=True)
class Service:
    """One verb of the command line, run beside the demo.

    Attributes:
        verb: ``collect`` or ``serve``.
        config: the configuration file.
        log: where it logs.
        health: base address of ``/readyz``.
        process: ``None`` before the start.
    """

    verb: str
    config: Path
    log: Path
    health: str
    process: subprocess.Popen[bytes] | None = None

    def start(self, environment: Mapping[str, str]) -> None:
        """Start it and wait until it is ready.

        Raises:
            ActivityCenterError: it does not become ready; says where the log is.
        """
        command = [sys.executable, "-m", "activity_center", self.verb, "--config", str(self.config)]
        with self.log.open("wb") as log:
            # A session of its own: Ctrl-C reaches the demo, which then ends it in good order.
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, env=dict(environment), start_new_session=True
            )
        write_mark(self.log.with_suffix(".pid"), self.process.pid)
        end = time.monotonic() + _READY_SECONDS
        while not self.get("/readyz"):
            if self.process.poll() is not None or time.monotonic() > end:
                tail = self.log.read_text(encoding="utf-8", errors="replace")[-2000:]
                self.stop()
                raise ActivityCenterError(
                    f"activity-center {self.verb} did not become ready:\n{in_words(tail)}",
                    where=str(self.log),
                )
            time.sleep(0.05)

    def stop(self) -> int:
        """End it in good order; return its exit code."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def get(self, path: str) -> str:
        """Return the body of a 200, else ``""``."""
        try:
            with urllib.request.urlopen(f"{self.health}{path}", timeout=5) as answer:  # noqa: S310
                return str(answer.read().decode())
        except OSError:
            return ""


def write_mark(path: Path, pid: int) -> None:
    """Write down which process ``pid`` is; a file that is there stays the same file."""
    process = identify(pid)
    path.write_text(json.dumps(asdict(process)) if process else "", encoding="utf-8")


def read_mark(path: Path) -> int | None:
    """The process that was written down, if exactly that one still runs."""
    try:
        process = Process(**json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None
    return process.pid if is_alive(process) else None


def in_words(log: str) -> str:
    """The end of a log for a person: of lines that are JSON objects, what they tell."""
    return "\n".join(map(_line, log.splitlines()))


def _line(line: str) -> str:
    try:
        told = json.loads(line)
    except ValueError:
        return line
    if not isinstance(told, dict):
        return line
    rest = {key: told[key] for key in told if key not in ("event", "level", "timestamp")}
    return " ".join([f"{told.get('event', '')}:", *(f"{key}={rest[key]}" for key in rest)])
