"""A node with our streams, emptied of activities and state before each test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

import pytest

from activity_center import node
from activity_center.connection import connect
from activity_center.setup import desired_state, install
from activity_center.setup.cluster import ask
from activity_center.streams import STATE_INDEX
from tests.collector.expiry.parts import STREAMS, Place


@pytest.fixture(scope="session")
def _expiry_node() -> Iterator[node.NodeInfo]:
    name = f"expiry-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    info = node.start(name, fast=True)
    client = connect(info.cluster)
    install(client, replace(desired_state(), streams=STREAMS))
    # Whoever writes an expiry waits until searches find it: two seconds, were it not for this.
    quick = {"index.refresh_interval": "50ms"}
    ask(client, "PUT", f"/{','.join(STREAMS)}/_settings", body=quick)
    client.close()
    yield info
    node.wipe(name)


@pytest.fixture
def place(_expiry_node: node.NodeInfo) -> Iterator[Place]:
    """A node with our streams that holds no activity and no state."""
    client = connect(_expiry_node.cluster)
    for names in (",".join(STREAMS), STATE_INDEX):
        ask(client, "POST", f"/{names}/_refresh")  # else what was just written is not found
        ask(
            client,
            "POST",
            f"/{names}/_delete_by_query",
            params={"refresh": "true", "conflicts": "proceed"},
            body={"query": {"match_all": {}}},
        )
    yield Place(_expiry_node.url, client)
    client.close()
