"""``activity-center sources``, run as a user runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

MINE = """name: mine
version: 1
title: Mine
description: D
ignore: [{when: {path: k, equals: noise}, reason: noise}]
fields: {message: m, event.action: {value: server.create}}
"""


def _run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "activity_center", "sources", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder with one mapping of the user's own, with a sample."""
    (tmp_path / "mine" / "samples").mkdir(parents=True)
    (tmp_path / "mine" / "source.yml").write_text(MINE)
    (tmp_path / "mine" / "samples" / "a.ndjson").write_text('{"m": "x"}\n{"k": "noise"}\n')
    return tmp_path


def test_list_and_show(own: Path) -> None:
    """list names every mapping, show tells its rules; both as JSON too."""
    listed = json.loads(_run("list", "--json", "--sources-dir", str(own)).stdout)
    assert {one["name"] for one in listed} >= {"native", "kubernetes-audit", "mine"}
    shown = _run("show", "kubernetes-audit")
    assert shown.returncode == 0
    assert "user.name" in shown.stdout
    assert "user.username" in shown.stdout
    document = json.loads(_run("show", "mine", "--json", "--sources-dir", str(own)).stdout)
    assert document["fields"]["message"] == "m"
    assert "kubernetes-audit" in _run("list").stdout


def test_unknown_name_is_wrong_use() -> None:
    """A name that is none gives exit code 2 and the names that there are."""
    failed = _run("show", "nothing")
    assert failed.returncode == 2
    assert "kubernetes-audit" in failed.stderr


def test_test_fails_until_updated(own: Path) -> None:
    """test gives 1 with the difference; --update writes expected/; then it gives 0."""
    folder = ("--sources-dir", str(own))
    failed = _run("test", "mine", *folder)
    assert failed.returncode == 1
    assert '"message": "x"' in failed.stdout
    assert _run("test", "mine", "--update", *folder).returncode == 0
    passed = _run("test", "mine", "--json", *folder)
    assert passed.returncode == 0
    (report,) = json.loads(passed.stdout)
    assert report["passed"] is True
    assert report["samples"][0]["records"] == 2


def test_shipped_sources_pass() -> None:
    """Without a name, all are tested."""
    done = _run("test")
    assert done.returncode == 0, done.stdout
    assert "no sample shows" not in done.stdout


def test_try_gives_a_document_a_line(own: Path) -> None:
    """try maps standard input line by line, tells what it left out, and fails on bad lines."""
    folder = ("--sources-dir", str(own))
    text = '{"m": "x"}\n\n{"k": "noise"}\nnot json\n[1]\n'
    tried = _run("try", "mine", *folder, stdin=text)
    assert tried.returncode == 1
    (line,) = tried.stdout.splitlines()
    document = json.loads(line)
    assert document["message"] == "x"
    assert document["event"]["category"] == ["host", "configuration"]
    assert "line 3: ignored: noise" in tried.stderr
    assert "line 4: error: not JSON" in tried.stderr
    assert "line 5: rejected: not_an_object" in tried.stderr
    asides = _run("try", "mine", "--json", *folder, stdin=text).stdout.splitlines()
    assert json.loads(asides[1]) == {"line": 3, "ignored": "noise"}
    assert set(json.loads(asides[2])) == {"line", "error"}
    assert json.loads(asides[3])["rejected"]["reason"] == "not_an_object"
    file = own / "mine" / "samples" / "a.ndjson"
    assert _run("try", "mine", str(file), *folder).returncode == 0
    # Each kind of bad line alone decides the exit code; an ignored one does not.
    for line, code in (("[1]", 1), ("not json", 1), ('{"k": "noise"}', 0)):
        assert _run("try", "mine", *folder, stdin=line + "\n").returncode == code, line


def test_broken_mapping_is_one_message(own: Path) -> None:
    """A broken mapping gives file, line, column and rule, and no traceback."""
    (own / "mine" / "source.yml").write_text(MINE + "drop: [a..b]\n")
    failed = _run("list", "--sources-dir", str(own))
    assert failed.returncode == 1
    assert "mine/source.yml:7:8: drop/0: 'a..b' is no path" in failed.stderr
    assert "Traceback" not in failed.stderr
