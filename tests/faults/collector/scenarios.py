"""The faults, each as a function: the tests run them short, ``python -m bench.faults`` long.

Real collector processes and a real OpenSearch. Each returns an :class:`Outcome`; what is
particular to a fault is asserted on the way.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from opensearchpy import OpenSearch

from tests.collector.deliver.gate import Answer, Gate, Request
from tests.faults.collector.outcome import Outcome
from tests.faults.collector.traffic import STREAMS, Traffic
from tests.integration.process import Collector, until

QUICK: dict[str, Any] = {"deliver": {"linger": 0.05, "batch_documents": 200, "timeout": 20}}
LIGHT: dict[str, Any] = {"single": 4, "bulk": 1, "http": 1, "pause": 0.3}
"""Traffic while a node starts, which takes its time."""
PRESSURE = {"indexing_pressure.memory.limit": "100kb"}
"""Settings of a node that answers 429 to all but small requests."""


class Rollovers:
    """Rolls one of the streams over, now and then, while the block runs."""

    def __init__(self, client: OpenSearch, seed: int, *, most: int = 10_000) -> None:
        self.count = 0
        self._client = client
        self._chance = random.Random(seed)
        self._most = most
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while self.count < self._most and not self._stop.wait(self._chance.uniform(0.2, 1.5)):
            self._client.indices.rollover(alias=self._chance.choice(STREAMS))
            self.count += 1

    def __enter__(self) -> Rollovers:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def finish(
    outcome: Outcome,
    collector: Collector,
    traffic: Traffic,
    client: OpenSearch,
    note: Callable[[], str] = str,
) -> Outcome:
    """Let the senders finish, the spool empty and the collector drain; then count."""
    traffic.stop()
    collector.wait_delivered(120)
    outcome.note = note() or outcome.note
    rejected = int(collector.metric("activity_center_deliver_documents_total", outcome="rejected"))
    assert collector.terminate() == 0, collector.tail()
    return outcome.count(client, traffic.acked, traffic.sent, rejected=rejected)


def killed(folder: Path, node: Any, cycles: int, seed: int = 1, rollovers: int = 12) -> Outcome:
    """kill -9 of the collector at random moments, its start among them."""
    outcome = Outcome("collector: kill -9 while receiving, with rollovers", cycles)
    chance = random.Random(seed)
    collector = Collector(folder, node.cluster, **QUICK)
    with collector, Traffic(collector, seed=seed) as traffic:
        collector.start()
        with Rollovers(node.client, seed, most=rollovers) as roller:
            for _ in range(cycles):
                if chance.random() < 0.2:  # while it starts
                    time.sleep(chance.uniform(0, 1.5))
                else:
                    collector.wait_ready()
                    traffic.wait_acked(1)
                    traffic.send_for(chance.uniform(0, 0.8))
                collector.kill()
                collector.start(wait=False)
            collector.wait_ready()
            traffic.wait_acked(100)
        outcome.note = f"{roller.count} rollovers, {traffic.repeats} requests repeated"
        return finish(outcome, collector, traffic, node.client)


def node_restarted(
    folder: Path, node: Any, *, settings: dict[str, str] | None = None, seed: int = 2
) -> Outcome:
    """OpenSearch killed, then stopped in good order, while events arrive.

    Args:
        settings: of the node after its second start; :data:`PRESSURE` makes it answer 429.
    """
    outcome = Outcome("OpenSearch: kill -9, stop, start", 2)
    collector = Collector(folder, node.cluster, **QUICK)
    failures = "activity_center_deliver_failures_total"
    with collector, Traffic(collector, **LIGHT, seed=seed) as traffic:
        collector.start()
        for end, start_with in ((node.kill, None), (node.stop, settings)):
            traffic.wait_acked(100)
            end()
            traffic.wait_acked(100)  # the spool takes them; nobody notices
            assert collector.get("/readyz")[0] == 200
            node.start(start_with)
            node.client.indices.rollover(alias=STREAMS[0])
        if settings is not None:
            until(lambda: collector.metric(failures, cause="pushback") > 0)
        unreached = collector.metric(failures) - collector.metric(failures, cause="pushback")
        assert unreached > 0
        outcome.note = f"{unreached:.0f} bulk requests without an answer"
        return finish(outcome, collector, traffic, node.client)


def pressure(folder: Path, node: Any, seed: int = 3) -> Outcome:
    """OpenSearch answers 429 to whole requests: it has memory for small ones alone."""
    outcome = Outcome("OpenSearch: answers 429 (indexing pressure)", 1)
    node.stop()
    node.start(PRESSURE)
    collector = Collector(folder, node.cluster, **{**QUICK, "deliver": {"linger": 1.0}})
    with collector, Traffic(collector, seed=seed, pause=0.01) as traffic:
        collector.start()
        until(
            lambda: collector.metric("activity_center_deliver_failures_total", cause="pushback") > 0
        )

        def note() -> str:
            refused = collector.metric("activity_center_deliver_failures_total", cause="pushback")
            return f"{refused:.0f} bulk requests refused, then smaller ones"

        return finish(outcome, collector, traffic, node.client, note)


def unavailable(folder: Path, node: Any, count: int = 4, seed: int = 4) -> Outcome:
    """A proxy before OpenSearch answers 503 and 502."""
    outcome = Outcome("OpenSearch: answers 502 and 503", count)
    left = [count]

    def rule(request: Request) -> Answer | None:
        if request.is_bulk and left[0] > 0:
            left[0] -= 1
            status = 502 + left[0] % 2
            return Answer(status, b"busy", {"Content-Type": "text/plain", "Retry-After": "1"})
        return request.forward()

    return _through_gate(outcome, folder, node, rule, lambda: left[0] == 0, seed)


def answers_lost(folder: Path, node: Any, count: int = 3, seed: int = 5) -> Outcome:
    """The connection is cut after the request and before the answer; then a rollover."""
    outcome = Outcome("connection cut between request and answer, with a rollover", count)
    left = [count]

    def rule(request: Request) -> Answer | None:
        if request.is_bulk and left[0] > 0:
            left[0] -= 1
            request.forward()
            for stream in STREAMS:
                node.client.indices.rollover(alias=stream)
            return None
        return request.forward()

    return _through_gate(outcome, folder, node, rule, lambda: left[0] == 0, seed)


def _through_gate(
    outcome: Outcome, folder: Path, node: Any, rule: Any, done: Any, seed: int
) -> Outcome:
    gate = Gate(node.url)
    gate.rule = rule
    collector = Collector(folder, node.cluster, **QUICK)
    collector.document["opensearch"]["url"] = gate.url
    try:
        with collector, Traffic(collector, seed=seed) as traffic:
            collector.start()
            until(done)
            traffic.wait_acked(100)
            finish(outcome, collector, traffic, node.client)
    finally:
        gate.close()
    failures = len(collector.logged("delivery waits"))
    assert failures > 0
    outcome.note = f"delivery waited {failures} times"
    return outcome
