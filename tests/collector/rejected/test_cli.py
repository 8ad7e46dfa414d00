"""``activity-center rejected``, with a real collector where it sends."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from activity_center.config import Cluster
from collector.records import Entry, Reject
from collector.rejected import RejectedStore
from collector.spool.reader import Damage, SegmentReader
from tests.clients.forward import ForwardClient
from tests.collector.spool.entries import reject
from tests.integration.process import TOKEN, Collector, count_by_id

NOWHERE = Cluster(url="http://127.0.0.1:1")  # what is accepted stays in the spool


def run(*arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "activity_center", "rejected", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        env={**os.environ, "ACTIVITY_CENTER_TOKEN": TOKEN, "COLUMNS": "200"},
        timeout=120,
        check=False,
    )


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A data folder with some rejects."""
    store = RejectedStore(tmp_path / "rejected")
    store.add([reject(10**18 + number) for number in range(3)])
    store.add([reject(2 * 10**18, raw=b"\xff\x00broken")._replace(reason="undecodable")])
    store.close()
    return tmp_path


def _ids(data_dir: Path) -> list[str]:
    store = RejectedStore(data_dir / "rejected")
    ids = [row.id for row in store.select()]
    store.close()
    return ids


def test_list(data_dir: Path) -> None:
    """People get a table, scripts an array; filters narrow both."""
    done = run("list", "--data-dir", str(data_dir))
    assert done.returncode == 0
    assert all(id_[:12] in done.stdout for id_ in _ids(data_dir))
    assert "undecodable" in done.stdout
    done = run("list", "--data-dir", str(data_dir), "--json", "--reason", "invalid")
    rows = json.loads(done.stdout)
    assert [row["detail"] for row in rows] == [f"number {10**18 + n}" for n in range(3)]
    assert rows[0]["received"].startswith("2001-09-09T01:46:40")
    done = run("list", "--data-dir", str(data_dir), "--json", "--since", "2030-01-01T00:00Z")
    assert len(json.loads(done.stdout)) == 1
    done = run("list", "--data-dir", str(data_dir), "--limit", "1")
    assert "1 of 4" in done.stderr


def test_show(data_dir: Path) -> None:
    """The beginning of the id is enough; raw bytes come out as they were."""
    first, *_, last = _ids(data_dir)
    done = run("show", first[:10], "--data-dir", str(data_dir))
    assert "invalid: the activity breaks the schema" in done.stdout
    assert '"n": 1000000000000000000' in done.stdout
    done = run("show", last, "--data-dir", str(data_dir), "--json")
    shown = json.loads(done.stdout)
    assert shown["record"] is None
    assert Path(shown["raw_file"]).read_bytes() == b"\xff\x00broken"
    command = [sys.executable, "-m", "activity_center", "rejected", "show", last, "--raw"]
    raw = subprocess.run([*command, "--data-dir", str(data_dir)], capture_output=True, check=True)
    assert raw.stdout == b"\xff\x00broken"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["list"], "either --config FILE or --data-dir DIR"),
        (["list", "--data-dir", "/nowhere"], "no store of rejected records"),
        (["list", "--data-dir", "DATA", "--reason", "bad"], "no such reason: bad"),
        (["list", "--data-dir", "DATA", "--since", "soon"], "--since"),
        (["show", "zzz", "--data-dir", "DATA"], "no id begins so"),
        (["show", "", "--data-dir", "DATA"], "more than one id begins so"),
        (["replay", "--data-dir", "DATA"], "--config FILE or --url URL"),
        (["discard", "--data-dir", "DATA"], "ID"),
    ],
)
def test_wrong_use_says_what_to_do(data_dir: Path, arguments: list[str], words: str) -> None:
    """Exit code 2 and a sentence, never a traceback."""
    done = run(*[str(data_dir) if one == "DATA" else one for one in arguments])
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def _steering(tmp_path: Path) -> str:
    """A store whose one record tries to steer the terminal; returns its id."""
    store = RejectedStore(tmp_path / "rejected")
    evil = "a\x1b[2J\x9b\u202e\tb\nc"
    body = json.dumps({"text": evil}, ensure_ascii=False).encode()
    first = reject(10**18)
    store.add([first._replace(detail=evil * 20, source=evil, tag=evil, record=body)])
    store.close()
    (only,) = _ids(tmp_path)
    return only


