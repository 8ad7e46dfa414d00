"""Time ranges: every list reads and refuses them alike."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from tests.sidecar_api.agents.stage import APPROVER, Stage
from tests.sidecar_api.desk import Desk
from tests.sidecar_api.processes.past import Past

RECENT = datetime.now(UTC) - timedelta(hours=2)
BEFORE = datetime.now(UTC) - timedelta(days=2)
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


def test_a_range_holds_what_began_in_it(desk: Desk) -> None:
    """Of processes."""
    past = Past(desk.client)
    past.organization = desk.a
    for name, at in (("new", RECENT), ("old", BEFORE)):
        past.add("process.started", name, at=at)
    past.store()
    for query, found in {"range=24h": 1, "range=7d": 2}.items():
        assert desk.get(f"/api/v1/processes?{query}")["page"]["total"] == found


def test_a_range_holds_what_was_proposed_in_it(make_desk: Callable[..., Desk]) -> None:
    """In the records of agents, in oversight and in the files, as in the list."""
    stage = Stage(make_desk())
    for name, at in (("new", RECENT), ("old", BEFORE)):
        stage.add("proposed", name, at=at)
        stage.add("approved", name, at=at + timedelta(minutes=1), activity__approver=APPROVER)
    stage.store()
    desk = stage.desk
    for query, count in {"range=24h": 1, "range=7d": 2}.items():
        assert desk.get(f"/api/v1/proposals?{query}")["page"]["total"] == count
        (listed,) = desk.get(f"/api/v1/agents?{query}")["agents"]
        one = desk.get(f"/api/v1/agents/agt_ops?{query}")
        assert (listed["proposals"], one["proposals"]) == (count, count)
        (row,) = desk.get(f"/api/v1/oversight?{query}")["oversight"]
        assert row["decided"] == count
        file = desk.ask(f"/api/v1/proposals/export?format=ndjson&{query}").text
        manifest = json.loads(file.splitlines()[-1])["manifest"]
        assert manifest["count"] == count
