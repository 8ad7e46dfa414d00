"""``activity-center`` with its arguments in this process: the command line without its start."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout

import pytest

from activity_center.cli import main


def run_here(
    arguments: Sequence[str], environment: Mapping[str, str], typed: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run the entry point to its end, as a process of its own would, a second faster.

    For verbs that leave nothing behind in a process: no thread, no handler, no log that is set up.

    Args:
        environment: the whole of it.
        typed: standard input.
    """
    stdout, stderr = io.StringIO(), io.StringIO()
    command = ["activity-center", *arguments]
    with (
        pytest.MonkeyPatch.context() as process,
        redirect_stdout(stdout),
        redirect_stderr(stderr),
    ):
        for name in {*os.environ} - {*environment}:
            process.delenv(name)
        for name, value in environment.items():
            process.setenv(name, value)
        process.setattr(sys, "argv", command)
        process.setattr(sys, "stdin", io.StringIO(typed))
        try:
            main()
        except SystemExit as ended:
            code = ended.code
    assert isinstance(code, int), code
    return subprocess.CompletedProcess(command, code, stdout.getvalue(), stderr.getvalue())
