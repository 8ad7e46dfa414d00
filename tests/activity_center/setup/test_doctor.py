"""``doctor`` on a real node, for every fault that can be provoked there."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import pytest

from activity_center.connection import connect
from activity_center.setup import Desired, Finding, Level, diagnose, install
from activity_center.setup.cluster import ask
from tests.activity_center.setup.conftest import Empty


def findings(empty: Any, desired: Desired, *checks: str) -> list[Finding]:
    """What ``doctor`` says that is not ok, of these checks."""
    return [
        one
        for one in diagnose(empty.client, desired)
        if one.level is not Level.OK and one.check in checks
    ]


def test_a_cluster_that_is_set_up(empty: Any, few: Desired) -> None:
    """Nothing fails, every check speaks, and what the node lacks is explained."""
    install(empty.client, few)
    found = list(diagnose(empty.client, few))
    assert not [one for one in found if one.level is Level.FAIL]
    assert {one.check for one in found} == {
        "version",
        "plugins",
        "health",
        "clock",
        "disk",
        "shards",
        "templates",
        "streams",
        "completeness",
        "permissions",
    }
    assert {one.check for one in found if one.level is Level.WARN} == {"plugins"}
    assert all(one.advice for one in found if one.level is not Level.OK)


def test_exit_codes_and_json(empty: Any) -> None:
    """1 where something fails, 0 with warnings alone; ``--json`` is one object."""
    before = empty.run("doctor", "--json")
    document = json.loads(before.stdout)
    assert before.returncode == 1
    assert document["ok"] is False
    assert set(document["findings"][0]) == {"check", "level", "message", "advice"}
    assert empty.run("install").returncode == 0
    after = empty.run("doctor")
    assert after.returncode == 0, after.stdout
    assert "0 failed" in after.stdout
    assert json.loads(empty.run("doctor", "--json").stdout)["ok"] is True


def test_nothing_installed(empty: Any, few: Desired) -> None:
    """Missing templates and streams fail, and the advice is to install."""
    found = findings(empty, few, "templates", "streams")
    assert {one.level for one in found} == {Level.FAIL}
    assert all("activity-center install" in one.advice for one in found)
    assert any("activity-rejected" in one.message for one in found if one.check == "streams")


def test_a_missing_stream(empty: Any, few: Desired) -> None:
    """It is named."""
    install(empty.client, few)
    ask(empty.client, "DELETE", "/_data_stream/activity-rejected")
    (found,) = findings(empty, few, "streams")
    assert found.level is Level.FAIL
    assert "activity-rejected" in found.message


def test_a_plain_index_under_our_name(empty: Any, few: Desired) -> None:
    """Also one that no stream of ours is named after: events in it have no mapping of ours."""
    for name in ("activity-agent-permanent", "activity-process-typo"):
        empty.put(f"/{name}")
    install(empty.client, replace(few, streams=("activity-audit-permanent", "activity-rejected")))
    found = findings(empty, few, "streams")
    assert {one.message.split()[0] for one in found} == {
        "activity-agent-permanent",
        "activity-process-typo",
    }
    assert {one.level for one in found} == {Level.FAIL}


@pytest.mark.parametrize(
    "block",
    ["index.blocks.write", "index.blocks.read_only", "index.blocks.read_only_allow_delete"],
)
def test_a_write_block(empty: Any, few: Desired, block: str) -> None:
    """The stream, the block and the request that lifts it are named."""
    install(empty.client, few)
    index = ".ds-activity-audit-permanent-000001"
    empty.put(f"/{index}/_settings", {block: True})
    try:
        (found,) = findings(empty, few, "streams")
        assert found.level is Level.FAIL
        assert "activity-audit-permanent" in found.message
        assert block in found.message
        assert found.advice
    finally:
        empty.put(f"/{index}/_settings", {block: None})
    assert findings(empty, few, "streams") == []


def test_an_older_template(empty: Any, few: Desired) -> None:
    """A template of an earlier version is a warning with the first difference."""
    install(empty.client, few)
    old = json.loads(json.dumps(dict(few.templates["activity-audit"])))
    old["_meta"]["version"] = 0
    empty.put("/_index_template/activity-audit", old)
    (found,) = findings(empty, few, "templates")
    assert found.level is Level.WARN
    assert "activity-audit" in found.message
    assert "0 → " in found.message


def test_a_newer_template(empty: Any, few: Desired) -> None:
    """A template of a later version fails: this program is the one to renew."""
    install(empty.client, few)
    new = json.loads(json.dumps(dict(few.templates["activity-audit"])))
    new["_meta"]["version"] = 99
    empty.put("/_index_template/activity-audit", new)
    (found,) = findings(empty, few, "templates")
    assert found.level is Level.FAIL
    assert "99" in found.message


def test_flood_stage(own_node: Any, few: Desired) -> None:
    """Watermarks set above what is free: the disk is named, and the block when it comes.

    A node of its own: with every disk full, OpenSearch also refuses new indices, and goes
    on for a while after there is room.
    """
    # The shortest that OpenSearch takes; at the start, else half a minute passes before it counts.
    node = own_node({"cluster.info.update.interval": "10s"})
    empty = Empty(node.url, node.cluster, node.client)
    install(empty.client, few)
    marks = "cluster.routing.allocation.disk.watermark"
    high = {f"{marks}.{one}": "100000gb" for one in ("low", "high", "flood_stage")}
    empty.put("/_cluster/settings", {"persistent": high})
    (found,) = findings(empty, few, "disk")
    assert found.level is Level.FAIL
    assert "flood stage" in found.message

    def blocked() -> list[Finding]:
        return [
            one
            for one in findings(empty, few, "streams")
            if "read_only_allow_delete" in one.message
        ]

    deadline = time.monotonic() + 60
    while not blocked() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert {one.message.split()[0] for one in blocked()} == set(few.streams)
    nothing = dict.fromkeys(high)
    empty.put("/_cluster/settings", {"persistent": nothing})
    deadline = time.monotonic() + 60
    while blocked() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert blocked() == []


def test_no_room_for_shards(empty: Any, few: Desired) -> None:
    """A rollover that the limit of shards would refuse fails before it happens."""
    install(empty.client, few)
    name = "cluster.max_shards_per_node"
    empty.put("/_cluster/settings", {"persistent": {name: len(few.streams) + 2}})
    (found,) = findings(empty, few, "shards")
    assert found.level is Level.FAIL
    assert name in found.advice


def test_auto_create(empty: Any, few: Desired) -> None:
    """A cluster that creates our names by itself is warned of."""
    install(empty.client, few)
    empty.put("/_cluster/settings", {"persistent": {"action.auto_create_index": "true"}})
    (found,) = findings(empty, few, "templates")
    assert found.level is Level.WARN
    assert "auto_create_index" in found.message


def test_a_block_of_the_whole_cluster(empty: Any, few: Desired) -> None:
    """A cluster that takes no writes at all is named with the setting that does it."""
    install(empty.client, few)
    name = "cluster.blocks.read_only"
    empty.put("/_cluster/settings", {"persistent": {name: True}})
    try:
        assert any(name in one.message for one in findings(empty, few, "health"))
    finally:
        empty.put("/_cluster/settings", {"persistent": {name: None}})


def test_an_unreachable_shard(empty: Any, few: Desired) -> None:
    """A stream whose shard is nowhere is red, and searches are known to be incomplete; whether one
    may write to it is asked without waiting for the shard, which would take a minute."""
    nowhere = json.loads(json.dumps(dict(few.components["activity-settings"])))
    nowhere["template"]["settings"]["index"]["routing.allocation.require._name"] = "nobody"
    install(empty.client, few)
    empty.put("/_component_template/activity-settings", nowhere)
    # Whoever makes a stream waits half a minute for its shard; a rollover can be told not to.
    path, params = f"/{few.streams[0]}/_rollover", {"wait_for_active_shards": "0"}
    ask(empty.client, "POST", path, params=params)
    found = [
        one
        for one in diagnose(connect(empty.cluster, timeout=15), few)
        if one.check in ("health", "streams", "completeness", "permissions")
    ]
    assert {one.check for one in found if one.level is Level.FAIL} == {
        "health",
        "streams",
        "completeness",
    }
    assert any(f"{few.streams[0]} is red" in one.message for one in found)


def test_no_answer(few: Desired) -> None:
    """Without an answer there is one finding, and it says where to look."""
    from activity_center.config import Cluster

    (found,) = diagnose(connect(Cluster(url="http://127.0.0.1:9")), few)
    assert found.level is Level.FAIL
    assert found.advice
