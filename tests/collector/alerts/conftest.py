"""A node with our streams, emptied of activities and alerts before each test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

import pytest

from activity_center import node
from activity_center.connection import connect
from activity_center.setup import desired_state, install
from activity_center.setup.cluster import ask
from activity_center.streams import ALERTS_STREAM, STATE_INDEX
from tests.collector.alerts.parts import STREAMS, Place, Receiver


@pytest.fixture(scope="session")
def _alerts_node() -> Iterator[node.NodeInfo]:
    name = f"alerts-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    info = node.start(name, fast=True)
    client = connect(info.cluster)
    install(client, replace(desired_state(), streams=(*STREAMS, ALERTS_STREAM)))
    # Whoever writes an alert waits until searches find it: two seconds, were it not for this.
    ask(client, "PUT", f"/{ALERTS_STREAM}/_settings", body={"index.refresh_interval": "50ms"})
    client.close()
    yield info
    node.wipe(name)


@pytest.fixture
def place(_alerts_node: node.NodeInfo) -> Iterator[Place]:
    """A node with our streams that holds no activity, no alert and no state."""
    client = connect(_alerts_node.cluster)
    for names in (",".join((*STREAMS, ALERTS_STREAM)), STATE_INDEX):
        ask(client, "POST", f"/{names}/_refresh")  # else what was just written is not found
        ask(
            client,
            "POST",
            f"/{names}/_delete_by_query",
            params={"refresh": "true", "conflicts": "proceed"},
            body={"query": {"match_all": {}}},
        )
    yield Place(_alerts_node.url, client)
    client.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver of webhooks."""
    one = Receiver()
    yield one
    one.close()
