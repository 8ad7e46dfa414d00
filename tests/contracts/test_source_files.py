"""Rules that hold for every source file of the project."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAX_LINES = 400


def project_files() -> list[Path]:
    """Every file that is tracked or would be: what git does not ignore."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    files = (ROOT / name for name in listed.split("\0") if name)
    return sorted(file for file in files if file.is_file())


def python_files() -> list[Path]:
    """The project's Python files."""
    return [file for file in project_files() if file.suffix == ".py"]


def short(file: Path) -> str:
    """A path as a person writes it."""
    return str(file.relative_to(ROOT))


def test_files_have_one_purpose() -> None:
    """A file of more than 400 lines of code has more than one purpose; others' code is theirs."""
    scripts = [file for file in project_files() if file.suffix == ".js"]
    own = [*python_files(), *(file for file in scripts if "vendor" not in file.parts)]
    lines = {short(file): file.read_text().count("\n") for file in own}
    assert len(lines) > 10 and {Path(name).suffix for name in lines} == {".py", ".js"}
    assert {name: count for name, count in lines.items() if count > MAX_LINES} == {}


def test_no_drawer_for_everything() -> None:
    """One concept has one home: there is no module named for what does not belong together."""
    drawers = {"utils", "util", "helpers", "misc", "common"}
    assert [short(file) for file in python_files() if file.stem in drawers] == []


def functions_that_test(file: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every test function or method of a file."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith(
            "test_"
        ):
            yield node


def test_every_test_states_its_rule() -> None:
    """A test's docstring states the rule that it proves."""
    files = [file for file in python_files() if file.is_relative_to(ROOT / "tests")]
    silent = [
        f"{short(file)}:{test.lineno}: {test.name}"
        for file in files
        for test in functions_that_test(file)
        if not ast.get_docstring(test)
    ]
    assert silent == []


def test_no_part_is_replaced_by_an_imitation() -> None:
    """Tests run on the real parts: none patches or mocks anything."""
    imitations = {"unittest.mock", "mock", "pytest_mock", "responses", "requests_mock"}
    found = []
    for file in python_files():
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names = {node.module or ""} | {f"{node.module}.{a.name}" for a in node.names}
            else:
                continue
            if names & imitations:
                found.append(f"{short(file)}:{node.lineno}")
    assert found == []


def machine_words() -> list[str]:
    """Words that tie a file to one machine or one registry; put together so that none is here."""
    hosts = [("pypi", "org"), ("pythonhosted", "org"), ("maven", "org"), ("npmjs", "org")]
    return [
        *(".".join(host) for host in hosts),
        *(f"/{folder}/" for folder in ("work/main", "work/shared", "work/.library")),
        "../" + "shared/",
        "/tmp/" + "contract",
    ]


def test_no_file_knows_this_machine() -> None:
    """No file names a path of the machine it was written on, nor a registry's host."""
    found = []
    for file in project_files():
        try:
            text = file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{short(file)}: {word}" for word in machine_words() if word in text]
    assert found == []


@pytest.mark.parametrize("suffix", [".py", ".md", ".yml", ".yaml", ".json", ".cfg", ".toml"])
def test_text_files_are_tidy(suffix: str) -> None:
    """Text is UTF-8 with line feeds and ends with one; nothing else to merge or to wonder about."""
    untidy = []
    for file in project_files():
        if file.suffix != suffix or {"samples", "broken"} & set(file.parts):
            continue
        raw = file.read_bytes()
        raw.decode("utf-8")
        if raw and (b"\r\n" in raw or not raw.endswith(b"\n") or raw.endswith(b"\n\n")):
            untidy.append(short(file))
    assert untidy == []
