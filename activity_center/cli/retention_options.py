"""What the verbs of ``retention`` and ``archive`` share: options, connection, progress, words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from opensearchpy import OpenSearch
    from rich.console import Console

config_option = click.option(
    "--config",
    "config_file",
    type=click.Path(dir_okay=False),
    help="activity-center.yml: names the cluster and the account of maintenance.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object.")

OnStep = Callable[[str, int, int], None]
"""(what is about to be done, its number from 1, number of things to do)."""


@contextmanager
def connected(config_file: str | None) -> Iterator[OpenSearch]:
    """A client of the account of maintenance, or of whom the environment names."""
    from activity_center import config as configuration
    from activity_center.connection import connect
    from activity_center.setup.access import administrator

    config = configuration.load(config_file) if config_file else None
    with closing(connect(administrator(config))) as client:
        yield client


@contextmanager
def progress(err: Console) -> Iterator[OnStep]:
    """A bar in a terminal, one line a step elsewhere."""
    if not err.is_terminal:

        def line(text: str, number: int, total: int) -> None:
            err.print(f"{number}/{total} {text}", soft_wrap=True, markup=False)

        yield line
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    text = TextColumn("{task.description}", markup=False)
    with Progress(BarColumn(bar_width=30), MofNCompleteColumn(), text, console=err) as bar:
        task = bar.add_task("", total=None)

        def show(text: str, number: int, total: int) -> None:
            bar.update(task, completed=number, total=total, description=text)

        yield show


def moment(_context: click.Context, _parameter: click.Parameter, value: str | None) -> Any:
    """An option's date or date and time; UTC unless it says otherwise."""
    if value is None:
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError as wrong:
        raise click.BadParameter("a date such as 2027-03-01, or 2027-03-01T12:00Z") from wrong
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def day(value: datetime | None) -> str:
    """A date for people; empty where there is none."""
    return value.strftime("%Y-%m-%d") if value else ""


def human_size(number: float) -> str:
    """Bytes for people."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1024:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} TB"


def table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
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
