"""What is delivered later than a place looks back: the live tail cannot give it, but tells."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sidecar_api.access import Scope
from sidecar_api.follow import Watch
from sidecar_api.follow.topic import Topic
from sidecar_api.moments import written
from sidecar_api.search.newer import MOST_SEEN
from tests.sidecar_api.follow.following import ALL, begun, names, now, quick, said, take
from tests.sidecar_api.search.log import Log, document

LATER = timedelta(minutes=3)


def late(by: timedelta = LATER, **values: Any) -> dict[str, Any]:
    """An activity that a collector received so long ago, and could not deliver before."""
    return now(event__ingested=written(datetime.now(UTC) - by), **values)


def test_a_watch_tells_what_came_too_late(log: Log, scope: Scope) -> None:
    """One reset, in whatever order the rest comes; what is new comes before and after."""
    hub = quick(log.client, count=0.1)
    with closing(hub.watch(scope, ALL, None)) as watch:
        events = watch.events(lambda: True)
        log.add(now(id="first"))
        assert names([next(events)]) == ["first"]
        log.add(late(), late(), late(timedelta(hours=20)))
        assert said(events).kind == "reset"
        log.add(now(id="second"))
        found = said(events)
        assert names([found]) == ["second"]
        assert take(watch, 1, beats=3) == []


def test_what_is_late_by_less_than_a_minute_is_given(log: Log, scope: Scope) -> None:
    """Within its window nothing is told; all comes, and once."""
    hub = quick(log.client, count=0.1)
    with closing(hub.watch(scope, ALL, None)) as watch:
        log.add(late(timedelta(seconds=50), id="a"), late(timedelta(seconds=40), id="b"))
        assert names(take(watch, 3, beats=3)) == ["a", "b"]


def test_a_client_that_comes_back_elsewhere_is_told(log: Log, scope: Scope) -> None:
    """What came too late while nobody watched is found by the place that the client brings."""
    with closing(quick(log.client).watch(scope, ALL, None)) as watch:
        log.add(now(id="first"))
        place = take(watch, 1)[0].place
    with closing(quick(log.client, count=1e9).watch(scope, ALL, place)) as watch:
        assert take(watch, 1, beats=3) == []
    log.add(late(), now(id="second"))
    with closing(quick(log.client, count=1e9).watch(scope, ALL, place)) as watch:
        told = take(watch, 2, beats=3)
    assert [one.kind for one in told] == ["reset"]
    with closing(quick(log.client, count=1e9).watch(scope, ALL, told[0].place)) as watch:
        log.add(now(id="third"))
        assert names(take(watch, 2, beats=3)) == ["third"]


def test_a_collector_whose_clock_is_ahead_holds_up_nobody(log: Log, scope: Scope) -> None:
    """What it received comes when its time comes; what others receive meanwhile, at once."""
    hub = quick(log.client, count=0.1)
    with closing(hub.watch(scope, ALL, None)) as watch:
        log.add(late(-timedelta(hours=1), id="ahead"), late(-timedelta(seconds=34), id="soon"))
        events = watch.events(lambda: True)
        log.add(now(id="first"))
        assert names([said(events)]) == ["first"]
        log.add(now(id="second"))
        assert names([said(events), said(events)]) == ["second", "soon"]
        log.add(now(id="third"))
        assert names([said(events)]) == ["third"]


def test_a_clock_that_is_a_little_ahead_makes_nobody_wait(log: Log, scope: Scope) -> None:
    """As clocks of machines are: what is received by it is new at once, and holds up nobody."""
    hub = quick(log.client, count=0.1)
    with closing(hub.watch(scope, ALL, None)) as watch:
        log.add(late(-timedelta(seconds=25), id="ahead"))
        assert names(take(watch, 1)) == ["ahead"]
        log.add(now(id="first"))
        assert names(take(watch, 1)) == ["first"]


def test_who_comes_after_it_is_not_told(log: Log, scope: Scope) -> None:
    """A watch that is opened beside others knows what was too late for them."""
    hub = quick(log.client, count=0.1)
    with closing(hub.watch(scope, ALL, None)) as watch:
        events = watch.events(lambda: True)
        assert next(events).kind == "beat"
        log.add(late())
        assert said(events).kind == "reset"
        with closing(hub.watch(scope, ALL, None)) as other:
            assert other.topic is watch.topic
            assert take(other, 1, beats=3) == []


def test_more_than_a_place_remembers_within_its_minute(log: Log, scope: Scope) -> None:
    """Where many come, what is late by seconds may be too late; it is told too."""
    hub = quick(log.client, count=0.1)
    with closing(hub.watch(scope, ALL, None)) as watch:
        events = watch.events(lambda: True)
        log.add(*(now() for _ in range(300)))
        for _ in range(300):
            assert said(events).kind == "activity"
        log.add(late(timedelta(seconds=20)))
        assert said(events).kind == "reset"


def test_a_thousand_at_once_of_one_moment(log: Log, scope: Scope) -> None:
    """All of one millisecond are given, though more than a place remembers."""
    hub = quick(log.client, count=0.1)
    moment = written(datetime.now(UTC))
    with closing(hub.watch(scope, ALL, None)) as watch:
        log.add(*(now(id=f"{n:03}", event__ingested=moment) for n in range(700)))
        assert names(take(watch, 701, beats=3)) == [f"{n:03}" for n in range(700)]


def test_after_a_reset_it_goes_on_at_the_end_of_the_ring(log: Log, scope: Scope) -> None:
    """What waited behind the reset is in the list that the client reads: it is not told again, and
    nothing of what comes then is passed over."""
    hub = quick(log.client, count=0.1)
    with closing(hub.watch(scope, ALL, None)) as watch:
        events = watch.events(lambda: True)
        assert next(events).kind == "beat"
        log.add(late())
        wait_for(lambda: watch.topic.end() == 1)
        log.add(*(now() for _ in range(300)))  # more than a place remembers
        wait_for(lambda: watch.topic.end() == 301)
        told = [said(events)]
        log.add(*(now(id=f"after{n}") for n in range(3)))
        told += [said(events) for _ in range(3)]
        assert [next(events).kind for _ in range(3)] == ["beat"] * 3
    assert told[0].kind == "reset"
    assert names(told[1:]) == ["after0", "after1", "after2"]


def test_what_was_caught_up_with_does_not_come_by_the_ring_too(log: Log, scope: Scope) -> None:
    """Though it is more than a place remembers, and the others' poller finds it only then."""
    hub = quick(log.client)
    with closing(hub.watch(scope, ALL, None)) as other:
        position = begun(hub.watch(scope, ALL, None))
        with other.topic._turn:  # its poller may find them, but cannot put them into the ring yet
            log.add(*(now(id=f"{n:03}") for n in range(600)))
            watch = hub.watch(scope, ALL, position)
            events = watch.events(lambda: True)
            got = [next(events) for _ in range(600)]
            assert other.topic.end() == 0
        with closing(watch):
            log.add(now(id="next"))
            got.append(said(events))
            assert other.topic.end() == 601
    assert names(got) == [*(f"{n:03}" for n in range(600)), "next"]


