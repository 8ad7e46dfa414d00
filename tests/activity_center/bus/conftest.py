"""Both kinds of bus."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.activity_center.bus.servers import Bus


@pytest.fixture(params=["embedded", "redis"])
def bus(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bus]:
    """A bus that holds nothing yet; its server ends with the test."""
    made = Bus(request.param, tmp_path)
    try:
        yield made
    finally:
        made.close()
