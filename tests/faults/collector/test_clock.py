"""The collector's clock jumps under it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.faults.collector.disk_scenarios import clock_jumps, library


@pytest.mark.slow
def test_the_clock_jumps(node: Any, tmp_path: Path) -> None:
    """Jumps of minutes to years, ahead and back, with kills and rollovers between, lose and
    double nothing."""
    preload = library()
    if preload is None:
        pytest.skip("no libfaketime (Debian: apt-get install libfaketime)")
    clock_jumps(tmp_path, node, preload).check()
