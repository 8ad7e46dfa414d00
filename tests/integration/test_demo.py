"""``activity-center demo``: everything at once, on real parts."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from activity_center.agents import verdicts
from activity_center.config import Cluster
from activity_center.demo import process as processes
from activity_center.demo.people import names
from activity_center.demo.play import Player
from activity_center.demo.stack import Stack
from activity_center.demo.workload import Event, generate
from activity_center.errors import ActivityCenterError
from tests.conftest import Node
from tests.integration.process import free_port

DEMO = [sys.executable, "-m", "activity_center", "demo"]
PROPOSALS = [*DEMO[:-1], "proposals"]
DEMO_EVENTS = [{"term": {"activity.sender": "fluentd"}}]
"""The month's events over Forward: they have ids of their own."""


def environment(state: Path | str, **more: str) -> dict[str, str]:
    return {**os.environ, "ACTIVITY_CENTER_STATE": str(state), **more}


def check(opensearch: Node, state: Path) -> tuple[int, dict[str, float], str]:
    """Run the demo's check; return exit code, summary and what went to stderr."""
    done = subprocess.run(
        [*DEMO, "--check", "--json", "--yes", "--days", "7"],
        capture_output=True,
        text=True,
        env=environment(state, OPENSEARCH_URL=opensearch.url),
        check=False,
    )
    return done.returncode, json.loads(done.stdout or "{}"), done.stderr


def test_every_event_of_the_month_is_found_exactly_once(opensearch: Node, tmp_path: Path) -> None:
    """Played over Forward and HTTP; a second run finds the same and adds nothing; its week has
    every verdict but the one that takes longer; and a second document of one event is found,
    named, and ends with exit code 1."""
    for _ in range(2):
        code, summary, errors = check(opensearch, tmp_path)
        assert code == 0, errors
        assert list(summary) == ["sent", "found", "missing", "duplicates", "rejected", "seconds"]
        assert summary["sent"] == summary["found"] > 300
        assert summary["missing"] == summary["duplicates"] == summary["rejected"] == 0
    assert _verdicts(opensearch, "7d") | _verdicts(opensearch, "40d") == set(verdicts())
    assert _verdicts(opensearch, "7d") >= set(verdicts()) - {"unknown"}
    body = {"size": 1, "query": {"bool": {"filter": DEMO_EVENTS}}, "sort": [{"@timestamp": "desc"}]}
    [hit] = opensearch.client.search(index="activity-audit-*", body=body)["hits"]["hits"]
    planted = opensearch.client.index(
        index=hit["_index"].removeprefix(".ds-")[:-7],
        id="planted-twice",
        body=hit["_source"],
        params={"op_type": "create"},
    )
    try:
        code, summary, errors = check(opensearch, tmp_path)
        assert (code, summary["duplicates"], summary["missing"]) == (1, 1, 0), errors
    finally:
        opensearch.client.delete(index=planted["_index"], id="planted-twice")


def _verdicts(opensearch: Node, since: str) -> set[str]:
    """The verdicts that are met among the chains of the demo's organizations."""
    found: set[str] = set()
    for organization in names():
        done = subprocess.run(
            [*PROPOSALS, "verdicts", "--json", "--from", since, "--organization", organization],
            capture_output=True,
            text=True,
            env={**os.environ, "OPENSEARCH_URL": opensearch.url},
            check=True,
        )
        found |= {one["verdict"] for one in json.loads(done.stdout) if one["count"]}
    return found


