"""Following the log: each arrival once, late ones too, with a place that stays small."""

from __future__ import annotations

import json
import random
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sidecar_api.moments import written
from sidecar_api.search import Filters
from sidecar_api.search.newer import Place
from tests.sidecar_api.search.log import NOON, Log, document, filters

EVERYTHING = filters()
LATE = timedelta(minutes=5)


def arrival(id_: str, at: datetime, **values: Any) -> dict[str, Any]:
    """A document that the collector received then."""
    return document(id=id_, at=at, **values)


class Follower:
    """Polls, through JSON as a client's Last-Event-ID would bring it back."""

    def __init__(self, log: Log, as_of: datetime, made: Filters = EVERYTHING) -> None:
        self.log = log
        self.filters = made
        self.got: list[str] = []
        self.largest = 0
        self.place = log.search.beginning(log, made, as_of)

    def poll(self, limit: int = 100) -> list[str]:
        """Event ids of what is new."""
        items, self.place = self.log.search.newer(self.log, self.filters, self._again(), limit)
        assert len(items) <= limit
        found = [one["event"]["id"] for one in items]
        self.got += found
        self.largest = max(self.largest, len(json.dumps(self.place.written())))
        return found

    def missed(self) -> bool:
        """Whether something came too late to be found by :meth:`poll`."""
        told, self.place = self.log.search.missed(self.log, self.filters, self._again())
        return told

    def _again(self) -> Place:
        return Place.read(json.loads(json.dumps(self.place.written())))

    def drain(self, limit: int = 100) -> list[str]:
        """Poll until nothing is new."""
        found = part = self.poll(limit)
        while part:
            part = self.poll(limit)
            found = [*found, *part]
        return found


def test_what_is_there_is_not_new(log: Log) -> None:
    """Beginning at a moment gives out what comes after, in order of arrival, once."""
    log.add(*(arrival(f"a{n}", NOON - timedelta(seconds=n)) for n in range(300)))
    follower = Follower(log, NOON)
    assert follower.poll() == []
    log.add(arrival("c", NOON + timedelta(seconds=2)), arrival("b", NOON + timedelta(seconds=1)))
    assert follower.poll() == ["b", "c"]
    assert follower.poll() == []


def test_late_deliveries_are_given_out(log: Log) -> None:
    """What was received before the last entry but found after it comes too, once."""
    log.add(arrival("a", NOON - timedelta(seconds=5)))
    follower = Follower(log, NOON)
    log.add(arrival("late", NOON - timedelta(seconds=30)))
    assert follower.poll() == ["late"]
    log.add(arrival("b", NOON + timedelta(seconds=40)))
    assert follower.poll() == ["b"]
    log.add(
        arrival("later", NOON + timedelta(seconds=1)),
        arrival("equal", NOON + timedelta(seconds=40)),
    )
    assert follower.poll() == ["later", "equal"]
    assert follower.drain() == []


@pytest.mark.parametrize("seed", range(3))
def test_each_arrival_once_whatever_the_order(log: Log, seed: int) -> None:
    """Entries delivered up to half a minute out of order arrive exactly once each."""
    dice = random.Random(seed)
    sent = [
        (n * 0.4 + dice.uniform(0, 25), arrival(f"{n:03}", NOON + timedelta(seconds=n * 0.4)))
        for n in range(200)
    ]
    sent.sort(key=lambda one: one[0])
    follower = Follower(log, NOON - timedelta(milliseconds=1))
    while sent:
        count = dice.randint(1, 40)
        log.add(*(one for _, one in sent[:count]))
        sent = sent[count:]
        for _ in range(dice.randint(0, 3)):
            follower.poll(dice.choice([1, 5, 100]))
    follower.drain()
    assert sorted(follower.got) == [f"{n:03}" for n in range(200)]


