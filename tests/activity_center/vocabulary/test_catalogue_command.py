"""``activity-center catalogue``, run as users run it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from activity_center.vocabulary import actions


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    return subprocess.run(
        [sys.executable, "-m", "activity_center", "catalogue", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_list() -> None:
    """``list`` prints each action on a line of its own."""
    done = run("list")
    assert done.returncode == 0
    head, *rows = done.stdout.splitlines()
    assert head.split()[:3] == ["ACTION", "TYPE", "LABEL"]
    assert [row.split()[0] for row in rows] == list(actions())


@pytest.mark.parametrize(
    ("arguments", "holds"),
    [
        (("--type", "workspace"), lambda one: one["type"] == "Workspace"),
        (("--lens", "process"), lambda one: one["lens"] == "process"),
        (("--verb", "Start/Stop"), lambda one: one["verb"] == "start-stop"),
        (
            ("--verb", "delete", "--lens", "agent"),
            lambda one: one["verb"] == "delete" and one["lens"] == "agent",
        ),
    ],
)
def test_filters(arguments: tuple[str, ...], holds: object) -> None:
    """Filters combine; what they leave is exactly what satisfies them."""
    assert callable(holds)
    everything = json.loads(run("list", "--json").stdout)
    found = json.loads(run("list", "--json", *arguments).stdout)
    assert found
    assert found == [one for one in everything if holds(one)]


@pytest.mark.parametrize(
    ("arguments", "known"), [(("--type", "Sevrers"), "Servers"), (("--verb", "stop"), "start-stop")]
)
def test_an_unknown_filter_is_wrong_use(arguments: tuple[str, ...], known: str) -> None:
    """A filter value that nothing has is told, with those that exist, and exit code 2."""
    done = run("list", *arguments)
    assert done.returncode == 2
    assert known in done.stderr


def test_show() -> None:
    """``show`` explains an action in words, and in one object with ``--json``."""
    done = run("show", "workspace.terminate")
    assert done.returncode == 0
    assert "Workspace: Terminate" in done.stdout
    assert "told at once" in done.stdout
    shown = json.loads(run("show", "workspace.terminate", "--json").stdout)
    assert shown["critical"] is True
    assert shown["catalogued"] is True
    assert shown["category"] == ["configuration", "host"]


def test_show_an_unknown_action() -> None:
    """An unknown action is kept and marked, says ``show``; it names near ones and exits 1."""
    done = run("show", "server.crate")
    assert done.returncode == 1
    assert "kept" in done.stdout
    assert "uncatalogued" in done.stdout or "activity.catalogued: false" in done.stdout
    assert "server.create" in done.stdout
    shown = run("show", "server.crate", "--json")
    assert shown.returncode == 1
    assert json.loads(shown.stdout)["near"][0] == "server.create"


def test_show_something_like_nothing() -> None:
    """An action like none of the catalogue gets no far-fetched suggestion."""
    done = run("show", "zzzzqqqq", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout) == {"name": "zzzzqqqq", "catalogued": False, "near": []}
