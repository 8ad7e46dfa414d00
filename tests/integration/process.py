"""A real collector process for tests and benches: start, kill, restart, ask."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from opensearchpy import OpenSearch

from activity_center.config import Cluster
from activity_center.streams import LENS_PATTERNS

TOKEN = "token-of-the-tests"
SHARED_KEY = "key-of-the-tests"


def free_port() -> int:
    """A TCP port of the loopback address that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Collector:
    """One collector process with a configuration file of its own."""

    def __init__(self, folder: Path, cluster: Cluster, **collector: Any) -> None:
        self.folder = folder
        self.forward_port, self.http_port, self.health_port = (free_port() for _ in range(3))
        self.data_dir = folder / "data"
        self.config = folder / "activity-center.yml"
        self.log = folder / "collector.log"
        opensearch = {"url": cluster.url}
        self.environment: dict[str, str] = {}
        if cluster.username:
            opensearch |= {"username": cluster.username, "password": "${TEST_PASSWORD}"}
            self.environment["TEST_PASSWORD"] = cluster.password
        if cluster.ca:
            opensearch["ca"] = cluster.ca
        self.document: dict[str, Any] = {
            "opensearch": opensearch,
            "collector": {
                "data_dir": str(self.data_dir),
                "health": f"127.0.0.1:{self.health_port}",
                "forward": [{"bind": f"127.0.0.1:{self.forward_port}", "sender": "tests"}],
                "http": [{"bind": f"127.0.0.1:{self.http_port}"}],
                **collector,
            },
            "senders": [
                {"name": "tests", "token_sha256": hashlib.sha256(TOKEN.encode()).hexdigest()}
            ],
        }
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where ``POST /v1/activities`` is."""
        return f"http://127.0.0.1:{self.http_port}"

    def start(self, *, wait: bool = True) -> None:
        """Write the configuration, start the process and wait until it is ready."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config.write_text(yaml.safe_dump(self.document, sort_keys=False))
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "activity_center", "collect", "--config", str(self.config)],
                stdout=log,
                stderr=log,
                env={**os.environ, **self.environment},
            )
        if wait:
            self.wait_ready()

    def wait_ready(self, timeout: float = 60) -> None:
        """Poll ``/readyz``; a process that died says why."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            assert self.process is not None
            assert self.process.poll() is None, self.log.read_text()[-4000:]
            if self.get("/readyz")[0] == 200:
                return
            time.sleep(0.05)
        raise AssertionError("not ready: " + self.log.read_text()[-4000:])

    def get(self, path: str) -> tuple[int, str]:
        """GET from the health address; status 0 when nobody listens."""
        try:
            url = f"http://127.0.0.1:{self.health_port}{path}"
            with urllib.request.urlopen(url, timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def metric(self, name: str) -> float:
        """Sum of a metric over its labels."""
        lines = self.get("/metrics")[1].splitlines()
        return sum(
            float(line.rsplit(" ", 1)[1])
            for line in lines
            if line.split("{")[0].split(" ")[0] == name
        )

    def kill(self) -> None:
        """SIGKILL, and reap."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def terminate(self, timeout: float = 60) -> int:
        """SIGTERM; return the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout)

    def wait_delivered(self, timeout: float = 60) -> None:
        """Wait until the spool is empty."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            status, _ = self.get("/metrics")
            if status == 200 and self.metric("activity_center_spool_records") == 0:
                return
            time.sleep(0.05)
        raise AssertionError("the spool did not empty: " + self.log.read_text()[-4000:])


def count_by_id(
    client: OpenSearch, ids: Iterable[str], index: str = ",".join(LENS_PATTERNS)
) -> Counter[str]:
    """How often each ``event.id`` is stored, over all generations of all streams."""
    client.indices.refresh(index=index)
    found: Counter[str] = Counter()
    wanted = list(ids)
    for start in range(0, len(wanted), 1000):
        part = wanted[start : start + 1000]
        after: list[Any] | None = None
        while True:
            body: dict[str, Any] = {
                "size": 2000,
                "query": {"terms": {"event.id": part}},
                "_source": ["event.id"],
                "sort": ["event.id", "event.ingested"],
            }
            if after:
                body["search_after"] = after
            answer = client.search(index=index, body=body)
            shards = answer["_shards"]
            assert shards["successful"] == shards["total"], shards
            hits = answer["hits"]["hits"]
            found.update(hit["_source"]["event"]["id"] for hit in hits)
            if len(hits) < 2000:
                break
            after = hits[-1]["sort"]
    return found
