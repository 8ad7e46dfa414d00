"""Removing an organization: everywhere, except what the law keeps, and from restored copies."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from activity_center.errors import ClusterError
from activity_center.policies import policies
from activity_center.setup.cluster import ask
from activity_center.streams import ALERTS_STREAM, REJECTED_STREAM
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


def test_copies_of_what_the_law_keeps_stay_whole(place: Any, now: datetime) -> None:
    """A restored copy of billing loses nothing to a removal, whichever of the two comes first."""
    place.set_up()
    place.stream(BILLING, now - 500 * DAY)
    ids = {"a", "b", "c"}
    place.put(BILLING, [(one, now - 490 * DAY, "northwind") for one in sorted(ids)])
    place.roll(BILLING, now - 400 * DAY)
    assert run(place.client, policies(), now=now).failed == []
    chosen = covering(snapshots(place.client, REPOSITORY))
    (copy,) = bring_back(place.client, REPOSITORY, chosen)
    stone = remove(place.client, policies(), "northwind")
    assert (stone.deleted, stone.kept) == ({}, {BILLING: 3})
    assert place.ids(copy.name, "northwind") == ids
    (again,) = bring_back(place.client, REPOSITORY, chosen)
    assert (again.documents, again.buried) == (3, 0)
    assert place.ids(again.name, "northwind") == ids


def test_what_the_doctor_says_of_later_arrivals(place: Any, now: datetime) -> None:
    """Entries that arrived after a removal was done are counted, those that the law keeps not."""
    place.set_up()
    for stream in (MIDDLE, SHORT, BILLING):
        place.stream(stream, now - 5 * DAY)
        place.put(stream, [("a", now, "northwind"), ("b", now, "southwind")])

    def warned() -> list[str]:
        found = check_retention(place.client, policies(), now)
        return [
            f"{one.level}: {one.message}" for one in found if "after its removal" in one.message
        ]

    remove(place.client, policies(), "northwind")
    assert warned() == []
    place.put(MIDDLE, [("late", now - 2 * DAY, "northwind")])
    place.put(SHORT, [("late", now - 2 * DAY, "northwind"), ("new", now, "northwind")])
    place.put(BILLING, [("late", now - 2 * DAY, "northwind")])
    assert warned() == ["warn: 3 entries of northwind arrived after its removal"]
    remove(place.client, policies(), "northwind")
    assert warned() == []


def test_what_comes_meanwhile_is_found(place: Any, now: datetime) -> None:
    """Entries that arrive in another stream while one is cleared: gone before it is done."""
    place.set_up()
    place.stream(MIDDLE, now - 5 * DAY)
    place.stream(SHORT, now - 5 * DAY)
    place.put(MIDDLE, [("a", now, "northwind")])
    late = [("late", now, "northwind")]

    def deliver(*_: Any) -> None:
        if late:
            place.put(SHORT, [late.pop()])

    stone = remove(place.client, policies(), "northwind", on_share=deliver)
    assert stone.done
    assert stone.deleted == {MIDDLE: 1, SHORT: 1}
    assert place.ids(f"{MIDDLE},{SHORT}", "northwind") == set()


def test_who_keeps_delivering_is_told(place: Any, now: datetime) -> None:
    """Entries that keep coming end the removal with an error, and it stays unfinished."""
    place.set_up()
    place.stream(MIDDLE, now - 5 * DAY)
    place.stream(SHORT, now - 5 * DAY)
    streams = [MIDDLE, SHORT]
    place.put(MIDDLE, [("0", now, "northwind")])
    told: list[int] = []

    def deliver(*_: Any) -> None:
        streams.reverse()
        told.append(1)
        place.put(streams[0], [(str(len(told)), now, "northwind")])

    with pytest.raises(ClusterError, match="new ones keep coming"):
        remove(place.client, policies(), "northwind", on_share=deliver)
    assert not tombstones(place.client)["northwind"].done


def test_a_second_removal_has_a_record_of_its_own(place: Any, now: datetime) -> None:
    """Who came again under the same id and is removed again: two entries in the record."""
    place.set_up()
    place.stream(MIDDLE, now - 5 * DAY)
    for name in ("a", "b"):
        place.put(MIDDLE, [(name, now, "northwind")])
        remove(place.client, policies(), "northwind")
        remove(place.client, policies(), "northwind")
    found = place.records("retention.organization_removed")
    assert sorted(one["message"] for one in found) == [
        "1 entries of northwind were deleted, 0 are kept by law",
        "2 entries of northwind were deleted, 0 are kept by law",
    ]


def test_a_removal_under_way_lets_nothing_come_back(place: Any, now: datetime) -> None:
    """A second removal is not finished: a restored copy lacks also what came after the first."""
    place.set_up()
    place.stream(MIDDLE, now - 85 * DAY)
    place.put(MIDDLE, [("again", now - 80 * DAY, "northwind")])
    place.roll(MIDDLE, now - 75 * DAY)
    assert run(place.client, policies(), now=now).failed == []
    save_tombstone(place.client, Tombstone("northwind", (now - 200 * DAY).isoformat()))
    chosen = covering(snapshots(place.client, REPOSITORY))
    (restored,) = bring_back(place.client, REPOSITORY, chosen)
    assert (restored.documents, restored.buried) == (0, 1)


def test_a_copy_that_was_left_open_is_closed(place: Any, now: datetime) -> None:
    """Killed while it cleared a restored copy: whoever works next takes the writes from it."""
    two_organizations(place, now)
    chosen = covering(snapshots(place.client, REPOSITORY), stream=MIDDLE)
    (copy,) = bring_back(place.client, REPOSITORY, chosen)
    ask(place.client, "PUT", f"/{copy.name}/_settings", body={"index.blocks.write": False})
    stone = Tombstone("northwind", now.isoformat(), opened=(copy.name,))
    save_tombstone(place.client, stone)
    run(place.client, policies(), now=now)
    path, flat = f"/{copy.name}/_settings", {"flat_settings": "true"}
    settings = ask(place.client, "GET", path, params=flat).body[copy.name]["settings"]
    assert settings["index.blocks.write"] == "true"
    assert tombstones(place.client)["northwind"].opened == ()


def test_a_closed_copy_is_not_passed_over(place: Any, now: datetime) -> None:
    """A restored copy that was closed cannot be cleared: the removal says so, unfinished."""
    two_organizations(place, now)
    chosen = covering(snapshots(place.client, REPOSITORY), stream=MIDDLE)
    (copy,) = bring_back(place.client, REPOSITORY, chosen)
    ask(place.client, "POST", f"/{copy.name}/_close")
    with pytest.raises(ClusterError, match="cannot be searched") as caught:
        remove(place.client, policies(), "northwind")
    assert caught.value.where == copy.name
    assert not tombstones(place.client)["northwind"].done
    given = {"wait_for_active_shards": "1"}
    ask(place.client, "POST", f"/{copy.name}/_open", params=given)
    assert remove(place.client, policies(), "northwind").done
    assert place.ids(copy.name, "northwind") == set()


def test_alerts_and_rejected_records(place: Any, now: datetime) -> None:
    """Those that name the organization go too; those of others, and of nobody, stay."""
    place.set_up(ALERTS_STREAM, REJECTED_STREAM)
    for stream in (ALERTS_STREAM, REJECTED_STREAM):
        for organization in ("northwind", "southwind", None):
            entry: dict[str, Any] = {"@timestamp": now.isoformat()}
            if organization and stream == ALERTS_STREAM:
                entry["organization"] = {"id": organization}
            elif stream == REJECTED_STREAM:
                # Kept as text; that another one's id occurs in it makes it not theirs.
                named = {"organization": {"id": organization}, "message": "for northwind"}
                entry["rejected"] = {"record": json.dumps(named)}
            path = f"/{stream}/_create/{stream}-{organization}"
            ask(place.client, "PUT", path, params={"refresh": "true"}, body=entry)
    stone = remove(place.client, policies(), "northwind")
    assert stone.deleted == {ALERTS_STREAM: 1, REJECTED_STREAM: 1}
    for stream in (ALERTS_STREAM, REJECTED_STREAM):
        assert place.ids(stream) == {f"{stream}-southwind", f"{stream}-None"}


@pytest.mark.parametrize("organization", ["*", "North", "a b", "", "north-wind"])
def test_only_an_id_is_taken(place: Any, organization: str) -> None:
    """What cannot be an organization's id is refused before anything is asked."""
    with pytest.raises(ClusterError, match="cannot be an organization's id"):
        remove(place.client, policies(), organization)
