"""The account of maintenance carries retention out with its own role, and no administrator's."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import datetime, timedelta

from activity_center.connection import connect
from activity_center.policies import policies
from activity_center.setup.cluster import ask
from collector.retention import bring_back, check_retention, covering, remove, run, snapshots
from tests.collector.retention.place import REPOSITORY, archiving, emptied

STREAM = "activity-agent-standard-90d"
DAY = timedelta(days=1)


def test_the_role_of_maintenance_suffices(now: datetime) -> None:
    """Roll over, close, merge, archive, count, delete, restore, remove: by the role alone."""
    with (
        archiving("retention-secure", secure=True) as (info, root),
        emptied(info, root) as place,
    ):
        place.set_up()
        password = secrets.token_urlsafe(24)
        api = "/_plugins/_security/api"
        ask(place.client, "PUT", f"{api}/internalusers/keeper", body={"password": password})
        ask(
            place.client,
            "PUT",
            f"{api}/rolesmapping/activity-center-maintain",
            body={"users": ["keeper"]},
        )
        keeper = connect(replace(info.cluster, username="keeper", password=password))

        place.stream(STREAM, now - 99 * DAY)
        for name in ("a", "b"):
            place.put(STREAM, [(f"{name}{n}", now - 95 * DAY, f"org_{name}") for n in range(3)])
        place.born(now - 89 * DAY)
        first = run(keeper, policies(), now=now - 89 * DAY)
        assert [(one.action, one.failed) for one in first.steps] == [("rollover", "")]
        middle = run(keeper, policies(), now=now - 20 * DAY)
        assert [one.failed for one in middle.steps if one.failed] == []
        assert "snapshot" in {one.action for one in middle.steps}
        stone = remove(keeper, policies(), "org_a")
        assert stone.deleted == {STREAM: 3}
        place.born(now)
        last = run(keeper, policies(), now=now + 200 * DAY)
        assert last.failed == []
        assert "delete" in {one.action for one in last.steps}
        assert place.ids(STREAM) == set()
        chosen = covering(snapshots(keeper, REPOSITORY), stream=STREAM)
        (restored,) = bring_back(keeper, REPOSITORY, chosen)
        assert place.ids(restored.name) == {"b0", "b1", "b2"}
        assert [one.level for one in check_retention(keeper, policies(), now)] == ["ok"]
        keeper.close()
