"""What the bus no longer has of processes that still run comes from OpenSearch, once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from activity_center.config import Cluster
from activity_center.connection import connect
from activity_center.errors import ActivityCenterError
from sidecar_api.processes.earlier import Seen, TooMany, earlier
from tests.sidecar_api.processes.past import Past

if TYPE_CHECKING:
    from tests.conftest import Node


def ago(**span: float) -> datetime:
    """A moment of the past."""
    return datetime.now(UTC) - timedelta(**span)


@pytest.fixture
def past(streams: Node) -> Past:
    """Stored processes of this test's own."""
    return Past(streams.client)


def found(past: Past, seen: Seen | None = None, **bounds: int) -> list[tuple[str, str]]:
    """(process, action) of what is given of this test's processes, in order."""
    return [
        (entry["activity"]["process"]["id"].removeprefix(f"{past.mark}-"), entry["event"]["action"])
        for entry in earlier(past.client, seen or Seen(), **bounds)
        if past.mark in entry["activity"]["process"]["id"]
    ]


def on_the_bus(*entries: dict[str, Any]) -> Seen:
    """What a bus with these entries has."""
    seen = Seen()
    for one in entries:
        seen.add(one)
    return seen


def test_what_runs_and_what_ended_a_while_ago(past: Past) -> None:
    """Running ones and those that ended within the hour, in order and without signs of life;
    neither what ended before, nor what began more than a week ago."""
    past.add("process.started", "runs", at=ago(hours=30))
    past.add("process.heartbeat", "runs", at=ago(hours=29))
    past.add("process.step.started", "runs", at=ago(hours=28))
    past.add("process.started", "just-ended", at=ago(hours=5))
    past.add("process.completed", "just-ended", at=ago(minutes=10))
    past.add("process.started", "ended", at=ago(hours=6))
    past.add("process.failed", "ended", at=ago(hours=5))
    past.add("process.started", "old", at=ago(days=8))
    past.store()
    assert found(past) == [
        ("runs", "process.started"),
        ("runs", "process.step.started"),
        ("just-ended", "process.started"),
        ("just-ended", "process.completed"),
    ]


def test_one_that_was_tried_again_runs(past: Past) -> None:
    """Of a process whose first attempt ended long ago and whose second runs, all comes."""
    past.add("process.started", "again", at=ago(hours=6))
    past.add("process.failed", "again", at=ago(hours=5))
    past.add("process.retried", "again", at=ago(hours=4), activity__process__attempt=2)
    past.store()
    assert [action for _, action in found(past)] == [
        "process.started",
        "process.failed",
        "process.retried",
    ]


def test_what_is_on_the_bus_is_left_out(past: Past) -> None:
    """Of what began on the bus nothing comes; of what was cut off there just the entries before,
    however long ago it began."""
    began = past.add("process.started", "whole", at=ago(minutes=30))
    past.add("process.started", "cut", at=ago(days=9))
    past.add("process.step.started", "cut", at=ago(days=8))
    late = past.add("process.step.completed", "cut", at=ago(minutes=20))
    past.store()
    assert found(past, on_the_bus(began, late)) == [
        ("cut", "process.started"),
        ("cut", "process.step.started"),
    ]


def test_the_same_id_elsewhere(past: Past) -> None:
    """Of two organizations with a process of one id, the one that runs comes alone."""
    other = f"{past.organization}x"
    past.add("process.started", "same", at=ago(hours=3))
    past.add("process.started", "same", at=ago(hours=4), organization__id=other)
    past.add("process.completed", "same", at=ago(hours=2), organization__id=other)
    past.store()
    assert found(past) == [("same", "process.started")]


def test_a_beginning_is_what_the_record_knows(past: Past) -> None:
    """That the bus has a process.started is not enough: somebody else may have said so, or it is
    that of a later attempt. Where something was received before, all that was goes first."""

    def received(**span: float) -> dict[str, str]:
        return {"event__ingested": ago(**span).isoformat()}

    past.add("process.started", "forged", at=ago(hours=3), **received(hours=3))
    past.add("process.step.started", "forged", at=ago(hours=2), **received(hours=2))
    forged = past.add("process.started", "forged", at=ago(hours=9), **received(minutes=5))
    past.add("process.started", "second", at=ago(hours=2.5), **received(hours=2.5))
    past.add("process.failed", "second", at=ago(minutes=50), **received(minutes=50))
    second = past.add(
        "process.started",
        "second",
        at=ago(minutes=20),
        activity__process__attempt=2,
        **received(minutes=20),
    )
    whole = past.add("process.started", "whole", at=ago(minutes=30), **received(minutes=30))
    step = past.add("process.step.started", "whole", at=ago(minutes=9), **received(minutes=9))
    other = f"{past.organization}x"
    past.add(
        "process.started", "whole", at=ago(hours=9), organization__id=other, **received(hours=9)
    )
    past.add(
        "process.completed", "whole", at=ago(hours=8), organization__id=other, **received(hours=8)
    )
    past.store()
    assert found(past, on_the_bus(forged, second, whole, step)) == [
        ("forged", "process.started"),
        ("second", "process.started"),
        ("forged", "process.step.started"),
        ("second", "process.failed"),
    ]


def test_one_process_is_not_all(past: Past) -> None:
    """Of a process with very many entries the first ones come, and all of the others."""
    past.add("process.started", "chatty", at=ago(hours=3))
    for number in range(9):
        past.add("process.step.started", "chatty", at=ago(hours=2, seconds=number))
    past.add("process.started", "calm", at=ago(hours=1))
    past.store()
    assert found(past, of_one=2) == [
        ("chatty", "process.started"),
        ("chatty", "process.step.started"),
        ("calm", "process.started"),
    ]


def test_more_than_is_folded_in_is_an_error(past: Past) -> None:
    """Not left out without a word."""
    for name in ("one", "two"):
        past.add("process.started", name, at=ago(hours=1))
    past.store()
    given = earlier(past.client, Seen(), most=1)
    next(given)
    with pytest.raises(TooMany):
        next(given)


def test_no_opensearch() -> None:
    """That it cannot be asked is an error of ours, which the hub takes as a part that is
    missing."""
    nowhere = connect(Cluster(url="http://127.0.0.1:9"))
    with pytest.raises(ActivityCenterError):
        list(earlier(nowhere, Seen()))
