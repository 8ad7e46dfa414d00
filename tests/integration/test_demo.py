"""``activity-center demo``: everything at once, on real parts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import Node
from tests.integration.process import free_port

DEMO = [sys.executable, "-m", "activity_center", "demo"]


def environment(state: Path | str, **more: str) -> dict[str, str]:
    return {**os.environ, "ACTIVITY_CENTER_STATE": str(state), **more}


def test_every_event_of_the_month_is_found_exactly_once(opensearch: Node, tmp_path: Path) -> None:
    """Played over Forward and HTTP; a second run finds the same and adds nothing."""
    for _ in range(2):
        done = subprocess.run(
            [*DEMO, "--check", "--json", "--yes", "--days", "5"],
            capture_output=True,
            text=True,
            env=environment(tmp_path, OPENSEARCH_URL=opensearch.url),
            check=False,
        )
        assert done.returncode == 0, done.stderr
        summary = json.loads(done.stdout)
        assert list(summary) == ["sent", "found", "missing", "duplicates", "rejected", "seconds"]
        assert summary["sent"] == summary["found"] > 300
        assert summary["missing"] == summary["duplicates"] == summary["rejected"] == 0


def test_the_live_demo_shows_the_three_lenses_and_ends_by_ctrl_c() -> None:
    """What came back out of OpenSearch is on the screen; Ctrl-C drains the collector."""
    process = subprocess.Popen(
        [*DEMO, "--days", "5"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(os.environ["ACTIVITY_CENTER_STATE"], PYTHONUNBUFFERED="1"),
        start_new_session=True,
    )
    assert process.stdout is not None
    seen = ""
    for line in process.stdout:
        seen += line
        if "metrics:" in line:
            break
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    rest = process.stdout.read()
    assert process.wait(60) == 0, rest
    for words in ("each exactly once", "Audit trail", "AI activity", "Processes"):
        assert words in seen
    assert "Stopping the collector" in rest


@pytest.mark.parametrize(
    ("arguments", "more", "words"),
    [
        (["--json"], {}, "--json goes with --check"),
        (["--check"], {"OPENSEARCH_URL": "http://127.0.0.1:1"}, "--yes plays the demo into it"),
    ],
)
def test_wrong_use_is_refused(
    tmp_path: Path, arguments: list[str], more: dict[str, str], words: str
) -> None:
    """Nothing is written to a foreign cluster without a yes."""
    done = subprocess.run(
        [*DEMO, *arguments],
        capture_output=True,
        text=True,
        env=environment(tmp_path, **more),
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode == 2
    assert words in done.stderr


def test_an_unreachable_cluster_is_told_in_words(tmp_path: Path) -> None:
    """No traceback for a cluster that is not there."""
    port = free_port()
    done = subprocess.run(
        [*DEMO, "--check", "--yes"],
        capture_output=True,
        text=True,
        env=environment(tmp_path, OPENSEARCH_URL=f"http://127.0.0.1:{port}"),
        check=False,
    )
    assert done.returncode == 1
    assert str(port) in done.stderr
    assert "Traceback" not in done.stderr
