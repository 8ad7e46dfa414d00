"""A leader that was stopped and taken for dead destroys nothing that the new one relies on."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from activity_center.errors import ClusterError
from activity_center.policies import policies
from activity_center.setup import lease as leases
from activity_center.setup.cluster import ask
from activity_center.setup.lease import Lease
from activity_center.streams import STATE_INDEX
from collector.retention import archives, run
from collector.retention.archive import Broken, prove, scratch_name
from collector.retention.state import save_archive
from tests.collector.retention.place import REPOSITORY
from tests.integration.process import until

STREAM = "activity-agent-standard-90d"
DAY = timedelta(days=1)

HOLDER = """
import sys
from activity_center.config import Cluster
from activity_center.connection import connect
from activity_center.errors import ClusterError
from activity_center.setup import lease as leases
from activity_center.setup.lease import Lease

leases.EXPIRY, leases.RENEWAL = float(sys.argv[3]), float(sys.argv[4])

client = connect(Cluster(url=sys.argv[1]))
try:
    with Lease(client, "retention", index="activity-center-state") as lease:
        print("held", flush=True)
        sys.stdin.readline()
        getattr(lease, sys.argv[2])()
        print("goes on", flush=True)
except ClusterError as wrong:
    print(wrong.message, flush=True)
"""


EXPIRY, RENEWAL = 2.0, 0.5
"""Seconds of the leases here: a tenth, so that nobody waits long for one that was stopped."""


@pytest.fixture
def short_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leases of this process run out soon."""
    monkeypatch.setattr(leases, "EXPIRY", EXPIRY)
    monkeypatch.setattr(leases, "RENEWAL", RENEWAL)


def names_of_snapshots(place: Any) -> set[str]:
    """What is in the repository."""
    found = ask(place.client, "GET", f"/_snapshot/{REPOSITORY}/_all").body["snapshots"]
    return {one["snapshot"] for one in found}


def archived(place: Any, now: datetime) -> str:
    """A stream whose first index rolled over 75 days ago and is archived; its name."""
    place.set_up()
    place.stream(STREAM, now - 85 * DAY)
    place.put(STREAM, [("a", now - 80 * DAY, "northwind")])
    place.roll(STREAM, now - 75 * DAY)
    assert run(place.client, policies(), now=now).failed == []
    return str(place.backing(STREAM)[0].name)


@pytest.mark.usefixtures("short_leases")
@pytest.mark.parametrize("question", ["check", "confirm"])
def test_who_was_stopped_finds_out_first(place: Any, question: str) -> None:
    """Resumed after another one took over, the very first question says so."""
    place.set_up()
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, place.url, question, str(EXPIRY), str(RENEWAL)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    os.kill(holder.pid, signal.SIGSTOP)
    with Lease(place.client, "retention", index=STATE_INDEX, wait=120):
        holder.stdin.write("\n")
        holder.stdin.flush()
        os.kill(holder.pid, signal.SIGCONT)
        said = holder.stdout.readline()
    holder.communicate()
    assert "was lost" in said


def test_what_one_proved_the_other_cannot_discard(place: Any, now: datetime) -> None:
    """Who judges a snapshot by an old record is refused, and the snapshot stays."""
    index = archived(place, now)
    old = archives(place.client)[index]
    new = prove(place.client, old, 1, lambda: None)
    place.break_repository()
    with pytest.raises(ClusterError, match="another run has written"):
        prove(place.client, old, 1, lambda: None)
    assert archives(place.client)[index] == new
    assert old.snapshot in names_of_snapshots(place)

    # Who read the newest record is heard: what is broken goes, while its index is there.
    with pytest.raises(Broken):
        prove(place.client, new, 1, lambda: None)
    assert archives(place.client)[index].documents is None
    assert old.snapshot not in names_of_snapshots(place)


def test_no_snapshot_goes_once_its_index_is_gone(place: Any, now: datetime) -> None:
    """The last copy of what was deleted is kept, whatever a trial says of it."""
    index = archived(place, now)
    assert run(place.client, policies(), now=now + 20 * DAY).failed == []
    assert index not in {one.name for one in place.backing(STREAM)}
    known = archives(place.client)[index]
    place.break_repository()
    with pytest.raises(Broken):
        prove(place.client, known, 1, lambda: None)
    assert known.snapshot in names_of_snapshots(place)


def test_a_record_is_written_once(place: Any, now: datetime) -> None:
    """Two that begin to archive an index at once: the second one is refused."""
    index = archived(place, now)
    known = archives(place.client)[index]
    for other in (replace(known, version=None), known):
        if other.version:
            save_archive(place.client, other)
        with pytest.raises(ClusterError, match="another run has written"):
            save_archive(place.client, replace(other, problem="x"))
    assert archives(place.client)[index].problem == ""


def pace(place: Any, limit: str | None) -> None:
    """How fast shards are restored, also those that are being restored; ``None``: as usual."""
    body = {"transient": {"indices.recovery.max_bytes_per_sec": limit}}
    ask(place.client, "PUT", "/_cluster/settings", body=body)


@pytest.mark.usefixtures("short_leases")
def test_a_leader_stopped_in_its_restore(place: Any, now: datetime) -> None:
    """It is stopped while it restores, the next one deletes the index: the snapshot stays."""
    place.set_up()
    place.stream(STREAM, now - 120 * DAY)
    lines = []
    for number in range(100):
        entry = {
            "@timestamp": (now - 115 * DAY).isoformat(),
            "event": {"id": f"e{number}"},
            "activity": {"retention": {"class": "standard-90d"}},
            "filler": secrets.token_hex(4000),
        }
        lines += [json.dumps({"create": {"_id": f"e{number}"}}), json.dumps(entry)]
    body = "\n".join([*lines, ""])
    ask(place.client, "POST", f"/{STREAM}/_bulk", body=body, params={"refresh": "true"})
    place.roll(STREAM, now - 95 * DAY)
    index = place.backing(STREAM)[0].name
    pace(place, "60kb")
    command = place.command("retention", "run", "--json")
    first = subprocess.Popen(
        command, env=place.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    path = f"/_cat/indices/{scratch_name(index)}"
    given = {"format": "json", "h": "uuid", "expand_wildcards": "all"}

    def restored() -> str:
        """Which index its copy is, while it is there."""
        answer = ask(place.client, "GET", path, params=given, allow=(404,))
        return str(answer.body[0]["uuid"]) if answer.ok and answer.body else ""

    while first.poll() is None and not restored():
        time.sleep(0.05)
    os.kill(first.pid, signal.SIGSTOP)
    was = restored()
    try:
        with ThreadPoolExecutor(1) as pool:
            second = pool.submit(run, place.client, policies(), now=now)
            until(lambda: second.done() or restored() != was)
            assert not second.done()  # the second one took the copy away in the midst of it
            pace(place, None)
            assert second.result().failed == []
    finally:
        pace(place, None)
        os.kill(first.pid, signal.SIGCONT)
    told, _ = first.communicate(timeout=120)
    assert first.returncode == 1, told
    assert index not in {one.name for one in place.backing(STREAM)}
    proof = archives(place.client)[index]
    assert proof.documents == 100
    assert proof.snapshot in names_of_snapshots(place)
