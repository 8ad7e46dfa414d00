"""The table of features tells the truth about what is there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/features.md"
ASKED: Final = {"A": 17, "B": 10, "C": 10, "D": 4, "E": 8}
"""How many rows each part asks for; M is what this project adds to be able to do them."""


class Row(NamedTuple):
    """One row of the page."""

    name: str
    what: str
    state: str
    where: str
    test: str


def rows() -> list[Row]:
    """Every row of every table of the page."""
    found = re.findall(r"^\| ([A-Z]\d+) \|(.*)\|$", PAGE.read_text(encoding="utf-8"), re.M)
    return [Row(name, *(cell.strip() for cell in rest.split("|"))) for name, rest in found]


def test_every_row_is_there_once() -> None:
    """No asked row is left out, none stands twice."""
    names = [row.name for row in rows()]
    wanted = [f"{part}{number}" for part, count in ASKED.items() for number in range(1, count + 1)]
    assert [name for name in names if name[0] in ASKED] == wanted
    assert len(names) == len(set(names))


def test_what_is_here_names_a_page_and_a_test() -> None:
    """A row names where to find it and a test that exists."""
    wrong = []
    for row in rows():
        page = re.fullmatch(r"\[[^\]]+\]\(([^)#]+)(?:#[^)]*)?\)", row.where)
        tests = re.findall(r"`([^`]+)`", row.test)
        if not page or not (PAGE.parent / page.group(1)).is_file():
            wrong.append(f"{row.name}: page {row.where}")
        if not tests or not all(has_tests(test) for test in tests):
            wrong.append(f"{row.name}: test {row.test}")
    assert wrong == []


def has_tests(name: str) -> bool:
    """Whether ``file`` or ``file::test`` is there; a folder would hide what proves what."""
    path, _, test = name.partition("::")
    file = ROOT / path
    return file.is_file() and (not test or f"def {test}(" in file.read_text(encoding="utf-8"))


def test_every_row_is_here() -> None:
    """The page has one state: what does not work has no row."""
    assert [row.name for row in rows() if row.state != "here"] == []
