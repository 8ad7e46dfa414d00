"""Where ISM carries policies out: its copies are counted, and one that lies costs nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from activity_center.config import Cluster
from activity_center.connection import connect
from activity_center.policies import policies
from activity_center.setup import desired_state, install, ism
from activity_center.setup.cluster import ask
from collector.retention import Tombstone, archives, check_retention, guard, remove
from collector.retention.engine import block
from collector.retention.state import save_tombstone, tombstones
from tests.activity_center.setup.ism_server import Ism, serving
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


def snapshot(place: Any, index: str) -> None:
    """A snapshot such as ISM makes."""
    ask(
        place.client,
        "PUT",
        f"/_snapshot/{REPOSITORY}/archive-{index}-2026.01.01-00:00:00.000",
        params={"wait_for_completion": "true"},
        body={"indices": index, "include_global_state": False},
    )


@contextmanager
def with_ism(place: Any, now: datetime) -> Iterator[tuple[Ism, Any, str]]:
    """ISM, its client, and an index of two organizations that should be archived."""
    place.set_up()
    place.stream(STREAM, now - 90 * DAY)
    place.put(STREAM, [("a", now - 80 * DAY, "northwind"), ("b", now - 80 * DAY, "southwind")])
    place.roll(STREAM, now - 75 * DAY)
    index = place.backing(STREAM)[0].name
    with serving(place.url) as server:
        client = connect(Cluster(url=server.url))
        policy = policies()["standard-90d"]
        ask(client, "PUT", f"/_plugins/_ism/policies/{policy.id}", body=policy.body)
        yield server, client, index
        client.close()


def archived(server: Ism, index: str, **state: Any) -> None:
    """ISM has come to the state that makes the snapshot."""
    server.managed[index] = {
        "policy_id": "activity-center-standard-90d",
        "policy_seq_no": 1,
        "state": {"name": "archive", **state},
    }


def test_a_removal_makes_no_copy_a_lie(place: Any, now: datetime) -> None:
    """The entries of a removed organization count neither in the copy nor in the index."""
    with with_ism(place, now) as (server, client, index):
        archived(server, index)
        snapshot(place, index)
        assert guard(client, policies(), now=now).failed == []
        assert archives(client)[index].documents == 2
        block(client, index, closed=True)
        remove(client, policies(), "northwind")
        assert place.ids(index) == {"b"}
        assert guard(client, policies(), now=now).failed == []
        assert archives(client)[index].documents == 1
        assert index in server.managed


def test_an_index_that_a_removal_left_open_is_closed(place: Any, now: datetime) -> None:
    """A removal was killed between opening an index and closing it: the guard closes it."""
    with with_ism(place, now) as (_, client, index):
        save_tombstone(client, Tombstone("northwind", now.isoformat(), opened=(index, "gone")))
        guard(client, policies(), now=now)
        assert place.backing(STREAM)[0].read_only
        assert tombstones(client)["northwind"].opened == ()


def test_ism_gets_the_time_it_needs(place: Any, now: datetime) -> None:
    """No snapshot, and ISM has only just begun with the index: it is waited for, for a day."""
    with with_ism(place, now) as (server, client, index):
        server.managed.pop(index, None)
        assert ism.attach(client, "activity-center-standard-90d", [index]) == []
        assert guard(client, policies(), now=now).steps == []
        archived(server, index, start_time=int((now - 0.5 * DAY).timestamp() * 1000))
        assert guard(client, policies(), now=now).steps == []
        assert index in server.managed
        archived(server, index, start_time=int((now - 1.5 * DAY).timestamp() * 1000))
        assert [one.index for one in guard(client, policies(), now=now).failed] == [index]
        assert index not in server.managed


def test_no_room_for_a_trial_takes_nothing_from_ism(place: Any, now: datetime) -> None:
    """A copy that cannot be counted now is tried again, until its index is about to go."""
    path, limit = "/_cluster/settings", "cluster.max_shards_per_node"
    with with_ism(place, now) as (server, client, index):
        archived(server, index)
        snapshot(place, index)
        ask(place.client, "PUT", path, body={"persistent": {limit: 1}})
        try:
            (early,) = guard(client, policies(), now=now).failed
            assert index in server.managed
            (late,) = guard(client, policies(), now=now + 13 * DAY).failed
        finally:
            ask(place.client, "PUT", path, body={"persistent": {limit: None}})
        assert "tried again" in early.failed
        assert "taken away" in late.failed
        assert index not in server.managed


def test_a_protected_index_goes_back_once_its_copy_is_counted(place: Any, now: datetime) -> None:
    """Neither doctor nor install lead it back before; afterwards both do."""
    with with_ism(place, now) as (server, client, index):
        archived(server, index)
        snapshot(place, index)
        place.break_repository()
        assert [one.index for one in guard(client, policies(), now=now).failed] == [index]
        found = [one for one in check_retention(client, policies(), now) if index in one.message]
        assert [("taken away" in one.message, one.level) for one in found] == [(True, "fail")]
        assert "mend the repository" in found[0].advice

        desired = replace(desired_state(), streams=())
        install(client, desired)
        assert index not in server.managed
        done = guard(client, policies(), now=now + DAY)
        assert [(one.action, one.failed) for one in done.steps] == [("snapshot", "")]
        assert archives(client)[index].documents == 2
        install(client, desired)
        assert server.managed[index]["policy_id"] == "activity-center-standard-90d"
        archived(server, index)
        assert guard(client, policies(), now=now + DAY).steps == []


def about(client: Any, index: str, now: datetime) -> list[str]:
    """What the doctor of retention says of one index."""
    found = check_retention(client, policies(), now)
    return [f"{one.level}: {one.message}" for one in found if index in one.message]


def test_what_ism_does_not_do_is_named(place: Any, now: datetime) -> None:
    """A step that is due for more than a day, and an index that ISM no longer looks at.

    Each date counts: read-only a day, archived 60 days, deleted 90 days after rollover. What an
    index keeps from showing (fewer copies, one segment) is told by ISM's state.
    """
    with with_ism(place, now) as (server, client, index):

        def state(name: str, **facts: Any) -> None:
            archived(server, index)
            server.managed[index] |= {"state": {"name": name}, **facts}

        late = f"warn: {index} is late: "
        state("hot")
        assert about(client, index, now) == [f"{late}read_only (warm) was due more than a day ago"]
        state("hot", enabled=False)
        assert about(client, index, now) == [
            f"fail: {index} stands still in hot: ISM no longer looks at it"
        ]
        block(client, index, closed=True)
        state("warm")
        rolled = now - 75 * DAY
        assert about(client, index, rolled + 60.5 * DAY) == []
        assert about(client, index, now) == [
            f"{late}it is in warm, and archive was due more than a day ago"
        ]
        state("archive")
        assert about(client, index, rolled + 90.5 * DAY) == []
        assert about(client, index, rolled + 91.5 * DAY) == [
            f"{late}delete (delete) was due more than a day ago"
        ]


def test_an_index_at_the_end_of_its_policy_is_left_alone(place: Any, now: datetime) -> None:
    """ISM disables its job where nothing comes any more: that is no failure, and not late."""
    place.set_up()
    place.stream("activity-agent-permanent", now - 90 * DAY)
    place.put("activity-agent-permanent", [("a", now - 80 * DAY, "northwind")])
    place.roll("activity-agent-permanent", now - 60 * DAY)
    index = place.backing("activity-agent-permanent")[0].name
    block(place.client, index, closed=True)
    with serving(place.url) as server:
        client = connect(Cluster(url=server.url))
        policy = policies()["permanent"]
        ask(client, "PUT", f"/_plugins/_ism/policies/{policy.id}", body=policy.body)
        ended = {"policy_id": policy.id, "policy_seq_no": 1, "state": {"name": "warm"}}
        server.managed[index] = {**ended, "enabled": False, "policy_completed": True}
        assert about(client, index, now) == []
        server.managed[index] = {**ended, "enabled": False}
        assert [one.partition(":")[0] for one in about(client, index, now)] == ["fail"]
        client.close()
