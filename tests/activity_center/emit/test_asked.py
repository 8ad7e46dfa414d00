"""What persons ask of a process, as its program hears of it and answers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from activity_center.emit import Cancelled, Process
from activity_center.errors import ConfigError
from tests.activity_center.emit.asking import Asking
from tests.activity_center.emit.heard import STEPS, TOKEN, AcmeError, Heard


@pytest.fixture
def asked(forward: Any, emitter: Any, until: Any, asking: Asking) -> Heard:
    """An emitter whose processes hear of controls."""
    return Heard(forward, emitter, until, controls_url=asking.url)


def test_a_cancel_raises_where_the_program_looks(
    asked: Heard, asking: Asking, until: Callable[..., None]
) -> None:
    """Taken at once; the program undoes and says so; the end has the receipt and the reason."""
    process = asked.emitter.process("git-deploy", "Deploy", steps=STEPS, controls=["cancel"])
    seen = []
    with pytest.raises(Cancelled, match="mira: wrong branch"), process:
        with process.step("Check DNS"):
            pass
        with process.step("Order certificate"):
            asking.ask("cancel", "ctl_1", "wrong branch")
            try:
                until(lambda: process.check())
            except Cancelled:
                process.receipt(undone=["Order cancelled"], needs_person="Look at DNS")
                seen.append(process.state)
                raise
    assert seen == ["running"]
    order = asked.actions()
    assert order[3:] == [
        "control_taken",
        "step.cancelled",
        "cancelled",
        "control_done",
    ] or order[4:] == ["control_taken", "step.cancelled", "cancelled", "control_done"]
    taken, done = asked.of("process.control_taken")[0], asked.of("process.control_done")[0]
    assert taken["activity"]["control"] == {"id": "ctl_1", "kind": "cancel", "state": "taken"}
    assert done["event"]["outcome"] == "success"
    assert done["user"] == {"id": "usr_mk", "name": "mira"}
    shown = asked.folded()
    assert shown["state"] == "cancelled"
    assert shown["receipt"]["undone"] == ["Order cancelled"]
    assert shown["receipt"]["needs_person"] == ["Look at DNS"]
    assert asking.tokens[0] == f"Bearer {TOKEN}"
    path = f"/api/v1/processes/{process.id}/controls"
    assert asking.paths[0] == f"{path}?wait=30&organization=northwind"


def test_a_program_asks_for_controls_of_its_organization(
    asked: Heard, asking: Asking, until: Callable[..., None]
) -> None:
    """Others may have a process of the same id: that of the process counts, then that around it,
    then that of the emitter; a group without an id names none."""
    made = asked.emitter.process

    def heard(process: Process) -> str:
        with process:
            until(lambda: asking.paths)
        found = asking.paths[-1]
        asking.paths.clear()
        return found.partition("&")[2]

    assert heard(made("ssl", "C", controls=["cancel"])) == "organization=northwind"
    with asked.emitter.context(organization={"id": "acme", "name": "Acme"}):
        around = made("ssl", "C", controls=["cancel"])
        own = made("ssl", "C", controls=["cancel"], organization="a&b")
        nameless = made("ssl", "C", controls=["cancel"], organization={"name": "Acme"})
    assert heard(around) == "organization=acme"
    assert heard(own) == "organization=a%26b"
    assert heard(nameless) == "organization="


def test_the_next_step_does_not_begin_after_a_cancel(
    asked: Heard, asking: Asking, until: Callable[..., None]
) -> None:
    """A program that never looks is cancelled between two steps."""
    process = asked.emitter.process("git-deploy", "Deploy", controls=["cancel"])
    with pytest.raises(Cancelled), process:
        with process.step("One"):
            asking.ask("cancel", "ctl_1")
            until(lambda: asked.of("process.control_taken"))
        with process.step("Two"):
            raise AssertionError
    assert [one["state"] for one in asked.folded()["steps"]] == ["done", "pending"]


def test_on_cancel_breaks_off_what_waits(asked: Heard, asking: Asking) -> None:
    """It is called in another thread; the error that it causes is the end of a cancelled one."""
    stop = threading.Event()
    process = asked.emitter.process("git-deploy", "D", on_cancel=lambda _: stop.set())
    with pytest.raises(OSError, match="killed"), process, process.step("Build"):
        asking.ask("cancel", "ctl_1")
        assert stop.wait(20)
        raise OSError("killed")
    (end,) = asked.of("process.cancelled")
    assert end["error"]["message"] == "killed"
    assert asked.of("process.control_done")[0]["event"]["outcome"] == "success"


def test_a_cancel_that_comes_too_late_has_failed(
    asked: Heard, asking: Asking, until: Callable[..., None]
) -> None:
    """A program that goes on to its end was not cancelled, and says so."""
    with asked.emitter.process("git-deploy", "Deploy", controls=["cancel"]):
        asking.ask("cancel", "ctl_1")
        until(lambda: asked.of("process.control_taken"))
    (done,) = asked.of("process.control_done")
    assert done["activity"]["control"]["state"] == "failed"
    assert done["event"]["reason"] == "it ended before: done"


def test_what_was_not_declared_is_not_taken(
    asked: Heard, asking: Asking, until: Callable[..., None]
) -> None:
    """Neither a cancel that nobody offered, nor a retry while it runs."""
    with asked.emitter.process("ssl", "C", on_retry=lambda process: None):
        asking.ask("cancel", "ctl_1")
        asking.ask("retry", "ctl_2")
        until(lambda: len(asking.paths) >= 3)
    assert asked.of("process.control_taken") == []


def test_a_retry_is_the_second_attempt(
    asked: Heard, asking: Asking, until: Callable[..., None]
) -> None:
    """on_retry enters the process again; the control is carried out once the attempt runs."""
    failing = [True]

    def issue(process: Process) -> None:
        with process, process.step("Order certificate"):
            if failing:
                failing.clear()
                raise AcmeError("Connection refused")

    process = asked.emitter.process("ssl", "C", steps=STEPS, on_retry=issue)
    with pytest.raises(AcmeError):
        issue(process)
    asking.ask("retry", "ctl_1")
    until(lambda: process.state == "done")
    order = asked.actions()
    assert order[4:7] == ["control_taken", "retried", "control_done"]
    shown = asked.folded()
    assert (shown["attempt"], shown["state"]) == (2, "done")
    assert shown["attempts"][0]["error"] == "Connection refused"


def test_a_retry_that_begins_nothing_has_failed(
    asked: Heard, asking: Asking, until: Callable[..., None]
) -> None:
    """An error of the handler is told as what became of the control."""

    def again(_: Process) -> None:
        raise KeyError("no such order")

    process = asked.emitter.process("ssl", "C", on_retry=again)
    with pytest.raises(OSError), process:
        raise OSError
    asking.ask("retry", "ctl_1")
    until(lambda: asked.of("process.control_done"))
    (done,) = asked.of("process.control_done")
    assert done["activity"]["control"]["state"] == "failed"
    assert done["error"]["type"] == "KeyError"


def test_cleaning_up_ends_with_a_receipt(
    asked: Heard, asking: Asking, until: Callable[..., None]
) -> None:
    """on_cleanup says what it undid; the process counts as cleaned up."""
    process = asked.emitter.process(
        "ssl", "C", on_cleanup=lambda one: one.receipt(undone=["Order removed"])
    )
    with pytest.raises(OSError), process:
        raise OSError
    asking.ask("cleanup", "ctl_1")
    until(lambda: asked.of("process.control_done"))
    shown = asked.folded()
    assert shown["cleaned"] is True
    assert shown["receipt"]["undone"] == ["Order removed"]
    assert shown["requests"][0]["state"] == "done"


def test_a_control_is_done_once(asked: Heard, asking: Asking, until: Callable[..., None]) -> None:
    """It stays in the answers until word of its taking has gone round."""
    cleaned: list[Process] = []
    process = asked.emitter.process("ssl", "C", on_cleanup=cleaned.append)
    with pytest.raises(OSError), process:
        raise OSError
    asking.ask("cleanup", "ctl_1")
    until(lambda: len(asking.paths) >= 4)
    assert len(cleaned) == 1


def test_nobody_listens_for_a_closed_emitter(
    asked: Heard, asking: Asking, until: Callable[..., None]
) -> None:
    """A process that could be tried again is listened for as long as its emitter lives: who else
    comes to the sidecar's address is not asked with a token that it does not know."""
    before = set(threading.enumerate())
    process = asked.emitter.process("ssl", "C", on_retry=lambda one: None)
    with pytest.raises(OSError), process:
        raise OSError
    until(lambda: asking.paths)
    (listener,) = [
        one for one in set(threading.enumerate()) - before if one.name == "activity-center-controls"
    ]
    assert listener.is_alive()
    asked.emitter.close()
    until(lambda: not listener.is_alive())
    with process:
        pass
    assert not [
        one for one in set(threading.enumerate()) - before if one.name == "activity-center-controls"
    ]


