"""What is overdue has its moment of grace, and what was said of it is not said again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.activity_center.processes.entries import NOW, entry_of
from tests.integration.process import until
from tests.sidecar_api.processes.recorder import Recorder
from tests.sidecar_api.processes.stage import at
from tests.sidecar_api.processes.test_overdue import LATE, Records, asked, board, silent

if TYPE_CHECKING:
    from tests.sidecar_api.processes.stage import Stage

WAY = timedelta(seconds=2)
"""What a sign of life may take from its producer to the sidecar."""


def stored(made: tuple[str, str, dict[str, Any]]) -> dict[str, Any]:
    """What the record, and so the bus, has of something that was recorded."""
    id_, action, fields = made
    event: dict[str, Any] = {"id": id_, "action": action, "sequence": fields["sequence"]}
    document: dict[str, Any] = {"event": event, "activity": {"lens": "process"}}
    document["@timestamp"] = fields["timestamp"].isoformat()
    for name, value in fields.items():
        place = document
        *path, last = name.split(".")
        for part in path:
            place = place.setdefault(part, {})
        place[last] = value
    event["outcome"] = fields.get("outcome")
    return document


def test_a_sign_of_life_may_take_two_seconds() -> None:
    """Neither silence nor expiry is recorded before, and both right afterwards; it is of the
    moment at which it could be known, not of when a sidecar looked."""
    running = entry_of("other", "process.started", own={"lease": "2026-11-24T14:00:00Z"})
    records = Records(board(silent(), running, asked("cancel", "other")))
    assert records.after(NOW + WAY) == []
    assert records.after(NOW + WAY + timedelta(milliseconds=1)) == [
        "process.stalled",
        "process.control_expired",
    ]
    assert {fields["timestamp"] for _, _, fields in records.made} == {NOW + WAY}


def test_what_came_in_time_and_was_heard_late_is_no_silence() -> None:
    """A heartbeat, or word that a control was taken, that the bus brings within these seconds."""
    held = board(silent(), asked("cancel"))
    records = Records(held)
    assert records.after(NOW + timedelta(seconds=1.9)) == []
    held.take(entry_of("prc", "process.heartbeat", 2, own={"lease": "2026-11-24T14:00:00Z"}))
    held.take(entry_of("prc", "process.control_taken", 3, activity__control={"id": "ctl_cancel"}))
    assert records.after(NOW + timedelta(minutes=10)) == []


@pytest.mark.parametrize("restarted", [False, True], ids=["the same sidecar", "a new one"])
def test_what_was_said_is_not_said_again(restarted: bool) -> None:
    """However much later: that a process fell silent, that a control expired, that nobody cleaned
    up. A sidecar that was started anew knows it from the record."""
    entries = [silent()]
    records = Records(board(*entries))
    assert records.after(NOW + timedelta(seconds=3)) == ["process.stalled"]
    entries += [stored(records.made[0]), asked("cleanup")]
    records = Records(board(*entries))
    assert records.after(NOW + timedelta(seconds=4)) == ["process.cleaned_up"]
    entries += [stored(records.made[0])]
    records = Records(board(*entries))
    assert records.after(NOW + timedelta(seconds=5)) == ["process.control_expired"]
    entries += [stored(records.made[0])]
    again = Records(board(*entries))
    if not restarted:
        again.look = records.look
    for later in (timedelta(seconds=6), timedelta(minutes=2), timedelta(hours=1)):
        assert again.after(NOW + later) == []
        assert len(records.made) == 1


def test_it_is_found_by_what_its_process_is_found_by() -> None:
    """Case, project, environment, workspace, and what its target belongs to."""
    began = silent()
    began["activity"] |= {
        "project": "shop",
        "environment": "production",
        "workspace": "web",
        "case": {"id": "case_7"},
        "resource": {"type": "site", "id": "s1", "parent": {"type": "server", "id": "srv_1"}},
    }
    held = board(began, asked("cancel"))
    records = Records(held)
    assert records.after(LATE) == ["process.stalled", "process.control_expired"]
    held.take(stored(records.made[0]))
    held.take(asked("cleanup"))
    assert records.after(LATE) == ["process.cleaned_up"]
    for _, action, fields in records.made:
        said = stored(("id", action, {"timestamp": NOW, "sequence": 1, **fields}))
        assert said["activity"]["project"] == "shop", action
        assert said["activity"]["environment"] == "production", action
        assert said["activity"]["case"] == {"id": "case_7"}, action
        assert said["activity"]["workspace"] == "web", action
        assert fields["resource"]["parent"]["id"] == "srv_1", action


# -- a sidecar that is killed and started anew ---------------------------------------------


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    """A collector of this test's own."""
    made = Recorder(tmp_path)
    yield made
    made.close()


def test_a_sidecar_that_was_killed_does_not_say_it_again(
    make_stage: Callable[..., Stage], recorder: Recorder, process: str
) -> None:
    """It is started anew over the same bus, finds there what was said before, and records only
    what has become overdue since."""
    stage = make_stage(recording=recorder.section).start()
    control = {"id": f"ctl_{process}", "kind": "cancel", "expires_at": at(-10)}
    stage.steps.start(process, stage.a, activity__process__lease=at(-10))
    stage.steps.publish(
        stage.steps.entry(process, "process.cancel", stage.a, activity__control=control)
    )
    until(lambda: stage.sees(process), why="the process is not known")
    said = ["process.control_expired", "process.stalled"]
    until(lambda: recorder.actions(process) == said, why="it was not said")
    for one in recorder.of(process):
        one["activity"]["lens"] = "process"
        stage.steps.publish(one)
    until(lambda: (stage.sees(process) or {}).get("stalled"), why="it was not heard")
    stage.kill()
    stage.start()
    stage.steps.start(f"{process}-later", stage.a, activity__process__lease=at(-10))
    until(lambda: stage.sees(process), why="the process is not known")
    until(lambda: recorder.actions(f"{process}-later"), why="the new one says nothing")
    assert recorder.actions(process) == said
