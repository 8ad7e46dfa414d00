"""Generated files: up to date, deterministic, and stale ones are named."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from activity_center import generate
from activity_center.errors import VocabularyError
from activity_center.vocabulary import actions, fields, permissions, retention_classes

SCHEMA = "activity_center/vocabulary/event.schema.json"
SETTINGS = "opensearch/templates/component/activity-settings.json"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with what generation reads and writes."""
    folders = ("activity_center/vocabulary", "opensearch/templates", "docs/reference", "dashboards")
    for name in folders:
        shutil.copytree(
            generate.CHECKOUT / name,
            tmp_path / name,
            ignore=shutil.ignore_patterns("__pycache__", "*.py"),
        )
    return tmp_path


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run ``activity-center generate``."""
    return subprocess.run(
        [sys.executable, "-m", "activity_center", "generate", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_checkout_is_up_to_date() -> None:
    """What is committed is what the vocabulary gives (else: activity-center generate)."""
    assert generate.stale() == []


def test_the_same_vocabulary_gives_the_same_bytes() -> None:
    """Output does not hang on the hash seed of the process, as the order of a set would."""
    code = (
        "import hashlib; from activity_center.generate import outputs;"
        "print(hashlib.sha256(repr(sorted(outputs().items())).encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=generate.CHECKOUT,
            env={"PYTHONHASHSEED": seed, "PATH": "", "LC_ALL": "C"},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2", "3")
    }
    ours = hashlib.sha256(repr(sorted(generate.outputs().items())).encode()).hexdigest()
    assert digests == {ours}


def test_check_names_each_stale_file(checkout: Path) -> None:
    """A changed, a missing and a left-over file are each named; --check exits 2, writes nothing."""
    (checkout / SCHEMA).write_text("{}")
    (checkout / SETTINGS).unlink()
    left = "opensearch/templates/index/activity-old.json"
    (checkout / left).write_text("{}")
    expected = sorted([SCHEMA, SETTINGS, left])
    assert generate.stale(checkout) == expected
    done = run("--check", "--root", checkout)
    assert done.returncode == 2
    assert [line for line in done.stderr.splitlines() if line.startswith("stale: ")] == [
        f"stale: {path}" for path in expected
    ]
    shown = run("--check", "--json", "--root", checkout)
    assert (shown.returncode, json.loads(shown.stdout)) == (
        2,
        {"stale": expected, "written": False},
    )
    assert (checkout / SCHEMA).read_text() == "{}"


def test_generate_mends_what_is_stale(checkout: Path) -> None:
    """A run writes what is stale, removes what is left over, and then all is up to date."""
    (checkout / SCHEMA).write_text("{}")
    left = checkout / "opensearch/templates/index/activity-old.json"
    left.write_text("{}")
    done = run("--root", checkout)
    assert done.returncode == 0, done.stderr
    assert f"wrote {SCHEMA}" in done.stdout
    assert "removed opensearch/templates/index/activity-old.json" in done.stdout
    assert not left.exists()
    assert generate.stale(checkout) == []
    assert run("--check", "--root", checkout).returncode == 0


def test_outside_a_checkout(tmp_path: Path) -> None:
    """Generating anywhere but in a checkout is refused, and writes nothing."""
    with pytest.raises(VocabularyError, match="no checkout"):
        generate.write(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert run("--root", tmp_path).returncode == 1


def page(name: str) -> str:
    """A generated page of the reference."""
    return (generate.CHECKOUT / "docs" / "reference" / f"{name}.md").read_text(encoding="utf-8")


def test_the_reference_is_whole() -> None:
    """Each field, action, retention class and permission stands in its page, in a table row."""
    for name, known in (
        ("fields", fields()),
        ("actions", actions()),
        ("retention", retention_classes()),
        ("permissions", permissions()),
    ):
        rows = [line for line in page(name).splitlines() if line.startswith("| `")]
        first = {row.split("`")[1] for row in rows}
        assert set(known) <= first, name


def test_tables_are_tables() -> None:
    """Every row of a table has as many cells as its head: no value breaks a table."""
    for name in ("fields", "actions", "retention", "permissions"):
        width = 0
        for line in page(name).splitlines():
            if not line.startswith("|"):
                width = 0
                continue
            cells = line.replace("\\|", "").count("|")
            width = width or cells
            assert cells == width, line
