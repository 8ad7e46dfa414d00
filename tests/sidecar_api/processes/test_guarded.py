"""What cannot be handled costs only itself: one entry, one process of a look, one row of a list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from activity_center.bus import open_reader
from sidecar_api.processes.board import Board
from sidecar_api.processes.earlier import Seen
from sidecar_api.processes.overdue import GRACE, Overdue
from sidecar_api.processes.taking import Taking
from tests.activity_center.processes.entries import NOW, entry_of
from tests.sidecar_api.processes.past import Past
from tests.sidecar_api.processes.stage import Steps

if TYPE_CHECKING:
    from tests.conftest import Node

BEYOND = "9999-12-31T23:59:59-17:00"
"""A time that has no counterpart in UTC."""


class Unreadable(dict[str, Any]):
    """A part of an entry that cannot be looked at."""

    def get(self, key: str, default: Any = None) -> Any:
        """Refuse."""
        raise RuntimeError(f"{key} cannot be read")


def test_a_sidecar_starts_whatever_opensearch_has(steps: Steps) -> None:
    """An entry that cannot be folded in is left out, and all others, earlier and later ones and
    those of the bus, are there; nothing is missing that could be asked for again."""
    steps.start("new", "acme")
    bad = entry_of("old", "process.progress", 2)
    bad["activity"]["output"] = Unreadable(text="x")

    def earlier(_seen: Seen) -> Iterator[Mapping[str, Any]]:
        yield entry_of("old", "process.started", 1)
        yield bad
        yield entry_of("old", "process.completed", 3)

    made = Taking.load(open_reader(steps.config), earlier)
    assert {key[1] for key, _ in made.board} == {"old", "new"}
    kept = made.board.get(("acme", "old"))
    assert kept is not None and kept.process.state == "done"
    assert not made.partial


def test_a_sidecar_starts_if_opensearch_answers_nonsense(steps: Steps) -> None:
    """What OpenSearch has is missing then, and the bus is shown; it is asked again."""
    steps.start("new", "acme")

    def earlier(_seen: Seen) -> Iterator[Mapping[str, Any]]:
        yield entry_of("old", "process.started", 1)
        raise KeyError("_source")

    made = Taking.load(open_reader(steps.config), earlier)
    assert {key[1] for key, _ in made.board} == {"old", "new"}
    assert made.partial


def test_entries_of_the_bus_whose_parts_are_something_else(steps: Steps) -> None:
    """An event that is a text and a process without one of its parts hold nothing up."""
    odd = [entry_of(f"odd{n}", "process.started", n) for n in range(2)]
    odd[0]["event"] = "process.started"
    odd[1]["activity"]["process"] = {"id": "odd1", "lease": BEYOND, "attempt": "first"}
    steps.publish(*odd, entry_of("fine", "process.started", 3))
    made = Taking.load(open_reader(steps.config), lambda _seen: ())
    assert made.board.get(("acme", "fine")) is not None


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
