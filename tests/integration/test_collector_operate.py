"""A collector as an operator has it in hand: check, start, signals, one data folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from activity_center.config import Cluster
from tests.clients.forward import ForwardClient, encode
from tests.integration.process import TOKEN, Collector, sha256, until

NOWHERE = Cluster(url="http://127.0.0.1:1")


def post(collector: Collector, token: str = TOKEN, number: int = 1, text: str = "-") -> int:
    """Status of one event over HTTP."""
    event = {"event": {"id": f"operate-{number}", "action": "server.create"}, "message": text}
    request = urllib.request.Request(
        f"{collector.url}/v1/activities?source=native",
        json.dumps(event).encode(),
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code


def collect(collector: Collector, *arguments: str) -> subprocess.CompletedProcess[str]:
    """``activity-center collect`` with the collector's configuration, until it ends."""
    command = [sys.executable, "-m", "activity_center", "collect", *arguments]
    return subprocess.run(
        [*command, "--config", str(collector.config)],
        capture_output=True,
        text=True,
        env={**os.environ, **collector.environment},
        timeout=60,
    )


def test_check(tmp_path: Path) -> None:
    """``--check`` says what is wrong, with file, line and path, starts nothing and makes no
    data folder; exit code 0 for right, 2 for wrong."""
    collector = Collector(tmp_path, NOWHERE)
    collector.write()
    done = collect(collector, "--check")
    assert (done.returncode, done.stderr) == (0, "")
    assert "right (2 listeners, 1 senders)" in done.stdout
    assert not collector.data_dir.exists()
    collector.document["collector"]["quotta"] = 1
    collector.document["senders"][0]["sources"] = ["nope"]
    collector.write()
    done = collect(collector, "--check")
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "quotta" in done.stderr and f"{collector.config}" in done.stderr
    assert "senders.0.sources: no source is named 'nope'" in done.stderr
    assert not collector.data_dir.exists()


def test_check_finds_what_cannot_work(tmp_path: Path) -> None:
    """``--check`` refuses TLS files that do not load, HTTP without any token, a Forward user
    list without users, and sources that do not exist, all at once and each with its line; and
    it makes no key of redaction."""
    collector = Collector(tmp_path, NOWHERE)
    section = collector.document["collector"]
    junk = tmp_path / "junk.pem"
    junk.write_text("no certificate")
    section["http"].append(
        {"bind": "127.0.0.1:1", "tls": {"certificate": str(junk), "key": "/no/such.key"}}
    )
    section["forward"] += [{"bind": "127.0.0.1:2", "shared_key": "${KEY}"}]
    section["forward"][0]["source"] = "kubernetes-audti"
    section["country_database"] = str(junk)
    section["redaction"] = {"hash": ["user.email"], "patterns": ["(?=x)xxx"]}
    collector.document["opensearch"] = {"url": "https://127.0.0.1:1", "ca": str(junk)}
    collector.environment["KEY"] = "k"
    del collector.document["senders"][0]["token_sha256"]
    collector.write()
    done = collect(collector, "--check")
    assert done.returncode == 2 and "Traceback" not in done.stderr
    for words in (
        "collector.http.0: 127.0.0.1",
        "no sender has a token",
        "collector.http.1.tls: ",
        "collector.forward.1: 127.0.0.1:2: no sender has a username",
        "did you mean 'kubernetes-audit'?",
        "collector.redaction.patterns: ",
        f"collector.country_database: {junk}: cannot be read as a MaxMind DB",
        f"{collector.config}:1: opensearch: ",
    ):
        assert words in done.stderr, (words, done.stderr)
    assert not collector.data_dir.exists()


@pytest.mark.parametrize("workers", [1, 2])
def test_sighup_during_start(tmp_path: Path, workers: int) -> None:
    """SIGHUP from the first moment of ``collect`` on until it is ready does not end it, alone
    or with workers, and a change of that time is read."""
    collector = Collector(tmp_path, NOWHERE, workers=workers, drain_timeout=0)
    with collector:
        collector.start(wait=False)
        until(lambda: _blocks_or_catches(collector.pid, signal.SIGHUP))
        while collector.get("/readyz", workers - 1)[0] != 200:
            assert collector.alive, collector.tail()
            collector.signal(signal.SIGHUP)
            time.sleep(0.02)
        collector.wait_ready()
        until(lambda: collector.logged("configuration reloaded"))
        assert not collector.logged("worker died"), collector.tail()
        assert collector.terminate() == 0


def _blocks_or_catches(pid: int, number: int) -> bool:
    """Whether a process would not end by a signal (proc_pid_status(5))."""
    status = Path(f"/proc/{pid}/status").read_text()
    masks = [line.split()[1] for line in status.splitlines() if line[:6] in ("SigBlk", "SigCgt")]
    return any(int(mask, 16) >> (number - 1) & 1 for mask in masks)


def test_start_and_stop_are_told(tmp_path: Path) -> None:
    """The log says where events go, without a password, where health is, which file counts,
    what an account cannot do, how long stopping takes, and what is left."""
    cluster = Cluster(url="http://127.0.0.1:1", username="writer", password="geheim")
    collector = Collector(tmp_path, cluster, drain_timeout=1)
    with collector:
        collector.start()
        assert post(collector) == 200
        assert collector.terminate() == 0
    (start,) = collector.logged("starting")
    assert start["opensearch"] == "http://127.0.0.1:1"
    assert start["health"] == f"127.0.0.1:{collector.health_port}"
    assert start["config"] == str(collector.config)
    (warning,) = [line for line in collector._lines() if "second copies" in line["event"]]
    assert "opensearch.maintain" in warning["hint"]
    assert collector.logged("stopping: up to 11 s; no new events are taken")
    assert collector.logged("stopped")[0]["records_left"] == 1
    assert "geheim" not in collector.log.read_text()


