"""A real collector and its step bus: what comes in by HTTP is on the bus at once, each once."""

from __future__ import annotations

import json
import urllib.request
import uuid
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from activity_center.bus import Gap, Published, open_reader
from activity_center.config import Cluster, load
from tests.activity_center.bus.servers import Follower, RedisServer
from tests.integration.process import TOKEN, Collector, until

NOWHERE = Cluster(url="http://127.0.0.1:1")
"""Nothing of this waits for OpenSearch."""


def event(process: str, number: int, action: str = "process.step.started") -> dict[str, Any]:
    """One transition of a process."""
    return {
        "event": {"id": f"{process}-{number}", "action": action, "sequence": number},
        "activity": {"process": {"id": process, "channel": "migration", "attempt": 1}},
        "organization": {"id": "acme"},
    }


def post(collector: Collector, events: Sequence[dict[str, Any]]) -> None:
    """Send over HTTP; returns when they are acknowledged."""
    request = urllib.request.Request(
        f"{collector.url}/v1/activities?source=native",
        json.dumps(list(events)).encode(),
        {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        said = json.loads(answer.read())
    assert said["accepted"] == len(events), said


def ids(follower: Follower) -> list[str]:
    """``event.id`` of what was read, in order."""
    items = [item for item in follower.items if isinstance(item, Published)]
    return [json.loads(item.body)["event"]["id"] for item in items]


def read_until(follower: Follower, count: int) -> list[str]:
    """Read until so many are there; return their ids."""
    until(lambda: follower.read(0.1) is not None and len(ids(follower)) >= count)
    return ids(follower)


@pytest.mark.parametrize("kind", ["embedded", "redis"])
def test_live_and_once(tmp_path: Path, kind: str) -> None:
    """Steps and controls, and nothing else, are on the bus while OpenSearch is down; after
    kill -9 of the collector, in the midst of it, each is there once and in order."""
    redis = RedisServer(tmp_path / "redis") if kind == "redis" else None
    process = f"prc_{uuid.uuid4().hex}"
    with Collector(tmp_path, NOWHERE) as collector:
        if redis:
            collector.document["bus"] = {"url": redis.url}
        collector.start()
        with closing(open_reader(load(collector.config).bus)) as reader:
            follower = Follower(reader)
            sent = []
            for number in range(0, 100, 2):
                lot = [
                    event(process, number),
                    event(f"{process}-other", number, "server.create"),
                    event(process, number + 1, "process.cancel"),
                ]
                post(collector, lot)
                sent += [f"{process}-{number}", f"{process}-{number + 1}"]
                if number in (30, 60):
                    collector.kill()
                    collector.start()
            assert read_until(follower, 100) == sent
            until(lambda: collector.metric("activity_center_publish_lag_records") == 0)
            follower.read_all()
            assert ids(follower) == sent
            assert not [item for item in follower.items if isinstance(item, Gap)]
            assert collector.metric("activity_center_spool_records") == 150
        collector.kill()
    if redis:
        redis.kill()


def test_each_step_comes_without_another(tmp_path: Path) -> None:
    """A step waits neither for OpenSearch, nor for a step after it, nor for the collector's end:
    each one is on the bus before the next one is sent."""
    process = f"prc_{uuid.uuid4().hex}"
    with Collector(tmp_path, NOWHERE) as collector:
        collector.start()
        with closing(open_reader(load(collector.config).bus)) as reader:
            follower = Follower(reader)
            for number in range(20):
                post(collector, [event(process, number)])
                found = read_until(follower, number + 1)
                assert found == [f"{process}-{one}" for one in range(number + 1)]
        assert collector.metric("activity_center_spool_records") == 20


def test_several_workers_and_a_start_without_redis(tmp_path: Path) -> None:
    """Each worker has a stream of its own; a collector starts and accepts while Redis is away,
    and publishes all when it comes."""
    redis = RedisServer(tmp_path / "redis")
    redis.kill()
    process = f"prc_{uuid.uuid4().hex}"
    with Collector(tmp_path, NOWHERE, workers=2, drain_timeout=0) as collector:
        collector.document["bus"] = {"url": redis.url}
        collector.start()
        collector.wait_ready(worker=1)
        for number in range(40):
            post(collector, [event(process, number)])
        until(
            lambda: sum(
                collector.metric("activity_center_publish_failures_total", worker)
                for worker in (0, 1)
            )
        )
        redis.start()
        with closing(open_reader(load(collector.config).bus)) as reader:
            follower = Follower(reader)
            found = read_until(follower, 40)
            assert sorted(found) == sorted(f"{process}-{number}" for number in range(40))
            assert 1 <= len({item.stream for item in follower.items}) <= 2
        assert collector.terminate() == 0
    redis.kill()