def test_what_was_asked_of_an_earlier_attempt_is_not_taken(
    asked: Heard, asking: Asking, until: Callable[..., None]
) -> None:
    """A clean-up that comes after the retry it was asked beside does not touch the next attempt."""
    cleaned: list[int] = []
    process = asked.emitter.process(
        "ssl", "C", on_retry=lambda one: None, on_cleanup=lambda one: cleaned.append(one.attempt)
    )
    for _ in range(2):
        with pytest.raises(OSError), process:
            raise OSError
    asking.ask("cleanup", "ctl_1", attempt=1)
    polls = len(asking.paths)
    until(lambda: len(asking.paths) >= polls + 3)
    assert cleaned == []
    assert asked.of("process.control_taken") == []
    asking.ask("cleanup", "ctl_2", attempt=2)
    until(lambda: asked.of("process.control_done"))
    assert cleaned == [2]


def test_an_attempt_that_begins_while_cleaning_up_is_not_cleaned(
    asked: Heard, asking: Asking, until: Callable[..., None]
) -> None:
    """The program went on by itself: the clean-up of the former attempt has failed."""
    begun, going = threading.Event(), threading.Event()

    def clean(_: Process) -> None:
        begun.set()
        assert going.wait(20)

    process = asked.emitter.process("ssl", "C", on_cleanup=clean)
    with pytest.raises(OSError), process:
        raise OSError
    asking.ask("cleanup", "ctl_1", attempt=1)
    assert begun.wait(20)
    with process:
        going.set()
        until(lambda: asked.of("process.control_done"))
    (done,) = asked.of("process.control_done")
    assert done["activity"]["control"]["state"] == "failed"
    assert asked.folded()["cleaned"] is False