def test_a_pipe_gets_one_line_a_record(data_dir: Path) -> None:
    """Tabs between the columns, nothing wrapped or cropped at 80 columns."""
    command = [sys.executable, "-m", "activity_center", "rejected", "list"]
    done = subprocess.run(
        [*command, "--data-dir", str(data_dir)],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "80"},
        check=True,
    )
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert [row[0] for row in rows] == _ids(data_dir)
    assert {len(row) for row in rows} == {6}


def test_data_cannot_steer_the_terminal(tmp_path: Path) -> None:
    """Control characters of a sender are escapes, in a pipe, on a terminal, and in show."""
    only = _steering(tmp_path)
    command = [sys.executable, "-m", "activity_center", "rejected"]
    texts = [
        run("list", "--data-dir", str(tmp_path)).stdout,
        run("show", only, "--data-dir", str(tmp_path)).stdout,
    ]
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [*command, "list", "--data-dir", str(tmp_path)],
        stdout=slave,
        env={**os.environ, "COLUMNS": "80", "TERM": "xterm-256color"},
    )
    os.close(slave)
    data = b""
    with contextlib.suppress(OSError):  # EIO: the other end is closed
        while part := os.read(master, 65536):
            data += part
    os.close(master)
    assert process.wait(30) == 0
    texts.append(data.decode())
    for text in texts:
        assert "\\x1b[2J" in "".join(text.split())
        for forbidden in ("\x1b[2J", "\x9b", "\u202e"):
            assert forbidden not in text
    assert texts[0].count("\n") == 1


def test_discard(data_dir: Path) -> None:
    """Deletes what is named, after a question, with its raw file."""
    *_, last = _ids(data_dir)
    assert run("discard", last, "--data-dir", str(data_dir), stdin="n\n").returncode != 0
    assert len(_ids(data_dir)) == 4
    done = run("discard", last[:9], "--data-dir", str(data_dir), "--yes")
    assert done.stdout == "1 deleted\n"
    assert last not in _ids(data_dir)
    assert list((data_dir / "rejected" / "raw").iterdir()) == []


# -- replay --------------------------------------------------------------------------


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Callable[..., Collector]]:
    """Start collectors with one data folder, one after the other."""
    made: list[Collector] = []

    def make(cluster: Cluster = NOWHERE) -> Collector:
        for former in made:
            former.kill()
        made.append(Collector(tmp_path, cluster))
        made[-1].start()
        return made[-1]

    yield make
    for one in made:
        one.kill()


