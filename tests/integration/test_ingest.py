"""``activity-center ingest`` against a real collector process."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from activity_center.config import Cluster
from tests.integration.process import TOKEN, Collector, free_port

NOWHERE = Cluster(url="http://127.0.0.1:1")  # what is accepted stays in the spool


_AND_PEAK = """
import sys
from pathlib import Path
from activity_center.cli import main
try:
    main()
finally:
    sys.stderr.write(Path("/proc/self/status").read_text())
"""


def event(number: int, **more: Any) -> bytes:
    record = {
        "event": {"id": f"e-{number}", "action": "server.create"},
        "@timestamp": "2026-01-01T00:00:00Z",
        **more,
    }
    return json.dumps(record).encode()


def ingest(
    *arguments: str, token: str = TOKEN, data: bytes | None = None
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "activity_center", "ingest", *arguments],
        input=data,
        stdin=None if data is not None else subprocess.DEVNULL,
        capture_output=True,
        env={**os.environ, "ACTIVITY_CENTER_TOKEN": token},
        timeout=120,
    )
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
    )


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """One collector for all tests of this file."""
    made = Collector(tmp_path_factory.mktemp("ingest"), NOWHERE)
    made.start()
    yield made
    made.kill()


def test_a_file(collector: Collector, tmp_path: Path) -> None:
    """Every line is accepted, by the configuration's own listener; exit code 0."""
    file = tmp_path / "events.ndjson"
    file.write_bytes(b"\n".join(event(n) for n in range(2500)) + b"\n\n")
    done = ingest(str(file), "--source", "native", "--config", str(collector.config))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("2500 lines: 2500 accepted, 0 rejected, 0 ignored, in ")
    assert done.stderr == ""