@pytest.mark.parametrize("seed", range(4))
def test_what_is_not_given_is_told(log: Log, seed: int) -> None:
    """However late entries come and however many: a count tells of them just when some were not
    given out."""
    dice = random.Random(seed)
    spread = dice.choice([30, 90, 600, 7200])
    log.add(*(arrival(f"old{n}", NOON - timedelta(seconds=n * 7)) for n in range(200)))
    follower = Follower(log, NOON)
    added: set[str] = set()
    unknown = 0
    for turn in range(25):
        made = [
            arrival(
                f"{turn}-{n}",
                NOON + timedelta(seconds=turn * 4 - max(0, dice.gauss(0, spread / 3))),
                event__action=dice.choice(["server.create", "server.update"]),
            )
            for n in range(dice.choice([0, 1, 3, 60, 200]))
        ]
        log.add(*made)
        added |= {one["event"]["id"] for one in made}
        follower.drain(dice.choice([20, 100]))
        if dice.random() < 0.6 or turn == 24:
            missing = len(added - set(follower.got))
            assert follower.missed() is (missing > unknown)
            unknown = missing
    assert len(follower.got) == len(set(follower.got))


def test_what_leaves_a_span_hides_nothing(log: Log) -> None:
    """A filter by the clock is counted as of one moment: what grows too old for it meanwhile does
    not make up for what came too late."""
    now = datetime.now(UTC)
    edge = now - timedelta(hours=24, seconds=-1)
    moment = now - timedelta(seconds=90)
    log.add(*(arrival(f"o{n}", edge, event__ingested=written(moment - LATE)) for n in range(5)))
    follower = Follower(log, moment, filters(range="24h"))
    log.add(arrival("given", moment, event__ingested=written(now)))
    assert follower.poll() == ["given"]  # so the window moves
    while datetime.now(UTC) - edge <= timedelta(hours=24):
        time.sleep(0.1)
    log.add(arrival("late", moment, event__ingested=written(moment - LATE)))
    assert follower.missed() is True
    assert follower.missed() is False


def test_a_flood_of_one_moment(log: Log) -> None:
    """A thousand entries of one millisecond come once each, and the place stays small."""
    follower = Follower(log, NOON)
    moment = NOON + timedelta(seconds=1)
    log.add(*(arrival(f"{n:04}", moment) for n in range(1000)))
    for _ in range(10):
        assert len(follower.poll()) == 100
    assert follower.poll() == []
    assert sorted(follower.got) == [f"{n:04}" for n in range(1000)]
    log.add(*(arrival(f"x{n:04}", moment + timedelta(milliseconds=n // 3)) for n in range(900)))
    follower.drain()
    assert len(follower.got) == len(set(follower.got)) == 1900
    assert follower.largest < 3500


def test_equal_ids_of_one_moment(log: Log) -> None:
    """Entries that share time and event id are told apart."""
    follower = Follower(log, NOON)
    moment = NOON + timedelta(seconds=1)
    log.add(arrival("same", moment))
    assert follower.poll() == ["same"]
    stored = arrival("same", moment, event__action="agent.prompt")
    body = json.dumps(
        {"create": {"_index": "activity-agent-permanent", "_id": f"{log.organization}-2"}}
    )
    stored["organization"] = {"id": log.organization}
    log.client.bulk(body=f"{body}\n{json.dumps(stored)}\n", params={"refresh": "true"})
    assert follower.poll() == ["same"]
    assert follower.poll() == []


def test_second_copies_hide_nothing(log: Log) -> None:
    """After a rollover an entry may be there twice for a while (docs/decisions/0002): each is given
    once, what is new behind them too, also to a place from before."""
    before, follower = Follower(log, NOON), Follower(log, NOON)
    made = [arrival(f"{n:03}", NOON + timedelta(milliseconds=n)) for n in range(250)]
    log.add(*made)
    assert len(follower.drain()) == 250
    log.add(*made, stream="activity-agent-permanent")
    new = [arrival(f"new{n:03}", NOON + timedelta(seconds=1, milliseconds=n)) for n in range(40)]
    log.add(*new)
    names = [one["event"]["id"] for one in new]
    assert follower.drain() == names
    assert [len(before.poll()) for _ in range(4)] == [100, 100, 90, 0]
    assert before.got == [*(one["event"]["id"] for one in made), *names]


def test_filters_and_wall_hold(log: Log) -> None:
    """Only what the filter finds and the wall lets through is followed."""
    follower = Follower(log, NOON, filters(action="server.delete"))
    later = NOON + timedelta(seconds=1)
    log.add(
        arrival("yes", later, event__action="server.delete"),
        arrival("no", later),
        arrival("hidden", later, event__action="process.output"),
    )
    Log(log.client).add(arrival("foreign", later, event__action="server.delete"))
    assert follower.drain() == ["yes"]
