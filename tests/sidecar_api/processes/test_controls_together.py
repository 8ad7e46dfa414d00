"""Two who ask something of one process at the same moment, through one sidecar."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
import requests

from sidecar_api.processes.controls import Asked
from tests.integration.process import until
from tests.sidecar_api.processes.recorder import Recorder
from tests.sidecar_api.processes.wishes import process, wish

if TYPE_CHECKING:
    from tests.sidecar_api.processes.stage import Stage

MEANWHILE: Final = 1.0
"""Seconds for which a record waits for one that must not be made beside it."""


@pytest.mark.parametrize(
    ("state", "kinds"),
    [("running", ("cancel", "cancel")), ("failed", ("retry", "cleanup"))],
    ids=["the same", "what excludes it"],
)
def test_who_asks_while_another_is_recorded_waits(state: str, kinds: tuple[str, str]) -> None:
    """And is then told what the other one asked: one control is made, by who came first."""
    asked, answers, records = Asked(), dict[str, Any](), list[dict[str, Any]]()

    def send(number: int, record: Callable[[dict[str, Any]], None]) -> None:
        id_ = f"ctl_{number}"
        answers[id_] = wish(process(state), kinds[number], id_=id_, asked=asked, record=record)

    other = threading.Thread(target=send, args=(1, records.append))

    def record(fields: dict[str, Any]) -> None:
        other.start()
        other.join(MEANWHILE)
        records.append(fields)

    send(0, record)
    other.join(20)
    assert [one["activity.control.id"] for one in records] == ["ctl_0"]
    made, _ = answers["ctl_0"]
    assert made["id"] == "ctl_0"
    assert made["expires_at"] == records[0]["activity.control.expires_at"]
    row, wrong = answers["ctl_1"]
    assert row == {}
    assert "already" in wrong


@pytest.mark.parametrize("second", ["second", "owner"], ids=["another person", "the same wish"])
def test_of_two_requests_at_once_one_is_a_control(
    make_stage: Callable[..., Stage], process: str, tmp_path: Path, second: str
) -> None:
    """Another person is told that somebody has asked; who sends the same wish again has the same
    answer."""
    asked: list[dict[str, Any]] = []
    began, two = threading.Event(), threading.Event()

    def wait_for_another(events: list[dict[str, Any]]) -> None:
        mine = [one for one in events if one["event"]["action"] == "process.cancel"]
        if mine:
            asked.extend(mine)
            (two if began.is_set() else began).set()
            two.wait(MEANWHILE)

    recorder = Recorder(tmp_path, wait_for_another)
    stage = make_stage(recording=recorder.section).start()
    stage.steps.start(process, stage.a, activity__process__controls=["cancel"])
    until(lambda: stage.sees(process), why="the process is not known")
    key = uuid.uuid4().hex

    def post(who: str) -> requests.Response:
        return requests.post(
            f"{stage.url}/api/v1/processes/{process}/cancel",
            json={},
            headers={"Authorization": f"Bearer {stage.token(who)}", "Idempotency-Key": key},
            timeout=30,
        )

    try:
        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(post, "owner")
            assert began.wait(20), first.result()
            other = pool.submit(post, second)
        answers = [first.result(), other.result()]
    finally:
        recorder.close()
    assert len(asked) == 1
    assert answers[0].status_code == 202, answers[0].text
    if second == "owner":
        assert answers[1].status_code == 202, answers[1].text
        assert answers[1].json() == answers[0].json()
    else:
        assert answers[1].status_code == 409, answers[1].text
        assert "already" in answers[1].json()["detail"]
