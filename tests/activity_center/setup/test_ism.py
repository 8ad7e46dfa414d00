"""Retention policies where Index State Management answers: put, compared, attached, upgraded."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from activity_center.config import Cluster
from activity_center.connection import connect
from activity_center.errors import ClusterError
from activity_center.policies import Policy, parse, policies
from activity_center.setup import Action, Desired, Kind, install, look
from activity_center.setup.cluster import ask
from collector.retention import check_retention
from tests.activity_center.setup.ism_server import Ism, serving

PERMANENT = "activity-center-permanent"


@pytest.fixture
def ism(empty: Any) -> Iterator[Ism]:
    """The node of these tests, with the plugin in front of it."""
    with serving(empty.url) as server:
        yield server


def upgraded(version: int) -> Policy:
    """The permanent class's policy in another version, which rolls over later."""
    body = deepcopy(dict(policies()["permanent"].body))
    body["policy"]["description"] = f"activity-center v{version}: never deleted by age"
    body["policy"]["states"][0]["actions"][0]["rollover"]["min_index_age"] = "60d"
    return parse("permanent", body)


def steps(client: Any, desired: Desired, kind: Kind) -> dict[str, Action]:
    """What the plan says of the objects of one kind."""
    return {step.name: step.action for step in look(client, desired).steps if step.kind is kind}


def findings(client: Any, which: dict[str, Policy] | None = None) -> list[str]:
    """What the doctor of retention does not find well."""
    found = check_retention(client, which or policies(), datetime.now(UTC))
    return [f"{one.level}: {one.message}" for one in found if one.level != "ok"]


def test_policies_come_before_streams(ism: Ism, few: Desired) -> None:
    """A fresh install puts all policies, ISM takes the new streams, and nothing is left to do."""
    client = connect(Cluster(url=ism.url))
    install(client, few)
    assert set(ism.policies) == {one.id for one in policies().values()}
    assert {one["policy_id"] for one in ism.managed.values()} == {PERMANENT}
    assert not look(client, few).drift
    puts = list(ism.puts)
    install(client, few)
    assert ism.puts == puts
    assert findings(client) == []


def test_existing_indices_are_taken(ism: Ism, empty: Any, few: Desired) -> None:
    """ISM that is added later takes no index that exists: install gives it the policy."""
    install(empty.client, few)
    client = connect(Cluster(url=ism.url))
    assert any("is unmanaged: ISM has no policy" in one for one in findings(client))
    assert steps(client, few, Kind.MANAGED)[PERMANENT] is Action.CHANGE
    install(client, few)
    assert len(ism.managed) == 2
    assert not look(client, few).drift
    assert findings(client) == []


def test_an_upgrade_reaches_managed_indices(ism: Ism, few: Desired) -> None:
    """A new version replaces the policy and moves the indices that follow it; ours only."""
    client = connect(Cluster(url=ism.url))
    install(client, few)
    mine = next(iter(sorted(ism.managed)))
    ism.policies["mine"] = {**deepcopy(ism.policies[PERMANENT]), "_id": "mine", "_seq_no": 77}
    ism.managed[mine] = {"policy_id": "mine", "policy_seq_no": 77}

    newer = replace(few, policies={**few.policies, PERMANENT: upgraded(2)})
    plan = look(client, newer)
    (change,) = [one for one in plan.steps if one.kind is Kind.POLICY and one.differences]
    assert change.action is Action.CHANGE
    install(client, newer)
    current = ism.policies[PERMANENT]
    rollover = current["policy"]["states"][0]["actions"][0]["rollover"]
    assert rollover["min_index_age"] == "60d"
    others = [one for name, one in ism.managed.items() if name != mine]
    assert {one["policy_seq_no"] for one in others} == {current["_seq_no"]}
    # What somebody gave a policy of their own keeps it, and the doctor says so.
    assert ism.managed[mine]["policy_id"] == "mine"
    assert any(f"{mine} is managed by mine" in one for one in findings(client))
    assert not look(client, newer).drift
    with pytest.raises(ClusterError, match="does not downgrade"):
        install(client, few)


def test_drift_is_put_right(ism: Ism, few: Desired) -> None:
    """A policy of ours that was changed by hand is drift, and the doctor names the other day."""
    client = connect(Cluster(url=ism.url))
    install(client, few)
    changed = ism.policies[PERMANENT]["policy"]
    changed["states"][1]["transitions"] = [
        {"state_name": "delete", "conditions": {"min_rollover_age": "10d"}}
    ]
    changed["states"].append({"name": "delete", "actions": [{"delete": {}}], "transitions": []})
    assert steps(client, few, Kind.POLICY)[PERMANENT] is Action.CHANGE
    assert any(
        "deletes 10 days after rollover; its class promises never" in one
        for one in findings(client)
    )
    install(client, few)
    assert not look(client, few).drift
    assert findings(client) == []


def test_a_foreign_policy_of_our_name_is_refused(ism: Ism, few: Desired) -> None:
    """Without our mark it is somebody's own: install changes nothing, --adopt takes it over."""
    client = connect(Cluster(url=ism.url))
    body = deepcopy(dict(policies()["permanent"].body))
    body["policy"]["description"] = "mine"
    ask(client, "PUT", f"/_plugins/_ism/policies/{PERMANENT}", body=body)
    with pytest.raises(ClusterError, match="exists and is not ours"):
        install(client, few)
    install(client, few, adopt=True)
    assert not look(client, few).drift


def test_failures_and_old_versions_are_named(ism: Ism, few: Desired) -> None:
    """What ISM says of an index reaches the doctor; retention run leaves the work to ISM."""
    client = connect(Cluster(url=ism.url))
    install(client, few)
    failed, old = sorted(ism.managed)
    ism.managed[failed] |= {
        "state": {"name": "hot"},
        "action": {"name": "rollover", "failed": True},
        "info": {"message": "Missing rollover_alias"},
    }
    ism.managed[old]["policy_seq_no"] = 0
    found = findings(client)
    assert f"fail: {failed} failed in hot: Missing rollover_alias" in found
    assert f"warn: {old} follows an old version of {PERMANENT}" in found
    assert steps(client, few, Kind.MANAGED)[PERMANENT] is Action.CHANGE


def test_run_leaves_it_to_ism(ism: Ism, empty: Any, few: Desired) -> None:
    """Two that carry out the same policies would trip over each other."""
    install(empty.client, few)
    done = empty.run("retention", "run", OPENSEARCH_URL=ism.url)
    assert done.returncode == 0, done.stderr
    assert "Index State Management carries the policies out" in done.stdout
