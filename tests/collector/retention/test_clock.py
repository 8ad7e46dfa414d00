"""Nothing is deleted by a clock that differs from the cluster's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activity_center.config import Cluster
from activity_center.connection import connect
from activity_center.errors import ClusterError
from activity_center.policies import policies
from collector.retention import agreed_now, check_retention, guard, run
from collector.retention.clock import APART
from tests.collector.deliver.gate import Answer, Gate, Request

STREAM = "activity-process-standard-30d"
DAY = timedelta(days=1)


@contextmanager
def clock_of_nodes(place: Any, moved: timedelta) -> Iterator[Any]:
    """A client of the same node, whose clock is moved."""
    gate = Gate(place.url)

    def rule(request: Request) -> Answer:
        answer = request.forward()
        if request.path.startswith("/_nodes/stats"):
            body = json.loads(answer.body)
            for one in body["nodes"].values():
                one["timestamp"] += int(moved.total_seconds() * 1000)
            return Answer(answer.status, json.dumps(body).encode(), answer.headers)
        return answer

    gate.rule = rule
    client = connect(Cluster(url=gate.url))
    try:
        yield client
    finally:
        client.close()
        gate.close()


def test_a_clock_that_runs_ahead_deletes_nothing(place: Any, now: datetime) -> None:
    """This machine is 31 days ahead of the nodes: refused, and doctor says why."""
    place.set_up()
    place.stream(STREAM, now - 40 * DAY)
    place.put(STREAM, [("a", now - 35 * DAY, "northwind")])
    place.roll(STREAM, now - 31 * DAY)
    with clock_of_nodes(place, -31 * DAY) as client:
        for work in (run, guard):
            with pytest.raises(ClusterError, match="the clocks differ"):
                work(client, policies())
        found = list(check_retention(client, policies(), now))
    assert place.ids(STREAM) == {"a"}
    assert any(one.level == "fail" and "the clocks differ" in one.message for one in found)
    assert [one.action for one in run(place.client, policies()).steps][-1] == "delete"
    assert place.ids(STREAM) == set()


@pytest.mark.parametrize("moved", [APART * 2, -APART * 2], ids=["ahead", "behind"])
def test_clocks_far_apart_are_refused(place: Any, moved: timedelta) -> None:
    """Ahead or behind: which of them is wrong cannot be told from here."""
    with (
        clock_of_nodes(place, moved) as client,
        pytest.raises(ClusterError, match="the clocks differ"),
    ):
        agreed_now(client)


def test_the_clock_furthest_behind_counts(place: Any) -> None:
    """Clocks that differ by minutes are agreed on; the earlier one decides."""
    moved = APART - timedelta(minutes=1)
    with clock_of_nodes(place, moved) as client:
        assert agreed_now(client) <= datetime.now(UTC)
    with clock_of_nodes(place, -moved) as client:
        assert agreed_now(client) <= datetime.now(UTC) - moved
