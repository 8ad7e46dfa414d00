"""What cannot be handled costs only itself: one process of a look, one row of a list."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sidecar_api.processes.board import Board
from sidecar_api.processes.overdue import GRACE, Overdue
from tests.activity_center.processes.entries import BEYOND, NOW, Unreadable, entry_of
from tests.sidecar_api.processes.past import Past

if TYPE_CHECKING:
    from tests.conftest import Node


def test_silence_of_others_is_recorded() -> None:
    """A process that cannot be looked at, and one whose record fails, cost the others nothing."""
    board, made = Board(), []
    for name in ("a", "b", "c"):
        board.take(entry_of(name, "process.started", 1, own={"lease": NOW.isoformat()}))
    kept = board.get(("acme", "a"))
    assert kept is not None
    kept.top = Unreadable(kept.top)

    def record(_action: str, **fields: Any) -> None:
        made.append(fields["activity.process.id"])
        if made == ["b"]:
            raise RuntimeError("the record fails")

    Overdue(record, b"s" * 32)(iter(board), NOW + GRACE + timedelta(seconds=1))
    assert made == ["b", "c"]


def test_a_list_has_the_other_rows(streams: Node) -> None:
    """One process with an entry that is odd is no error of the whole list."""
    past = Past(streams.client)
    past.run("fine", "completed")
    past.run("odd", "running")
    past.add("process.heartbeat", "odd", at=3, activity__process__lease=BEYOND)
    past.store()
    assert "fine" in past.names()
