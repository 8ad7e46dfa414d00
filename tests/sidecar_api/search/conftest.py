"""A log of each test's own."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from activity_center.connection import connect
from tests.sidecar_api.search.log import Log, put_templates

if TYPE_CHECKING:
    from activity_center.config import Cluster
    from tests.conftest import Node


@pytest.fixture(scope="session")
def _templates(opensearch: Node) -> None:
    put_templates(opensearch.client)


@pytest.fixture
def log(opensearch: Node, _templates: None) -> Log:
    """An empty log, behind a wall of its own."""
    return Log(opensearch.client)


@pytest.fixture(scope="module")
def table(opensearch: Node, _templates: None) -> Log:
    """A log that the tests of a module fill once and share."""
    return Log(opensearch.client)


@pytest.fixture
def own_log(rolling: Cluster) -> Iterator[Log]:
    """A log on a node that nobody else uses meanwhile; later tests see what earlier ones left."""
    with connect(rolling) as client:
        yield Log(client)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    """Threads that ask."""
    with ThreadPoolExecutor(20) as pool:
        yield pool
