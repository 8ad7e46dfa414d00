"""The documentation builds, with every warning an error."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_sphinx_builds_without_a_warning(tmp_path: Path) -> None:
    """``make docs`` succeeds: no broken reference, no page outside the tables of contents."""
    pytest.importorskip("sphinx", reason="the extra [docs] is not installed: make docs")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"),
            *("-d", tmp_path / "trees", ROOT / "docs", tmp_path / "html"),
        ],
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert "Activity Center" in (tmp_path / "html/index.html").read_text(encoding="utf-8")
