"""The audit trail's speed: the sidecar against the bare questions that it asks OpenSearch.

A node of its own with defaults, a collector that takes the records of reading, and a real
sidecar process (gunicorn); all are removed at the end.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import yaml
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from activity_center import node
from activity_center.connection import connect
from activity_center.demo.stack import Stack
from activity_center.setup import desired_state, install
from bench.audit_data import DAYS, load, settle
from bench.audit_rounds import (
    FILTERS,
    FORMATS,
    ROWS,
    Exports,
    Memory,
    Pages,
    Parties,
    everything,
    exports,
    pages,
)
from bench.machine import machine
from bench.measure import HEAP, percentile
from bench.report import Row, Target
from sidecar_api.export.write import PAGE
from sidecar_api.search import FACETS

PAGE_TARGET: Final = 1.5
FIRST_BYTE_TARGET: Final = 200.0
EXPORT_TARGET: Final = 0.8
GROWTH_TARGET: Final = 8.0
"""MB by which an export of everything may grow the sidecar: a few pages' worth, not a log's."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured.

    Attributes:
        activities: in the log.
        days: of the window, in the middle of the year, that is exported in turns with bare
            paging.
        seconds: after which no new round of pages begins, and none of exports.
        longest: seconds after which the export of everything is stopped.
    """

    activities: int
    page_rounds: int
    export_rounds: int
    days: int
    seconds: float
    longest: float


FULL: Final = Plan(1_000_000, page_rounds=7, export_rounds=7, days=8, seconds=180, longest=900)
QUICK: Final = Plan(50_000, page_rounds=3, export_rounds=2, days=90, seconds=20, longest=60)
TINY: Final = Plan(2_000, page_rounds=1, export_rounds=1, days=DAYS, seconds=1, longest=60)
"""For the test that the bench runs; its figures mean nothing."""


@dataclass(slots=True)
class Figures:
    """What was measured; ``memory`` in MB: before, most, growth while all was exported."""

    pages: Pages
    exports: Exports
    memory: tuple[float, float, float]
    loaded: float
    exported: tuple[float, int, bool]


def run(plan: Plan, say: Callable[[str], None]) -> tuple[dict[str, str], list[Row]]:
    """Measure; return facts and rows."""
    begun, load_average = time.monotonic(), os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="activity-bench-") as name:
        figures, version = _measured(Path(name), plan, say)
    facts = {
        "machine": machine(version),
        "workload": f"{plan.activities:,} activities of the demo's workload, spread over a year "
        f"and three organizations, loaded in {figures.loaded:.0f} s; heap {HEAP}",
        "how": f"pages of {ROWS} with {len(FACETS)} facets under {len(FILTERS)} sets of filters; "
        f"exports of {plan.days} days in pages of {PAGE}, and one of everything, "
        f"{figures.exported[1]:,} activities, "
        f"{'all of them by its manifest' if figures.exported[2] else 'cut off by the bench'}; "
        "one worker, reading recorded by a collector; all on this machine",
        "took": f"{time.monotonic() - begun:.0f} s, begun at a load average of {load_average:.1f}, "
        f"ended at one of {os.getloadavg()[0]:.1f}",
    }
    return facts, rows(figures)


def _measured(folder: Path, plan: Plan, say: Callable[[str], None]) -> tuple[Figures, str]:
    name = f"bench-{folder.name}".lower()
    try:
        say("starting OpenSearch")
        info = node.start(name, heap=HEAP, fast=plan is TINY)
        client = connect(info.cluster, timeout=120)
        install(client, desired_state())
        with _bar(plan.activities, say) as advance:
            loaded = load(client, plan.activities, advance)
        settle(client)
        with _sidecar(folder, info) as parties:
            say("measuring")
            found = pages(parties, plan.page_rounds, time.monotonic() + plan.seconds, say)
            memory = Memory(parties.pid)
            end = datetime.now(UTC) - timedelta(days=(DAYS - plan.days) / 2)
            window = (end - timedelta(days=plan.days), end)
            exported = exports(
                parties, plan.export_rounds, time.monotonic() + plan.seconds, window, say
            )
            before = memory.now()
            say("exporting everything")
            with memory.watched():
                all_of_it = everything(parties, plan.longest)
            most = max([before, *(mb for _, mb in memory.seen)])
            client.close()
            figures = Figures(found, exported, (before, most, memory.growth()), loaded, all_of_it)
            return figures, info.version
    finally:
        node.wipe(name)


@contextmanager
def _sidecar(folder: Path, info: node.NodeInfo) -> Iterator[Parties]:
    """Start a collector and a sidecar."""
    stack, token = Stack(folder, info.cluster, {}, ("bench",)), secrets.token_urlsafe(24)
    try:
        stack.start()
        document = yaml.safe_load(stack.config.read_text(encoding="utf-8"))
        sha256 = hashlib.sha256(token.encode()).hexdigest()
        document["identity"] = {
            "people": [{"id": "bench", "platform_roles": ["platform_admin"]}],
            "tokens": [{"name": "bench", "person": "bench", "token_sha256": sha256}],
        }
        document["sidecar"]["rate_limit"] = {"requests": 100_000, "exports": 10}
        stack.config.write_text(yaml.safe_dump(document), encoding="utf-8")
        stack.start_page()
        assert stack.sidecar.process is not None
        yield Parties(stack.page, token, info.url, connect(info.cluster), stack.sidecar.process.pid)
    finally:
        stack.stop()


@contextmanager
def _bar(total: int, say: Callable[[str], None]) -> Iterator[Callable[[int], None]]:
    """Show how far the loading is: a bar in a terminal, ten lines elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal:
        done = 0

        def advance(amount: int) -> None:
            nonlocal done
            before, done = done, done + amount
            if before * 10 // total != done * 10 // total:
                say(f"loading, {done:,} of {total:,}")

        yield advance
        return
    columns = (TextColumn("bench: loading"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=total)
        yield lambda amount: progress.update(task, advance=amount)


def rows(figures: Figures) -> list[Row]:
    """Return the table's rows."""
    made = [
        *_page_rows(figures.pages),
        Row(
            "export: first byte after the bare first page, ms",
            [one * 1000 for one in figures.exports.late],
            Target("<=", FIRST_BYTE_TARGET),
        ),
    ]
    for form in FORMATS:
        ours, bare = figures.exports.rates[form], figures.exports.bare[form]
        made += [
            Row(f"export as {form}, activities/s", ours, digits=0),
            Row("  bare paging by a point in time, activities/s", bare, digits=0),
            Row(
                "  export / bare, of each pair",
                [one / other for one, other in zip(ours, bare, strict=True)],
                Target(">=", EXPORT_TARGET),
                digits=2,
            ),
        ]
    before, most, growth = figures.memory
    made += [
        Row("export of everything, activities/s", [figures.exported[0]], digits=0),
        Row("  sidecar's worker before it, resident MB", [before]),
        Row("  at most during it", [most]),
        Row("  growth from its begin to its end, MB", [growth], Target("<=", GROWTH_TARGET)),
    ]
    return made


def _page_rows(found: Pages) -> list[Row]:
    ours, bare = (_together(rounds) for rounds in (found.ours, found.bare))
    made = []
    for share in (0.5, 0.95):
        name = f"p{share * 100:.0f}"
        for what, rounds in (("page with facets", found.ours), ("  bare query", found.bare)):
            values = [percentile(one, share) * 1000 for one in rounds]
            made.append(Row(f"{what} {name}, ms", values))
        each = [
            percentile(mine, share) / percentile(theirs, share)
            for mine, theirs in zip(found.ours, found.bare, strict=True)
        ]
        target = None if share == 0.5 else Target("<=", PAGE_TARGET)
        made.append(Row(f"  page / bare, {name} of each round", each, digits=2))
        together = percentile(ours, share) / percentile(bare, share)
        made.append(Row(f"  page / bare, {name} of all rounds", [together], target, digits=2))
    return made


def _together(rounds: Sequence[Sequence[float]]) -> list[float]:
    return [value for one in rounds for value in one]
