"""SIGTERM's part of delivery: what is in the spool goes out before the end."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from activity_center.config import Delivery
from tests.collector.deliver.gate import Gate
from tests.collector.deliver.rig import Rig, stored
from tests.collector.spool.entries import entry, wait_until

NOW = int(time.time() * 1000)
PATIENT = Delivery(linger=60, timeout=10)
"""Waits a minute for more before a small request goes out."""


def test_what_lingers_goes_out(opensearch: Any, stream: str, rig: Callable[..., Rig]) -> None:
    """A request that would wait for more goes out at the end, and nothing is left."""
    here = rig(delivery=PATIENT)
    entries = [entry(number, stream=stream, time_ms=NOW) for number in range(30)]
    here.deliver(entries)
    assert here.close(30.0)
    assert stored(opensearch.client, stream) == dict.fromkeys([one.id for one in entries], 1)
    again = rig()
    assert (again.spool.records, again.spool.bytes) == (0, 0)


def test_opensearch_comes_back_during_the_drain(
    opensearch: Any, stream: str, gate: Gate, rig: Callable[..., Rig]
) -> None:
    """The end begins while OpenSearch is away: what it takes before the time is up is delivered."""
    gate.rule = lambda request: None
    here = rig(gate.url)
    entries = [entry(number, stream=stream, time_ms=NOW) for number in range(30)]
    here.deliver(entries)
    wait_until(lambda: here.deliverer.alarm != "")
    here.deliverer.stopping.set()
    gate.rule = lambda request: request.forward()
    assert here.close(30.0)
    assert stored(opensearch.client, stream) == dict.fromkeys([one.id for one in entries], 1)


def test_parked_records_are_tried_at_the_end(
    opensearch: Any, stream: str, rig: Callable[..., Rig]
) -> None:
    """A stream that refused takes writes again: its parked events go out before the end."""
    client = opensearch.client
    client.indices.put_settings(index=stream, body={"index.blocks.write": True})
    here = rig()
    entries = [entry(number, stream=stream, time_ms=NOW) for number in range(5)]
    here.deliver(entries)
    wait_until(lambda: here.spool.parking.counts.get(stream) == 5)
    client.indices.put_settings(index=stream, body={"index.blocks.write": None})
    assert here.close(30.0)
    assert stored(client, stream) == dict.fromkeys([one.id for one in entries], 1)


def test_what_is_left_is_said(gate: Gate, rig: Callable[..., Rig], stream: str) -> None:
    """OpenSearch stays away: the end comes all the same, says so, and the spool keeps all."""
    gate.rule = lambda request: None
    here = rig(gate.url)
    here.deliver([entry(number, stream=stream, time_ms=NOW) for number in range(5)])
    wait_until(lambda: here.deliverer.alarm != "")
    assert not here.close(0.2)
    assert rig(gate.url).spool.records == 5
