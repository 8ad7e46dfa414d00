"""The CSV: RFC 4180, no formulas, nothing lost."""

from __future__ import annotations

import csv as reader
import io
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activity_center.generate.tree import tree
from activity_center.vocabulary import fields
from sidecar_api.export import csv
from sidecar_api.export.columns import COLUMNS
from tests.sidecar_api.export.test_ocsf import _example, bare

FORMULAS = [
    "=1+1",
    "=cmd|' /C calc'!A0",
    '=HYPERLINK("http://x.example","y")',
    "+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "=",
    "-",
    "\uff1d1+1",
    "\uff0b1",
    "\uff0d1",
    "\uff20A1",
]


def cells(line: bytes) -> list[str]:
    """The cells of one row, by Python's reader of RFC 4180."""
    (row,) = reader.reader(io.StringIO(line.decode(), newline=""), strict=True)
    return row


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_begins_as_a_formula(text: str) -> None:
    """A cell that a spreadsheet would run gets an apostrophe, is quoted, and reads back."""
    made = csv.cell(text)
    assert made.startswith("\"'") and made.endswith('"')
    (back,) = cells(made.encode())
    assert back[0] == "'" and csv.read(back) == text


@given(st.text(alphabet=";\t\r\n'=+-@ \"ab"))
def test_no_part_of_a_cell_begins_as_a_formula(text: str) -> None:
    """Also where cells are parted at ``;`` or TAB, as spreadsheets in much of the world do."""
    made = csv.cell(text)
    _, *parts = re.split(r"[;\t\r\n]", made)
    for part in parts:
        assert part.lstrip(' "')[:1] not in {*"=+-@"}, made
    (back,) = cells(made.encode())
    assert csv.read(back) == text


@pytest.mark.parametrize("value", [-1, -0.5, ["=1"], {"=a": 1}])
def test_no_number_or_list_begins_as_a_formula(value: Any) -> None:
    """A negative number is guarded like text; JSON begins with a bracket."""
    (back,) = cells(csv.cell(value).encode())
    assert back[0] not in "=+-@"
    assert json.loads(csv.read(back)) == value


@given(st.text())
def test_every_text_reads_back(text: str) -> None:
    """Reading a cell and dropping one leading apostrophe gives the text, whatever it is."""
    text = text.encode("utf-8", "ignore").decode()
    (back,) = cells(csv.cell(text).encode())
    assert csv.read(back) == text
    assert not back or back[0] not in "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"


@pytest.mark.parametrize(
    ("value", "made"),
    [
        (None, ""),
        ("", '""'),
        (True, "true"),
        (False, "false"),
        (201, "201"),
        (0.5, "0.5"),
        (0, "0"),
    ],
)
def test_plain_values(value: Any, made: str) -> None:
    """No value is an empty cell, an empty text a quoted one; numbers stand bare."""
    assert csv.cell(value) == made


def test_a_row_has_every_detail() -> None:
    """Columns in their order, lists and objects as JSON, and the rest in the last column."""
    activity = {"id": "e1", **_example(tree(fields().values()))}
    row = dict(zip(COLUMNS, map(csv.read, cells(csv.line(activity))), strict=True))
    assert row["@timestamp"] == "2026-11-24T13:02:31.418000Z"
    assert row["id"] == "e1"
    assert row["user.full_name"] == "Mira Kovač"
    assert json.loads(row["activity.changes"]) == activity["activity"]["changes"]
    assert json.loads(row["activity.old_value"]) == {"plan": "premium"}
    assert json.loads(row["activity.new_value"]) == {"plan": "enterprise"}
    assert json.loads(row["metadata"]) == {"backup_type": "full"}
    put_back = json.loads(row["other"])
    for name in COLUMNS[:-1]:
        if row[name]:
            node = put_back
            *parents, leaf = name.split(".")
            for part in parents:
                node = node.setdefault(part, {})
            node[leaf] = True
    assert _paths(put_back) == _paths(activity)


def _paths(node: Any, path: str = "") -> set[str]:
    if not isinstance(node, dict):
        return {path}
    return {path for path, _ in _leaves(node)}


def _leaves(node: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for key, value in node.items():
        name = f"{prefix}{key}"
        deeper = isinstance(value, dict) and name not in COLUMNS
        found += _leaves(value, f"{name}.") if deeper else [(name, value)]
    return found


def test_columns_are_fields() -> None:
    """Every column is a field of the vocabulary, but for the two that are ours."""
    assert set(COLUMNS) - set(fields()) == {"id", "other"}
    assert len(set(COLUMNS)) == len(COLUMNS)


def test_the_header_is_a_row() -> None:
    """The header has the columns' names, guarded like every cell, and CRLF at its end."""
    assert csv.HEADER.endswith(b"\r\n")
    assert [csv.read(name) for name in cells(csv.HEADER)] == list(COLUMNS)


def test_a_value_of_the_wrong_shape_is_kept() -> None:
    """Where an object is expected and something else is, it stands in the last column."""
    activity = {**bare("server.create"), "user": "mira", "source": {"geo": None}}
    row = dict(zip(COLUMNS, cells(csv.line(activity)), strict=True))
    assert json.loads(row["other"])["user"] == "mira"
