"""The collector is killed at random moments: nothing acknowledged is lost or doubled."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from activity_center.setup import desired_state, install
from tests.faults.collector.scenarios import killed


def test_killed_five_times(node: Any, tmp_path: Path) -> None:
    """After kill -9 at random moments, with rollovers between, and senders that repeat what
    was not acknowledged, every event is in OpenSearch exactly once."""
    killed(tmp_path, node, cycles=5).check()


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", [11, 12])
def test_killed_fifty_times(own_node: Callable[..., Any], tmp_path: Path, seed: int) -> None:
    """The same, fifty times over."""
    node = own_node()
    install(node.client, desired_state())
    killed(tmp_path, node, cycles=50, seed=seed, rollovers=200).check()
