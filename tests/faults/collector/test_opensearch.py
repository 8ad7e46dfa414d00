"""OpenSearch dies, restarts, refuses, or its answers get lost: the spool bridges it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from activity_center.setup import desired_state, install
from tests.faults.collector import scenarios


@pytest.mark.timeout(600)
def test_opensearch_dies_and_refuses(own_node: Callable[..., Any], tmp_path: Path) -> None:
    """Killed, stopped and started again, then answering 429 to all but small requests: senders
    are acknowledged all the time, and every event arrives once."""
    node = own_node()
    install(node.client, desired_state())
    scenarios.node_restarted(tmp_path, node, settings=scenarios.PRESSURE).check()


def test_answers_502_and_503(node: Any, tmp_path: Path) -> None:
    """Whole requests answered 502 and 503 are tried again; no event is lost or doubled."""
    scenarios.unavailable(tmp_path, node).check()


def test_answers_lost_and_rollovers(node: Any, tmp_path: Path) -> None:
    """The cluster stored a request, its answer got lost and the stream rolled over: the
    repetition stores nothing a second time."""
    scenarios.answers_lost(tmp_path, node).check()
