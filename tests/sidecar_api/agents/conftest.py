"""A stage for each test."""

from __future__ import annotations

import pytest

from tests.sidecar_api.agents.stage import Stage
from tests.sidecar_api.desk import Desk


@pytest.fixture
def stage(desk: Desk) -> Stage:
    """Nothing stored yet, in organizations of this test's own."""
    return Stage(desk)
