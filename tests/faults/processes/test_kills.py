"""Sidecar, collector and Redis are killed at random moments while 200 clients watch.

No client misses a step without being told (``recovered: false`` or ``reset``), none is told one
twice, and in the end every client shows every process as it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.faults.processes.scenario import Outcome, Scene


def watched(folder: Path, node: Any, kind: str, seconds: float, pause: float, seed: int) -> Outcome:
    """Run it."""
    scene = Scene(folder, node.cluster, kind, seed)
    try:
        scene.start(producers=12, pause=pause)
        scene.kill_for(seconds)
        return scene.finish()
    finally:
        scene.close()


@pytest.mark.parametrize("kind", ["redis", pytest.param("embedded", marks=pytest.mark.slow)])
def test_each_part_is_killed(node: Any, tmp_path: Path, kind: str) -> None:
    """Each part once, over some seconds."""
    outcome = watched(tmp_path, node, kind, seconds=8, pause=0.1, seed=5)
    assert min(outcome.kills.values()) >= 1 and len(outcome.kills) >= 4
    outcome.check()


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kind", ["redis", "embedded"])
def test_kills_for_ten_minutes(node: Any, tmp_path: Path, kind: str) -> None:
    """The same for ten minutes."""
    outcome = watched(tmp_path, node, kind, seconds=600, pause=0.8, seed=6)
    print(outcome)
    assert sum(outcome.kills.values()) > 100
    outcome.check()
