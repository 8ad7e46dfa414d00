"""What is left after an early end, and after cleaning up."""

from __future__ import annotations

from typing import Any

import pytest

from tests.activity_center.processes.entries import entry
from tests.activity_center.processes.test_fold import folded


def test_nobody_cleaned_up() -> None:
    """A clean-up that nobody took ends a silent process as failed, and not as cleaned up; what
    it declares is offered again."""
    declared = entry("process.started", 1, activity__process__controls=["cleanup", "retry"])
    asked = [declared, entry("process.stalled", None, seconds=2)]
    nobody = entry("process.cleaned_up", None, seconds=3, event__outcome="failure")
    shown = folded([*asked, nobody]).as_dict()
    assert (shown["state"], shown["cleaned"], shown["stalled"]) == ("failed", False, False)
    assert shown["controls"] == ["cleanup", "retry"]
    done = entry("process.cleaned_up", None, seconds=4, event__outcome="success")
    for entries in ([*asked, nobody, done], [*asked, done, nobody]):
        shown = folded(entries).as_dict()
        assert (shown["cleaned"], shown["controls"]) == (True, [])


@pytest.mark.parametrize(
    ("end", "cleanup", "left"),
    [
        ({"left_behind": ["Build"]}, {"undone": ["Order"]},
         {"left_behind": ["Build"], "undone": ["Order"]}),
        ({"left_behind": ["Build", "Order"], "needs_person": ["Order"]}, {"undone": ["Order"]},
         {"left_behind": ["Build"], "needs_person": [], "undone": ["Order"]}),
        ({"undone": ["A"], "left_behind": ["Build"]}, {"undone": ["B", "A"], "left_behind": []},
         {"undone": ["A", "B"], "left_behind": []}),
        ({"undone": ["A"]}, {}, {"undone": ["A"]}),
        ({}, {"needs_person": []}, {"needs_person": []}),
        ({}, {}, None),
    ],
    ids=["unsaid", "undone", "nothing", "end alone", "clean-up alone", "neither"],
)  # fmt: skip
def test_what_is_left(
    end: dict[str, Any], cleanup: dict[str, Any], left: dict[str, Any] | None
) -> None:
    """What the end left stays until cleaning up undoes it or says what there is now; a list that
    nobody said is not there, and an empty one is."""
    entries = [
        entry("process.started", 1),
        entry("process.failed", 2, activity__receipt=end),
        entry("process.cleaned_up", 3, activity__receipt=cleanup),
    ]
    assert folded(entries).as_dict()["receipt"] == left
    assert folded(reversed(entries)).as_dict()["receipt"] == left
