"""What the demo runs on: an OpenSearch, and a collector with a configuration of its own."""

from __future__ import annotations

import hashlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from activity_center.config import Cluster
from activity_center.errors import ActivityCenterError, ConfigError

FORWARD_SENDER: Final = "fluentd"
"""Sender of everything that comes over the Forward listener."""
_READY_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 45.0
_KEPT: Final = frozenset({"accepted", "ignored"})
_REFUSED: Final = frozenset({"rejected", "conflict"})
_CONFIRMED: Final = frozenset({"created", "existed"})


@dataclass(slots=True)
class Collector:
    """A collector process of the demo's.

    Attributes:
        folder: configuration, log and data.
        tokens: sender -> bearer token, made anew for each run, on disk only as hashes.
    """

    folder: Path
    cluster: Cluster
    organizations: dict[str, dict[str, Any]]
    senders: tuple[str, ...]
    forward_port: int = 0
    http_port: int = 0
    health_port: int = 0
    tokens: dict[str, str] = field(default_factory=dict, repr=False)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.forward_port = _port(24224)
        self.http_port = _port(8080)
        self.health_port = _port(9600)
        self.tokens = {sender: secrets.token_urlsafe(24) for sender in self.senders}

    @property
    def config(self) -> Path:
        """The configuration file, written at start."""
        return self.folder / "activity-center.yml"

    @property
    def log(self) -> Path:
        """Where the collector logs."""
        return self.folder / "collector.log"

    @property
    def url(self) -> str:
        """Base address of the HTTP listener."""
        return f"http://127.0.0.1:{self.http_port}"

    def start(self) -> None:
        """Write the configuration, start the process, wait until it is ready.

        Raises:
            ActivityCenterError: it does not become ready; says where the log is.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.config.write_text(yaml.safe_dump(self._document(), sort_keys=False), encoding="utf-8")
        environment = dict(os.environ)
        if self.cluster.password:
            environment["ACTIVITY_CENTER_DEMO_PASSWORD"] = self.cluster.password
        if self.cluster.api_token:
            environment["ACTIVITY_CENTER_DEMO_API_TOKEN"] = self.cluster.api_token
        command = [sys.executable, "-m", "activity_center", "collect", "--config", str(self.config)]
        with self.log.open("wb") as log:
            # A session of its own: Ctrl-C reaches the demo, which then drains the collector.
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, env=environment, start_new_session=True
            )
        end = time.monotonic() + _READY_SECONDS
        while not self._get("/readyz"):
            if self.process.poll() is not None or time.monotonic() > end:
                tail = self.log.read_text(encoding="utf-8", errors="replace")[-2000:]
                self.stop()
                raise ActivityCenterError(
                    f"the collector did not become ready:\n{tail}", where=str(self.log)
                )
            time.sleep(0.05)

    def stop(self) -> int:
        """Drain and end it; return its exit code."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def rejected(self) -> int:
        """Return how many records were rejected since the start, at the door or on delivery."""
        return sum(
            count
            for name, outcome, count in self._outcomes()
            if (name == "records" and outcome not in _KEPT)
            or (name == "deliver_documents" and outcome in _REFUSED)
        )

    def delivered(self) -> int:
        """Return how many documents OpenSearch has confirmed since the start: made, or there."""
        return sum(
            count
            for name, outcome, count in self._outcomes()
            if name == "deliver_documents" and outcome in _CONFIRMED
        )

    def _outcomes(self) -> Iterator[tuple[str, str, int]]:
        """Yield (metric without prefix and ``_total``, outcome, count) of each such sample."""
        for line in self._get("/metrics").splitlines():
            name, _, rest = line.partition("{")
            outcome = rest.partition('outcome="')[2].partition('"')[0]
            if outcome and name.startswith("activity_center_") and name.endswith("_total"):
                count = int(float(line.rsplit(" ", 1)[1]))
                yield name.removeprefix("activity_center_").removesuffix("_total"), outcome, count

    def _get(self, path: str) -> str:
        """Return the body of a 200, else ``""``."""
        try:
            address = f"http://127.0.0.1:{self.health_port}{path}"
            with urllib.request.urlopen(address, timeout=5) as answer:
                return str(answer.read().decode())
        except OSError:
            return ""

    def _document(self) -> dict[str, Any]:
        opensearch: dict[str, Any] = {"url": self.cluster.url}
        if self.cluster.username:
            opensearch["username"] = self.cluster.username
        if self.cluster.password:
            opensearch["password"] = "${ACTIVITY_CENTER_DEMO_PASSWORD}"  # noqa: S105 - a name
        if self.cluster.api_token:
            opensearch["api_token"] = "${ACTIVITY_CENTER_DEMO_API_TOKEN}"  # noqa: S105
        if self.cluster.ca:
            opensearch["ca"] = self.cluster.ca
        return {
            "opensearch": opensearch,
            "collector": {
                "data_dir": str(self.folder / "data"),
                "forward": [{"bind": f"127.0.0.1:{self.forward_port}", "sender": FORWARD_SENDER}],
                "http": [{"bind": f"127.0.0.1:{self.http_port}"}],
                "health": f"127.0.0.1:{self.health_port}",
            },
            "senders": [{"name": FORWARD_SENDER}, *self._senders()],
            "organizations": self.organizations,
        }

    def _senders(self) -> Iterable[dict[str, Any]]:
        for name, token in self.tokens.items():
            yield {"name": name, "token_sha256": hashlib.sha256(token.encode()).hexdigest()}


def _port(preferred: int) -> int:
    """The usual port, or a free one when somebody has it."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise ConfigError("no free port on 127.0.0.1")
