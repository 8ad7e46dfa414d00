"""Where ISM carries policies out: its copies are counted, and one that lies costs nothing."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from activity_center.config import Cluster
from activity_center.connection import connect
from activity_center.policies import policies
from activity_center.setup.cluster import ask
from collector.retention import archives, check_retention, guard
from tests.activity_center.setup.ism_server import serving
from tests.collector.retention.place import REPOSITORY

STREAM = "activity-agent-standard-90d"
DAY = timedelta(days=1)


def test_copies_of_ism_are_counted(place: Any, now: datetime) -> None:
    """A good copy is counted once; one that lies, or none, takes the index away from ISM.

    One that was due a moment ago is waited for.
    """
    place.set_up()
    place.stream(STREAM, now - 90 * DAY)
    for days in (80, 70, 65, 60.5):
        place.put(STREAM, [(f"e{days}", now - 80 * DAY, "northwind")])
        place.roll(STREAM, now - days * DAY)
    good, lying, missing, just_due, _ = (one.name for one in place.backing(STREAM))

    def snapshot(index: str) -> None:
        ask(
            place.client,
            "PUT",
            f"/_snapshot/{REPOSITORY}/archive-{index}-2026.01.01-00:00:00.000",
            params={"wait_for_completion": "true"},
            body={"indices": index, "include_global_state": False},
        )

    with serving(place.url) as server:
        client = connect(Cluster(url=server.url))
        policy = policies()["standard-90d"]
        ask(client, "PUT", f"/_plugins/_ism/policies/{policy.id}", body=policy.body)
        for index in (good, lying, missing, just_due):
            server.managed[index] = {
                "policy_id": policy.id,
                "policy_seq_no": 1,
                "state": {"name": "archive"},
            }
        snapshot(lying)
        place.break_repository()
        snapshot(good)

        outcome = guard(client, policies(), now=now)
        assert {one.index for one in outcome.steps} == {good, lying, missing}
        assert {one.index for one in outcome.failed} == {lying, missing}
        assert set(server.managed) & {good, lying, missing} == {good}
        assert just_due in server.managed
        assert archives(place.client)[good].documents == 1
        assert place.ids(STREAM) == {"e80", "e70", "e65", "e60.5"}
        found = [one.message for one in check_retention(client, policies(), now)]
        assert any(f"{lying} is unmanaged" in one for one in found)
        assert guard(client, policies(), now=now).steps == []
        client.close()
