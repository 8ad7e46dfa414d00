"""A stage for each test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.integration.process import Collector
from tests.sidecar_api.agents.stage import Stage
from tests.sidecar_api.desk import Desk

if TYPE_CHECKING:
    from tests.conftest import Node


@pytest.fixture
def stage(desk: Desk) -> Stage:
    """Nothing stored yet, in organizations of this test's own."""
    return Stage(desk)


@pytest.fixture(scope="session")
def collector(streams: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """A collector that believes the sidecar who decided."""
    with Collector(tmp_path_factory.mktemp("collector"), streams.cluster) as made:
        made.document["senders"][0]["may_assert"] = ["approver"]
        made.start()
        yield made
