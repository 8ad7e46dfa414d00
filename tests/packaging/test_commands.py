"""The commands that README and CI name: make's targets, and the plugin that watches skips."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ROOT / "tests/plugins"
SUITE = """
import pytest

def test_passes(): pass

@pytest.mark.slow
def test_long(): pass

def test_without_its_tool(): pytest.skip("no such tool here")

@pytest.mark.xfail(reason="known")
def test_known(): assert False
"""
MODULE = """
import pytest

pytest.importorskip("a_module_that_is_not_there")
"""


def targets() -> set[str]:
    """What ``make`` alone lists."""
    done = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(re.findall(r"^  make ([\w-]+)", done.stdout, re.M))


def test_make_lists_its_targets() -> None:
    """``make`` alone changes nothing: it lists what there is."""
    own = {"help", "demo", "test", "lint", "bench", "docs", "clean"}
    assert targets() == own | {"chart", "chart-cluster", "chart-docs", "image", "image-lock"}


@pytest.mark.parametrize("file", ["README.md", "CONTRIBUTING.md", ".ci/run", "docs/index.md"])
def test_named_targets_exist(file: str) -> None:
    """Every ``make TARGET`` that a person or CI is told to run is there."""
    text = (ROOT / file).read_text(encoding="utf-8")
    words = set(re.findall(r"(?:`|^|60m )make ([a-z-]+)", text, re.M))
    assert words and words <= targets(), words - targets()


def test_ci_runs_the_readmes_test_command() -> None:
    """CI lints and tests by the same targets as a person, and forbids skips."""
    text = (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert re.search(r"\bmake lint( \w+)* test$", text, re.M)
    assert "ACTIVITY_CENTER_NO_SKIPS=1" in text
    assert "set -euo pipefail" in text
    assert os.access(ROOT / ".ci/run", os.X_OK)


def suite(folder: Path, *arguments: str, no_skips: bool) -> subprocess.CompletedProcess[str]:
    """Run a small suite the way ``make test`` does."""
    (folder / "test_suite.py").write_text(SUITE)
    (folder / "setup.cfg").write_text((ROOT / "setup.cfg").read_text(encoding="utf-8"))
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no_skips", *arguments, "."],
        cwd=folder,
        env={
            "PYTHONPATH": str(PLUGINS),
            "PATH": os.environ["PATH"],
            "ACTIVITY_CENTER_NO_SKIPS": "1" if no_skips else "0",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["one", "xdist"])
def test_what_was_left_out_is_named(workers: list[str], tmp_path: Path) -> None:
    """A run says at its end which tests it left out, and why; that is no failure."""
    done = suite(tmp_path, *workers, no_skips=False)
    assert done.returncode == 0, done.stdout
    _, _, said = done.stdout.partition("left out")
    assert "1 slow: run them with make test ARGS='-m slow'" in said
    assert "test_suite.py::test_without_its_tool: Skipped: no such tool here" in said
    assert "test_known" not in said


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["one", "xdist"])
def test_ci_fails_on_what_was_left_out(workers: list[str], tmp_path: Path) -> None:
    """With ACTIVITY_CENTER_NO_SKIPS=1 a skip fails; slow tests and expected failures do not."""
    done = suite(tmp_path, *workers, no_skips=True)
    assert done.returncode == 1, done.stdout
    assert re.search(r"^1 failed, 1 passed.* 1 xfailed", done.stdout, re.M)
    assert "forbids that: Skipped: no such tool here" in done.stdout


def test_ci_fails_on_a_module_that_leaves_itself_out(tmp_path: Path) -> None:
    """A module that skips as a whole is an error too."""
    (tmp_path / "test_module.py").write_text(MODULE)
    done = suite(tmp_path, no_skips=True)
    assert done.returncode != 0
    assert "a_module_that_is_not_there" in done.stdout
