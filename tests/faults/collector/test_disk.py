"""The disk is full or damaged, the quota used up: senders wait, nothing acknowledged is lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.collector.deliver.gate import Gate
from tests.faults.collector import disk_scenarios as scenarios
from tests.faults.collector.outcome import Outcome
from tests.faults.collector.post import post
from tests.faults.collector.scenarios import QUICK, finish
from tests.faults.collector.traffic import Traffic, activity
from tests.integration.process import Collector, sha256, until


def test_the_disk_is_full(node: Any, tmp_path: Path) -> None:
    """Without room nothing is acknowledged: 503 with Retry-After, no ack, not ready; the
    process stays, and with room again it goes on by itself."""
    scenarios.disk_full(tmp_path, node).check()


def test_a_torn_tail_and_a_flipped_byte(node: Any, tmp_path: Path) -> None:
    """A half-written record is cut off, a flipped byte costs its record alone, which is
    reported and in the rejected store; all others arrive."""
    outcome = scenarios.damaged(tmp_path, node, torn=True, flipped=True)
    outcome.check()
    assert outcome.found == outcome.acked - 1


def test_a_torn_tail_costs_nothing(node: Any, tmp_path: Path) -> None:
    """Nothing acknowledged is in a torn tail."""
    outcome = scenarios.damaged(tmp_path, node, torn=True, flipped=False)
    outcome.check()
    assert outcome.found == outcome.acked


def test_the_quota_is_used_up(node: Any, tmp_path: Path) -> None:
    """While OpenSearch is away and the quota full, senders wait; no event is dropped."""
    gate = Gate(node.url)
    gate.rule = lambda request: None
    collector = Collector(tmp_path, node.cluster, quota="400KiB", **QUICK)
    collector.document["opensearch"]["url"] = gate.url
    try:
        with collector, Traffic(collector, pause=0.005) as traffic:
            collector.start()
            until(lambda: traffic.pushed_back > 0)
            until(lambda: collector.get("/readyz") == (503, "the spool is at its quota\n"))
            assert collector.metric("activity_center_ready") == 0
            until(lambda: not scenarios.acknowledged(collector), 10)
            used = collector.metric("activity_center_spool_bytes")
            assert used <= collector.metric("activity_center_spool_quota_bytes") * 1.01
            gate.rule = lambda request: request.forward()
            finish(Outcome("quota"), collector, traffic, node.client).check()
    finally:
        gate.close()


def test_a_sender_cannot_fill_the_spool_for_all(tmp_path: Path) -> None:
    """A sender at its share waits; another one does not notice."""
    other = {"name": "other", "token_sha256": sha256("token-of-another")}
    collector = Collector(tmp_path, scenarios.NOWHERE, senders=[other], quota="2MiB", **QUICK)
    collector.document["senders"][0]["quota"] = "100KiB"
    with collector, Traffic(collector, pause=0.005) as traffic:
        collector.start()
        until(lambda: traffic.pushed_back > 3)
        status, headers, problem = post(collector, [activity("x", n) for n in range(300)])
        assert status == 503 and "Retry-After" in headers
        assert problem["detail"] == "the share of sender 'tests' is full"
        for _ in range(3):
            assert post(collector, [activity("y", 1)], token="token-of-another")[0] == 200
        assert collector.get("/readyz")[0] == 200
        traffic.abandon()


@pytest.mark.slow
def test_the_disk_is_full_again_and_again(node: Any, tmp_path: Path) -> None:
    """The same several times over."""
    scenarios.disk_full(tmp_path, node, times=6, seed=16).check()