def test_a_sidecar_that_refuses_or_is_away_harms_nothing(
    asked: Heard, asking: Asking, until: Callable[..., None]
) -> None:
    """The program runs; once the sidecar answers, controls come."""
    asking.status = 503
    process = asked.emitter.process("ssl", "C", controls=["cancel"])
    with pytest.raises(Cancelled), process:
        until(lambda: asking.paths)
        asking.status = 200
        asking.ask("cancel", "ctl_1")
        until(lambda: process.check())


def test_controls_go_only_where_nobody_can_read_the_token(emitter: Any) -> None:
    """Plain http beyond this machine, and what is no http, are refused when it is made."""
    for url in ("http://sidecar.example:8600", "forward://127.0.0.1:1"):
        with pytest.raises(ConfigError):
            emitter("forward://127.0.0.1:1", controls_url=url)


def test_a_process_that_stays_unknown_is_told(
    asked: Heard, asking: Asking, until: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    """A new one is not known at once; later the address is likely the collector's."""
    asking.status = 404
    with asked.emitter.process("ssl", "C", controls=["cancel"]):
        until(lambda: len(asking.paths) >= 2)
        assert "controls_url" not in caplog.text
        until(lambda: "controls_url has to be the sidecar's address" in caplog.text)


def test_what_cannot_be_meant_is_told(asked: Heard, caplog: pytest.LogCaptureFixture) -> None:
    """A control that there is not, and a name that no channel can have."""
    asked.emitter.process("ssl", "C", controls=["pause"])
    assert "there is no control 'pause': cancel, retry, cleanup" in caplog.text
    caplog.clear()


def test_a_name_that_no_channel_has_is_told(asked: Heard, caplog: pytest.LogCaptureFixture) -> None:
    """It goes on all the same: what happened is recorded."""
    with asked.emitter.process("Not A Channel", "C"):
        pass
    assert "'Not A Channel' is no name of a channel" in caplog.text
    assert asked.of("process.completed")
