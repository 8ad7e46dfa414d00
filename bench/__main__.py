"""``python -m bench``: the collector's speed, in one table from one run on one machine.

A real OpenSearch node and a real collector process are started with defaults and removed
at the end. First the end-to-end pairs, in turns: the collector at chunks of 500, then a raw
``_bulk`` of the same kind of documents, then again. Then small chunks and single events.
Sender, collector and OpenSearch share the machine, so rates depend on its cores; CPU per
event does much less.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.events import AUDIT, WORKLOADS, sizes
from bench.machine import machine
from bench.measure import CONNECTIONS, DOCUMENTS, HEAP, Bench, Round, percentile, running
from bench.process import resident
from bench.report import Row, Target, table

CPU_TARGETS: Final = {500: 25.0, 50: 40.0, 1: 120.0}
"""Chunk size -> CPU µs per event of the collector."""
BEGIN: Final = "<!-- bench run from here: written by python -m bench --write docs/benchmarks.md -->"
END: Final = "<!-- bench run to here -->"
RATIO_TARGET: Final = 0.95
MEMORY_TARGET: Final = 120.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is sent: events by chunk size, rounds, and before the first of them."""

    events: dict[int, int]
    pairs: int
    rounds: int
    warm_up: int


FULL: Final = Plan({500: 30_000, 50: 20_000, 1: 8_000}, pairs=5, rounds=3, warm_up=40_000)
QUICK: Final = Plan({500: 5_000, 50: 3_000, 1: 1_000}, pairs=3, rounds=1, warm_up=4_000)
TINY: Final = Plan({500: 1_000, 50: 200, 1: 64}, pairs=1, rounds=1, warm_up=500)
"""For the test that the bench runs; its figures mean nothing."""


@dataclass(slots=True)
class Figures:
    """Rounds by chunk size, raw rounds, and (resident, peak) memory at the end in MB."""

    chunks: dict[int, list[Round]]
    raw: list[Round]
    memory: tuple[float, float]


def measure(bench: Bench, plan: Plan, workload: str, say: Any) -> Figures:
    """Run all rounds."""
    say("warming up")
    bench.raw(workload, plan.warm_up)
    bench.through(workload, plan.warm_up, 500)
    chunks: dict[int, list[Round]] = {size: [] for size in CONNECTIONS}
    raw = []
    for number in range(plan.pairs):
        say(f"pair {number + 1} of {plan.pairs}: through the collector, then raw")
        chunks[500].append(bench.through(workload, plan.events[500], 500))
        raw.append(bench.raw(workload, plan.events[500]))
    for number in range(plan.rounds):
        say(f"small chunks, round {number + 1} of {plan.rounds}")
        for size in (50, 1):
            chunks[size].append(bench.through(workload, plan.events[size], size))
    return Figures(chunks, raw, resident(bench.pid))


def rows(figures: Figures) -> list[Row]:
    """Return the table's rows."""
    made = []
    for size, rounds in figures.chunks.items():
        what = f"chunks of {size}" if size > 1 else "single events"

        def per_event(seconds: list[float], rounds: list[Round] = rounds) -> list[float]:
            return [one / r.events * 1e6 for one, r in zip(seconds, rounds, strict=True)]

        cpu = [r.collector for r in rounds]
        made += [
            Row(
                f"{what}: collector CPU, µs per event",
                per_event([one.total for one in cpu]),
                Target("<=", CPU_TARGETS[size]),
            ),
            Row("    receive and process (main thread)", per_event([one.main for one in cpu])),
            Row(
                "    write the spool and deliver (other threads)",
                per_event([one.total - one.main for one in cpu]),
            ),
            Row("  OpenSearch CPU, µs per document", per_event([r.opensearch for r in rounds])),
            Row("  acked, events/s", [r.events / r.acked for r in rounds], digits=0),
            Row("  ack p50, ms", [percentile(r.latencies, 0.5) * 1000 for r in rounds]),
            Row("  ack p99, ms", [percentile(r.latencies, 0.99) * 1000 for r in rounds]),
            Row(
                "  documents of a _bulk request", [r.events / r.requests for r in rounds], digits=0
            ),
        ]
    ours, raw = figures.chunks[500], figures.raw
    made += [
        Row("end to end, documents/s", [r.events / r.counted for r in ours], digits=0),
        Row("raw _bulk, documents/s", [r.events / r.counted for r in raw], digits=0),
        Row(
            "  OpenSearch CPU, µs per document",
            [r.opensearch / r.events * 1e6 for r in raw],
        ),
        Row(
            "end to end / raw _bulk, of each pair",
            [theirs.counted / mine.counted for mine, theirs in zip(ours, raw, strict=True)],
            Target(">=", RATIO_TARGET),
            digits=2,
        ),
        Row("collector resident at the end, MB", [figures.memory[0]]),
        Row("  at its peak, MB", [figures.memory[1]], Target("<=", MEMORY_TARGET)),
    ]
    return made


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; return 0 whatever the figures are."""
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure the collector on real parts and print one table.",
    )
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="under a minute, and rougher")
    size.add_argument("--tiny", action="store_true", help="only to see that it runs")
    parser.add_argument("--json", action="store_true", help="one object on standard output")
    parser.add_argument("--workload", choices=WORKLOADS, default=AUDIT)
    parser.add_argument(
        "--write",
        type=Path,
        metavar="PAGE",
        help="put the table into this page (docs/benchmarks.md)",
    )
    options = parser.parse_args(arguments)
    plan = QUICK if options.quick else TINY if options.tiny else FULL

    def say(text: str) -> None:
        print(f"bench: {text}", file=sys.stderr, flush=True)

    begun, load = time.monotonic(), os.getloadavg()[0]
    with (
        tempfile.TemporaryDirectory(prefix="activity-bench-") as name,
        running(Path(name), say, fast=plan is TINY) as bench,
    ):
        figures = measure(bench, plan, options.workload, say)
        version = bench.info.version
    made = rows(figures)
    event = sizes(options.workload)
    facts = {
        "machine": machine(version),
        "workload": f"{options.workload}: {event.json:.0f} B as JSON, {event.msgpack:.0f} B as "
        f"MessagePack, {event.fields:.0f} fields a record (means)",
        "how": f"TLS off, with acks, one chunk in flight on each of "
        f"{', '.join(f'{n} connections (chunks of {c})' for c, n in CONNECTIONS.items())}; "
        f"_bulk of up to {DOCUMENTS} documents; heap {HEAP}; raw: one thread, "
        "client.bulk(body=bytes); all on this machine",
        "took": f"{time.monotonic() - begun:.0f} s, begun at a load average of {load:.1f}",
    }
    if options.json:
        print(json.dumps({**facts, "rows": [row.as_json() for row in made]}, indent=2))
    else:
        print("\n".join(facts.values()) + "\n")
        print(table(made))
    if options.write:
        write(options.write, facts, made)
    return 0


def write(page: Path, facts: dict[str, str], made: list[Row]) -> None:
    """Put facts and table between the marks of ``page``."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    listed = "\n".join(f"- {text}" for text in facts.values())
    page.write_text(
        f"{before}{BEGIN}\n\n{listed}\n\n```text\n{table(made)}\n```\n\n{END}{after}",
        encoding="utf-8",
    )


if __name__ == "__main__":
    sys.exit(main())
