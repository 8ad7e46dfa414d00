"""``activity-center alerts``: rules are listed, explained, tested and imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from activity_center.alerting import load_rule, load_rules

if TYPE_CHECKING:
    from tests.conftest import Node

RULES = load_rules()
SIGMA = """
title: Shell in a container
logsource: {product: kubernetes, service: audit}
detection:
  selection: {verb: create, objectRef.resource: pods, objectRef.subresource: exec}
  condition: selection
level: high
"""


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """``activity-center alerts`` with these arguments."""
    return subprocess.run(
        [sys.executable, "-m", "activity_center", "alerts", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def as_json(done: subprocess.CompletedProcess[str], code: int = 0) -> Any:
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def test_list() -> None:
    """Each rule is one line for a pipe; JSON says severity, who evaluates it and its needs."""
    lines = run("list").stdout.splitlines()
    assert [line.split("\t")[0] for line in lines] == [*RULES]
    rows = {row["name"]: row for row in as_json(run("list", "--json"))}
    assert rows["break-glass"]["severity"] == "critical"
    assert rows["break-glass"]["engine"] == "collector or plugin"
    assert rows["agent-without-approval"]["engine"] == "collector"
    assert rows["login-new-country"]["needs"] == ["source.geo.country_iso_code"]
    assert all(row["on"] for row in rows.values())


def test_a_configuration_turns_rules_off_and_adds_some(tmp_path: Path) -> None:
    """``--config`` says which rules are off, and brings rules of one's own."""
    rules = tmp_path / "rules"
    assert run("import", _sigma(tmp_path), "--into", str(rules)).returncode == 0
    config = tmp_path / "activity-center.yml"
    config.write_text(f"alerts: {{without: [break-glass], rules_dir: '{rules}'}}\n")
    rows = {row["name"]: row for row in as_json(run("list", "--json", "--config", str(config)))}
    assert not rows["break-glass"]["on"]
    assert rows["shell-in-a-container"]["title"] == "Shell in a container"


def test_show() -> None:
    """A rule is explained: what it asks, when it fires, what to do; or its monitor is printed."""
    shown = run("show", "mass-deletion").stdout
    for words in (
        RULES["mass-deletion"].question,
        "at least 10 such entries within 10 minutes",
        "What to do:",
    ):
        assert words in shown
    silent = run("show", "source-silent").stdout
    assert "when there is no entry within 1 hour, after at least 100 within 1 day" in silent
    monitor = as_json(run("show", "mass-deletion", "--monitor"))
    assert monitor["monitor_type"] == "bucket_level_monitor"
    assert as_json(run("show", "mass-deletion", "--json"))["window"] == 600
    done = run("show", "agent-without-approval", "--monitor")
    assert (done.returncode, "the collector does" in done.stderr) == (2, True)
    done = run("show", "mas-deletion")
    assert (done.returncode, "did you mean mass-deletion" in done.stderr) == (2, True)


def test_test(opensearch: Node) -> None:
    """The cases of the named rules are replayed on the cluster; all do what they say."""
    environment = {"OPENSEARCH_URL": opensearch.url}
    rows = as_json(run("test", "break-glass", "source-silent", "--json", **environment))
    assert [row["rule"] for row in rows] == ["break-glass"] * 3 + ["source-silent"] * 3
    assert all(row["right"] for row in rows)
    done = run("test", "break-glass", **environment)
    assert done.stdout.splitlines()[-1] == "3 cases of 1 rules, 0 wrong"


def test_a_case_that_fails_is_told(opensearch: Node, tmp_path: Path) -> None:
    """A rule of one's own whose sample does not fire ends with 1 and names the case."""
    document = yaml.safe_load(next(iter(_imported(tmp_path).glob("*.yml"))).read_text())
    document["cases"][0]["documents"][0]["event.action"] = "kubernetes.get"
    (tmp_path / "rules" / "shell-in-a-container.yml").write_text(yaml.safe_dump(document))
    config = tmp_path / "activity-center.yml"
    config.write_text(
        f"opensearch: {{url: '{opensearch.url}'}}\nalerts: {{rules_dir: '{tmp_path}/rules'}}\n"
    )
    done = run("test", "shell-in-a-container", "--config", str(config))
    assert done.returncode == 1
    assert "BAD shell-in-a-container: what the rule describes" in done.stdout
    assert "(0 of 1 alerts)" in done.stdout


def test_import(tmp_path: Path) -> None:
    """A Sigma rule becomes a file that is read like ours; none is replaced without --force."""
    file = next(iter(_imported(tmp_path).glob("*.yml")))
    assert load_rule(file).severity == "high"
    again = run("import", _sigma(tmp_path), "--into", str(file.parent))
    assert (again.returncode, "--force replaces them" in again.stderr) == (1, True)
    assert run("import", _sigma(tmp_path), "--into", str(file.parent), "--force").returncode == 0
    printed = run("import", _sigma(tmp_path)).stdout
    assert printed.startswith("# shell-in-a-container.yml\ntitle: Shell in a container\n")


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"\xff\xfe", "not UTF-8"), (b"title: x", "no Sigma rule"), (None, "No such file")],
)
def test_what_cannot_be_imported(tmp_path: Path, content: bytes | None, words: str) -> None:
    """What is no Sigma rule is refused with its name, without a traceback."""
    file = tmp_path / "x.yml"
    if content is not None:
        file.write_bytes(content)
    done = run("import", str(file))
    assert done.returncode == 1
    assert words in done.stderr
    assert "x.yml" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "--dry-run"),
        ("run", "--json"),
        ("run", "break-glass", "--once"),
        ("run", "--once", "--at", "2026-11-24T13:05:00Z"),
        ("run", "--once", "--dry-run", "--at", "noon"),
        ("run",),
    ],
)
def test_wrong_use(arguments: tuple[str, ...]) -> None:
    """Options that do not go together are refused with 2, before anything is asked."""
    done = run(*arguments, OPENSEARCH_URL="http://127.0.0.1:1")
    assert done.returncode == 2, done.stderr


def _sigma(tmp_path: Path) -> str:
    file = tmp_path / "sigma.yml"
    file.write_text(SIGMA)
    return str(file)


def _imported(tmp_path: Path) -> Path:
    done = run("import", _sigma(tmp_path), "--into", str(tmp_path / "rules"))
    assert done.returncode == 0, done.stderr
    return tmp_path / "rules"
