"""Carrying policies out on a real node: killed in the middle, and with archives that lie."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from activity_center.errors import ClusterError
from activity_center.policies import policies
from activity_center.setup.cluster import ask
from activity_center.setup.lease import Lease
from activity_center.streams import STATE_INDEX
from collector.retention import Archive, archives, check_retention, run, snapshots
from collector.retention.archive import SCRATCH
from collector.retention.loop import RetentionLoop
from collector.retention.state import save_archive

STREAM = "activity-agent-standard-90d"
REPOSITORY = "activity-center-archive"
DAY = timedelta(days=1)


def old_index(place: Any, now: datetime, age: int) -> str:
    """A stream whose first index of ten entries rolled over ``age`` days ago; its name."""
    place.set_up()
    place.stream(STREAM, now - (age + 10) * DAY)
    place.put(STREAM, [(f"e{n}", now - (age + 5) * DAY, "northwind") for n in range(10)])
    place.roll(STREAM, now - age * DAY)
    return str(place.backing(STREAM)[0].name)


def names(place: Any) -> list[str]:
    """The stream's indices that are there."""
    return [one.name for one in place.backing(STREAM)]


def test_killed_again_and_again(place: Any, now: datetime) -> None:
    """A run that is killed at any step is run again and ends as if nothing had happened."""
    index = old_index(place, now, 89)
    steps = []
    for kill_at in range(1, 12):
        running = subprocess.Popen(
            place.command("retention", "run"),
            env=place.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert running.stderr is not None
        line = running.stderr.readline()  # told before the step is made
        if not line:
            assert running.wait() == 0
            break
        steps.append(line.split()[1])
        if kill_at % 2:  # every other time a little later
            place.ids(index)
        running.send_signal(signal.SIGKILL)
        running.wait()
    else:
        assert place.run("retention", "run").returncode == 0
    assert "snapshot" in steps

    old, write = place.backing(STREAM)
    assert (old.name, old.read_only, old.segments, old.replicas) == (index, True, 1, 0)
    assert not write.read_only
    proof = archives(place.client)[index]
    assert (proof.documents, proof.uuid) == (10, old.uuid)
    assert place.ids(STREAM) == {f"e{n}" for n in range(10)}
    found = ask(
        place.client, "GET", f"/_resolve/index/{SCRATCH}*", params={"expand_wildcards": "all"}
    )
    assert found.body["indices"] == []
    # Two days later it is past its retention.
    later = run(place.client, policies(), now=now + 2 * DAY)
    assert [(one.index, one.action) for one in later.steps] == [(index, "delete")]
    assert names(place) == [write.name]
    assert len(place.records("retention.deleted")) == 1


def test_an_archive_that_lies_deletes_nothing(place: Any, now: datetime) -> None:
    """The repository lost the data after the copy was counted: the index stays, and doctor says so.

    Once the repository is whole again, a new copy is made, counted, and the index goes.
    """
    index = old_index(place, now, 89)
    assert run(place.client, policies(), now=now).failed == []
    before = archives(place.client)[index]
    assert before.documents == 10
    place.break_repository()
    assert {one.state for one in snapshots(place.client, REPOSITORY)} == {"SUCCESS"}

    outcome = run(place.client, policies(), now=now + 2 * DAY)
    assert [one.index for one in outcome.failed] == [index]
    assert names(place)[0] == index
    assert len(place.ids(index)) == 10
    after = archives(place.client)[index]
    assert after.documents is None
    assert after.problem
    findings = list(check_retention(place.client, policies(), now))
    assert any(index in one.message and "not proven" in one.message for one in findings)
    assert place.records("retention.deleted") == []

    outcome = run(place.client, policies(), now=now + 2 * DAY)
    assert outcome.failed == []
    assert index not in names(place)
    assert archives(place.client)[index].snapshot != before.snapshot


def test_no_room_for_a_trial_is_no_disproof(place: Any, now: datetime) -> None:
    """The cluster takes no more shards: nothing is deleted, and what was proven stays proven."""
    index = old_index(place, now, 89)
    assert run(place.client, policies(), now=now).failed == []
    before = archives(place.client)[index]
    path, limit = "/_cluster/settings", "cluster.max_shards_per_node"
    ask(place.client, "PUT", path, body={"persistent": {limit: 1}})
    try:
        outcome = run(place.client, policies(), now=now + 2 * DAY)
    finally:
        ask(place.client, "PUT", path, body={"persistent": {limit: None}})
    assert [(one.index, one.action) for one in outcome.failed] == [(index, "delete")]
    assert "says nothing of the snapshot" in outcome.failed[0].failed
    assert len(place.ids(index)) == 10
    assert archives(place.client)[index] == before
    assert [one.name for one in snapshots(place.client, REPOSITORY)] == [before.snapshot]

    assert run(place.client, policies(), now=now + 2 * DAY).failed == []
    assert index not in names(place)
    assert archives(place.client)[index].snapshot == before.snapshot


def test_no_node_for_a_trial_is_no_disproof(place: Any, now: datetime) -> None:
    """No node takes the scratch index's shard: neither that says anything of the snapshot."""
    index = old_index(place, now, 89)
    assert run(place.client, policies(), now=now).failed == []
    before = archives(place.client)[index]
    path, exclude = "/_cluster/settings", "cluster.routing.allocation.enable"
    ask(place.client, "PUT", path, body={"persistent": {exclude: "none"}})
    try:
        outcome = run(place.client, policies(), now=now + 2 * DAY)
    finally:
        ask(place.client, "PUT", path, body={"persistent": {exclude: None}})
    assert [(one.index, one.action) for one in outcome.failed] == [(index, "delete")]
    assert archives(place.client)[index] == before
    assert [one.name for one in snapshots(place.client, REPOSITORY)] == [before.snapshot]


def test_more_archives_than_one_answer_holds(place: Any, now: datetime) -> None:
    """A record for each index ever archived: all are read, and the run goes on."""
    index = old_index(place, now, 89)
    lines = []
    for number in range(10_001):
        name = f".ds-{STREAM}-old{number:05}"
        known = Archive(name, "u", REPOSITORY, "s", 1, documents=1)
        data = {key: value for key, value in asdict(known).items() if key != "version"}
        lines += [
            json.dumps({"create": {"_id": f"archive-{name}"}}),
            json.dumps({"kind": "retention archive", "name": name, "data": data}),
        ]
    for start in range(0, len(lines), 5000):
        body = "\n".join([*lines[start : start + 5000], ""])
        ask(place.client, "POST", f"/{STATE_INDEX}/_bulk", body=body)
    ask(place.client, "POST", f"/{STATE_INDEX}/_refresh")
    outcome = run(place.client, policies(), now=now)
    assert (outcome.failed, "snapshot" in {one.action for one in outcome.steps}) == ([], True)
    found = archives(place.client)
    assert len(found) == 10_002
    assert found[index].documents == 10


def test_a_copy_that_holds_less_is_no_proof(place: Any, now: datetime) -> None:
    """What is counted in the copy must be what the index holds."""
    index = old_index(place, now, 89)
    assert run(place.client, policies(), now=now).failed == []
    # One more entry in the index, unseen: as if the snapshot had missed it.
    ask(place.client, "PUT", f"/{index}/_settings", body={"index.blocks.write": False})
    ask(
        place.client,
        "POST",
        f"/{index}/_update_by_query",
        params={"refresh": "true"},
        body={"query": {"ids": {"values": ["e0"]}}},
    )
    ask(place.client, "POST", f"/{index}/_delete_by_query", params={"refresh": "true"},
        body={"query": {"ids": {"values": ["e1"]}}})  # fmt: skip
    ask(place.client, "PUT", f"/{index}/_settings", body={"index.blocks.write": True})
    one = place.backing(STREAM)[0]
    save_archive(place.client, replace(archives(place.client)[index], max_seq_no=one.max_seq_no))
    ask(place.client, "POST", f"/{index}/_forcemerge", params={"max_num_segments": 1})
    ask(place.client, "POST", f"/{index}/_refresh")

    outcome = run(place.client, policies(), now=now + 2 * DAY)
    assert [one.action for one in outcome.failed] == ["delete"]
    assert "holds 10 entries, the index 9" in outcome.failed[0].failed
    assert index in names(place)


def test_without_a_repository_nothing_goes(place: Any, now: datetime) -> None:
    """What has an archive in its policy stays while there is none; what has none goes."""
    index = old_index(place, now, 400)
    short = "activity-agent-standard-30d"
    place.stream(short, now - 60 * DAY)
    place.put(short, [("s", now - 50 * DAY, "northwind")])
    place.roll(short, now - 31 * DAY)
    ask(place.client, "DELETE", f"/_snapshot/{REPOSITORY}")

    outcome = run(place.client, policies())
    assert [(one.index, one.action) for one in outcome.failed] == [(index, "snapshot")]
    assert names(place)[0] == index
    assert len(place.backing(short)) == 1
    findings = [one.message for one in check_retention(place.client, policies(), now)]
    assert any(REPOSITORY in one and "cannot be used" in one for one in findings)


@pytest.mark.parametrize("rolled", [False, True], ids=["written to", "rolled over"])
def test_the_index_that_was_judged_is_deleted(place: Any, now: datetime, rolled: bool) -> None:
    """Made anew under the same name since it was looked at: nothing of it is deleted."""
    short = "activity-agent-standard-30d"
    place.set_up()
    place.stream(short, now - 60 * DAY)
    place.put(short, [("old", now - 50 * DAY, "northwind")])
    place.roll(short, now - 31 * DAY)

    def anew(_: Any, step: Any, *__: int) -> None:
        if step.tier == "delete":
            ask(place.client, "DELETE", f"/_data_stream/{short}")
            place.stream(short, now)
            place.put(short, [("new", now, "northwind")])
            if rolled:
                place.roll(short, now)

    outcome = run(place.client, policies(), now=now, on_step=anew)
    (failed,) = outcome.failed
    assert (failed.action, "not deleted" in failed.failed) == ("delete", True)
    assert place.ids(short) == {"new"}
    assert place.records("retention.deleted") == []


def test_an_index_that_only_seems_empty_is_archived_first(place: Any, now: datetime) -> None:
    """Entries that no refresh has shown yet: found right before deletion, and it is put off."""
    place.set_up()
    place.stream(STREAM, now - 120 * DAY)
    (write,) = names(place)
    ask(place.client, "PUT", f"/{write}/_settings", body={"index.refresh_interval": "-1"})
    entry = {"@timestamp": now.isoformat(), "event": {"id": "unseen"}}
    ask(place.client, "PUT", f"/{STREAM}/_create/unseen", body=entry)
    place.roll(STREAM, now - 95 * DAY)
    assert place.backing(STREAM)[0].documents == 0

    outcome = run(place.client, policies(), now=now)
    (failed,) = outcome.failed
    assert (failed.action, failed.failed) == (
        "delete",
        "no copy of it was ever counted; not deleted",
    )
    assert place.ids(write) == {"unseen"}
    assert run(place.client, policies(), now=now).failed == []
    assert write not in names(place)
    assert archives(place.client)[write].documents == 1


def test_one_at_a_time(place: Any, now: datetime) -> None:
    """While another run holds the lease this one waits, and then gives up with its name."""
    old_index(place, now, 20)
    with (
        Lease(place.client, "retention", index="activity-center-state"),
        pytest.raises(ClusterError, match="another retention"),
    ):
        run(place.client, policies(), wait=1.0)
    assert not place.backing(STREAM)[0].read_only


def test_an_index_that_does_not_answer_whole_is_left_alone(place: Any, now: datetime) -> None:
    """Closed, or without a primary shard: nothing is done to the index, and doctor names it."""
    index = old_index(place, now, 95)

    ask(place.client, "POST", f"/{index}/_close")
    place.born(now - 90 * DAY, node="nobody")
    no_wait = {"wait_for_active_shards": "0"}
    ask(place.client, "POST", f"/{STREAM}/_rollover", params=no_wait)
    place.roll(STREAM, now - 85 * DAY)
    left, lost = (names(place)[0], names(place)[2])
    assert left == index

    outcome = run(place.client, policies())
    assert not {left, lost} & {one.index for one in outcome.steps}
    assert {left, lost} < set(names(place))
    findings = [one.message for one in check_retention(place.client, policies(), now)]
    for name in (left, lost):
        assert any(f"{name} is closed, or lacks" in one for one in findings)


def test_doctor_names_what_is_wrong(place: Any, now: datetime) -> None:
    """Late steps, streams of no class, entries of another class; and nothing else."""
    index = old_index(place, now, 5)
    findings = list(check_retention(place.client, policies(), now))
    assert [one.level for one in findings] == ["warn"]
    assert f"{index} is late: read_only" in findings[0].message

    assert run(place.client, policies()).failed == []
    assert [one.level for one in check_retention(place.client, policies(), now)] == ["ok"]

    ask(place.client, "PUT", "/_data_stream/activity-audit-forgotten")
    ask(
        place.client,
        "POST",
        f"/{STREAM}/_doc",
        params={"refresh": "true"},
        body={"@timestamp": now.isoformat(), "activity": {"retention": {"class": "permanent"}}},
    )
    findings = list(check_retention(place.client, policies(), now))
    assert all(one.level == "fail" for one in findings)
    assert any("forgotten-000001 is unmanaged" in one.message for one in findings)
    assert any("1 entries lie in streams of standard-90d" in one.message for one in findings)
    assert len(findings) == 2


def test_the_loop_says_why_it_does_nothing(place: Any) -> None:
    """That another one has the lease is as it should be; anything else is a warning."""
    loop = RetentionLoop(place.client)
    with capture_logs() as told:
        loop.cannot(ClusterError("busy", where="/activity-center-state/_doc/lease-retention"))
        loop.cannot(ClusterError("the clocks differ", hint="set them"))
    assert [(one["log_level"], one["why"]) for one in told] == [
        ("debug", "busy"),
        ("warning", "the clocks differ"),
    ]


def test_the_collectors_loop_does_it_by_itself(place: Any, now: datetime) -> None:
    """The loop carries out what is due without being asked, and ends when told."""
    index = old_index(place, now, 20)
    loop = RetentionLoop(place.client, every=0.2, first=0)
    loop.start()
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not place.backing(STREAM)[0].read_only:
            time.sleep(0.1)
    finally:
        loop.stop()
    assert place.backing(STREAM)[0].name == index
    assert place.backing(STREAM)[0].read_only
