"""A live process stays with those that it began with, whoever else speaks of it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sidecar_api.processes.board import Board
from tests.activity_center.processes.entries import entry_of
from tests.sidecar_api.processes.stage import Stage, at

if TYPE_CHECKING:
    from tests.conftest import Node


@pytest.fixture(scope="module")
def stage(streams: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A sidecar over a bus of its own."""
    folder: Path = tmp_path_factory.mktemp("owners")
    with Stage(streams, folder) as made:
        yield made.start()


def said(stage: Stage, who: str, sender: str, workspace: str, **more: Any) -> dict[str, Any]:
    """Whose process it is, as a sender has it, received now."""
    return {
        "activity__sender": sender,
        "activity__workspace": workspace,
        "activity__initiator": {"id": stage.id(who)},
        "event__ingested": at(),
        **more,
    }


def test_others_open_it_to_nobody(stage: Stage) -> None:
    """An entry of another sender, dated back or not, with a sequence or without, that names a
    stranger or another workspace: neither gets to see anything, and the initiator stays."""
    id_ = f"m{uuid.uuid4().hex[:10]}"
    steps = stage.steps
    steps.start(id_, stage.a, **said(stage, "second", "agents", "office"))
    steps.print(id_, stage.a, "a secret line\n")
    later = at(5)
    for number, when in enumerate((at(-9e6), at(), at(600))):
        for without in (True, False):
            fields = said(stage, "stranger", "mallory", "lab", event__ingested=later)
            made = steps.entry(id_, "process.progress", stage.a, at=when, **fields)
            made["activity"]["process"]["progress"] = (number + 1) / 10
            if without:
                del made["event"]["sequence"]
            steps.publish(made)
    ends = {"stranger": f"{id_}-s", "limited": f"{id_}-l", "owner": f"{id_}-o"}
    for who, end in ends.items():
        steps.start(end, stage.a, user__id=stage.id(who))
    for who, end in ends.items():
        shown = {one["id"]: one for one in stage.poll(who)["processes"] or ()}
        while end not in shown:
            shown = {one["id"]: one for one in stage.poll(who)["processes"] or ()}
        assert (id_ in shown) is (who == "owner"), who
    assert shown[id_]["initiator"]["id"] == stage.id("second")
    assert shown[id_]["workspace"] == "office"


def test_what_is_no_longer_held_is_nobody_elses() -> None:
    """A process that ended long ago and of which somebody speaks again is of whom it was."""

    def entry(action: str, who: str, sender: str, received: datetime) -> dict[str, Any]:
        return entry_of(
            "prc",
            action,
            None,
            at=received,
            id=f"{who}-{action}",
            event__ingested=received.isoformat(),
            activity__sender=sender,
            activity__initiator={"id": who},
            own={"channel": "ssl"},
        )

    noon = datetime.now(UTC) - timedelta(hours=3)
    board = Board()
    for action in ("process.started", "process.completed"):
        assert board.take(entry(action, "anna", "agents", noon))
    board.prune(datetime.now(UTC))
    assert len(board) == 0
    foreign = entry("process.started", "mallory", "other", noon + timedelta(hours=2))
    taken = board.take(foreign)
    assert taken is not None
    assert taken[1].subject.initiator == "anna"
    assert [len(board.begun_by(who)) for who in ("anna", "mallory")] == [1, 0]
