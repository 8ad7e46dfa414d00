"""What the way in which a program leaves the block of a process says of it."""

from __future__ import annotations

import sys
import threading
from typing import Any

import pytest

from tests.activity_center.emit.asking import Asking
from tests.activity_center.emit.heard import STEPS, Heard


@pytest.mark.parametrize(
    ("leaves", "state"),
    [
        (SystemExit(), "done"),
        (SystemExit(0), "done"),
        (SystemExit(1), "failed"),
        (SystemExit("no space left"), "failed"),
        (KeyboardInterrupt(), "failed"),
    ],
    ids=["exit", "exit 0", "exit 1", "exit with a text", "interrupt"],
)
def test_how_the_block_is_left_is_how_it_ends(
    heard: Heard, leaves: BaseException, state: str
) -> None:
    """``sys.exit()`` and ``sys.exit(0)`` are no failure, of the process or of its step; another
    status is, and so is Ctrl-C, which nobody asked for by a control. Each goes on to the caller."""
    process = heard.emitter.process("ssl", "Certificate", steps=STEPS)
    with pytest.raises(type(leaves)) as raised, process, process.step("Check DNS"):
        raise leaves
    assert raised.value is leaves
    step, end = heard.events[-2:]
    done = state == "done"
    assert step["event"]["action"] == f"process.step.{'completed' if done else 'failed'}"
    assert end["event"]["action"] == f"process.{'completed' if done else 'failed'}"
    shown = heard.folded()
    assert (process.state, shown["state"], shown["steps"][0]["state"]) == (state, state, state)
    for event in (step, end):
        assert event["event"]["outcome"] == ("success" if done else "failure")
        assert event.get("error", {}).get("type") == (None if done else type(leaves).__name__)
    # What broke off has left something behind, what is done has not.
    assert (shown["receipt"] is None) is done


@pytest.mark.parametrize("status", [0, 3])
def test_a_program_may_exit_within_a_process(heard: Heard, status: int) -> None:
    """By ``sys.exit`` in the block alone, outside any step: its status says how it went."""
    with pytest.raises(SystemExit), heard.emitter.process("git-deploy", "Deploy"):
        sys.exit(status)
    assert heard.actions() == ["started", "failed" if status else "completed"]


@pytest.mark.parametrize(
    "leaves", [KeyboardInterrupt(), SystemExit(1)], ids=["interrupt", "exit 1"]
)
def test_what_a_person_asked_to_break_off_was_cancelled(
    forward: Any, emitter: Any, until: Any, leaves: BaseException
) -> None:
    """``on_cancel`` breaks off what waits, and whatever then leaves the block is a cancel."""
    asking, stop = Asking(), threading.Event()
    heard = Heard(forward, emitter, until, controls_url=asking.url)
    try:
        process = heard.emitter.process("ssl", "C", on_cancel=lambda _: stop.set())
        with pytest.raises(type(leaves)), process, process.step("Check DNS"):
            asking.ask("cancel", "ctl_1")
            assert stop.wait(20)
            raise leaves
        until(lambda: heard.of("process.control_done"))
        assert (process.state, heard.folded()["state"]) == ("cancelled", "cancelled")
        assert heard.of("process.control_done")[0]["event"]["outcome"] == "success"
    finally:
        asking.shutdown()
        asking.server_close()
