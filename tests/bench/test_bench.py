"""``make bench``: that it runs on real parts, says everything and leaves nothing behind."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # bench/ is not installed

from bench.__main__ import PARTS, write  # noqa: E402
from bench.events import WORKLOADS, chunks, sizes  # noqa: E402
from bench.load import prepared  # noqa: E402
from bench.measure import percentile  # noqa: E402
from bench.report import Row, Target, table  # noqa: E402


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280)


def figures(part: str) -> dict[str, Any]:
    """What a part gives; it says what it ran on."""
    done = run("bench", part, "--tiny", "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)[part]
    assert "Python" in found["machine"] and "load average" in found["took"]
    return found


def test_the_bench_runs_and_gives_every_figure_of_the_issue() -> None:
    """Each chunk size has its CPU, rate and latencies; the ends are compared in pairs."""
    found = figures("collector")
    assert "OpenSearch" in found["machine"]
    rows = {row["name"]: row for row in found["rows"]}
    for what, target in (("chunks of 500", "<= 25"), ("chunks of 50", "<= 40"),
                         ("single events", "<= 120")):  # fmt: skip
        assert rows[f"{what}: collector CPU, µs per event"]["target"] == target
    assert rows["end to end / raw _bulk, of each pair"]["target"] == ">= 0.95"
    assert rows["at its peak, MB"]["target"] == "<= 120"
    for name in (
        "OpenSearch CPU, µs per document",
        "acked, events/s",
        "ack p50, ms",
        "ack p99, ms",
    ):
        of_this = [row for row in found["rows"] if row["name"] == name]
        assert len(of_this) >= 3
        assert all(value > 0 for row in of_this for value in row["values"])
    for name in ("end to end, documents/s", "raw _bulk, documents/s", "at its peak, MB"):
        assert rows[name]["median"] > 0
    assert not list(Path("/tmp").glob("activity-bench-*/collector.log"))


@pytest.mark.slow
def test_the_audit_part_runs_and_gives_every_figure_of_the_issue() -> None:
    """Pages, first byte, exports and memory: each against its target, all from one run."""
    found = figures("audit")
    assert "OpenSearch" in found["machine"] and "2,000 activities" in found["workload"]
    targets = [(row["name"], row["target"]) for row in found["rows"] if "target" in row]
    assert targets == [
        ("page / bare, p95 of all rounds", "<= 1.5"),
        ("export: first byte after the bare first page, ms", "<= 200"),
        *[("export / bare, of each pair", ">= 0.8")] * 3,
        ("growth from its begin to its end, MB", "<= 8"),
    ]
    for row in found["rows"]:
        if "target" not in row:
            assert all(value > 0 for value in row["values"]), row
    assert not list(Path("/tmp").glob("activity-bench-*/sidecar.log"))


@pytest.mark.slow
def test_the_proposals_part_runs_and_gives_every_figure_of_the_issue() -> None:
    """Pages of chains against the trail's bar, and each question beside its bare searches."""
    found = figures("proposals")
    assert "OpenSearch" in found["machine"] and "400 chains" in found["workload"]
    targets = [(row["name"], row["target"]) for row in found["rows"] if "target" in row]
    assert targets == [("page / bare, p95", "<= 1.5")]
    names = [row["name"] for row in found["rows"]]
    for question in ("no filter", "page=100", "verdict=executed_twice"):
        assert names[names.index(f"{question}: page, ms") + 1] == "bare queries, ms"
    assert all(value > 0 for row in found["rows"] for value in row["values"])


@pytest.mark.slow
def test_the_text_part_runs_and_gives_every_figure() -> None:
    """What others wait, beside what they wait alone."""
    found = figures("text")
    assert "OpenSearch" in found["machine"] and "500 activities" in found["workload"]
    assert [row["name"].partition(",")[0] for row in found["rows"]] == [
        "page without filters",
        "beside the worst searches of two readers",
        "beside one of them",
        "page for 2 words of 8 letters",
        "beside the worst searches of two others",
        "page for 8 words of 24 letters",
    ]
    assert all(value > 0 for row in found["rows"] for value in row["values"])


