"""Where things lie is said where one looks for it, as the code has it, for root too."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from activity_center.node.folders import DEFAULTS, Default

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(("variable", "default"), DEFAULTS.items(), ids=list(DEFAULTS))
@pytest.mark.parametrize("verb", ["node", "demo"])
def test_the_help_names_both_folders(verb: str, variable: str, default: Default) -> None:
    """``node --help`` and ``demo --help`` have a line with a user's folder, root's, and the
    variable."""
    text = subprocess.run(
        [sys.executable, "-m", "activity_center", verb, "--help"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    lines = [line.split() for line in text.splitlines()]
    assert [f"~/{default.user}", f"({default.root})", variable] in lines


@pytest.mark.parametrize(("variable", "default"), DEFAULTS.items(), ids=list(DEFAULTS))
def test_readme_and_install_name_both_folders(variable: str, default: Default) -> None:
    """A newcomer reads where downloads and data go, also as root, and what moves them."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    before, _, _ = readme.partition("<!-- capture of")
    for told in (variable, f"~/{default.user}", default.root):
        assert f"`{told}`" in before
    assert "not root" in before
    install = (ROOT / "docs/install.md").read_text(encoding="utf-8")
    row = f"| `{variable}` | `~/{default.user}` | `{default.root}` | `{default.xdg}` |"
    assert row in install
