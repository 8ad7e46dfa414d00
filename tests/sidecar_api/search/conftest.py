"""A log of each test's own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from activity_center import node
from activity_center.connection import connect
from tests.sidecar_api.search.log import Log, put_templates

if TYPE_CHECKING:
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


@pytest.fixture(scope="module")
def own_log() -> Iterator[Log]:
    """A log on a node of the module's own; later tests see what earlier ones left."""
    name = f"search-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    with connect(node.start(name, fast=True).cluster) as client:
        put_templates(client)
        yield Log(client)
    node.wipe(name)
