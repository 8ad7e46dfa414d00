"""``activity-center node`` as a person and as a script use it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line as a process of its own, with nobody to ask."""
    return subprocess.run(
        [sys.executable, "-m", "activity_center", "node", *arguments],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_life_of_a_node() -> None:
    """start, status, stop and wipe with the exit codes and JSON that scripts rely on."""
    name = f"cli-{os.getpid()}"
    absent = run("status", "--name", name, "--json")
    assert absent.returncode == 1
    assert json.loads(absent.stdout) == {"name": name, "running": False, "exists": False}

    started = run("start", "--name", name, "--heap", "256m", "--json")
    assert started.returncode == 0, started.stderr
    facts = json.loads(started.stdout)
    assert facts["already_running"] is False
    assert Path(facts["log_file"]).is_file()

    again = run("start", "--name", name)
    assert again.returncode == 0
    assert "is already running" in again.stdout
    assert f"OPENSEARCH_URL={facts['url']} activity-center install" in again.stdout

    there = run("status", "--name", name, "--json")
    assert there.returncode == 0
    assert json.loads(there.stdout)["pid"] == facts["pid"]

    assert json.loads(run("stop", "--name", name, "--json").stdout)["stopped"] is True
    stopped = run("status", "--name", name)
    assert stopped.returncode == 1
    assert "its data is kept" in stopped.stdout
    assert "was not running" in run("stop", "--name", name).stdout

    unasked = run("wipe", "--name", name)
    assert unasked.returncode == 2
    assert "--yes" in unasked.stderr
    assert Path(facts["folder"]).is_dir()
    assert run("wipe", "--name", name, "--yes").returncode == 0
    assert not Path(facts["folder"]).exists()


def test_a_cluster_of_ones_own_downloads_nothing(tmp_path: Path) -> None:
    """With OPENSEARCH_URL set, start says so, and no cache or node appears."""
    answer = run(
        "start",
        OPENSEARCH_URL="https://user:hidden@search.example.org:9200",
        ACTIVITY_CENTER_CACHE=str(tmp_path / "cache"),
        ACTIVITY_CENTER_STATE=str(tmp_path / "state"),
    )
    assert answer.returncode == 0
    assert "https://search.example.org:9200 is used" in answer.stdout
    assert "hidden" not in answer.stdout + answer.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "wrong",
    [("--name", "../x"), ("--heap", "lots"), ("--port", "70000"), ("--what",)],
)
def test_wrong_use_is_exit_code_2(wrong: tuple[str, ...]) -> None:
    """Wrong options are told apart from failures, before anything is done."""
    answer = run("start", *wrong)
    assert answer.returncode == 2
    assert "Error" in answer.stderr


def test_a_failure_is_exit_code_1() -> None:
    """A node that cannot be started ends with 1 and one message, not a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        answer = run("start", "--name", "taken", "--port", str(taken.getsockname()[1]))
    assert answer.returncode == 1
    assert "is in use" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_help_has_examples() -> None:
    """Each verb shows how it is used."""
    for verb in ((), ("start",), ("stop",), ("status",), ("wipe",)):
        text = run(*verb, "--help").stdout
        assert "activity-center node" in text.partition("Examples:")[2], verb


def test_start_with_security_names_where_the_password_is(secure_opensearch: Any) -> None:
    """People are told the file, never the password itself."""
    info = secure_opensearch.info
    for arguments in (("--json",), ()):
        answer = run("status", "--name", info.name, *arguments)
        assert "admin-password" in answer.stdout
        assert info.password not in answer.stdout + answer.stderr
