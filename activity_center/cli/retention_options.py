"""What the verbs of ``retention`` and ``archive`` share: options, connection, progress, words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

import click

from activity_center.cli.options import config_file_option

if TYPE_CHECKING:
    from opensearchpy import OpenSearch
    from rich.console import Console

config_option = config_file_option("the cluster, and the account of maintenance")
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
