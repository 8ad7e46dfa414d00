"""The same over server-sent events, by a real sidecar."""

from __future__ import annotations

import pytest

from tests.integration.process import until
from tests.sidecar_api.processes.peer import Stream
from tests.sidecar_api.processes.stage import Stage


def test_a_snapshot_then_what_changes(stage: Stage, process: str) -> None:
    """The first event has all there is, then each change comes once and in order."""
    stage.steps.start(process, stage.a)
    until(lambda: stage.sees(process) is not None)
    with Stream(stage, process=process) as stream:
        assert stream.answer.headers["Content-Type"] == "text/event-stream"
        assert stream.answer.headers["Cache-Control"] == "private, no-store"
        assert stream.answer.headers["X-Accel-Buffering"] == "no", "nginx would hold it back"
        stream.until(lambda: stream.shows(process) is not None)
        for number in range(1, 30):
            stage.steps.move(process, stage.a, number)
        stream.until(lambda: stream.at(process) == 29)
        assert stream.kinds()[0] == "snapshot" and set(stream.kinds()[1:]) == {"delta"}
        assert stream.moves == [*range(1, 30)]
        assert stream.shows(process) == stage.sees(process)


def test_who_comes_back_gets_just_what_was_missed(stage: Stage, process: str) -> None:
    """With ``Last-Event-ID``, as browsers send it, exactly the changes since."""
    stage.steps.start(process, stage.a)
    with Stream(stage) as stream:
        stream.until(lambda: stream.shows(process) is not None)
    stage.steps.move(process, stage.a, 1, 2)
    until(lambda: round((stage.sees(process) or {})["progress"] * 1000) == 2)
    with Stream(stage, after=stream) as stream:
        stream.until(lambda: stream.at(process) == 2)
        stage.steps.move(process, stage.a, 3)
        stream.until(lambda: stream.at(process) == 3)
        assert "snapshot" not in stream.kinds()
        assert stream.moves == [1, 2, 3]


def test_who_missed_nothing_hears_that_at_once(stage: Stage, process: str) -> None:
    """A client that hears nothing takes the way for blocked, and goes over to asking."""
    stage.steps.start(process, stage.a)
    with Stream(stage) as stream:
        stream.until(lambda: stream.shows(process) is not None)
    with Stream(stage, after=stream) as stream:
        stream.until(lambda: bool(stream.said))
        assert [(one["type"], one["changes"]) for one in stream.said] == [("delta", [])]


@pytest.mark.parametrize("last", ["x", "x:y", ":", "a:" + "b" * 4096])
def test_a_place_that_is_none(stage: Stage, process: str, last: str) -> None:
    """A snapshot comes in place of what was missed."""
    stage.steps.start(process, stage.a)
    until(lambda: stage.sees(process) is not None)
    with Stream(stage, last=last, process=process) as stream:
        stream.until(lambda: stream.shows(process) is not None)
        assert stream.kinds() == ["snapshot"]


def test_a_place_of_others(stage: Stage, process: str) -> None:
    """A place of a reader with other rights is none, and shows nothing of theirs."""
    stage.steps.start(process, stage.a)
    with Stream(stage, "admin") as foreign:
        foreign.until(lambda: foreign.shows(process) is not None)
    stage.steps.move(process, stage.a, 1)
    with Stream(stage, "other", after=foreign) as stream:
        stream.until(lambda: bool(stream.said))
        assert stream.kinds() == ["snapshot"]
        assert stream.shows(process) is None


def test_who_may_not(stage: Stage) -> None:
    """Refusals are answers of HTTP, before any event."""
    for who, query, status in (
        ("", {}, 401),
        ("owner", {"organization": stage.b}, 403),
        ("stranger", {"organization": stage.a}, 403),
        ("owner", {"other": "x"}, 400),
    ):
        with Stream(stage, who, **query) as stream:
            assert stream.answer.status_code == status
            assert stream.answer.headers["Content-Type"] == "application/problem+json"


def test_an_epoch_that_changed(stage: Stage, process: str) -> None:
    """A bus that began anew is told to an open stream: reset, then a snapshot."""
    stage.steps.start(process, stage.a)
    with Stream(stage, process=process) as stream:
        stream.until(lambda: stream.shows(process) is not None)
        stage.steps.begin()
        stage.steps.move(process, stage.a, 7)
        stream.until(lambda: stream.at(process) == 7)
        assert stream.resets and set(stream.resets) == {"gap"}
        assert stream.kinds()[stream.kinds().index("reset") + 1] == "snapshot"


def test_silence_is_filled(quick_stage: Stage, process: str) -> None:
    """While nothing happens a ping comes, and with it the place as it is by then: who comes
    back with it has not to be told what they were never shown."""
    stage = quick_stage
    with Stream(stage, process=process) as stream:
        stream.until(lambda: stream.pings > 0)  # the first one follows the beginning
        at_first, pings = stream.id, stream.pings
        stage.steps.start(f"{process}-other", stage.a)
        until(lambda: stage.sees(f"{process}-other") is not None)
        stream.until(lambda: stream.pings > pings and stream.id != at_first)
        assert stream.kinds() == ["snapshot"]
        epoch, _, offset = stream.id.partition(":")
        assert epoch and stage.poll(since=stream.id, process=process)["recovered"] is True
        assert offset


def test_one_that_has_gone_counts_no_more(stage: Stage) -> None:
    """A client that hangs up, without a word of its own, makes room for another."""
    until(lambda: stage.metric("process_watchers") == 0)
    streams = [Stream(stage) for _ in range(5)]
    for stream in streams:
        stream.until(lambda stream=stream: bool(stream.said))
    assert stage.metric("process_watchers") == 5
    for stream in streams:
        stream.answer.close()
    until(lambda: stage.metric("process_watchers") == 0)


def test_a_head_alone(stage: Stage) -> None:
    """``HEAD`` is answered without opening anything."""
    import requests

    answer = requests.head(
        f"{stage.url}/api/v1/processes/stream",
        headers={"Authorization": f"Bearer {stage.token('owner')}"},
        timeout=30,
    )
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/event-stream")
