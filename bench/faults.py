"""``python -m bench.faults``: the fault run, in one table from one machine.

Real collector processes, a real OpenSearch of its own, real senders; the faults are those
of ``tests/faults/collector``, run longer. Exit code 0 when no acknowledged event was lost
and none is stored twice, else 1.

Examples:
    python -m bench.faults
    python -m bench.faults --cycles 200 --write docs/faults.md
    python -m bench.faults --only disk --json
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Final

from bench.machine import machine

_BEGIN: Final = "<!-- fault run from here: written by python -m bench.faults -->"
_END: Final = "<!-- fault run to here -->"


def scenarios(node: Any, cycles: int) -> dict[str, Callable[[Path], Any]]:
    """Return name -> what makes the fault in a folder and returns its outcome."""
    from tests.faults.collector import disk_scenarios as disk
    from tests.faults.collector import scenarios as faults
    from tests.faults.collector.hostile_scenario import hostile_input

    made: dict[str, Callable[[Path], Any]] = {
        "unavailable": lambda folder: faults.unavailable(folder, node, count=6),
        "answers": lambda folder: faults.answers_lost(folder, node, count=6),
        "disk-full": lambda folder: disk.disk_full(folder, node, times=5),
        "torn": partial(disk.damaged, node=node, torn=True, flipped=False),
        "flipped": partial(disk.damaged, node=node, torn=False, flipped=True, seed=17),
        "hostile": lambda folder: hostile_input(folder, node),
        "restart": lambda folder: faults.node_restarted(folder, node),
        "pressure": lambda folder: faults.pressure(folder, node),
    }
    preload = disk.library()
    if preload is not None:
        made["clock"] = partial(disk.clock_jumps, node=node, preload=preload)
    else:
        sys.stderr.write("left out: clock (no libfaketime; Debian: apt-get install libfaketime)\n")
    # Last: after many rollovers within an hour every batch asks many generations.
    made["kill"] = lambda folder: faults.killed(folder, node, cycles, rollovers=cycles)
    return made


def run(only: str, cycles: int) -> tuple[list[Any], str]:
    """Run the faults whose name begins with ``only``; return outcomes and node version."""
    from activity_center.setup import desired_state, install
    from tests.conftest import OwnNode

    state = Path(tempfile.mkdtemp(prefix="activity-center-faults-"))
    state.chmod(0o755)  # a node of root runs under another account
    os.environ["ACTIVITY_CENTER_STATE"] = str(state / "state")
    node = OwnNode("faults", None, secure=False)
    outcomes = []
    try:
        version = node.client.info()["version"]["number"]
        install(node.client, desired_state())
        for name, scenario in scenarios(node, cycles).items():
            if not name.startswith(only):
                continue
            sys.stderr.write(f"{name} ...")
            sys.stderr.flush()
            outcome = scenario(state / name)
            outcomes.append(outcome)
            sys.stderr.write(
                f" {outcome.acked} acknowledged, {len(outcome.lost)} lost,"
                f" {len(outcome.twice)} twice, {outcome.seconds:.0f} s\n"
            )
    finally:
        node.close()
        shutil.rmtree(state, ignore_errors=True)
    return outcomes, str(version)


def table(outcomes: list[Any]) -> str:
    """Return the outcomes as a Markdown table."""
    lines = [
        "| fault | times | events acknowledged | found once | lost | twice | rejected | seen |",
        "|---|---:|---:|---:|---:|---:|---:|---|",
    ]
    for one in outcomes:
        once = one.found - len(one.twice)
        lines.append(
            f"| {one.name} | {one.faults} | {one.acked} | {once} | {len(one.lost)}"
            f" | {len(one.twice)} | {one.rejected} | {one.note} |"
        )
    return "\n".join(lines)


def write(page: Path, text: str) -> None:
    """Put the run between the two marks of ``page``."""
    head, _, rest = page.read_text(encoding="utf-8").partition(_BEGIN)
    tail = rest.partition(_END)[2]
    page.write_text(f"{head}{_BEGIN}\n\n{text}\n\n{_END}{tail}", encoding="utf-8")


def main() -> int:
    """Run, print, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.faults", description=__doc__)
    parser.add_argument("--cycles", type=int, default=50, help="kills of the collector")
    parser.add_argument("--only", default="", help="faults whose name begins so")
    parser.add_argument("--write", type=Path, help="page that has the marks for the table")
    parser.add_argument("--json", action="store_true", help="one array of outcomes")
    options = parser.parse_args()
    outcomes, version = run(options.only, options.cycles)
    text = f"{machine(version)}; `python -m bench.faults --cycles {options.cycles}`\n\n"
    text += table(outcomes)
    if options.write:
        write(options.write, text)
    print(json.dumps([asdict(one) for one in outcomes], indent=1) if options.json else text)
    return int(any(one.lost or one.twice for one in outcomes))


if __name__ == "__main__":
    sys.exit(main())
