"""The import directions of the project are a contract that is run, not a drawing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter in ``root``, with the packages of ``root``."""
    return subprocess.run(
        [LINT_IMPORTS, "--no-cache"],
        cwd=root,
        env={"PYTHONPATH": str(root), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_contracts_are_kept() -> None:
    """``activity_center`` knows nothing of the collector, and no stage knows the next one."""
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        (
            "activity_center/streams.py",
            "import collector.records",
            "knows nothing of the collector",
        ),
        ("collector/receive/__init__.py", "import collector.normalize", "imports a later one"),
        ("collector/records.py", "import collector.spool", "imports a later one"),
        ("collector/rejections.py", "import collector.pipeline", "imports a later one"),
        ("collector/metrics.py", "import collector.run", "imports a later one"),
        ("collector/normalize/__init__.py", "import socket", "functions over values"),
        ("sidecar_api/recording.py", "import collector.records", "nothing of each other"),
        ("sidecar_api/search/__init__.py", "import sidecar_api.app", "one that builds on it"),
    ],
)
def test_a_broken_contract_is_found(tmp_path: Path, module: str, line: str, contract: str) -> None:
    """Each contract fails on an import that it forbids, and is named."""
    for package in ("activity_center", "collector", "sidecar_api"):
        shutil.copytree(
            ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(ROOT / ".importlinter", tmp_path)
    file = tmp_path / module
    file.write_text(
        file.read_text(encoding="utf-8") + f"\n\ndef _forbidden() -> None:\n    {line}\n"
    )
    done = lint(tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    broken = [row for row in done.stdout.splitlines() if " BROKEN" in row]
    assert any(contract in row for row in broken), done.stdout
