"""Which requests of a process are told of, when there are more than it carries."""

from __future__ import annotations

from typing import Any

from activity_center.processes import Process, apply
from activity_center.processes.requests import MOST_REQUESTS
from tests.activity_center.processes.entries import entry
from tests.activity_center.processes.test_fold import folded


def _asked(id_: str, seconds: int, attempt: int = 1) -> dict[str, Any]:
    return entry(
        "process.cancel", None, seconds=seconds, id=f"asked-{id_}", user__id="usr_a",
        activity__control={"id": id_}, activity__process__attempt=attempt,
    )  # fmt: skip


def _answer(action: str, id_: str, seconds: int) -> dict[str, Any]:
    control = {"id": id_, "kind": "cancel"}
    return entry(
        f"process.control_{action}", None, seconds=seconds, id=f"{action}-{id_}",
        activity__control=control,
    )  # fmt: skip


def _ids(process: Process) -> list[str]:
    return [row["id"] for row in process.as_dict()["requests"]]


def test_the_newest_requests_stay() -> None:
    """A process that is tried and cancelled again and again is told of its last requests,
    whatever their ids and whatever the order of the entries."""
    ids = {n: f"ctl_{n * 7919 % 401:03}" for n in range(1, 401)}
    entries = [
        one
        for n, id_ in ids.items()
        for one in (
            entry("process.retried", 10 * n, activity__process__attempt=n),
            _asked(id_, 10 * n + 1, n),
            _answer("taken", id_, 10 * n + 2),
        )
    ]
    process = None
    for one in entries:
        process, _ = apply(process, one) or (process, None)
        if one["event"]["action"] == "process.control_taken":
            assert process is not None
            last = process.as_dict()["requests"][-1]
            assert (last["id"], last["state"]) == (one["activity"]["control"]["id"], "taken")
    assert process is not None
    assert _ids(process) == [ids[n] for n in range(401 - MOST_REQUESTS, 401)]
    backwards = folded(reversed(entries)).as_dict()
    assert backwards["requests"] == process.as_dict()["requests"]


def test_answers_that_are_made_up_keep_nothing_out() -> None:
    """What nobody asked, but somebody answers, stands behind all that was asked: before it came
    and after it, with whatever id and time."""
    forged = [_answer("taken", f"!{n:03}", 900) for n in range(MOST_REQUESTS + 20)]
    begun = entry("process.started", 1)
    real = [_asked("ctl_8f", 2), _answer("done", "ctl_8f", 3)]
    for entries in ([begun, *forged, *real], [begun, *real, *forged], [*real, *forged, begun]):
        rows = folded(entries).as_dict()["requests"]
        assert len(rows) == MOST_REQUESTS
        assert [row["state"] for row in rows if row["id"] == "ctl_8f"] == ["done"]
    many = [_asked(f"ctl_{n:03}", n) for n in range(MOST_REQUESTS)]
    full = folded([begun, *forged, *many])
    assert _ids(full) == [f"ctl_{n:03}" for n in range(MOST_REQUESTS)]


def test_an_answer_that_comes_first_waits() -> None:
    """What was said of a request is not lost because what asked for it comes later."""
    begun = entry("process.started", 1)
    process = folded([begun, _answer("done", "ctl_1", 9)])
    apply(process, _asked("ctl_1", 5))
    (row,) = process.as_dict()["requests"]
    assert (row["state"], row["by"]["id"]) == ("done", "usr_a")
