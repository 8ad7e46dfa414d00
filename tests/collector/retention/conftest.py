"""A node with a snapshot repository, emptied before each test."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from activity_center import node
from tests.collector.retention.place import Place, archiving, emptied


@pytest.fixture(scope="session")
def _archiving_node() -> Iterator[tuple[node.NodeInfo, Path]]:
    with archiving("retention") as made:
        yield made


@pytest.fixture
def place(_archiving_node: tuple[node.NodeInfo, Path]) -> Iterator[Place]:
    """The node without anything of ours, with a new, empty repository."""
    with emptied(*_archiving_node) as found:
        yield found


@pytest.fixture
def now() -> datetime:
    """This moment; ages are counted back from it."""
    return datetime.now(UTC)
