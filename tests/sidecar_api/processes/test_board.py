"""What a sidecar holds of live processes, and which of it a snapshot has."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import orjson
import pytest

from activity_center.processes import apply, merge
from sidecar_api.processes.board import MOST_SHOWN, SHOWN_AFTER, Board
from sidecar_api.processes.former import Former
from sidecar_api.processes.view import View
from tests.activity_center.processes.entries import NOW, entry_of


def test_what_ended_long_ago_is_in_no_snapshot() -> None:
    """Also before it is let go of: what a sidecar reads at its start is as old as its bus. What
    runs is in it however old it is."""
    board = Board()
    long_ago, lately = NOW - SHOWN_AFTER - timedelta(seconds=1), NOW - SHOWN_AFTER
    for process, at, *actions in (
        ("ended", long_ago, "process.started", "process.completed"),
        ("running", long_ago, "process.started"),
        ("just ended", lately, "process.started", "process.failed"),
    ):
        for number, action in enumerate(actions):
            board.take(entry_of(process, action, number, at=at, own={"channel": "ssl"}))
    assert len(board) == 3
    assert {key[1] for key, _ in board.newest(NOW)} == {"running", "just ended"}
    board.prune(NOW)
    assert {key[1] for key, _ in board} == {"running", "just ended"}


class Follower:
    """Who has all deltas of one process since they began to watch."""

    def __init__(self, board: Board, process: str = "prc") -> None:
        self.board = board
        self.has: dict[str, Any] | None = None
        self._id = process

    def take(self, activity: dict[str, Any]) -> dict[str, Any] | None:
        """What they have of it after an entry."""
        taken = self.board.take(activity)
        if taken is not None and taken[0][1] == self._id:
            self.has = merge(self.has, orjson.loads(taken[2]))
        return self.has


def names(has: dict[str, Any] | None) -> list[tuple[str, str]]:
    """Steps with their states."""
    return [(step["name"], step["state"]) for step in (has or {})["steps"]]


def test_one_organization_does_not_crowd_out_another() -> None:
    """Of too many, whose organization has the most gives way: the rest is as it was, however
    long ago something came of it, and however many come."""
    board = Board(most=100)
    follower = Follower(board)
    follower.take(entry_of("prc", "process.started", own={"controls": ["cancel"]}))
    follower.take(entry_of("prc", "process.step.completed", 2, activity__step__name="Build"))
    for number in range(20):
        board.take(entry_of(f"u{number}", "process.started", organization="umbrella"))
    later = NOW + timedelta(minutes=1)
    for number in range(500):
        board.take(entry_of(f"f{number}", "process.started", organization="flood", at=later))
    held = Counter(key[0] for key, _ in board)
    assert (held["acme"], held["umbrella"]) == (1, 20)
    assert 0 < held["flood"] <= 79
    assert {organization for organization, _ in board.gone} == {"flood"}
    follower.take(entry_of("prc", "process.step.started", 3, activity__step__name="Ship"))
    assert names(follower.has) == [("Build", "done"), ("Ship", "running")]
    assert (follower.has or {})["controls"] == ["cancel"]


def test_within_an_organization_what_ended_gives_way_first() -> None:
    """Then what was silent longest; the one for which there is no room stays."""
    board = Board(most=10)
    for number in range(10):
        at = NOW + timedelta(seconds=number)
        board.take(entry_of(f"p{number}", "process.started", at=at))
    board.take(entry_of("p9", "process.completed", 2, at=NOW + timedelta(minutes=1)))
    board.take(entry_of("new", "process.started", at=NOW - timedelta(hours=1)))
    assert {key[1] for key in board.gone} == {"p9"}
    board.take(entry_of("newer", "process.started"))
    assert {key[1] for key in board.gone} == {"p9", "new"}


def test_what_ended_stays_ended() -> None:
    """A sign of life that comes late, when the process is let go of, does not make it run again;
    its next attempt does, and is told as a whole."""
    for end, state in (("completed", "done"), ("failed", "failed"), ("cancelled", "cancelled")):
        board = Board()
        follower = Follower(board)
        follower.take(entry_of("prc", "process.started"))
        follower.take(entry_of("prc", "process.step.failed", 2, activity__step__name="Build"))
        follower.take(entry_of("prc", f"process.{end}", 9))
        board.prune(NOW + timedelta(hours=2))
        assert len(board) == 0
        lease = (NOW + timedelta(minutes=1)).isoformat()
        kept = board.take(entry_of("prc", "process.heartbeat", 5, own={"lease": lease}))
        assert kept is not None and kept[1].lone
        assert (kept[1].running, (follower.has or {})["state"]) == (False, state)
        board.prune(NOW + timedelta(hours=2))
        later = NOW + timedelta(hours=3)
        again = entry_of("prc", "process.retried", 10, at=later, own={"attempt": 2})
        has = follower.take(again) or {}
        assert (has["state"], has["attempt"], has["steps"]) == ("pending", 2, [])
        assert [one["state"] for one in has["attempts"]] == [state]


@pytest.mark.parametrize("others", [(), ("flood",)], ids=["one organization", "a flood of another"])
def test_more_than_a_snapshot_has(others: tuple[str, ...]) -> None:
    """It says that there are more; organizations have equal shares of it; who was left out is
    told of as a whole, once, and who was not, as before."""
    board = Board()
    view = View(True, ())
    for number in range(MOST_SHOWN + 1):
        at = NOW + timedelta(seconds=number)
        for organization in others or ("acme",):
            board.take(entry_of(f"p{number}", "process.started", organization=organization, at=at))
    board.take(entry_of("oldest", "process.started", at=NOW - timedelta(hours=1)))
    shown, cut = board.shown(view, NOW)
    assert (len(shown), cut) == (MOST_SHOWN, True)
    ids = [kept.process.id for kept in shown]
    assert ("oldest" in ids) is bool(others)
    last = others[0] if others else "acme"
    for process, whole in (("p0", True), ("p0", False), (f"p{MOST_SHOWN}", False)):
        moved = {"organization": last, "activity__process__progress": 0.5}
        taken = board.take(entry_of(process, "process.progress", 2, **moved))
        if taken is None:  # the same again
            moved["activity__process__progress"] = 0.7
            taken = board.take(entry_of(process, "process.output", 3, **moved))
        assert taken is not None
        assert ("name" in orjson.loads(taken[2])["process"]) is whole, process
    shown, cut = board.shown(View(True, (), organization="nobody's"), NOW)
    assert (shown, cut) == ([], False)
    everything = len(board)
    board.prune(NOW)
    assert len(board) == everything


def test_who_ended_long_ago_is_told_of_as_a_whole() -> None:
    """A snapshot did not have it, of this sidecar or of another."""
    for shown_before in (True, False):
        board = Board()
        board.take(entry_of("prc", "process.started", own={"name": "Run prc"}))
        board.take(entry_of("prc", "process.completed", 2))
        if shown_before:
            assert board.shown(View(True, ()), NOW + timedelta(hours=2)) == ([], False)
        late = NOW if shown_before else NOW + timedelta(hours=2)
        taken = board.take(
            entry_of("prc", "process.step.completed", 3, at=late, activity__step__name="Clean")
        )
        assert taken is not None
        assert orjson.loads(taken[2])["process"]["name"] == "Run prc"


@pytest.mark.parametrize("lease", ["2026-11-24T23:00:00.000000Z", None])
def test_who_was_let_go_of_keeps_its_lease(lease: str | None) -> None:
    """Else a healthy process that comes back by an entry about it would count as silent."""
    own = {"lease": lease} if lease else {}
    began = entry_of("p", "process.started", at=NOW - timedelta(hours=7), own=own)
    beat = entry_of("p", "process.heartbeat", 2, at=NOW - timedelta(hours=4), own=own)
    process = None
    for one in (began, beat):
        found = apply(process, one)
        process = found[0] if found else process
    assert process is not None
    former = Former()
    former.put(process)
    again = former.get(process.key)
    assert again is not None
    assert again.lease == process.lease
