"""A spool at its quota, on the real collector: the sender waits, and nothing is lost or doubled."""

from __future__ import annotations

import select
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from activity_center.config import Cluster
from activity_center.setup import desired_state, install
from tests.clients.forward import ForwardClient, encode
from tests.collector.deliver.gate import Gate
from tests.integration.process import Collector, count_by_id, until

HELD = "activity_center_receiver_held_total"
TEXT = "x" * 20_000


@pytest.fixture
def closed(opensearch: Any) -> Any:
    """A gate before the shared node that lets nothing through, until its rule is changed."""
    install(opensearch.client, desired_state())
    gate = Gate(opensearch.url)
    gate.rule = lambda request: None
    yield gate
    gate.close()


def event(id_: str) -> tuple[int, dict[str, Any]]:
    """An event of 20 kB."""
    return time.time_ns(), {"event": {"id": id_, "action": "server.create"}, "message": TEXT}


def readable(client: ForwardClient) -> bool:
    """Whether an answer waits."""
    return bool(select.select([client.socket], [], [], 0)[0])


@pytest.mark.parametrize("chunk", [1, 5])
def test_a_forward_sender_waits_for_room(
    opensearch: Any, closed: Gate, tmp_path: Path, chunk: int
) -> None:
    """No ack while the spool is full, also for the small chunks that are taken together; when
    OpenSearch is back each gets its own, and every event is there once."""
    run = uuid.uuid4().hex[:8]
    collector = Collector(tmp_path, Cluster(url=closed.url), quota="1MiB")
    ids: list[str] = []
    with collector:
        collector.start()
        with ForwardClient(collector.forward, timeout=60) as client:
            while True:
                first = len(ids)
                ids += [f"full-{run}-{number}" for number in range(first, first + chunk)]
                client.write(encode("app", [event(one) for one in ids[first:]], chunk=ids[first]))
                until(lambda: readable(client) or collector.metric(HELD))
                if not readable(client):
                    break
                assert client.read() == {"ack": ids[first]}
                assert len(ids) < 200
            closed.rule = lambda request: request.forward()
            assert client.read() == {"ack": ids[first]}
        until(lambda: collector.metric("activity_center_spool_records") == 0)
    found = count_by_id(opensearch.client, ids)
    assert found == dict.fromkeys(ids, 1)
