"""A process of the demo's: started with a log of its own, waited for, ended."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from activity_center.errors import ActivityCenterError

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
        end = time.monotonic() + _READY_SECONDS
        while not self.get("/readyz"):
            if self.process.poll() is not None or time.monotonic() > end:
                tail = self.log.read_text(encoding="utf-8", errors="replace")[-2000:]
                self.stop()
                raise ActivityCenterError(
                    f"activity-center {self.verb} did not become ready:\n{tail}",
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
