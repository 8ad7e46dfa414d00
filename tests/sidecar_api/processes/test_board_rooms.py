"""To whom a sidecar tells how much of a process, and how much it remembers of former ones."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson
import pytest

from activity_center.processes import Process, apply, merge
from sidecar_api.processes.board import SHOWN_AFTER, Board
from sidecar_api.processes.former import Former
from sidecar_api.processes.view import View
from tests.activity_center.processes.entries import NOW, entry_of
from tests.sidecar_api.processes.test_board import Follower

ALL = View(True, ())


def entry(
    process: str, action: str, sequence: int = 1, *, step: str = "", **said: Any
) -> dict[str, Any]:
    """An entry of a process, of a step of that name; ``said`` of the process itself, but for
    ``organization`` and ``at``."""
    about = {name: said.pop(name) for name in ("organization", "at") if name in said}
    part = {"activity__step": {"id": step, "name": step}} if step else {}
    return entry_of(process, action, sequence, **about, own=said, **part)


def moved(to: dict[str, Any]) -> dict[str, Any]:
    """An entry that says something that decides who may watch."""
    made = entry("prc", "process.progress", 3, progress=0.5)
    made["activity"].update(to)
    return made


@pytest.mark.parametrize(
    "to",
    [
        {"workspace": "billing"},
        {"resource": {"type": "site", "id": "shop"}},
        {"initiator": {"id": "usr_mk"}},
    ],
    ids=["workspace", "target", "initiator"],
)
def test_who_may_watch_it_from_now_on_has_all_of_it(to: dict[str, Any]) -> None:
    """They were told nothing of it until then; afterwards they are told what changes."""
    board = Board()
    board.take(entry("prc", "process.started", controls=["cancel"]))
    board.take(entry("prc", "process.step.completed", 2, step="Build"))
    taken = board.take(moved(to))
    assert taken is not None
    _, kept, body = taken
    assert kept.former is not None
    has = merge(None, orjson.loads(body))
    assert has == kept.process.as_dict()
    later = board.take(entry("prc", "process.step.started", 4, step="Ship"))
    assert later is not None
    change = orjson.loads(later[2])
    assert [step["name"] for step in change["steps"]] == ["Ship"]
    assert merge(has, change) == kept.process.as_dict()


def test_who_watched_the_former_attempt_has_the_next_one() -> None:
    """By what changes alone: nothing of the former attempt is left in its place."""
    board = Board()
    follower = Follower(board)
    follower.take(entry("prc", "process.started", steps=["Build", "Ship"]))
    follower.take(entry("prc", "process.step.completed", 2, step="Build"))
    printed = entry("prc", "process.output", 3)
    printed["activity"]["output"] = {"text": "one\ntwo\n", "offset": 0, "stream": "stdout"}
    follower.take(printed)
    follower.take(entry("prc", "process.failed", 4))
    assert len((follower.has or {})["output"]["lines"]) == 2
    has = follower.take(entry("prc", "process.retried", 5, attempt=2, steps=["Build"]))
    held = board.get(("acme", "prc"))
    assert held is not None
    assert has == held.process.as_dict()
    assert (held.process.attempt, has["output"]["lines"]) == (2, [])


def test_what_was_let_go_of_is_missing_for_its_hour() -> None:
    """A snapshot says that there is more, as long as it would be in one: what had ended until an
    hour after that, what ran for good."""
    board = Board(most=2)
    board.take(entry("ended", "process.started"))
    board.take(entry("ended", "process.completed", 2))
    board.take(entry("runs", "process.started"))
    assert board.shown(ALL, NOW)[1] is False
    board.take(entry("fresh", "process.started"))
    assert {key[1] for key, _ in board} == {"runs", "fresh"}
    assert board.shown(ALL, NOW)[1] is True
    board.prune(NOW + SHOWN_AFTER)
    assert board.shown(ALL, NOW)[1] is True
    after = NOW + SHOWN_AFTER + timedelta(seconds=1)
    board.prune(after)
    assert board.shown(ALL, after)[1] is False
    board.take(entry("newest", "process.started", at=after))
    assert len(board) == 2
    board.prune(after + timedelta(days=1))
    assert board.shown(ALL, after)[1] is True


def test_no_more_are_missing_than_are_held() -> None:
    """However many were let go of while they ran."""
    board = Board(most=10)
    for number in range(100):
        board.take(entry(f"p{number}", "process.started", at=NOW + timedelta(seconds=number)))
    assert board.size == (10, 10)


def test_who_ran_the_most_forgets_its_oldest() -> None:
    """Of former processes so many are remembered; another organization's stay."""

    def ended(id_: str, organization: str) -> Process:
        found = apply(None, entry(id_, "process.completed", organization=organization))
        assert found is not None
        return found[0]

    former = Former(most=3)
    former.put(ended("first", "umbrella"))
    for number in range(5):
        former.put(ended(f"p{number}", "acme"))
    former.put(ended("p4", "acme"))  # the same again takes no further place
    known = [id_ for id_ in ("p0", "p1", "p2", "p3", "p4") if former.get(("acme", id_))]
    assert known == ["p3", "p4"]
    assert former.get(("umbrella", "first")) is not None
    former.forget(("acme", "p4"))
    former.put(ended("p5", "acme"))
    assert former.get(("acme", "p3")) is not None
