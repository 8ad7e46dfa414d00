"""A program that starts again answers for what it left when it was killed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from activity_center.emit import Process
from tests.activity_center.emit.asking import Asking
from tests.activity_center.emit.heard import STEPS, Heard


@pytest.fixture
def asked(forward: Any, emitter: Any, until: Any, asking: Asking) -> Heard:
    """An emitter whose processes hear of controls."""
    return Heard(forward, emitter, until, controls_url=asking.url)


def begun(heard: Heard) -> Process:
    """A process of a program that is killed in its second step."""
    left = heard.emitter.process("cloud-transfer", "Backup", steps=STEPS, process_id="prc_left")
    left.__enter__()
    with left.step(STEPS[0]):
        pass
    left.step(STEPS[1]).__enter__()
    return left


def test_what_was_left_is_cleaned_up(
    asked: Heard, asking: Asking, until: Callable[..., None]
) -> None:
    """By who has taken it over: of the attempt nothing is said but what became of the wish."""
    begun(asked)
    before = asked.folded()
    said = len(asked.events)
    process = asked.emitter.process(
        "cloud-transfer",
        "Backup",
        steps=STEPS,
        process_id="prc_left",
        on_cleanup=lambda one: one.receipt(undone=["Parts removed"], left_behind=[]),
    )
    process.take_over()
    assert len(asked.events) == said
    asking.ask("cleanup", "ctl_1", attempt=1)
    until(lambda: asked.of("process.control_done"))
    assert asked.actions()[said:] == ["control_taken", "cleaned_up", "control_done"]
    shown = asked.folded()
    assert (shown["state"], shown["cleaned"], shown["attempt"]) == ("failed", True, 1)
    assert shown["receipt"] == {"undone": ["Parts removed"], "left_behind": []}
    assert shown["requests"][0]["state"] == "done"
    kept = ("steps", "progress", "started", "name", "channel")
    assert {name: shown[name] for name in kept} == {name: before[name] for name in kept}


def test_what_was_left_is_tried_again(
    asked: Heard, asking: Asking, until: Callable[..., None]
) -> None:
    """It is the next attempt, which is this program's own."""
    begun(asked)

    def again(one: Process) -> None:
        with one, one.step(STEPS[0]):
            pass

    process = asked.emitter.process("cloud-transfer", "B", process_id="prc_left", on_retry=again)
    process.take_over()
    asking.ask("retry", "ctl_1", attempt=1)
    until(lambda: asked.of("process.completed"))
    shown = asked.folded()
    assert (shown["state"], shown["attempt"], shown["progress"]) == ("done", 2, 1.0)


def test_what_runs_here_is_not_taken_over(asked: Heard) -> None:
    """Nor what has ended here: it answers for itself."""
    process: Any = asked.emitter.process("ssl", "C", on_cleanup=lambda one: None)
    with process, pytest.raises(RuntimeError, match="is running here"):
        process.take_over()
    with pytest.raises(RuntimeError, match="is done here"):
        process.take_over()
