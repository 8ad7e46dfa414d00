"""Several workers: all deliver, a killed one comes back, fewer ones adopt the others' spools."""

from __future__ import annotations

import os
import signal
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from activity_center.node.process import identify
from activity_center.setup import desired_state, install
from tests.clients.forward import ForwardClient
from tests.integration.process import Collector, count_by_id, until

QUICK: dict[str, Any] = {"deliver": {"linger": 0.05}}


@pytest.fixture(scope="module")
def node(opensearch: Any) -> Any:
    """The run's node, set up."""
    install(opensearch.client, desired_state())
    return opensearch


def send(collector: Collector, count: int, connections: int = 12) -> list[str]:
    """Send events over new connections, which the kernel spreads over the workers."""
    ids = []
    for _ in range(connections):
        with ForwardClient(collector.forward) as client:
            part = [uuid.uuid4().hex for _ in range(count)]
            events: list[Any] = [
                (time.time_ns(), {"event": {"id": id_, "action": "server.create"}}) for id_ in part
            ]
            client.send("activity.native", events)
            ids += part
    return ids


def test_workers(node: Any, tmp_path: Path) -> None:
    """Both workers take and deliver; a killed one is started again and delivers what it had;
    all ends with code 0; then one worker adopts the spool of the other."""
    collector = Collector(tmp_path, node.cluster, workers=2, **QUICK)
    with collector:
        collector.start()
        collector.wait_ready(worker=1)
        ids = send(collector, 20)
        records = "activity_center_records_total"
        until(lambda: all(collector.metric(records, worker) > 0 for worker in (0, 1)))
        before = collector.workers()
        assert len(before) == 2
        os.kill(before[1], signal.SIGKILL)
        until(lambda: len(set(collector.workers()) - set(before)) == 1)
        collector.wait_ready(worker=1)
        assert collector.logged("worker died")[0]["exit_code"] == -9
        ids += send(collector, 20)
        collector.wait_delivered(workers=2)
        assert collector.terminate() == 0, collector.tail()
        assert set(count_by_id(node.client, ids).values()) == {1}

        collector.document["opensearch"]["url"] = "http://127.0.0.1:1"
        collector.document["collector"]["drain_timeout"] = 0
        collector.start()
        collector.wait_ready(worker=1)
        ids += send(collector, 20)
        spooled = "activity_center_spool_records"
        assert all(collector.metric(spooled, worker) > 0 for worker in (0, 1))
        assert collector.terminate() == 0
        collector.document["collector"]["workers"] = 1
        collector.document["opensearch"]["url"] = node.url
        collector.start()
        assert collector.logged("spool of a former worker taken over")
        assert not (collector.data_dir / "worker-1/segments").exists()
        collector.wait_delivered()
        counts = count_by_id(node.client, ids)
        assert len(counts) == len(ids) == 720 and set(counts.values()) == {1}


def test_workers_end_with_their_parent(tmp_path: Path, node: Any) -> None:
    """When the parent is killed its workers drain and end, so that the next start finds the
    spools free."""
    collector = Collector(tmp_path, node.cluster, workers=2, **QUICK)
    with collector:
        collector.start()
        collector.wait_ready(worker=1)
        workers = collector.workers()
        ids = send(collector, 5)
        os.kill(collector.pid, signal.SIGKILL)
        collector.wait()
        try:
            until(lambda: not any(identify(pid) for pid in workers), 30)
        finally:
            for pid in filter(identify, workers):
                os.kill(pid, signal.SIGKILL)
        collector.start()
        collector.wait_ready(worker=1)
        collector.wait_delivered(workers=2)
        counts = count_by_id(node.client, ids)
        assert len(counts) == len(ids) and set(counts.values()) == {1}
