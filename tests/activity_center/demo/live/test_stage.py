"""The demo's live operations, against a real collector and sidecar."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from activity_center.demo.live import upload
from activity_center.demo.live.plays import PLAYS
from activity_center.demo.live.stage import Stage
from activity_center.demo.people import controllers, names, people
from activity_center.demo.stack import Stack
from activity_center.processes import channels
from tests.conftest import Node
from tests.sidecar_api.search.log import put_templates

PACE = 0.05


@pytest.fixture
def stack(opensearch: Node, tmp_path: Path) -> Iterator[Stack]:
    """The demo's collector and sidecar."""
    put_templates(opensearch.client)
    organizations: dict[str, dict[str, Any]] = {id_: {} for id_ in names()}
    made = Stack(tmp_path, opensearch.cluster, organizations, ("platform",))
    try:
        made.start()
        made.start_page()
        yield made
    finally:
        made.stop()


def seen(stack: Stack, since: datetime) -> dict[str, dict[str, Any]]:
    """Return the processes that began since then, by channel."""
    found = {}
    for token in stack.persons.values():
        answer = requests.get(
            f"{stack.page}/api/v1/processes/live",
            headers={"Authorization": f"Bearer {token}"},
            timeout=30,
        )
        assert answer.status_code == 200, answer.text
        for process in answer.json()["processes"]:
            if datetime.fromisoformat(process["started"]) >= since:
                found[process["channel"]] = process
    return found


def stage(stack: Stack, **options: Any) -> Stage:
    """A stage of that stack."""
    token = stack.tokens["platform"]
    return Stage(stack.url, stack.page, token, stack.persons, **options)


def test_every_channel_has_a_play() -> None:
    """Each shipped channel once, with lines for each of its usual steps."""
    assert {play.channel.name for play in PLAYS} == set(channels())
    assert len(PLAYS) == len(channels())
    for play in PLAYS:
        assert play.channel.steps == channels()[play.channel.name].steps
        assert len(play.lines) == len(play.channel.steps)
        assert all(play.lines)


def test_somebody_may_control_each_organization() -> None:
    """The persons who ask are administrators of it, and so is who looks at the demo first."""
    roles = {one["id"]: one.get("organizations", {}) for one in people()}
    for organization, person in controllers().items():
        assert roles[person] == {organization: "admin"}
    assert next(iter(roles.values())) == dict.fromkeys(names(), "admin")


def test_the_demo_stores_a_token_with_which_one_may_watch(stack: Stack) -> None:
    """In a file of its owner alone; with it every organization's processes are seen."""
    assert stat.S_IMODE(stack.reader_file.stat().st_mode) == 0o600
    with stage(stack, pace=PACE):
        options = ("--url", stack.page, "--token-file", str(stack.reader_file), "--json")
        watching = subprocess.Popen(
            [sys.executable, "-m", "activity_center", "processes", "watch", *options],
            stdout=subprocess.PIPE,
            text=True,
        )
        bound = threading.Timer(120, watching.kill)
        bound.start()
        try:
            assert watching.stdout is not None
            met: set[str] = set()
            for line in watching.stdout:
                met |= {one["organization"]["id"] for one in json.loads(line)["processes"]}
                if met >= names().keys():
                    break
        finally:
            bound.cancel()
            watching.kill()
            watching.wait()
    assert met >= names().keys()


def test_all_channels_run_and_three_go_wrong(stack: Stack) -> None:
    """A certificate fails and the second attempt succeeds, a deployment is cancelled, a transfer
    whose program is killed stalls, and is cleaned up by that program when it was started again;
    all others are done."""
    since = datetime.now(UTC)
    with stage(stack, pace=PACE, rounds=1) as playing:
        assert playing.wait(200)
        end = time.monotonic() + 30
        while time.monotonic() < end:  # the end of a request is an entry of its own
            found = seen(stack, since)
            if found["cloud-transfer"]["requests"][0]["state"] not in ("requested", "taken"):
                break
            time.sleep(0.2)
    assert set(found) == set(channels())
    issued, deployed, sent = (found.pop(one) for one in ("ssl", "git-deploy", "cloud-transfer"))
    assert {one["state"] for one in found.values()} == {"done"}
    assert (issued["state"], issued["attempt"]) == ("done", 2)
    assert issued["attempts"][0]["step"] == "Answer challenge"
    assert [one["kind"] for one in issued["requests"]] == ["retry"]
    assert issued["requests"][0]["state"] == "done"
    assert deployed["state"] == "cancelled"
    assert deployed["requests"][0]["reason"].startswith("Wrong revision")
    assert deployed["receipt"]["undone"] == ["The build folder was removed"]
    assert deployed["receipt"]["left_behind"] == ["Packages in the cache"]
    assert (sent["state"], sent["cleaned"]) == ("failed", True)
    assert [(one["kind"], one["state"]) for one in sent["requests"]] == [("cleanup", "done")]
    assert sent["receipt"]["undone"] == ["The parts that were sent were deleted"]
    assert [one["state"] for one in sent["steps"]] == ["done", "running", "pending"]


def test_it_ends_with_the_demo(stack: Stack) -> None:
    """What runs is told as cancelled, and nothing is left running."""
    since = datetime.now(UTC)
    playing = stage(stack)
    with playing:
        end = time.monotonic() + 60
        while len(seen(stack, since)) < 2:
            assert time.monotonic() < end
            time.sleep(0.2)
        began = time.monotonic()
    assert time.monotonic() - began < 20
    end = time.monotonic() + 20
    while {one["state"] for one in seen(stack, since).values()} != {"cancelled"}:
        assert time.monotonic() < end, seen(stack, since)
        time.sleep(0.2)


def test_the_program_that_is_killed_starts_without_a_warning() -> None:
    """Whoever watches the demo reads what it says, and nothing of how Python loads it."""
    done = subprocess.run(
        [sys.executable, "-m", upload.__name__],
        env={**os.environ, upload.TOKEN: "none"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "Warning" not in done.stderr