@pytest.fixture
def alone() -> Iterator[None]:
    """One demo that stays up at a time, over all workers: a folder has one."""
    with (Path(os.environ["ACTIVITY_CENTER_STATE"]) / "demo.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_live_demo_shows_the_three_lenses_and_ends_by_a_signal(number: int) -> None:
    """What came back out of OpenSearch is on the screen; the printed lines work as they are,
    and ``doctor`` finds nothing wrong; Ctrl-C, SIGTERM and a closed terminal stop the collector."""
    process = subprocess.Popen(
        [*DEMO, "--days", "5"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(os.environ["ACTIVITY_CENTER_STATE"], PYTHONUNBUFFERED="1"),
        start_new_session=True,
        # Tests that run under nohup would hand on that SIGHUP is to be ignored.
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    )
    assert process.stdout is not None
    seen = ""
    for line in process.stdout:
        seen += line
        if "metrics:" in line:
            break
    (curl,) = [line.strip() for line in seen.splitlines() if line.startswith("  curl ")]
    # It is a line for people, to be pasted into a shell.
    pasted = subprocess.run(curl, shell=True, capture_output=True, text=True, check=False)
    assert '"accepted":1' in pasted.stdout.replace(" ", ""), pasted.stdout + pasted.stderr
    elsewhere = {k: v for k, v in os.environ.items() if k != "ACTIVITY_CENTER_STATE"}
    for words in (" rejected list ", " doctor"):
        done = subprocess.run(
            printed(seen, words), capture_output=True, text=True, check=False, env=elsewhere
        )
        assert done.returncode == 0, done.stdout + done.stderr
    watching = subprocess.Popen(
        [*printed(seen, " processes watch "), "--json"],
        stdout=subprocess.PIPE,
        text=True,
        env=elsewhere,
    )
    assert watching.stdout is not None
    assert json.loads(watching.stdout.readline())["kind"] == "snapshot"
    watching.kill()
    watching.wait()
    (page,) = re.findall(r"Open the audit trail:\s+(http://127\.0\.0\.1:\d+)", seen)
    with urllib.request.urlopen(f"{page}/api/v1/activities", timeout=20) as answer:
        assert json.load(answer)["page"]["total"] > 100
    with urllib.request.urlopen(page, timeout=20) as answer:
        assert "Activity Center" in answer.read().decode()
    process.send_signal(number)
    rest = process.stdout.read()
    assert process.wait(60) == 0, rest
    for words in ("each exactly once", "Audit trail", "AI activity", "Processes"):
        assert words in seen
    assert "Stopping the collector" in rest
    (url,) = set(re.findall(r"http://127\.0\.0\.1:\d+(?=/v1)", seen))
    for ended in (url, page):
        with pytest.raises(OSError):
            urllib.request.urlopen(ended, timeout=5)


def test_a_connection_that_the_collector_closed_is_opened_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The collector closes what idles: the next events go over a new connection, and count."""
    # It never gets rid of what it has: nobody waits until it gives up.
    monkeypatch.setattr(processes, "_STOP_SECONDS", 1.0)
    nowhere = Cluster(url="http://127.0.0.1:1")
    stack = Stack(tmp_path, nowhere, {}, ("platform", "agents", "kubernetes", "search"))
    events = _of_each_transport()
    sent: list[int] = []
    player = Player(stack)
    try:
        stack.start()
        player.play(events, sent.append)
        stack.stop()
        stack.start()
        player.play(events, sent.append)
        assert player.played.sent == len(sent) == 2 * len(events)
        stack.stop()
        with pytest.raises(ActivityCenterError, match="does not answer"):
            player.play([one for one in events if one.transport == "http"], sent.append)
    finally:
        player.close()
        stack.stop()


def _of_each_transport() -> list[Event]:
    """One event over Forward, one over HTTP."""
    found: dict[str, Event] = {}
    for event in generate(1, datetime(2026, 1, 1, tzinfo=UTC), days=2):
        if event.transport == "http" or event.id is not None:
            found.setdefault(event.transport, event)
    assert set(found) == {"forward", "http"}
    return list(found.values())


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


def printed(text: str, words: str) -> list[str]:
    """A command that the demo printed, by this interpreter: it names the demo's folder itself."""
    (line,) = [line for line in text.splitlines() if words in line and line.startswith("  ACT")]
    state, _, *arguments = shlex.split(line)
    assert state == f"ACTIVITY_CENTER_STATE={os.environ['ACTIVITY_CENTER_STATE']}"
    return ["env", state, sys.executable, "-m", "activity_center", *arguments]
