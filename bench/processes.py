"""Live processes: what it costs the sidecar to tell many, against a bare broadcast server.

A node with defaults, a collector, a sidecar that is started anew for each round, and a bare
server (:mod:`bench.processes_bare`) under the same load right after it. Both send to the same
sockets (:mod:`bench.processes_watch`), messages of the same size at the same pace.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Final

from activity_center import node
from activity_center.connection import connect
from activity_center.demo.stack import Stack
from activity_center.setup import desired_state, install
from bench.machine import machine
from bench.measure import HEAP, percentile
from bench.processes_rounds import PATIENCE, SENDER, Fan, Parties, Shape
from bench.report import Row, Target

CPU_TARGET: Final = 25.0
MEMORY_TARGET: Final = 45.0
P99_TARGET: Final = 100.0
RATIO_TARGET: Final = 2.0
POSTED_TARGET: Final = 50.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    shape: Shape
    rounds: int


_ALL: Final = Shape(50, 20, rate=500, seconds=15, posts=250, post_rate=25)
FULL: Final = Plan(_ALL, rounds=3)
QUICK: Final = Plan(Shape(50, 20, rate=500, seconds=5, posts=75, post_rate=25), rounds=1)
TINY: Final = Plan(Shape(4, 5, rate=50, seconds=1, posts=8, post_rate=8), rounds=1)
"""For the test that the bench runs; its figures mean nothing."""


@dataclass(slots=True)
class Figures:
    """What was measured, one a round; ``posted``: seconds from the sender to a socket."""

    embedded: list[Fan] = field(default_factory=list)
    bare: list[Fan] = field(default_factory=list)
    redis: list[Fan] = field(default_factory=list)
    posted: list[list[float]] = field(default_factory=list)


def run(plan: Plan, say: Callable[[str], None]) -> tuple[dict[str, str], list[Row]]:
    """Measure; return facts and rows."""
    begun, load = time.monotonic(), os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="activity-bench-") as name:
        figures, opensearch = _measured(Path(name), plan, say)
    shape = plan.shape
    size = figures.embedded[-1].bytes
    facts = {
        "machine": f"{machine(opensearch)}, gevent {version('gevent')}, "
        f"websockets {version('websockets')} with uvloop {version('uvloop')}",
        "workload": f"{shape.sockets:,} sockets in {shape.groups} groups of {shape.size}, each "
        f"with a reader, an organization and a process of its own; {shape.rate} messages a "
        f"second in all, of {size:.0f} bytes, for {shape.seconds:.0f} s a round, so "
        f"{shape.rate * shape.size:,} deliveries a second",
        "how": f"a sidecar with one worker, started anew for each round, then the bare server; "
        f"through the collector: {shape.posts} posts, {shape.post_rate} a second, from the "
        f"sender's clock to the sockets'; heap {HEAP}; all on this machine",
        "took": f"{time.monotonic() - begun:.0f} s, begun at a load average of {load:.1f}, "
        f"ended at one of {os.getloadavg()[0]:.1f}",
    }
    return facts, rows(figures)


def _measured(folder: Path, plan: Plan, say: Callable[[str], None]) -> tuple[Figures, str]:
    name = f"bench-{folder.name}".lower()
    figures = Figures()
    try:
        say("starting OpenSearch")
        info = node.start(name, heap=HEAP, fast=True)
        client = connect(info.cluster)
        install(client, desired_state())
        client.close()
        stack = Stack(folder, info.cluster, {}, (SENDER,))
        with redis_server(folder) as redis:
            try:
                stack.start()
                parties = Parties(stack, plan.shape, redis)
                for number in range(plan.rounds):
                    say(f"round {number + 1} of {plan.rounds}")
                    fan, posted = parties.sidecar("embedded")
                    figures.embedded.append(fan)
                    figures.posted.append(posted)
                    figures.bare.append(parties.bare(round(fan.bytes)))
                    if redis:
                        figures.redis.append(parties.sidecar("redis")[0])
            finally:
                stack.stop()
        return figures, info.version
    finally:
        node.wipe(name)


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """Start a Redis or Valkey on loopback and yield its URL; empty: none is installed."""
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        yield ""
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [program, "--bind", "127.0.0.1", "--port", str(port), "--save", "",
               "--dir", str(folder)]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        try:
            end = time.monotonic() + PATIENCE
            while socket.socket().connect_ex(("127.0.0.1", port)):
                if time.monotonic() > end:
                    raise RuntimeError(f"{program} does not listen")
                time.sleep(0.05)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.kill()


def rows(figures: Figures) -> list[Row]:
    """Return the table's rows."""
    ours, bare = figures.embedded, figures.bare
    made = [
        *_of("sidecar, embedded bus", ours, targets=True),
        Row("  memory a socket, KiB", [one.socket for one in ours], Target("<=", MEMORY_TARGET)),
        Row("  resident at the end, MB", [one.resident for one in ours]),
        *_of("bare websockets server", bare),
        Row("  memory a socket, KiB", [one.socket for one in bare]),
        Row(
            "sidecar / bare, CPU of each pair",
            [one.cpu / max(other.cpu, 1e-9) for one, other in zip(ours, bare, strict=True)],
            Target("<=", RATIO_TARGET),
            digits=2,
        ),
        Row(
            "sender to socket through collector and bus p50, ms",
            [percentile(one, 0.5) * 1000 for one in figures.posted],
            Target("<=", POSTED_TARGET),
        ),
        Row("  p99, ms", [percentile(one, 0.99) * 1000 for one in figures.posted]),
    ]
    if figures.redis:
        made += _of("sidecar, Redis", figures.redis, targets=True)
    return made


def _of(what: str, rounds: list[Fan], *, targets: bool = False) -> list[Row]:
    cpu, p99 = (Target("<=", CPU_TARGET), Target("<=", P99_TARGET)) if targets else (None, None)
    return [
        Row(f"{what}: CPU, µs per delivery", [one.per_delivery for one in rounds], cpu),
        Row("  p50, ms", [percentile(one.latencies, 0.5) * 1000 for one in rounds]),
        Row("  p99, ms", [percentile(one.latencies, 0.99) * 1000 for one in rounds], p99),
        Row(
            "  told by a snapshot instead, % of deliveries",
            [(1 - len(one.latencies) / one.due) * 100 for one in rounds],
        ),
    ]
