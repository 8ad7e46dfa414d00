"""Tables for people, and lines for programs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import click

from activity_center.tailing import printable

if TYPE_CHECKING:
    from rich.text import Text

GAP = 2
"""Characters between two columns."""


def table(
    columns: Sequence[str],
    rows: Sequence[Sequence[str | Text]],
    *,
    whole: Collection[str] = (),
    rather: Sequence[str] = (),
) -> None:
    """Columns on a terminal; elsewhere a line of their names, and one line a row, with tabs.

    Args:
        whole: columns that are never folded nor cut.
        rather: columns that are left out on a terminal too narrow, the first one first, before
            anything is folded; a line below says so.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    out = Console(highlight=False)
    if not out.is_terminal:
        for row in (columns, *rows):
            click.echo("\t".join(printable(str(cell)) for cell in row))
        return
    cells = [
        [cell if isinstance(cell, Text) else Text(printable(cell)) for cell in row] for row in rows
    ]
    widths = {
        name: max([len(name), *(row[number].cell_len for row in cells)])
        for number, name in enumerate(columns)
    }
    left_out: list[str] = []
    for name in rather:
        kept = [width for one, width in widths.items() if one not in left_out]
        if sum(kept) + GAP * (len(kept) - 1) <= out.width:
            break
        left_out.append(name)
    made = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    shown = [number for number, name in enumerate(columns) if name not in left_out]
    for number in shown:
        made.add_column(columns[number], overflow="fold", no_wrap=columns[number] in whole)
    for row in cells:
        made.add_row(*[row[number] for number in shown])
    out.print(made)
    if left_out:
        names = ", ".join(one.lower() for one in left_out)
        out.print(Text(f"not shown for want of room: {names}; --json has everything", "dim"))


def quantity(number: int, noun: str) -> str:
    """``"1 case"``, ``"3 cases"``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
