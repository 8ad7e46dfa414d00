"""What reaches OpenSearch so late that no look finds it: the tail in the terminal says so."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from activity_center.cli import tail
from activity_center.connection import connect
from activity_center.tailing import Activity, Follower, Selection
from sidecar_api.moments import written
from tests.sidecar_api.search.log import NOON, Log, document, put_templates

if TYPE_CHECKING:
    from tests.conftest import Node


@pytest.fixture
def log(opensearch: Node) -> Log:
    """An empty organization."""
    put_templates(opensearch.client)
    return Log(opensearch.client)


@pytest.fixture
def follower(opensearch: Node, log: Log) -> Follower:
    """Begun at noon; closed by the node's end."""
    selection = Selection(organization=log.organization)
    return Follower(lambda: connect(opensearch.cluster), selection, since=0, overlap=60)


def now(**values: Any) -> dict[str, Any]:
    """An activity that is received at this moment."""
    return document(at=datetime.now(UTC), **values)


def looked(follower: Follower) -> set[str]:
    """Ids of what a look finds."""
    return {one.document["event"]["id"] for one in follower.look()}


@pytest.mark.parametrize("seed", range(3))
def test_what_is_not_shown_is_counted(log: Log, follower: Follower, seed: int) -> None:
    """However late and however many: a count is of those that no look has found."""
    dice = random.Random(seed)
    log.add(*(document(at=NOON - timedelta(minutes=n), id=f"old{n}") for n in range(50)))
    shown = looked(follower)
    assert follower.late() == 0
    added = {f"old{n}" for n in range(50)}
    unknown = 0
    for turn in range(12):
        made = [
            document(
                at=NOON + timedelta(seconds=turn * 20 - abs(dice.gauss(0, 120))), id=f"{turn}-{n}"
            )
            for n in range(dice.choice([0, 1, 30]))
        ]
        log.add(*made)
        added |= {one["event"]["id"] for one in made}
        shown |= looked(follower)
        missing = len(added - shown)
        assert follower.late() == missing - unknown
        unknown = missing
    assert unknown


def test_the_terminal_says_it(
    log: Log,
    follower: Follower,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Once, on standard error; what is new goes on to be shown."""
    monkeypatch.setattr(tail, "_COUNT", 0.0)
    shown: list[str] = []
    log.add(now(id="first"))

    def write(activity: Activity) -> None:
        shown.append(activity.document["event"]["id"])
        if shown == ["first"]:
            late = written(datetime.now(UTC) - timedelta(minutes=5))
            log.add(now(event__ingested=late), now(id="second"))
        elif shown == ["first", "second"]:
            log.add(now(id="third"))

    tail._follow(follower, write, limit=3, until_idle=None, interval=0.05)
    assert shown == ["first", "second", "third"]
    said = capsys.readouterr().err
    assert said.startswith("activity-center: 1 came so long after the collector received it")
    assert said.count("\n") == 1
