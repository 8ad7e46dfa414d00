"""How long work tells what it does: a silent listener, and one for terminals."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.console import Console


class Progress(Protocol):
    """What ``start`` reports to."""

    def step(self, text: str, total: int | None = None) -> None:
        """Say what is being done now; ``total`` in bytes when it is a download."""

    def advance(self, amount: int) -> None:
        """Count ``amount`` bytes of the current step (negative: they were of no use)."""


class Silent:
    """Reports nothing."""

    def step(self, text: str, total: int | None = None) -> None:
        """Ignore."""

    def advance(self, amount: int) -> None:
        """Ignore."""


@contextmanager
def terminal_progress(console: Console | None = None) -> Iterator[Progress]:
    """Show steps on standard error: a bar in a terminal, one line a step elsewhere."""
    from rich.console import Console

    console = console or Console(stderr=True)
    if not console.is_terminal:
        yield _Lines(console)
        return
    from rich import progress as rich_progress

    with rich_progress.Progress(
        rich_progress.SpinnerColumn(),
        rich_progress.TextColumn("{task.description}"),
        rich_progress.BarColumn(bar_width=30),
        rich_progress.TextColumn("{task.fields[amount]}"),
        rich_progress.TimeElapsedColumn(),
        console=console,
        transient=True,
    ) as bars:
        yield _Bars(bars)


class _Lines:
    """For logs and pipes."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def step(self, text: str, total: int | None = None) -> None:
        size = f" ({_megabytes(total)})" if total else ""
        self._console.print(f"{text}{size} ...", highlight=False, soft_wrap=True)

    def advance(self, amount: int) -> None:
        pass


class _Bars:
    """One live line: spinner, text, bar, bytes of total."""

    def __init__(self, bars: rich_progress.Progress) -> None:
        self._bars = bars
        self._task = bars.add_task("", total=None, amount="")
        self._done = 0
        self._total: int | None = None

    def step(self, text: str, total: int | None = None) -> None:
        self._done, self._total = 0, total
        self._bars.reset(self._task, total=total, description=text, amount="")

    def advance(self, amount: int) -> None:
        self._done += amount
        shown = _megabytes(self._done)
        if self._total:
            shown += f" of {_megabytes(self._total)}"
        self._bars.update(self._task, completed=self._done, amount=shown)


def _megabytes(amount: int) -> str:
    return f"{amount / 1e6:.1f} MB"


if TYPE_CHECKING:
    from rich import progress as rich_progress
