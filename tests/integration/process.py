"""A real collector process for tests and benches: start, signal, kill, restart, ask."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import yaml
from opensearchpy import OpenSearch

from activity_center.config import Cluster
from activity_center.streams import LENS_PATTERNS

TOKEN = "token-of-the-tests"
SHARED_KEY = "key-of-the-tests"
SENDER = "tests"


def free_port(count: int = 1) -> int:
    """The first of ``count`` TCP ports in a row of the loopback address that are free now.

    Below the range from which the kernel takes ports for outgoing connections: one of
    those could have the port when a collector starts again.
    """
    for _ in range(1000):
        first = random.randrange(10_000, 32_000 - count)
        with contextlib.ExitStack() as probes, contextlib.suppress(OSError):
            for port in range(first, first + count):
                probes.enter_context(socket.socket()).bind(("127.0.0.1", port))
            return first
    raise AssertionError(f"no {count} free ports in a row")


def sha256(token: str) -> str:
    """What a configuration holds of a bearer token."""
    return hashlib.sha256(token.encode()).hexdigest()


def until(condition: Callable[[], object], timeout: float = 60, why: str = "") -> None:
    """Poll until ``condition()`` is true."""
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, why or "it did not come about in time"
        time.sleep(0.02)


class Address(Protocol):
    """Where activities are taken: by a collector, or by a Service before several."""

    @property
    def url(self) -> str:
        """Where ``POST /v1/activities`` is."""

    @property
    def http_port(self) -> int:
        """The port of that."""

    @property
    def forward(self) -> tuple[str, int]:
        """The Forward address."""


class Collector:
    """One collector, of one process or several, with a configuration file of its own.

    Args:
        folder: for configuration, log and data.
        cluster: where it delivers.
        senders: entries of ``senders`` beside the one named ``tests``.
        collector: replaces keys of the section ``collector``.

    Attributes:
        document: the configuration; written by :meth:`write` and :meth:`start`.
        prefix: command line before the collector's own, for example ``prlimit``.
        environment: variables beside those of this process.
    """

    def __init__(
        self,
        folder: Path,
        cluster: Cluster,
        *,
        senders: Sequence[dict[str, Any]] = (),
        **collector: Any,
    ) -> None:
        self.folder = folder
        self.forward_port, self.http_port = free_port(), free_port()
        self.health_port = free_port(int(collector.get("workers", 1)))
        self.data_dir = Path(collector.get("data_dir", folder / "data"))
        self.config = folder / "activity-center.yml"
        self.log = folder / "collector.log"
        self.prefix: list[str] = []
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
                "forward": [{"bind": f"127.0.0.1:{self.forward_port}", "sender": SENDER}],
                "http": [{"bind": f"127.0.0.1:{self.http_port}"}],
                **collector,
            },
            "senders": [{"name": SENDER, "token_sha256": sha256(TOKEN)}, *senders],
        }
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where ``POST /v1/activities`` is."""
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def forward(self) -> tuple[str, int]:
        """The Forward address."""
        return "127.0.0.1", self.forward_port

    # -- life ------------------------------------------------------------------------

    def write(self) -> None:
        """Write the configuration file, which :meth:`reload` makes a running process read."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config.write_text(yaml.safe_dump(self.document, sort_keys=False))

    def start(self, *, wait: bool = True, arguments: Sequence[str] = ()) -> None:
        """Write the configuration, start the process and wait until it is ready."""
        self.write()
        own = [sys.executable, "-m", "activity_center", "collect", "--config", str(self.config)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.prefix, *own, *arguments],
                stdout=log,
                stderr=log,
                env={**os.environ, **self.environment},
            )
        if wait:
            self.wait_ready()

    @property
    def pid(self) -> int:
        """The process that was started; with several workers, their parent."""
        assert self.process is not None
        return self.process.pid

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self.process is not None and self.process.poll() is None

    def wait_ready(self, timeout: float = 60, worker: int = 0) -> None:
        """Poll ``/readyz``; a process that died says why."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            assert self.alive, self.tail()
            if self.get("/readyz", worker)[0] == 200:
                return
            time.sleep(0.05)
        raise AssertionError("not ready: " + self.tail())

    def reload(self) -> None:
        """Write the configuration and send SIGHUP."""
        self.write()
        self.signal(signal.SIGHUP)

    def signal(self, number: int) -> None:
        """Send a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL it and its workers, and reap; nothing when it does not run."""
        if self.process is not None and self.process.poll() is None:
            workers = self.workers()
            self.process.kill()
            self.process.wait()
            for worker in workers:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker, signal.SIGKILL)

    def terminate(self, timeout: float = 60) -> int:
        """SIGTERM; return the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait(timeout)

    def wait(self, timeout: float = 60) -> int:
        """Wait until it has ended; return the exit code."""
        assert self.process is not None
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError("it did not end: " + self.tail()) from None

    def __enter__(self) -> Collector:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    # -- looks -----------------------------------------------------------------------

    def get(self, path: str, worker: int = 0) -> tuple[int, str]:
        """GET from the health address; status 0 when nobody listens."""
        try:
            url = f"http://127.0.0.1:{self.health_port + worker}{path}"
            with urllib.request.urlopen(url, timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def metric(self, name: str, worker: int = 0, **labels: str) -> float:
        """Sum of a metric over its labels, or over those series that have ``labels``."""
        lines = self.get("/metrics", worker)[1].splitlines()
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        return sum(
            float(line.rsplit(" ", 1)[1])
            for line in lines
            if line.split("{")[0].split(" ")[0] == name and all(one in line for one in wanted)
        )

    def workers(self) -> list[int]:
        """Process ids of the workers, in the order started; none where there is one process."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        return [int(pid) for pid in children.read_text().split()] if children.exists() else []

    def resident(self) -> int:
        """Peak resident memory of the process so far, in MiB."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) // 1024

    def logged(self, event: str) -> list[dict[str, Any]]:
        """The structured log lines of that event."""
        return [line for line in self._lines() if line.get("event") == event]

    def _lines(self) -> Iterator[dict[str, Any]]:
        for line in self.log.read_text(errors="replace").splitlines():
            with contextlib.suppress(ValueError):
                found = json.loads(line)
                if isinstance(found, dict):
                    yield found

    def tail(self) -> str:
        """The end of the log."""
        return self.log.read_text(errors="replace")[-4000:]

    def wait_delivered(self, timeout: float = 60, workers: int = 1) -> None:
        """Wait until the spools are empty."""

        def empty() -> bool:
            return all(
                self.get("/metrics", worker)[0] == 200
                and self.metric("activity_center_spool_records", worker) == 0
                for worker in range(workers)
            )

        end = time.monotonic() + timeout
        while not empty():
            assert self.alive, self.tail()
            assert time.monotonic() < end, "the spool did not empty: " + self.tail()
            time.sleep(0.05)


def count_by_id(
    client: OpenSearch,
    ids: Iterable[str],
    index: str = ",".join(LENS_PATTERNS),
    field: str = "event.id",
) -> Counter[str]:
    """How often each value of a keyword ``field`` is stored, over all generations.

    An answer with part of the shards fails: it would count too few.
    """
    client.indices.refresh(index=index)
    found: Counter[str] = Counter()
    wanted = list(ids)
    for start in range(0, len(wanted), 1000):
        part = wanted[start : start + 1000]
        after: list[Any] | None = None
        while True:
            body: dict[str, Any] = {
                "size": 2000,
                "query": {"terms": {field: part}},
                "_source": False,
                "docvalue_fields": [field],
                "sort": [field, "event.ingested", "_index"],
            }
            if after:
                body["search_after"] = after
            answer = client.search(index=index, body=body)
            shards = answer["_shards"]
            assert shards["successful"] == shards["total"], shards
            assert not answer["timed_out"]
            hits = answer["hits"]["hits"]
            found.update(hit["fields"][field][0] for hit in hits)
            if len(hits) < 2000:
                break
            after = hits[-1]["sort"]
    return found
