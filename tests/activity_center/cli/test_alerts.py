"""``activity-center alerts``: rules are listed, explained, tested and imported."""

from __future__ import annotations

import json
import os
import re
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
    """Each rule is one line for a pipe, below the names of the columns; JSON says severity, who
    evaluates it and its needs."""
    head, *lines = run("list").stdout.splitlines()
    assert head.split("\t") == ["name", "severity", "kind", "on", "engine", "needs", "title"]
    assert [line.split("\t")[0] for line in lines] == [*RULES]
    rows = {row["name"]: row for row in as_json(run("list", "--json"))}
    assert rows["break-glass"]["severity"] == "critical"
    assert rows["break-glass"]["engine"] == "collector or plugin"
    assert rows["agent-without-approval"]["engine"] == "collector"
    assert rows["login-new-country"]["needs"] == ["source.geo.country_iso_code"]
    assert all(row["on"] for row in rows.values())


@pytest.mark.parametrize("columns", [80, 120])
def test_list_on_a_terminal(columns: int) -> None:
    """Name, severity and title of every rule can be read, no name is folded, and on 120 columns
    no title; what is left out for that is named."""
    shown = run("list", COLUMNS=str(columns), FORCE_COLOR="1").stdout
    head, *lines, note = re.sub(r"\x1b\[[0-9;]*m", "", shown).splitlines()
    rows = [line for line in lines if not line.startswith(" ")]
    for rule, row in zip(RULES.values(), rows, strict=True):
        assert row.split()[:3] == [rule.name, rule.severity, "on"]
    at = head.index("title")
    titles = " ".join(line[at:].strip() for line in lines)
    assert titles == " ".join(rule.title for rule in RULES.values())
    assert len(rows) == len(lines) or columns == 80
    left_out = "kind, needs" if columns == 120 else "kind, needs, engine"
    assert note == f"not shown for want of room: {left_out}; --json has everything"
    assert max(len(line.rstrip()) for line in (head, *lines)) <= columns


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
    assert [row["rule"] for row in rows] == ["break-glass"] * 3 + ["source-silent"] * 4
    assert all(row["right"] for row in rows)
    done = run("test", "break-glass", **environment)
    assert done.stdout.splitlines()[-1] == "3 cases of 1 rule, 0 wrong"
    done = run("test", "break-glass", "source-silent", **environment)
    assert done.stdout.splitlines()[-1] == "7 cases of 2 rules, 0 wrong"


def test_a_node_that_does_not_answer() -> None:
    """It is said that OpenSearch does not answer, and not that tidying up failed."""
    done = run("test", "break-glass", OPENSEARCH_URL="http://127.0.0.1:1")
    assert (done.returncode, done.stdout) == (1, "")
    assert "GET /: no answer from OpenSearch" in done.stderr
    assert "hint: is the address right, is the node up?" in done.stderr
    assert "DELETE" not in done.stderr


def test_a_wrong_file_beside_good_ones(opensearch: Node, tmp_path: Path) -> None:
    """The other rules are listed, shown and tested, and standard error says what is wrong, with
    the file; that one itself can be neither shown nor tested, and it all ends with 1."""
    good = _imported(tmp_path) / "shell-in-a-container.yml"
    (tmp_path / "rules" / "broken.yml").write_text(good.read_text().replace("10m", "ten"))
    (tmp_path / "rules" / "unread.yaml").write_text(good.read_text())
    config = tmp_path / "activity-center.yml"
    config.write_text(
        f"opensearch: {{url: '{opensearch.url}'}}\nalerts: {{rules_dir: '{tmp_path}/rules'}}\n"
    )
    arguments = ("--config", str(config))
    for more in ((), ("--json",)):
        done = run("list", *more, *arguments)
        assert done.returncode == 1
        assert "shell-in-a-container" in done.stdout and "break-glass" in done.stdout
        assert "broken" not in done.stdout
        assert re.search(r"broken\.yml:\d+: window: 'ten': must be a number", done.stderr)
        assert "hint: rename it unread.yml" in done.stderr
    done = run("test", "shell-in-a-container", *arguments)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (1, "2 cases of 1 rule, 0 wrong")
    assert "broken.yml" in done.stderr
    assert run("show", "break-glass", *arguments).returncode == 0
    for verb in ("show", "test"):
        done = run(verb, "broken", *arguments)
        assert (done.returncode, done.stdout) == (1, "")
        assert "broken.yml" in done.stderr and "unread" not in done.stderr


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
    [
        (b"\xff\xfe", "not UTF-8"),
        (b"title: x", "x.yml:1: no Sigma rule"),
        (b"- 1", "x.yml:1: a rule is a mapping"),
        (b"a: {b: c\nd: e", "x.yml:2: not YAML: did not find expected"),
        (None, "cannot read it: No such file"),
    ],
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
    assert "\n  hint: " in done.stderr
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


def test_the_example_of_the_docs(opensearch: Node, tmp_path: Path) -> None:
    """The rule of docs/alerts.md can be pasted under its name: the commands say what is there."""
    page = (Path(__file__).parents[3] / "docs" / "alerts.md").read_text(encoding="utf-8")
    (tmp_path / "rules").mkdir()
    name, rule = re.findall(r"```yaml\n# (rules/\S+\.yml)\n(.*?)```", page, re.S)[0]
    (tmp_path / name).write_text(rule)
    _, _, said = page.partition("alerts: {rules_dir: rules}")
    config = tmp_path / "activity-center.yml"
    config.write_text(
        f"opensearch: {{url: '{opensearch.url}'}}\nalerts: {{rules_dir: '{tmp_path}/rules'}}\n"
    )
    done = run("test", Path(name).stem, "--config", str(config))
    assert done.returncode == 0, done.stderr
    command, told = f"alerts test {Path(name).stem} --config activity-center.yml\n", done.stdout
    assert f"{command}{told}```" in said
