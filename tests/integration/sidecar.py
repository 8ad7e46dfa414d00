"""A real sidecar process for tests: start, signal, ask, follow."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests
import yaml

from activity_center.config import Cluster
from tests.integration.process import free_port

ADMIN = "token-of-the-administrator"


class Sidecar:
    """One sidecar, with a configuration file of its own.

    Args:
        folder: for configuration, log and data.
        cluster: where it searches.
        sidecar: further keys of the section ``sidecar``.

    Attributes:
        document: the configuration; written by :meth:`write` and :meth:`start`.
        verify: what :mod:`requests` takes for a certificate's authority.
        pace: module -> constants of it that the process has another value of: for tests of what
            happens after a time that is long in production.
    """

    def __init__(self, folder: Path, cluster: Cluster, **sidecar: Any) -> None:
        self.folder = folder
        self.port = free_port()
        self.config = folder / "activity-center.yml"
        self.log = folder / "sidecar.log"
        self.verify: str | bool = True
        self.pace: dict[str, dict[str, float]] = {}
        self.document: dict[str, Any] = {
            "opensearch": {"url": cluster.url},
            "identity": {
                "people": [{"id": "root", "platform_roles": ["platform_admin"]}],
                "tokens": [
                    {
                        "name": "tests",
                        "person": "root",
                        "token_sha256": hashlib.sha256(ADMIN.encode()).hexdigest(),
                    }
                ],
            },
            "sidecar": {
                "bind": f"127.0.0.1:{self.port}",
                "data_dir": str(folder / "data"),
                **sidecar,
            },
        }
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it answers."""
        scheme = "https" if "tls" in self.document["sidecar"] else "http"
        return f"{scheme}://127.0.0.1:{self.port}"

    def write(self) -> None:
        """Write the configuration file."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config.write_text(yaml.safe_dump(self.document, sort_keys=False))

    def launch(self, *arguments: str) -> None:
        """Write the configuration and start the process."""
        self.write()
        command = [sys.executable, *self._program(), "serve", "--config", str(self.config)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([*command, *arguments], stdout=log, stderr=log)

    def _program(self) -> list[str]:
        """The command line's program, at another pace where the test has one.

        It is set in the process itself, before it forks its workers. A constant that is no longer
        there fails the start.
        """
        if not self.pace:
            return ["-m", "activity_center"]
        lines = ["import importlib", "from activity_center.cli import main"]
        for module, constants in self.pace.items():
            lines.append(f"module = importlib.import_module({module!r})")
            for name, value in constants.items():
                lines += [f"module.{name}", f"module.{name} = {value!r}"]
        return ["-c", "\n".join([*lines, "main()"])]

    def start(self, *arguments: str) -> None:
        """Write the configuration, start the process and wait until it is ready."""
        self.launch(*arguments)
        self.wait_ready()

    def wait_ready(self, timeout: float = 60) -> None:
        """Poll ``/readyz``; a process that died says why."""
        assert self.process is not None
        end = time.monotonic() + timeout
        while True:
            assert self.process.poll() is None, self.tail()
            with contextlib.suppress(requests.ConnectionError):
                if self.get("/readyz", token="").status_code == 200:
                    return
            assert time.monotonic() < end, self.tail()
            time.sleep(0.05)

    def get(self, path: str, *, token: str = ADMIN, **rest: Any) -> requests.Response:
        """GET a path, as the administrator unless another token is given."""
        headers = {**({"Authorization": f"Bearer {token}"} if token else {})}
        headers |= rest.pop("headers", {})
        rest = {"timeout": 30, "verify": self.verify, **rest}
        return requests.get(f"{self.url}{path}", headers=headers, **rest)

    def signal(self, number: int) -> None:
        """Send a signal to the parent."""
        assert self.process is not None
        self.process.send_signal(number)

    def terminate(self, timeout: float = 60) -> int:
        """SIGTERM; return the exit code."""
        self.signal(signal.SIGTERM)
        assert self.process is not None
        return self.process.wait(timeout)

    def workers(self) -> list[int]:
        """Process ids of the workers."""
        assert self.process is not None
        pid = self.process.pid
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def logged(self, event: str) -> list[dict[str, Any]]:
        """The log lines of that event."""
        return [line for line in self.lines() if line.get("event") == event]

    def lines(self) -> Iterator[dict[str, Any]]:
        """Every line of the log; one that is no JSON fails."""
        for line in self.log.read_text().splitlines():
            yield json.loads(line)

    def tail(self) -> str:
        """The end of the log."""
        return self.log.read_text(errors="replace")[-4000:]

    def __enter__(self) -> Sidecar:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            workers = self.workers()
            self.process.kill()
            self.process.wait()
            for worker in workers:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker, signal.SIGKILL)