def test_what_a_watch_cannot_know_is_told(log: Log, scope: Scope) -> None:
    """An entry from before the watch's own window, which the others' window still reaches: the
    client may have had it, or not."""
    hub = quick(log.client)
    place = begun(hub.watch(scope, ALL, None))
    short = replace(place, since=place.latest)
    with closing(hub.watch(scope, ALL, short)) as watch:
        events = watch.events(lambda: True)
        assert next(events).kind == "beat"
        log.add(late(timedelta(seconds=30)))
        assert said(events).kind == "reset"


def test_more_of_one_moment_and_id_than_a_place_holds(log: Log, scope: Scope) -> None:
    """Nobody's tail stands still for them: it is told, and goes on."""
    hub = quick(log.client)
    with closing(hub.watch(scope, ALL, None)) as watch:
        events = watch.events(lambda: True)
        assert next(events).kind == "beat"
        moment = datetime.now(UTC)
        log.add(*(document(at=moment, id="same") for _ in range(1200)), numbered=True)
        stored = time.monotonic()
        given = [said(events)]
        while given[-1].kind != "reset":
            given.append(said(events))
        assert max(len(one.place.seen) for one in given) <= MOST_SEEN + 1
        wait_for(lambda: watch.topic.whole > stored)
        assert any(one.kind == "beat" for one in events)  # it has read what the ring had
        log.add(now(id="after"))
        told = next(one for one in events if one.kind == "activity" and names([one]) == ["after"])
    assert told


def test_a_burst_behind_a_reset_is_told_once_more(log: Log, scope: Scope) -> None:
    """What the poller still brings of what a reset covered is no reset each; then it goes on."""
    hub = quick(log.client, count=0.3)
    told: list[str] = []

    def read(watch: Watch) -> None:
        for one in watch.events(lambda: True):
            told.append(one.kind)
            if names([one]) == ["after"]:
                return

    with closing(hub.watch(scope, ALL, None)) as watch:
        reader = threading.Thread(target=read, args=(watch,))
        reader.start()
        wait_for(lambda: bool(told))
        log.add(late(), *(now() for _ in range(5000)))
        stored = time.monotonic()
        wait_for(lambda: watch.topic.whole > stored and "reset" in told)
        wait_for(lambda: watch._settled and watch._number == watch.topic.end())
        log.add(now(id="after"))
        reader.join(30)
    assert told[-1] == "activity"
    assert 1 <= told.count("reset") <= 2


def test_what_comes_while_the_poller_is_behind_a_reset_is_told(log: Log, scope: Scope) -> None:
    """It may be of what the reset covered, or late: that is told once the poller has all."""
    hub = quick(log.client)
    place = hub.search.beginning(scope, ALL)
    topic = Topic(hub.search, scope, ALL, place, count=1e9)  # nobody polls: by hand
    topic.watches = 1
    watch = Watch(hub, topic, "", scope, ALL, place)
    events = watch.events(lambda: True)
    assert next(events).kind == "beat"
    topic._put(place, [None])
    assert next(events).kind == "reset"
    topic._put(place, [{"id": "old", **late(id="old")}])
    assert [next(events).kind for _ in range(3)] == ["beat"] * 3
    topic.whole = time.monotonic()
    assert said(events).kind == "reset"
    assert [next(events).kind for _ in range(3)] == ["beat"] * 3


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until something holds."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
