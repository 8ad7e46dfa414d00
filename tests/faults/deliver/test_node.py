"""OpenSearch is killed, restarted, starved: nothing is lost, nothing is there twice."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from activity_center.config import Delivery
from tests.collector.deliver.gate import Answer, Gate, Request
from tests.collector.deliver.rig import Rig, make_stream, stored
from tests.collector.spool.entries import entry, wait_until


@pytest.fixture
def opened() -> Iterator[list[Any]]:
    """Rigs and gates to close at the end."""
    made: list[Any] = []
    yield made
    for one in reversed(made):
        one.close()


def _entries(stream: str, numbers: range) -> list[Any]:
    now = int(time.time() * 1000)
    return [entry(number, stream=stream, time_ms=now, extra="x" * 300) for number in numbers]


def _check(client: Any, stream: str, entries: list[Any]) -> None:
    wait_until(lambda: client.cluster.health(params={"wait_for_status": "yellow"}), 60)
    ids = stored(client, stream)
    assert [id_ for id_, count in ids.items() if count > 1] == []
    assert ids.keys() == {one.id for one in entries}


def test_the_node_is_killed_and_comes_back(
    own_node: Callable[..., Any], tmp_path: Path, opened: list[Any]
) -> None:
    """kill -9 of OpenSearch while it takes documents, with rollovers on the way."""
    node = own_node()
    stream = make_stream(node.client)
    rig = Rig(tmp_path, node.url, delivery=Delivery(batch_documents=200, linger=0.02, timeout=10))
    opened.append(rig)
    entries = _entries(stream, range(6000))
    rig.accept(entries[:3000])
    rig.deliverer.start()
    wait_until(lambda: rig.courier.outcomes["created"] > 600)
    node.kill()
    rig.accept(entries[3000:])
    wait_until(lambda: rig.deliverer.alarm == "unreachable")
    node.start()
    node.client.indices.rollover(alias=stream)
    rig.wait(120)
    _check(node.client, stream, entries)


def test_indexing_pressure(own_node: Callable[..., Any], tmp_path: Path, opened: list[Any]) -> None:
    """429 for the whole request: smaller requests get through."""
    node = own_node(settings={"indexing_pressure.memory.limit": "100kb"})
    stream = make_stream(node.client)
    rig = Rig(tmp_path, node.url)
    opened.append(rig)
    entries = _entries(stream, range(3000))
    rig.deliver(entries)
    rig.wait(120)
    _check(node.client, stream, entries)
    assert rig.courier.failures["pushback"] > 0
    assert rig.rejected.count() == 0


def _chaos(node: Any, folder: Path, opened: list[Any], seconds: float, seed: int) -> None:
    """Answers are lost, requests delayed, the stream rolled over, the collector restarted."""
    chance = random.Random(seed)
    gate = Gate(node.url)
    opened.append(gate)
    stream = make_stream(node.client)

    def rule(request: Request) -> Answer | None:
        if not request.is_bulk:
            return request.forward() if chance.random() > 0.05 else None
        lot = chance.random()
        if lot < 0.2:
            request.forward()
            return None
        if lot < 0.3:
            return Answer(503, b"busy", {"Content-Type": "text/plain"})
        if lot < 0.4:
            threading.Timer(chance.uniform(0.1, 1.5), request.forward).start()
            return None
        return request.forward()

    gate.rule = rule
    stop = threading.Event()

    def roll() -> None:
        while not stop.wait(chance.uniform(0.2, 1.5)):
            node.client.indices.rollover(alias=stream)

    roller = threading.Thread(target=roll)
    roller.start()
    number, sent = 0, []
    small = Delivery(batch_documents=150, linger=0.01, timeout=10)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        rig = Rig(folder, gate.url, maintain=node.url, delivery=small)
        rig.deliverer.start()
        for _ in range(chance.randrange(2, 8)):
            chunk = _entries(stream, range(number, number + chance.randrange(1, 300)))
            number += len(chunk)
            again = chance.sample(sent, min(len(sent), 20)) if chance.random() < 0.5 else []
            sent += chunk
            rig.accept([*chunk, *again])
            time.sleep(chance.uniform(0, 0.4))
        rig.close(0)  # what is under way is abandoned, as after kill -9
    stop.set()
    roller.join()
    gate.rule = lambda request: request.forward()
    time.sleep(2.0)  # delayed requests arrive
    rig = Rig(folder, gate.url, maintain=node.url, delivery=small)
    opened.append(rig)
    rig.deliverer.start()
    rig.wait(180)
    assert rig.deliverer.stop(60)
    assert rig.rejected.count() == 0
    _check(node.client, stream, sent)


def test_lost_answers_delays_rollovers_and_restarts(
    opensearch: Any, tmp_path: Path, opened: list[Any]
) -> None:
    """Everything at once, for some seconds."""
    _chaos(opensearch, tmp_path, opened, 8, 1)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(3))
def test_lost_answers_delays_rollovers_and_restarts_for_long(
    own_node: Callable[..., Any], tmp_path: Path, opened: list[Any], seed: int
) -> None:
    """Everything at once, for minutes."""
    _chaos(own_node(), tmp_path, opened, 120, seed)
