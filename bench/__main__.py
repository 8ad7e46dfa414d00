"""``python -m bench [collector|audit|proposals|processes|text]``: speed, in one table a part.

Without a part all are measured on real parts; ``audit`` is in :mod:`bench.audit`, ``proposals``
in :mod:`bench.proposals`, ``processes`` in :mod:`bench.processes` and ``text`` in
:mod:`bench.text`. For ``collector`` a real OpenSearch node and a real collector process are
started with defaults and removed at the end.
First the end-to-end rounds, in turns: the collector at chunks of 500, then a raw ``_bulk`` of
the same kind of documents with as many requests at a time, then with one, then again. Then
small chunks and single events. Sender, collector and OpenSearch share the machine, so rates
depend on its cores; CPU per event does much less.
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

from bench import audit, processes, proposals, text
from bench.events import AUDIT, WORKLOADS, sizes
from bench.machine import machine
from bench.measure import CONNECTIONS, DOCUMENTS, HEAP, Bench, Round, percentile, running
from bench.process import resident
from bench.report import Row, Target, table
from collector.deliver import LANES

CPU_TARGETS: Final = {500: 25.0, 50: 40.0, 1: 120.0}
"""Chunk size -> CPU µs per event of the collector."""
COLLECTOR: Final = "collector"
MODULES: Final[dict[str, Any]] = {
    "audit": audit,
    "proposals": proposals,
    "processes": processes,
    "text": text,
}
"""Parts that are modules: each with ``run`` and its plans ``FULL``, ``QUICK`` and ``TINY``."""
PARTS: Final = (COLLECTOR, *MODULES)
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
    """Rounds by chunk size, raw rounds by requests at a time, and memory at the end.

    Attributes:
        memory: (resident, peak), MB.
    """

    chunks: dict[int, list[Round]]
    raw: dict[int, list[Round]]
    memory: tuple[float, float]


def measure(bench: Bench, plan: Plan, workload: str, say: Any) -> Figures:
    """Run all rounds."""
    say("warming up")
    bench.raw(workload, plan.warm_up, 1)
    bench.through(workload, plan.warm_up, 500)
    chunks: dict[int, list[Round]] = {size: [] for size in CONNECTIONS}
    raw: dict[int, list[Round]] = {LANES: [], 1: []}
    for number in range(plan.pairs):
        say(f"turn {number + 1} of {plan.pairs}: through the collector, then raw, then raw again")
        chunks[500].append(bench.through(workload, plan.events[500], 500))
        for lanes, rounds in raw.items():
            rounds.append(bench.raw(workload, plan.events[500], lanes))
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
                "  documents of a _bulk request",
                # The collector counts one when it has read the answer, we when it is indexed.
                [r.events / max(r.requests, 1) for r in rounds],
                digits=0,
            ),
        ]
    ours = figures.chunks[500]
    made.append(Row("end to end, documents/s", [r.events / r.counted for r in ours], digits=0))
    for lanes, raw in figures.raw.items():
        what = "raw _bulk" if lanes == LANES else "raw _bulk one at a time"
        made += [
            Row(f"{what}, documents/s", [r.events / r.counted for r in raw], digits=0),
            Row(
                "  OpenSearch CPU, µs per document",
                [r.opensearch / r.events * 1e6 for r in raw],
            ),
            Row(
                f"end to end / {what}, of each pair",
                [theirs.counted / mine.counted for mine, theirs in zip(ours, raw, strict=True)],
                Target(">=", RATIO_TARGET),
                digits=2,
            ),
        ]
    made += [
        Row("collector resident at the end, MB", [figures.memory[0]]),
        Row("  at its peak, MB", [figures.memory[1]], Target("<=", MEMORY_TARGET)),
    ]
    return made


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; return 0 whatever the figures are."""
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure on real parts and print one table a part.",
    )
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; default: all"
    )
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="a minute a part, and rougher")
    size.add_argument("--tiny", action="store_true", help="only to see that it runs")
    parser.add_argument("--json", action="store_true", help="one object on standard output")
    parser.add_argument("--workload", choices=WORKLOADS, default=AUDIT, help="of the collector")
    parser.add_argument(
        "--write",
        type=Path,
        metavar="PAGE",
        help="put the tables into this page (docs/benchmarks.md)",
    )
    options = parser.parse_args(arguments)
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}: {', '.join(PARTS)}")

    def say(message: str) -> None:
        print(f"bench: {message}", file=sys.stderr, flush=True)

    which = "quick" if options.quick else "tiny" if options.tiny else "full"
    found = {}
    for part in options.parts or PARTS:
        if part == COLLECTOR:
            plan = {"quick": QUICK, "tiny": TINY, "full": FULL}[which]
            facts, made = run(plan, options.workload, say)
        else:
            module = MODULES[part]
            plans = {"quick": module.QUICK, "tiny": module.TINY, "full": module.FULL}
            facts, made = module.run(plans[which], say)
        found[part] = {**facts, "rows": [row.as_json() for row in made]}
        if not options.json:
            print("\n".join([*facts.values(), "", table(made), ""]), flush=True)
        if options.write:
            write(options.write, part, facts, made)
    if options.json:
        print(json.dumps(found, indent=2))
    return 0


def run(plan: Plan, workload: str, say: Any) -> tuple[dict[str, str], list[Row]]:
    """Measure the collector; return facts and rows."""
    begun, load = time.monotonic(), os.getloadavg()[0]
    with (
        tempfile.TemporaryDirectory(prefix="activity-bench-") as name,
        running(Path(name), say, fast=plan is TINY) as bench,
    ):
        figures = measure(bench, plan, workload, say)
        version = bench.info.version
    event = sizes(workload)
    facts = {
        "machine": machine(version),
        "workload": f"{workload}: {event.json:.0f} B as JSON, {event.msgpack:.0f} B as "
        f"MessagePack, {event.fields:.0f} fields a record (means)",
        "how": f"TLS off, with acks, one chunk in flight on each of "
        f"{', '.join(f'{n} connections (chunks of {c})' for c, n in CONNECTIONS.items())}; "
        f"_bulk of up to {DOCUMENTS} documents, {LANES} at a time at most; heap {HEAP}; raw: "
        f"client.bulk(body=bytes), {LANES} at a time, and one; all on this machine",
        "took": f"{time.monotonic() - begun:.0f} s, begun at a load average of {load:.1f}",
    }
    return facts, rows(figures)


def write(page: Path, part: str, facts: dict[str, str], made: list[Row]) -> None:
    """Put facts and table between the marks of a part in ``page``."""
    begin, end = (f"<!-- bench {part}: {where} of its last run -->" for where in ("begin", "end"))
    before, found, rest = page.read_text(encoding="utf-8").partition(begin)
    _, _, after = rest.partition(end)
    if not found:
        raise SystemExit(f"{page} has no line {begin}")
    listed = "\n".join(f"- {fact}" for fact in facts.values())
    page.write_text(
        f"{before}{begin}\n\n{listed}\n\n```text\n{table(made)}\n```\n\n{end}{after}",
        encoding="utf-8",
    )


if __name__ == "__main__":
    sys.exit(main())
