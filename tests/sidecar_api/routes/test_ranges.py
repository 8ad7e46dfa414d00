"""Time ranges: every list reads and refuses them alike."""

from __future__ import annotations

import pytest

from tests.sidecar_api.desk import Desk

NOON = "2026-11-21T12:00:00Z"
WRONG = {
    f"from={NOON}&to={NOON}": "to",
    "from=2026-11-21&to=2026-11-19": "to",
    "range=7d&to=2026-11-21": "range",
    "range=7d&from=2026-11-21": "range",
    "range=1w": "range",
    "from=yesterday": "from",
    "to=": "to",
}


@pytest.mark.parametrize("path", ["activities", "proposals", "agents", "oversight", "processes"])
def test_a_range_that_holds_nothing_is_refused(desk: Desk, path: str) -> None:
    """By the name of what is wrong; one whole day is a range."""
    for query, parameter in WRONG.items():
        assert desk.problem(400, f"/api/v1/{path}?{query}")["parameter"] == parameter, query
    desk.get(f"/api/v1/{path}?from=2026-11-21&to=2026-11-21")
