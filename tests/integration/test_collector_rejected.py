"""``activity-center rejected`` beside a running collector and a real OpenSearch."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from activity_center.setup import desired_state, install
from tests.clients.forward import ForwardClient
from tests.integration.process import TOKEN, Collector, count_by_id


@pytest.fixture(scope="module")
def node(opensearch: Any) -> Any:
    """The run's node, set up."""
    install(opensearch.client, desired_state())
    return opensearch


def rejected(collector: Collector, *arguments: str) -> subprocess.CompletedProcess[str]:
    """``activity-center rejected`` with the collector's configuration."""
    command = [sys.executable, "-m", "activity_center", "rejected", *arguments]
    return subprocess.run(
        [*command, "--config", str(collector.config)],
        capture_output=True,
        text=True,
        env={**os.environ, "ACTIVITY_CENTER_TOKEN": TOKEN},
        timeout=60,
    )


def test_list_show_replay(node: Any, tmp_path: Path) -> None:
    """What was refused is listed with its reason while the collector runs, shown whole without
    its secrets, searchable in OpenSearch, and replayed after the cause is mended; a second
    replay stores nothing twice."""
    collector = Collector(tmp_path, node.cluster, deliver={"linger": 0.05})
    collector.document["senders"][0]["organizations"] = ["acme"]
    good = [uuid.uuid4().hex for _ in range(20)]
    foreign = [uuid.uuid4().hex for _ in range(3)]
    broken = b"\xc1 not MessagePack, " + uuid.uuid4().bytes
    with collector:
        collector.start()
        events: list[Any] = [_event(id_, "acme") for id_ in good]
        events += [_event(id_, "globex", password="s3cr3t-of-ada") for id_ in foreign]
        with ForwardClient(collector.forward) as client:
            client.send("activity.native", events)
            client.write(broken)
            client.socket.recv(10)
        collector.wait_delivered()
        assert set(count_by_id(node.client, good + foreign)) == set(good)

        listed = json.loads(rejected(collector, "list", "--json").stdout)
        assert sorted(one["reason"] for one in listed) == [
            *["organization_not_allowed"] * 3,
            "undecodable",
        ]
        assert {one["sender"] for one in listed} == {"tests"}
        first = next(one for one in listed if one["reason"] == "organization_not_allowed")
        shown = rejected(collector, "show", first["id"][:12]).stdout
        assert "globex" in shown and "/organization/id" in shown
        assert "s3cr3t-of-ada" not in shown
        searched = _search(node.client, good[0], foreign)
        assert len(searched) == 3
        assert {one["rejected"]["reason"] for one in searched} == {"organization_not_allowed"}
        [copy] = _search(node.client, good[0], [hashlib.sha256(broken).hexdigest()])
        assert copy["rejected"]["reason"] == "undecodable"

        collector.document["senders"][0]["organizations"] = ["acme", "globex"]
        collector.reload()
        arguments = ("replay", "--reason", "organization_not_allowed", "--json")
        deadline = time.monotonic() + 30
        while not collector.logged("configuration reloaded"):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        done = rejected(collector, *arguments)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["accepted"] == 3
        assert json.loads(rejected(collector, *arguments).stdout)["accepted"] == 0
        collector.wait_delivered()
        counts = count_by_id(node.client, good + foreign)
        assert len(counts) == 23 and set(counts.values()) == {1}
        left = json.loads(rejected(collector, "list", "--json").stdout)
        assert [one["reason"] for one in left] == ["undecodable"]
        assert collector.terminate() == 0
    assert "s3cr3t-of-ada" not in collector.log.read_text()


def _event(id_: str, organization: str, **more: str) -> tuple[int, dict[str, Any]]:
    event = {"event": {"id": id_, "action": "server.create"}, "organization": {"id": organization}}
    return time.time_ns(), {**event, **more}


def _search(client: Any, one: str, ids: list[str]) -> list[dict[str, Any]]:
    """The searchable copies of rejected records that hold one of ``ids``."""
    client.indices.refresh(index="activity-rejected")
    answer = client.search(
        index="activity-rejected", body={"size": 1000, "sort": [{"@timestamp": "desc"}]}
    )
    assert answer["_shards"]["successful"] == answer["_shards"]["total"]
    found = [hit["_source"] for hit in answer["hits"]["hits"]]
    assert not any(one in json.dumps(document) for document in found)
    return [document for document in found if any(id_ in json.dumps(document) for id_ in ids)]