def test_a_login_in_the_address_is_not_logged(tmp_path: Path) -> None:
    """A login may stand in ``opensearch.url``: it is used, and neither part of it is shown."""
    nowhere = Cluster(url="http://schreiber:geheim@127.0.0.1:1")
    collector = Collector(tmp_path, nowhere, drain_timeout=0)
    with collector:
        collector.start()
        assert post(collector) == 200
        until(lambda: collector.logged("delivery waits"))
        assert collector.terminate() == 0
    assert collector.logged("starting")[0]["opensearch"] == "http://127.0.0.1:1"
    log = collector.log.read_text()
    assert "geheim" not in log
    assert "schreiber" not in log


def test_a_sender_has_half_unless_it_has_its_own(tmp_path: Path) -> None:
    """Among several senders one without a quota gets 503 at half of the spool; others go on."""
    other = {"name": "other", "token_sha256": sha256("other-token")}
    collector = Collector(tmp_path, NOWHERE, senders=[other], quota="1MiB", drain_timeout=0)
    with collector:
        collector.start()
        number = 0
        while post(collector, number=number, text="x" * 20_000) == 200:
            number += 1
            assert number < 60
        assert 0.35 * (1 << 20) < number * 20_000 < 0.55 * (1 << 20)
        assert post(collector, "other-token", number=number, text="x" * 20_000) == 200


def test_one_data_folder_one_collector_one_address(tmp_path: Path) -> None:
    """A second collector on the same data folder or address is refused with words, and the
    first one goes on."""
    first = Collector(tmp_path / "first", NOWHERE)
    second = Collector(tmp_path / "second", NOWHERE, data_dir=str(first.data_dir))
    third = Collector(tmp_path / "third", NOWHERE, health=f"127.0.0.1:{first.health_port}")
    with first, second, third:
        first.start()
        second.start(wait=False)
        third.start(wait=False)
        assert second.wait() == 1
        assert third.wait() == 2
        assert "another process uses this spool" in second.tail()
        assert "stop the other collector" in second.tail()
        assert "cannot listen" in third.tail()
        assert "Traceback" not in second.tail() + third.tail()
        assert post(first) == 200


def test_reload(tmp_path: Path) -> None:
    """SIGHUP: a new token works and the old one does not; a broken file changes nothing and
    is logged without its secrets; the process and its connections stay."""
    other = {"name": "other", "token_sha256": sha256("former-token")}
    collector = Collector(tmp_path, NOWHERE, senders=[other])
    with collector:
        collector.start()
        pid = collector.pid
        with ForwardClient(collector.forward) as client:
            client.send("activity.native", [(1, {"event": {"action": "a.b"}})])
            collector.document["senders"][1]["token_sha256"] = sha256("new-token")
            collector.reload()
            until(lambda: collector.logged("configuration reloaded"))
            assert (post(collector, "new-token"), post(collector, "former-token")) == (200, 401)
            good = collector.config.read_text()
            collector.config.write_text(good + "\nsenders: [{name: x, token: geheim}]\n")
            collector.signal(1)
            until(lambda: collector.logged("configuration not reloaded; the former one stays"))
            assert (post(collector, "new-token"), post(collector, "former-token")) == (200, 401)
            collector.config.write_text("a: &a [*a]")
            collector.signal(1)
            until(lambda: "an anchor contains itself" in collector.log.read_text())
            collector.document["senders"][0]["sources"] = ["no-such-source"]
            collector.reload()
            until(
                lambda: (
                    len(collector.logged("configuration not reloaded; the former one stays")) == 3
                )
            )
            assert (post(collector, "new-token"), post(collector, "former-token")) == (200, 401)
            client.send("activity.native", [(1, {"event": {"action": "a.b"}})])
        assert collector.pid == pid and collector.alive
    log = collector.log.read_text()
    assert "no-such-source" in log and "Traceback" not in log
    for secret in ("geheim", "new-token", sha256("new-token")):
        assert secret not in log


def test_sigterm_keeps_what_cannot_be_delivered(tmp_path: Path) -> None:
    """SIGTERM without OpenSearch: within the drain time-out the process ends with code 0, and
    the spool has what was accepted."""
    collector = Collector(tmp_path, NOWHERE, drain_timeout=1)
    with collector:
        collector.start()
        assert [post(collector, number=n) for n in range(5)] == [200] * 5
        assert collector.terminate() == 0
        assert "not all is delivered" in collector.tail()
        collector.start()
        until(lambda: collector.metric("activity_center_spool_records") == 5)


def test_sigterm_answers_what_has_arrived(tmp_path: Path) -> None:
    """A chunk that was read when SIGTERM came is acknowledged before the process ends."""
    collector = Collector(tmp_path, NOWHERE, drain_timeout=1)
    with collector:
        collector.start()
        events: list[Any] = [
            (time.time_ns(), {"event": {"action": "a.b", "id": f"t{n}"}}) for n in range(3000)
        ]
        with ForwardClient(collector.forward) as client:
            client.send("activity.native", [(1, {"event": {"action": "a.b"}})])
            before = collector.metric("activity_center_receiver_bytes_total", receiver="forward")
            client.write(encode("activity.native", events, chunk="last"))
            until(lambda: collector.metric("activity_center_receiver_bytes_total") > before)
            collector.signal(15)
            assert client.read() == {"ack": "last"}
        assert collector.wait() == 0
        collector.start()
        until(lambda: collector.metric("activity_center_spool_records") == 3001)
