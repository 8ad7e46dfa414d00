"""``install`` killed half way, and two at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import Any

import pytest

from activity_center.setup import Desired, desired_state, install, look


def start(url: str) -> subprocess.Popen[str]:
    """``activity-center install`` in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "activity_center", "install"],
        env={**os.environ, "OPENSEARCH_URL": url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("step", [2, 5, 12])
def test_killed_between_steps(empty: Any, step: int) -> None:
    """After kill -9 the next run goes on from there at once, and completes."""
    process = start(empty.url)
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if line.startswith(f"{step}/"):
            break
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL, said

    desired = desired_state()
    plan = look(empty.client, desired)
    assert plan.drift, "the kill came too late to prove anything"
    waited: list[str] = []
    install(empty.client, desired, on_wait=waited.append)
    assert waited == []
    assert not look(empty.client, desired).drift


def test_killed_between_template_and_rollover(empty: Any, few: Desired, changed: Any) -> None:
    """A stream whose template was written and which was not rolled over is found later."""
    install(empty.client, few)
    newer = changed(
        "component/activity-mappings",
        lambda body: body["template"]["mappings"]["properties"].update(x={"type": "long"}),
    )
    # What an install leaves that was killed after the template's step:
    empty.put("/_component_template/activity-mappings", newer.components["activity-mappings"])
    install(empty.client, newer)
    streams = empty.get("/_data_stream/activity-*")["data_streams"]
    assert {one["name"]: one["generation"] for one in streams} == {
        "activity-audit-permanent": 2,
        "activity-agent-permanent": 2,
        "activity-rejected": 1,
    }


def test_two_at_once(empty: Any) -> None:
    """Both succeed, all is there, and nothing was made or rolled over twice."""
    both = [start(empty.url), start(empty.url)]
    for process in both:
        _out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
    desired = desired_state()
    assert not look(empty.client, desired).drift
    streams = empty.get("/_data_stream/activity-*")["data_streams"]
    assert {one["generation"] for one in streams} == {1}
    assert len(streams) == len(desired.streams)


def test_two_rollovers_at_once(empty: Any, few: Desired, changed: Any) -> None:
    """Of two that find the same change one rolls over, the other finds it done."""
    from concurrent.futures import ThreadPoolExecutor

    install(empty.client, few)
    newer = changed(
        "component/activity-mappings",
        lambda body: body["template"]["mappings"]["properties"].update(x={"type": "long"}),
    )
    with ThreadPoolExecutor(2) as pool:
        done = [pool.submit(install, empty.client, newer) for _ in range(2)]
    assert all(one.result().notes == () for one in done)
    streams = empty.get("/_data_stream/activity-a*")["data_streams"]
    assert {one["generation"] for one in streams} == {2}