@pytest.mark.slow
def test_the_processes_part_runs_and_gives_every_figure_of_the_issue() -> None:
    """CPU, memory, latency and the bare server beside it: each against its target."""
    found = figures("processes")
    assert "websockets" in found["machine"] and "20 sockets in 4 groups of 5" in found["workload"]
    targets = [(row["name"], row["target"]) for row in found["rows"] if "target" in row]
    assert targets == [
        ("sidecar, embedded bus: CPU, µs per delivery", "<= 25"),
        ("p99, ms", "<= 100"),
        ("memory a socket, KiB", "<= 45"),
        ("sidecar / bare, CPU of each pair", "<= 2"),
        ("sender to socket through collector and bus p50, ms", "<= 50"),
        ("sidecar, Redis: CPU, µs per delivery", "<= 25"),
        ("p99, ms", "<= 100"),
    ]
    for row in found["rows"]:
        if row["name"] == "told by a snapshot instead, % of deliveries":
            assert row["values"] == [0.0]
        elif row["name"] != "memory a socket, KiB":  # of a few sockets it may be nothing
            assert all(value > 0 for value in row["values"]), row
    assert not list(Path("/tmp").glob("activity-bench-*/sidecar.log"))


def test_the_stages_are_listed() -> None:
    """``python -m bench.stages`` times each stage and the whole."""
    done = run("bench.stages", "--events", "100", "--chunk", "50", "--repeats", "2")
    assert done.returncode == 0, done.stderr
    for stage in ("decode", "map", "normalize", "validate", "process", "body for _bulk"):
        assert f"\n{stage} " in done.stdout


@pytest.mark.parametrize("workload", WORKLOADS)
def test_no_two_loads_share_an_event(workload: str) -> None:
    """A seed of its own gives every round new ids, else 409 would look like speed."""
    first, second = (
        {json.dumps(one) for _, some in chunks(workload, seed, 60, 20) for one in some}
        for seed in (1, 2)
    )
    assert len(first) == len(second) == 60
    assert not first & second


def test_the_audit_event_is_the_one_that_is_described() -> None:
    """About 1 kB of JSON, 840 B of MessagePack and 30 fields."""
    event = sizes("audit")
    assert 900 < event.json < 1100
    assert 760 < event.msgpack < 900
    assert 28 <= event.fields <= 36


def test_a_load_is_encoded_before_the_clock_starts() -> None:
    """Every message holds its chunk id, and the ack due for it is known."""
    messages = prepared("audit", 7, 10, 4)
    assert len(messages) == 3
    assert len({ack for _, ack in messages}) == 3
    assert all(ack[7:] in message for message, ack in messages)


def test_a_row_is_judged_by_its_median() -> None:
    """One good round does not reach a target, one bad round does not miss it."""
    assert Row("x", [1, 9, 9], Target("<=", 5)).reached is False
    assert Row("x", [1, 1, 9], Target("<=", 5)).reached is True
    assert Row("x", [0.9, 0.96, 0.97], Target(">=", 0.95)).reached is True
    assert Row("x", [1.0]).reached is None


def test_the_table_shows_median_and_spread() -> None:
    """A figure without its spread says little on a shared machine."""
    text = table([Row("cpu", [10.0, 30.0, 20.0], Target("<=", 25))])
    assert text.splitlines()[1].split() == ["cpu", "20.0", "10.0", "30.0", "≤", "25:", "reached"]


@pytest.mark.parametrize("part", PARTS)
def test_the_table_replaces_the_one_on_the_page(part: str, tmp_path: Path) -> None:
    """The docs hold the last run of each part whole, and what stands around it stays."""
    begin, end = (f"<!-- bench {part}: {where} of its last run -->" for where in ("begin", "end"))
    page = tmp_path / "benchmarks.md"
    page.write_text(f"before\n{begin}\nold\n{end}\nafter\n")
    for value in (1.0, 2.0):
        write(page, part, {"machine": "here"}, [Row("cpu", [value])])
    text = page.read_text()
    assert text.startswith(f"before\n{begin}\n") and text.endswith(f"{end}\nafter\n")
    assert "- here" in text and "2.0" in text
    assert "old" not in text and "1.0" not in text
    assert begin in (ROOT / "docs/benchmarks.md").read_text()
    assert end in (ROOT / "docs/benchmarks.md").read_text()


def test_percentiles() -> None:
    """p99 of a hundred is not their greatest."""
    values = [float(n) for n in range(1, 102)]
    assert percentile(values, 0.5) == 51
    assert 99 < percentile(values, 0.99) < 101
    assert percentile([3.0], 0.99) == 3.0


def test_events_are_recent() -> None:
    """Events in the future or far past would take another path through the collector."""
    for _, records in chunks("audit", 3, 50, 50):
        for record in records:
            age = datetime.now().astimezone() - datetime.fromisoformat(record["@timestamp"])
            assert 0 < age.total_seconds() < 3600
