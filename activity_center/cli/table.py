"""Tables for people, and lines for programs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import click


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Columns on a terminal; elsewhere one line a row, with tabs."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    out = Console(highlight=False)
    if not out.is_terminal:
        for row in rows:
            click.echo("\t".join(row))
        return
    made = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        made.add_column(name, overflow="fold")
    for row in rows:
        made.add_row(*[Text(cell) for cell in row])
    out.print(made)
