"""A sidecar of each test's own, over the shared node."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from activity_center import node
from activity_center.connection import connect
from tests.sidecar_api.desk import Desk
from tests.sidecar_api.search.log import Log, put_templates

if TYPE_CHECKING:
    from activity_center.config import Cluster
    from tests.conftest import Node


@pytest.fixture(scope="session")
def streams(opensearch: Node) -> Node:
    """The shared node with templates and streams."""
    put_templates(opensearch.client)
    return opensearch


@pytest.fixture
def log(streams: Node) -> Log:
    """An empty log, behind a wall of its own: an organization."""
    return Log(streams.client)


@pytest.fixture(scope="session")
def rolling() -> Iterator[Cluster]:
    """A node with templates and streams for tests that roll streams over, or count what is open:
    one for all of them that run in this process, one after the other."""
    name = f"rolling-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    cluster = node.start(name, fast=True).cluster
    with connect(cluster) as client:
        put_templates(client)
    yield cluster
    node.wipe(name)


@pytest.fixture
def make_desk(streams: Node, tmp_path: Path) -> Callable[..., Desk]:
    """Make a sidecar with further keys of the section ``sidecar``."""

    def make(**sidecar: Any) -> Desk:
        return Desk(tmp_path, streams.cluster, streams.client, **sidecar)

    return make


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    """A sidecar of this test's own."""
    return make_desk()
