"""Hostile input to a running collector, while a good sender goes on."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from tests.clients.forward import ForwardClient
from tests.faults.collector.disk_scenarios import NOWHERE
from tests.faults.collector.hostile_scenario import hostile_input
from tests.faults.collector.scenarios import QUICK
from tests.faults.collector.traffic import activity
from tests.integration.process import SHARED_KEY, Collector


def test_hostile_input_harms_nobody_else(node: Any, tmp_path: Path) -> None:
    """Whatever a sender sends: a clear error or a rejection with a reason, the same process,
    bounded memory, and the good sender's events all arrive once."""
    hostile_input(tmp_path, node).check()


@pytest.mark.slow
def test_unfinished_handshakes_are_closed(tmp_path: Path) -> None:
    """Whoever says nothing to HELO is let go after some seconds; others are served."""
    collector = Collector(tmp_path, NOWHERE, **QUICK)
    collector.environment["SHARED_KEY"] = SHARED_KEY
    collector.document["collector"]["forward"][0]["shared_key"] = "${SHARED_KEY}"
    with collector:
        collector.start()
        silent = [socket.create_connection(collector.forward) for _ in range(5)]
        with ForwardClient(collector.forward, shared_key=SHARED_KEY) as client:
            client.send("activity.native", [(1_790_000_000, activity("served", 1))])
        for peer in silent:
            peer.settimeout(20)
            while peer.recv(4096):
                pass
            peer.close()
        assert collector.metric("activity_center_receiver_errors_total", error="timeout") == 5
