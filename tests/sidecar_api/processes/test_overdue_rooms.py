"""What is overdue of one process is no other's matter, and is of who began it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from sidecar_api.processes import overdue
from sidecar_api.processes.overdue import Overdue
from tests.activity_center.processes.entries import entry_of
from tests.sidecar_api.processes.test_overdue import LATE, Records, asked, board, silent


def test_an_entry_that_cannot_be_recorded_holds_up_no_other() -> None:
    """Whatever the emitter says to it; it is tried again, as all that is not heard."""
    made: list[str] = []

    def emit(_: str, **fields: Any) -> None:
        made.append(fields["activity.process.id"])
        if made[-1] == "b" and made.count("b") == 1:
            raise ValueError("no room for it")

    look, held = Overdue(emit, b"s" * 32), board(silent("a"), silent("b"), silent("c"))
    look([*held], LATE)
    assert made == ["a", "b", "c"]
    look([*held], LATE + timedelta(minutes=1))
    assert made == ["a", "b", "c"] * 2


def test_it_is_recorded_of_who_began_the_process() -> None:
    """Who has no role in an organization finds it by that; and of the workspace, where a role may
    be of that one alone."""
    began = silent(lease="2026-11-24T14:00:00Z")
    began["activity"] |= {"initiator": {"id": "usr_mk", "name": "Mira"}, "workspace": "billing"}
    stalled = silent()
    stalled["activity"] |= {"initiator": {"id": "usr_mk", "name": "Mira"}, "workspace": "billing"}
    for held in (board(began, asked("cancel")), board(stalled)):
        records = Records(held)
        assert len(records.after(LATE)) == 1
        fields = records.made[0][2]
        assert fields["activity.initiator.id"] == "usr_mk"
        assert fields["activity.initiator.name"] == "Mira"
        assert fields["activity.workspace"] == "billing"
    nobody = Records(board(silent()))
    nobody.after(LATE)
    assert not [name for name in nobody.made[0][2] if "initiator" in name]


def test_of_very_many_the_oldest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """And may be said once more, which makes no second entry; what was said lately is not."""
    monkeypatch.setattr(overdue, "REMEMBERED", 3)
    names = ["a", "b", "c", "d"]
    records = Records(board(*map(silent, names)))
    assert len(records.after(LATE)) == 4
    records.board = board(*map(silent, names[1:]))
    assert records.after(LATE + timedelta(seconds=1)) == []
    records.board = board(silent("a"))
    assert records.after(LATE + timedelta(seconds=1)) == ["process.stalled"]
    assert len({id_ for id_, _, _ in records.made}) == 4


def test_what_was_said_again_is_remembered_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as what was said first only then."""
    monkeypatch.setattr(overdue, "REMEMBERED", 2)
    records = Records(board(silent("a"), silent("b")))
    records.after(LATE)
    later = LATE + timedelta(minutes=1)
    records.board = board(silent("a"))
    assert records.after(later) == ["process.stalled"]
    records.board = board(silent("c"))
    assert records.after(later) == ["process.stalled"]
    records.board = board(silent("a"), entry_of("d", "process.started"))
    assert records.after(later) == []
