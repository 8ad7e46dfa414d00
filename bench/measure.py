"""Rounds on real parts: a node of its own, a collector process, a sender process.

The collector's and OpenSearch's CPU time is read before the sender may begin and after the
last document is counted, so it holds everything: receiving, syncing, delivering.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from opensearchpy import OpenSearch

from activity_center import node
from activity_center.connection import connect
from activity_center.demo.stack import Stack
from activity_center.setup import desired_state, install
from activity_center.streams import LENS_PATTERNS
from bench import process

HEAP: Final = "1g"
DOCUMENTS: Final = 1000
"""Documents of a ``_bulk`` request, on both sides."""
CONNECTIONS: Final = {500: 4, 50: 16, 1: 64}
"""Chunk size -> connections, each with one chunk in flight."""
POLL: Final = 0.02
PATIENCE: Final = 120.0
_STREAMS: Final = ",".join(LENS_PATTERNS)


@dataclass(frozen=True, slots=True)
class Round:
    """Figures of one round.

    Attributes:
        events: sent, and documents that came of them.
        acked: seconds from the first byte to the last ack (the last answer, for raw).
        counted: seconds from the first byte until a search counts all documents.
        latencies: seconds from a chunk's first byte to its ack.
        collector: its CPU time.
        opensearch: CPU seconds of the node's process.
        requests: ``_bulk`` requests of the collector.
    """

    events: int
    acked: float
    counted: float
    latencies: list[float]
    collector: process.Cpu
    opensearch: float
    requests: float


class Bench:
    """The parts that all rounds share. Made by :func:`running`."""

    def __init__(self, info: node.NodeInfo, client: OpenSearch, stack: Stack) -> None:
        self.info = info
        self.client = client
        self.stack = stack
        assert stack.collector.process is not None
        self.pid = stack.collector.process.pid
        self._seed = time.time_ns() // 1_000_000 * 1000
        """Every round has a seed of its own, so ids never repeat, also between two runs."""

    def through(self, workload: str, events: int, chunk: int) -> Round:
        """Send a load through the collector."""
        command = ["bench.load", "--port", str(self.stack.forward_port),
                   "--chunk", str(chunk), "--connections", str(CONNECTIONS[chunk])]  # fmt: skip
        return self._round(workload, events, command)

    def raw(self, workload: str, events: int, lanes: int) -> Round:
        """Send the same kind of load straight to ``_bulk``, so many requests at a time."""
        command = ["bench.raw", "--url", self.info.url,
                   "--documents", str(DOCUMENTS), "--lanes", str(lanes)]  # fmt: skip
        return self._round(workload, events, command)

    def _round(self, workload: str, events: int, command: list[str]) -> Round:
        self._seed += 1
        command = [sys.executable, "-m", *command, "--workload", workload,
                   "--seed", str(self._seed), "--events", str(events)]  # fmt: skip
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as sender:
            try:
                assert sender.stdin is not None and sender.stdout is not None
                if sender.stdout.readline() != "ready\n":
                    raise RuntimeError(f"{command[2]} ended before it was ready")
                self._settle()
                indexed, requests = self._indexed(), self._requests()
                used, node_used = process.cpu(self.pid), process.cpu(self.info.pid).total
                print("go", file=sender.stdin, flush=True)
                line = sender.stdout.readline()
                if not line:
                    raise RuntimeError(f"{command[2]} failed")
                seen = json.loads(line)
                self._wait_for(lambda: self._indexed() - indexed >= events)
                self.client.indices.refresh(index=_STREAMS)
                counted = time.monotonic() - seen["begun"]
                used = process.cpu(self.pid).since(used)
                node_used = process.cpu(self.info.pid).total - node_used
            finally:
                sender.kill()
        found = self._indexed() - indexed
        if found != events:
            raise RuntimeError(f"{found} documents came of {events} events")
        return Round(
            events,
            seen["acked"] - seen["begun"],
            counted,
            seen.get("latencies", []),
            used,
            node_used,
            self._requests() - requests,
        )

    def _indexed(self) -> int:
        """Documents written since the streams are there; known at once, without a refresh."""
        stats = self.client.indices.stats(
            index=_STREAMS, metric="indexing", params={"filter_path": "_all.primaries"}
        )
        indexing = stats.get("_all", {}).get("primaries", {}).get("indexing", {})
        return int(indexing.get("index_total", 0))

    def _requests(self) -> float:
        address = f"http://127.0.0.1:{self.stack.health_port}/metrics"
        with urllib.request.urlopen(address, timeout=5) as answer:
            for line in answer.read().decode().splitlines():
                if line.startswith("activity_center_deliver_requests_total "):
                    return float(line.split()[1])
        return 0.0

    def _settle(self) -> None:
        """Let OpenSearch finish what the round before left: refresh, merges."""
        end = time.monotonic() + 3
        while time.monotonic() < end:
            before = process.cpu(self.info.pid).total
            time.sleep(0.25)
            if process.cpu(self.info.pid).total - before < 0.03:
                return

    @staticmethod
    def _wait_for(done: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not done():
            if time.monotonic() > end:
                raise RuntimeError(f"not all is delivered after {PATIENCE:.0f} seconds")
            time.sleep(POLL)


@contextmanager
def running(folder: Path, say: Callable[[str], None], *, fast: bool = False) -> Iterator[Bench]:
    """Start a node and a collector with defaults, and remove both at the end.

    Args:
        fast: a node that starts quickly and is slow under load, for tests.
    """
    name = f"bench-{folder.name}".lower()
    try:
        say("starting OpenSearch")
        info = node.start(name, heap=HEAP, fast=fast)
        client = connect(info.cluster)
        install(client, desired_state())
        say("starting the collector")
        stack = Stack(folder, info.cluster, {}, ("bench",))
        try:
            stack.start()
            yield Bench(info, client, stack)
        finally:
            stack.stop()
            client.close()
    finally:
        node.wipe(name)


def percentile(values: list[float], share: float) -> float:
    """Return the value below which ``share`` of ``values`` lie."""
    if len(values) < 2:
        return values[0] if values else float("nan")
    return statistics.quantiles(values, n=1000, method="inclusive")[round(share * 1000) - 1]
