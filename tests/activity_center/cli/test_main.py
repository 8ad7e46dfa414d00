"""The command line's frame: unknown verbs, broken connections, how a command is printed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_SENDS_TO_A_CLOSED_SOCKET = """
import socket
import sys
import click
from activity_center import cli
from activity_center.cli import generate

@click.command()
def command():
    here, there = socket.socketpair()
    there.close()
    here.sendall(b"x")

generate.command = command
sys.argv = ["activity-center", "generate"]
cli.main()
"""

_PRINTS_MUCH = """
import sys
import click
from activity_center import cli
from activity_center.cli import generate

@click.command()
def command():
    while True:
        print("x" * 1000, flush=True)

generate.command = command
sys.argv = ["activity-center", "generate"]
cli.main()
"""


@pytest.mark.parametrize(
    ("verb", "package", "extra"),
    [
        ("serve", "gevent", "sidecar"),
        ("serve", "flask", "sidecar"),
        ("collect", "re2", "collector"),
    ],
)
def test_a_missing_extra_is_named(verb: str, package: str, extra: str, tmp_path: Path) -> None:
    """Without the packages of a part: exit code 1 and what to install, no traceback."""
    code = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "from activity_center.cli import main\n"
        f"sys.argv = ['activity-center', {verb!r}, '--config', 'none.yml']\n"
        "main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 1
    assert f"pip install 'activity-center[{extra}]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_verb_names_the_near_one() -> None:
    """Exit code 2, and the verb that was probably meant; none when nothing is near."""
    for word, hint in (("tial", "Did you mean tail?"), ("xyzzy", "No such command 'xyzzy'.\n")):
        done = subprocess.run(
            [sys.executable, "-m", "activity_center", word],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2
        assert hint in done.stderr


def test_a_broken_connection_is_told() -> None:
    """EPIPE of a socket is an error with words, not a reader of stdout that has gone."""
    done = subprocess.run(
        [sys.executable, "-c", _SENDS_TO_A_CLOSED_SOCKET],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "activity-center: a connection broke: Broken pipe" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_that_has_gone_is_no_error() -> None:
    """``activity-center … | head`` ends without words."""
    process = subprocess.Popen(
        [sys.executable, "-c", _PRINTS_MUCH], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(30) == 1
    assert process.stderr.read() == b""
    process.stderr.close()


@pytest.mark.parametrize(("on_path", "expected"), [(False, "CALLED"), (True, "activity-center")])
def test_a_printed_command_can_be_copied(tmp_path: Path, on_path: bool, expected: str) -> None:
    """By its path when the shell would not find it by its name."""
    called = tmp_path / "activity-center"
    called.write_text(
        f"#!{sys.executable}\nfrom activity_center.cli import program\nprint(program())\n"
    )
    called.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}" if on_path else "/usr/bin:/bin"
    done = subprocess.run(
        [str(called)],
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(Path(__file__).parents[3])},
        check=True,
    )
    assert done.stdout.strip() == expected.replace("CALLED", str(called))