@pytest.mark.parametrize("zipped", [False, True])
def test_standard_input(collector: Collector, zipped: bool) -> None:
    """Standard input, plain or gzip; --json prints one object."""
    data = b"\n".join(event(n) for n in range(30))
    done = ingest(
        *("-", "--source", "native", "--url", collector.url, "--json"),
        data=gzip.compress(data) if zipped else data,
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary.pop("seconds") > 0
    assert summary == {
        "lines": 30,
        "last_line": 30,
        "accepted": 30,
        "rejected": 0,
        "ignored": 0,
        "bytes": len(data) - 29,
        "rejections": [],
    }


def test_bad_lines(collector: Collector, tmp_path: Path) -> None:
    """A bad line is named with its number and costs itself; a line of 100 MB is refused
    without being held in memory; exit code 1."""
    file = tmp_path / "bad.ndjson"
    with file.open("wb") as out:
        out.write(event(1) + b"\n{no json\n" + event(2) + b"\n" + b'{"n": NaN}\n{"x":"')
        for _ in range(100):
            out.write(b"x" * 1024**2)
        out.write(b'"}\n{"event": {"action": "\xff"}}\n[1]\n' + event(3) + b"\n")
    arguments = [str(file), "--json", "--source", "native", "--config", str(collector.config)]
    done = subprocess.run(
        [sys.executable, "-c", _AND_PEAK, "ingest", *arguments],
        capture_output=True,
        env={**os.environ, "ACTIVITY_CENTER_TOKEN": TOKEN},
        timeout=120,
    )
    errors = done.stderr.decode()
    summary = json.loads(done.stdout)
    assert done.returncode == 1
    assert (summary["lines"], summary["accepted"], summary["rejected"]) == (8, 3, 5)
    assert {one["line"]: one["reason"] for one in summary["rejections"]} == {
        2: "undecodable",
        4: "bad_number",
        5: "too_large",
        6: "bad_text",
        7: "not_an_object",
    }
    assert "line 5: too_large" in errors
    peak = int(errors.rpartition("VmHWM:")[2].split()[0])
    assert peak < 80_000  # KiB


def test_where_the_rejected_lines_are(collector: Collector, tmp_path: Path) -> None:
    """The printed command names the configuration that was given, and works."""
    file = tmp_path / "bad.ndjson"
    file.write_bytes(b"{no json\n")
    done = ingest(str(file), "--source", "native", "--config", str(collector.config))
    assert done.returncode == 1
    command = f"activity-center rejected list --config {collector.config}"
    assert f"See them with: {command}\n" in done.stderr
    listed = subprocess.run(
        [sys.executable, "-m", "activity_center", *command.split()[1:]],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert listed.returncode == 0, listed.stderr


def test_collector_away(tmp_path: Path) -> None:
    """While the collector is away the lines wait; when it is back they are all there once."""
    collector = Collector(tmp_path / "away", NOWHERE)
    collector.start()
    collector.kill()
    file = tmp_path / "events.ndjson"
    file.write_bytes(b"\n".join(event(n) for n in range(100)))
    starter = threading.Timer(1.0, collector.start)
    starter.start()
    try:
        done = ingest(str(file), "--source", "native", "--url", collector.url, "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["accepted"] == 100
    finally:
        starter.join()
        collector.kill()


def test_nobody_there(tmp_path: Path) -> None:
    """No collector: exit code 1, with how far it came and what to do."""
    file = tmp_path / "events.ndjson"
    file.write_bytes(event(1))
    url = f"http://127.0.0.1:{free_port()}"
    done = ingest(str(file), "--source", "native", "--url", url, "--retry-for", "0.1")
    assert done.returncode == 1
    assert "Connection refused" in done.stderr
    assert "stopped after line 0; run it again: what has an id or a time" in done.stderr
    assert "Traceback" not in done.stderr


def test_damaged_gzip(collector: Collector, tmp_path: Path) -> None:
    """A gzip file that breaks off: what came before is sent, and the error says so."""
    file = tmp_path / "events.gz"
    whole = gzip.compress(b"\n".join(event(n, text=os.urandom(50).hex()) for n in range(5000)))
    file.write_bytes(whole[: len(whole) // 2])
    done = ingest(
        *(str(file), "--source", "native", "--url", collector.url, "--json"),
    )
    assert done.returncode == 1
    assert json.loads(done.stdout)["accepted"] >= 1000
    assert "the gzip file is damaged after line" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--source", "native"], 2, "where is the collector"),
        (["--source", "native", "--url", "ftp://x"], 2, "not http://host:port"),
        (["--source", "native", "--url", "http://127.0.0.1:99999"], 2, "not an address"),
        (["--source", "native", "--url", "http://192.0.2.1:1"], 2, "travel unencrypted"),
        (["--url", "URL"], 2, "--source"),
        (["--source", "native", "--token", ""], 2, "ACTIVITY_CENTER_TOKEN is needed"),
    ],
)
def test_wrong_use(tmp_path: Path, arguments: list[str], code: int, words: str) -> None:
    """Wrong use is exit code 2 and a sentence."""
    file = tmp_path / "events.ndjson"
    file.write_bytes(event(1))
    done = ingest(str(file), *arguments)
    assert done.returncode == code
    assert words in done.stderr and "Traceback" not in done.stderr


def test_wrong_token(collector: Collector, tmp_path: Path) -> None:
    """A wrong token ends it at once, and is not printed."""
    file = tmp_path / "events.ndjson"
    file.write_bytes(event(1))
    done = ingest(str(file), "--source", "native", "--url", collector.url, token="wr0ng")
    assert done.returncode == 1
    assert "401" in done.stderr and "no sender has this token" in done.stderr
    assert "wr0ng" not in done.stderr + done.stdout


def test_interrupted(collector: Collector, tmp_path: Path) -> None:
    """Ctrl-C: the count so far is printed, no traceback."""
    arguments = ["-", "--source", "native", "--url", collector.url]
    process = subprocess.Popen(
        [sys.executable, "-m", "activity_center", "ingest", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "ACTIVITY_CENTER_TOKEN": TOKEN},
    )
    assert process.stdin is not None
    before = collector.metric("activity_center_records_total")
    process.stdin.write(b"\n".join(event(n) for n in range(1001)) + b"\n")
    process.stdin.flush()
    end = time.monotonic() + 20
    while collector.metric("activity_center_records_total") == before:
        assert time.monotonic() < end, "the first request did not come"
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert b" lines: " in out
    assert b"run it again" in errors and b"Traceback" not in errors
