"""A log of each test's own."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from activity_center.connection import connect
from tests.sidecar_api.search.log import Log

if TYPE_CHECKING:
    from activity_center.config import Cluster
    from tests.conftest import Node


@pytest.fixture(scope="module")
def table(streams: Node) -> Log:
    """A log that the tests of a module fill once and share."""
    return Log(streams.client)


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