def _post(collector: Collector, records: list[dict[str, Any]], source: str) -> list[str]:
    request = urllib.request.Request(
        f"{collector.url}/v1/activities?source={source}",
        json.dumps(records).encode(),
        {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return [item["status"] for item in json.load(answer)["items"]]


def _event(**more: Any) -> dict[str, Any]:
    return {"event": {"action": "user.login"}, "@timestamp": "2026-01-01T00:00:00Z", **more}


def test_what_was_mended_is_accepted_once(collector: Callable[..., Collector]) -> None:
    """A record without its source waits; replayed twice, its events are accepted once each."""
    here = collector()
    records = [_event(user={"name": "ann"}), _event(user={"name": "ann"}), _event()]
    assert _post(here, records, "not-there-yet") == ["rejected"] * 3
    config = str(here.config)
    done = run("replay", "--config", config, "--print")
    assert [json.loads(line) for line in done.stdout.splitlines()] == records
    before = here.metric("activity_center_spool_records")
    done = run("replay", "--config", config, "--source", "native", "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["accepted"], summary["rejected"], summary["skipped"]) == (3, 0, 0)
    assert here.metric("activity_center_spool_records") == before + 3
    done = run("replay", "--config", config, "--source", "native", "--json")
    assert json.loads(done.stdout)["accepted"] == 0
    assert json.loads(run("list", "--config", config, "--json").stdout) == []
    assert len(json.loads(run("list", "--config", config, "--json", "--all").stdout)) == 3


def test_what_is_rejected_again_does_not_go_round(collector: Callable[..., Collector]) -> None:
    """The old entry makes place for the new one; one replay sends each record once."""
    here = collector()
    _post(here, [_event(), _event(user={"name": "bob"})], "not-there-yet")
    config = str(here.config)
    for _ in range(2):
        done = run("replay", "--config", config, "--json")
        assert done.returncode == 1
        assert json.loads(done.stdout)["rejected"] == 2
        assert len(json.loads(run("list", "--config", config, "--json").stdout)) == 2


def _spooled(tmp_path: Path) -> list[Entry]:
    """The entries that the collector made durable, in order."""
    found: list[Entry] = []
    for path in sorted((tmp_path / "data" / "worker-0" / "segments").iterdir()):
        with SegmentReader(path) as reader:
            while (item := reader.next(path.stat().st_size)) is not None:
                assert not isinstance(item, Damage)
                found.append(item[2])
    return found


def test_a_replayed_record_is_the_event_that_it_would_have_been(
    collector: Callable[..., Collector], tmp_path: Path
) -> None:
    """Without an id or a time of its own: the transport's time and tag come again too, so the
    sender's own repetition is the same document, and so is a second replay after a break."""
    moment = time.time_ns() - 10**9
    record = {"event": {"action": "user.login"}, "user": {"name": "ann"}}
    body = json.dumps(record).encode()
    lost = Reject("no_source", "", "", body, None, "tests", "", "activity.native", 5, moment)
    data = tmp_path / "data"
    store = RejectedStore(data / "rejected")
    store.add([lost, lost, lost._replace(time=moment + 1)])
    store.close()
    here = collector()
    arguments = ["replay", "--config", str(here.config), "--json"]
    done = run(*arguments)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["accepted"] == 3
    replayed = _spooled(tmp_path)
    assert len({one.id for one in replayed}) == 3
    assert {one.time for one in replayed} == {moment // 10**6, (moment + 1) // 10**6}
    database = sqlite3.connect(data / "rejected" / "store.sqlite")
    database.execute("UPDATE rejected SET replayed = NULL")
    database.commit()
    database.close()
    assert json.loads(run(*arguments).stdout)["accepted"] == 3
    with ForwardClient(here.forward) as client:
        client.send("activity.native", [(moment, record), (moment, record), (moment + 1, record)])
    again = _spooled(tmp_path)[3:]
    assert len(again) == 6
    for three in (again[:3], again[3:]):
        assert sorted((one.id, one.hash) for one in three) == sorted(
            (one.id, one.hash) for one in replayed
        )


def test_a_collector_that_is_away(data_dir: Path) -> None:
    """Nothing is marked as replayed that was not accepted."""
    url = "http://127.0.0.1:1"
    command = ["replay", "--data-dir", str(data_dir), "--url", url, "--retry-for", "0"]
    done = run(*command)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    store = RejectedStore(data_dir / "rejected")
    assert store.count(replayed=False) == 4
    store.close()


def test_what_opensearch_refused(
    opensearch: Any, collector: Callable[..., Collector], tmp_path: Path
) -> None:
    """A normalized document goes through the source native, and is stored once."""
    store = RejectedStore(tmp_path / "data" / "rejected")
    name = f"replayed-{os.getpid()}-{id(store)}"
    document = _event(
        event={"id": name, "action": "user.login", "hash": "0" * 64, "kind": "event"},
        activity={"schema_version": 1, "catalogued": True, "retention": {"class": "permanent"}},
    )
    body = json.dumps(document).encode()
    moment = 10**18
    store.add([Reject("refused", "in the way", "", body, None, "tests", "", "", moment)])
    store.close()
    from activity_center.cli.install import command as install

    assert install is not None
    environment = {**os.environ, "OPENSEARCH_URL": opensearch.url}
    subprocess.run(
        [sys.executable, "-m", "activity_center", "install"],
        env=environment,
        check=True,
        capture_output=True,
        timeout=120,
    )
    here = collector(opensearch.cluster)
    for _ in range(2):
        done = run("replay", "--config", str(here.config), "--json")
        assert done.returncode == 0, done.stderr
    here.wait_delivered()
    assert count_by_id(opensearch.client, [name]) == {name: 1}
    assert here.metric("activity_center_deliver_documents_total", outcome="created") == 1
