"""A second demo beside one that runs: refused in words, and nothing of the first is touched."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from activity_center.cli.demo_running import LOCK, AlreadyRunning, alone
from activity_center.config import Cluster
from activity_center.demo.process import read_mark
from activity_center.demo.stack import SIDECAR_SENDER, Stack
from activity_center.errors import ActivityCenterError
from activity_center.node.process import wait_until
from tests.conftest import Node
from tests.integration.test_demo import DEMO, environment


def second(state: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Another demo with this state folder, for a cluster that is not there."""
    return subprocess.run(
        [*DEMO, "--yes", *arguments],
        capture_output=True,
        text=True,
        env=environment(state, OPENSEARCH_URL="http://127.0.0.1:1"),
        stdin=subprocess.DEVNULL,
        check=False,
    )


def asked(page: str, token: str) -> Any:
    """What the page's API answers to this token."""
    request = urllib.request.Request(
        f"{page}/api/v1/activities", headers={"Authorization": f"Bearer {token}"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def test_the_running_one_goes_on_as_it_was(opensearch: Node, tmp_path: Path) -> None:
    """Beside a collector and a page of a demo that was killed (they outlive it): exit code 1,
    the address, what to end, another folder; configuration and tokens stay byte for byte, logs
    lose nothing, and the printed token is still accepted. Once they are ended, all is free."""
    folder = tmp_path / "demo"
    stack = Stack(folder, opensearch.cluster, {}, (SIDECAR_SENDER,))
    try:
        stack.start()
        stack.start_page()
        kept = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
        names = {path.name for path in kept}
        assert names >= {"sidecar.token", "reader.token", "activity-center.yml", "collector.log"}

        told = second(tmp_path)
        assert told.returncode == 1
        assert f"a demo is already running: {stack.page}" in told.stderr
        pids = [one.process.pid for one in (stack.sidecar, stack.collector) if one.process]
        assert f"kill {pids[0]} {pids[1]}" in told.stderr
        assert "ACTIVITY_CENTER_STATE" in told.stderr
        assert "\\n" not in told.stderr
        assert '{"' not in told.stderr

        as_json = second(tmp_path, "--check", "--json")
        assert as_json.returncode == 1
        assert json.loads(as_json.stdout) == {
            "error": f"a demo is already running: {stack.page}",
            "folder": str(folder),
            "url": stack.page,
            "pids": pids,
        }
        for path, content in kept.items():
            now = path.read_bytes()
            assert now.startswith(content) if path.suffix == ".log" else now == content, path
        assert {path.name for path in folder.iterdir() if path.is_file()} == names
        assert "page" in asked(stack.page, (folder / "reader.token").read_text())

        for pid in pids:
            os.kill(pid, signal.SIGTERM)
        marks = [folder / "sidecar.pid", folder / "collector.pid"]
        assert wait_until(lambda: not any(map(read_mark, marks)), 60)
        with alone(folder):
            pass
    finally:
        stack.stop()


def test_one_that_has_no_page_yet(tmp_path: Path) -> None:
    """From its first moment on a demo is alone in its folder, by a lock that ends with it; its
    process is named; another folder is free."""
    folder = tmp_path / "demo"
    with alone(folder):
        with pytest.raises(AlreadyRunning, match="without a page") as refused, alone(folder):
            pass
        assert refused.value.pids == (os.getpid(),)
        told = second(tmp_path, "--check", "--json")
        assert (told.returncode, json.loads(told.stdout)["url"]) == (1, None)
        assert f"kill {os.getpid()};" in told.stderr
        assert [path.name for path in folder.iterdir()] == [LOCK]
        with alone(tmp_path / "other"):
            pass
    with alone(folder):
        pass


def test_a_collector_that_does_not_start_says_why_in_words(tmp_path: Path) -> None:
    """What its log says as JSON objects is told as text, line breaks and all."""
    cluster = Cluster(url="http://127.0.0.1:1")
    first = Stack(tmp_path, cluster, {}, (SIDECAR_SENDER,))
    other = None
    try:
        first.start()
        other = Stack(tmp_path, cluster, {}, (SIDECAR_SENDER,))  # with ports that are free now
        with pytest.raises(ActivityCenterError, match="did not become ready") as failed:
            other.start()
        assert '{"' not in failed.value.message
        assert "\\n" not in failed.value.message
        assert "another process uses this spool\n  hint: " in failed.value.message
    finally:
        if other:
            other.stop()
        first.stop()
