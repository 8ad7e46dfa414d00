"""Removing an organization: everywhere, except what the law keeps, and from restored copies."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from activity_center.errors import ClusterError
from activity_center.policies import policies
from activity_center.setup.cluster import ask
from collector.retention import (
    Tombstone,
    bring_back,
    check_retention,
    covering,
    remove,
    run,
    shares,
    snapshots,
    tombstones,
)
from collector.retention.state import save_tombstone

REPOSITORY = "activity-center-archive"
MIDDLE, SHORT, BILLING = (
    "activity-agent-standard-90d",
    "activity-process-standard-30d",
    "activity-audit-billing-7y",
)
DAY = timedelta(days=1)


def two_organizations(place: Any, now: datetime) -> None:
    """Entries of two organizations in three streams; one index is archived, one closed."""
    place.set_up()
    then = now - 85 * DAY
    for stream in (MIDDLE, SHORT, BILLING):
        place.stream(stream, then)
        place.put(
            stream,
            [
                (f"{organization}-{n}", then, organization)
                for organization in ("northwind", "southwind")
                for n in range(4)
            ],
        )
    place.roll(MIDDLE, now - 75 * DAY)
    place.roll(SHORT, now - 3 * DAY)
    place.put(SHORT, [("northwind-new", now, "northwind"), ("southwind-new", now, "southwind")])
    assert run(place.client, policies(), now=now).failed == []


def test_everywhere_except_what_the_law_keeps(place: Any, now: datetime) -> None:
    """Closed and open indices are cleared, closed ones stay closed, billing stays until due.

    The other organization loses nothing; a second removal finds nothing; what comes back
    from the archive lacks the removed entries from the moment it can be searched.
    """
    two_organizations(place, now)
    chosen = covering(snapshots(place.client, REPOSITORY), stream=MIDDLE)
    (copy,) = bring_back(place.client, REPOSITORY, chosen)
    assert len(place.ids(copy.name, "northwind")) == 4
    closed = [one.read_only for one in (*place.backing(MIDDLE), *place.backing(SHORT))]
    found = {(one.backing.stream, one.documents, one.legal) for one in shares(
        place.client, policies(), "northwind")}  # fmt: skip
    assert found == {(MIDDLE, 4, False), (SHORT, 4, False), (SHORT, 1, False), (BILLING, 4, True)}

    stone = remove(place.client, policies(), "northwind")
    assert stone.deleted == {MIDDLE: 4, SHORT: 5, copy.name: 4}
    assert place.ids(copy.name) == {f"southwind-{n}" for n in range(4)}
    assert stone.kept == {BILLING: 4}
    assert stone.done
    for stream in (MIDDLE, SHORT):
        assert place.ids(stream, "northwind") == set()
    assert len(place.ids(BILLING, "northwind")) == 4
    assert [len(place.ids(one, "southwind")) for one in (MIDDLE, SHORT, BILLING)] == [4, 5, 4]
    assert [one.read_only for one in (*place.backing(MIDDLE), *place.backing(SHORT))] == closed
    (record,) = place.records("retention.organization_removed")
    assert record["activity"]["resource"]["id"] == "northwind"
    assert "organization" not in record

    again = remove(place.client, policies(), "northwind")
    assert again.deleted == stone.deleted
    assert again.removed == stone.removed
    assert len(place.records("retention.organization_removed")) == 1

    (restored,) = bring_back(place.client, REPOSITORY, chosen)
    assert (restored.documents, restored.buried) == (4, 4)
    assert place.ids(restored.name) == {f"southwind-{n}" for n in range(4)}
    # What was changed since it was archived is archived again before it is deleted.
    outcome = run(place.client, policies(), now=now + 20 * DAY)
    kinds = [one.action for one in outcome.steps if MIDDLE in one.index]
    assert kinds == ["force_merge", "snapshot", "delete"] or kinds == ["snapshot", "delete"]
    assert outcome.failed == []


def test_a_removal_that_was_cut_short_goes_on(place: Any, now: datetime) -> None:
    """Left in the middle with an index open: doctor names it; run again it ends like any other."""
    two_organizations(place, now)
    (old, *_) = place.backing(MIDDLE)
    save_tombstone(place.client, Tombstone("northwind", now.isoformat(), deleted={SHORT: 5}))
    settings = {"index.blocks.write": False}
    ask(place.client, "PUT", f"/{old.name}/_settings", body=settings)
    ask(
        place.client,
        "POST",
        f"/{SHORT}/_delete_by_query",
        params={"refresh": "true", "ignore_unavailable": "true", "conflicts": "proceed"},
        body={"query": {"ids": {"values": ["northwind-new"]}}},
    )
    findings = [one.message for one in check_retention(place.client, policies(), now)]
    assert any("removal of northwind" in one and "not finished" in one for one in findings)

    stone = remove(place.client, policies(), "northwind")
    assert stone.deleted == {SHORT: 9, MIDDLE: 4}
    assert place.ids(f"{MIDDLE},{SHORT}", "northwind") == set()
    assert tombstones(place.client)["northwind"].done
    assert run(place.client, policies(), now=now).failed == []
    assert place.backing(MIDDLE)[0].read_only
    findings = [one.message for one in check_retention(place.client, policies(), now)]
    assert not any("northwind" in one for one in findings)


def test_who_comes_again_keeps_what_came_after(place: Any, now: datetime) -> None:
    """A tombstone takes what arrived before the removal, not what a new one of that id sent."""
    place.set_up()
    removed = now - 80 * DAY
    place.stream(MIDDLE, now - 85 * DAY)
    place.put(
        MIDDLE,
        [("before", removed - DAY, "northwind"), ("after", removed + DAY, "northwind")],
    )
    place.roll(MIDDLE, now - 75 * DAY)
    assert run(place.client, policies(), now=now).failed == []
    stone = Tombstone("northwind", removed.isoformat(), done=removed.isoformat())
    save_tombstone(place.client, stone)
    (restored,) = bring_back(
        place.client, REPOSITORY, covering(snapshots(place.client, REPOSITORY))
    )
    assert place.ids(restored.name) == {"after"}


@pytest.mark.parametrize("organization", ["*", "North", "a b", "", "north-wind"])
def test_only_an_id_is_taken(place: Any, organization: str) -> None:
    """What cannot be an organization's id is refused before anything is asked."""
    with pytest.raises(ClusterError, match="cannot be an organization's id"):
        remove(place.client, policies(), organization)
