"""Tables: what a narrow terminal leaves out or folds, and what a pipe gets."""

from __future__ import annotations

import re

import pytest

from activity_center.cli.processes_show import show_table
from activity_center.cli.table import table
from activity_center.processes import apply

COLUMNS = ("index", "class", "entries", "tier", "due")
INDEX = ".ds-activity-audit-standard-90d-000001"
ROW = (INDEX, "standard-90d", "4", "archive", "2027-02-27")
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def shown(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines on the terminal, without colours."""
    return [line.rstrip() for line in _COLOURS.sub("", capsys.readouterr().out).splitlines()]


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> int:
    """A terminal of so many columns."""
    columns: int = request.param
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(columns))
    return columns


@pytest.mark.parametrize(
    ("wide", "left_out"),
    [(120, []), (80, ["class"]), (66, ["class", "entries"])],
    indirect=["wide"],
)
def test_columns_are_left_out_before_one_folds(
    wide: int, left_out: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A terminal too narrow lacks the columns that matter least, and is told which."""
    table(COLUMNS, [ROW], whole=("tier", "due"), rather=("class", "entries"))
    head, row, *rest = shown(capsys)
    kept = [number for number, name in enumerate(COLUMNS) if name not in left_out]
    assert head.split() == [COLUMNS[number] for number in kept]
    assert row.split() == [ROW[number] for number in kept]
    assert max(len(head), len(row)) <= wide
    assert rest == (
        [f"not shown for want of room: {', '.join(left_out)}; --json has everything"]
        if left_out
        else []
    )


@pytest.mark.parametrize("wide", [40], indirect=True)
def test_what_is_whole_is_whole(wide: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Where leaving out is not enough, the other columns fold, and no character is lost."""
    table(COLUMNS, [ROW], whole=("tier", "due"), rather=("class", "entries"))
    head, first, *folded = "\n".join(shown(capsys)).partition("\nnot shown")[0].splitlines()
    assert head.split() == ["index", "tier", "due"]
    assert first.split()[1:] == ["archive", "2027-02-27"]
    assert first.split()[0] + "".join(line.strip() for line in folded) == INDEX


def test_a_pipe_gets_a_head_and_tabs(capsys: pytest.CaptureFixture[str]) -> None:
    """Elsewhere than on a terminal: the names of the columns, then every cell, and nothing
    that steers a terminal."""
    table(COLUMNS, [ROW, ("a\tb\x1b[31m", "", "0", "hot", "")], rather=("class",))
    head, first, second = capsys.readouterr().out.splitlines()
    assert head.split("\t") == [*COLUMNS]
    assert first.split("\t") == [*ROW]
    assert second.split("\t") == [r"a\x09b\x1b[31m", "", "0", "hot", ""]


def _process(id_: str, organization: str, state: str = "cancelled") -> dict[str, object]:
    """A process as the API has it."""
    folded = None
    for number, action in enumerate(("started", state)):
        entry = {
            "@timestamp": f"2026-11-24T13:0{number * 3}:00Z",
            "event": {"id": f"{id_}-{number}", "action": f"process.{action}", "sequence": number},
            "organization": {"id": organization},
            "activity": {
                "lens": "process",
                "process": {
                    "id": id_,
                    "attempt": 1,
                    "name": "Provision a server with a name that is rather long",
                    "channel": "server-provisioning",
                },
            },
        }
        found = apply(folded, entry)
        assert found is not None
        folded = found[0]
    assert folded is not None
    return folded.as_dict()


@pytest.mark.parametrize("wide", [80, 110, 120], indirect=True)
def test_state_and_times_of_a_process_can_be_read(
    wide: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """With long ids, long names and several organizations too; the id is there to the last
    character."""
    ids = ["5e8f6b1e-40a2-4f3d-9a33-0d5f3a3c7b11", "prc_20"]
    show_table([_process(ids[0], "northwind"), _process(ids[1], "southwind")])
    lines = shown(capsys)
    assert max(len(line) for line in lines) <= wide
    rows = [line for line in lines if line.startswith("– cancelled")]
    assert len(rows) == 2
    for row in rows:
        assert re.match(r"– cancelled  \d\d-\d\d \d\d:\d\d  3 min 00 s  ", row)
    head = lines[0]
    for name, values in (("Id", ids), ("Organization", ["northwind", "southwind"])):
        at = head.index(name)
        end = next((n for n in range(at, len(head)) if head[n : n + 2] == "  "), len(head) + 99)
        begin = head.find(head[end:].split()[0], end) if head[end:].split() else None
        column = "".join(line[at:begin].strip() for line in lines[1:] if "not shown" not in line)
        assert column == "".join(values)


def test_the_organization_is_named_where_there_are_several(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """``show --organization`` needs it then; of one alone it would only take room."""
    show_table([_process("prc_1", "northwind"), _process("prc_1", "southwind")])
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split("\t") == [
        "State", "Started", "Took", "Channel", "Name", "Id", "Organization",
    ]  # fmt: skip
    assert [row.split("\t")[-2:] for row in rows] == [
        ["prc_1", "northwind"],
        ["prc_1", "southwind"],
    ]
    show_table([_process("prc_1", "northwind")])
    assert capsys.readouterr().out.splitlines()[0].endswith("\tId")
