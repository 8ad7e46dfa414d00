"""The hub over both kinds of bus: nothing is missed without being told, nothing comes twice."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from activity_center.bus import open_reader
from activity_center.config_processes import BusConfig
from activity_center.errors import BusUnavailable
from sidecar_api.access import Reach, Scope
from sidecar_api.failures import RateLimited, Unavailable
from sidecar_api.processes import Hub, View, listening
from sidecar_api.processes.earlier import Seen
from sidecar_api.reader import Reader
from tests.activity_center.bus.servers import Bus
from tests.integration.process import until
from tests.sidecar_api.processes.clients import ACME, ALL, SECRET, UMBRELLA, Client
from tests.sidecar_api.processes.peer import Told
from tests.sidecar_api.processes.stage import Steps


def test_another_sidecar_goes_on(bus: Bus, hubs: Callable[..., Hub]) -> None:
    """A sidecar that was started anew makes the same changes again from the bus, so a client
    misses nothing and gets nothing twice; under another key its place is none."""
    steps = Steps(bus.config())
    steps.start("prc", ACME)
    steps.move("prc", ACME, 1, 2, 3)
    client = Client(hubs(bus.config()))
    client.until(lambda: client.at("prc") == 3).leave()
    steps.skip(5)
    steps.move("prc", ACME, 4, 5)
    second = hubs(bus.config())
    after = Client(second, after=client)
    assert (after.recovered, after.moves) == (True, [4, 5])
    steps.move("prc", ACME, 6)
    after.until(lambda: after.at("prc") == 6).leave()
    assert after.moves == [4, 5, 6]
    assert list(after.processes.values()) == second.named("prc")
    stranger = Client(hubs(bus.config(), b"k" * 32), after=client)
    assert (stranger.recovered, stranger.kinds()) == (False, ["snapshot"])
    steps.close()


def test_what_the_bus_no_longer_has_is_not_passed_over(bus: Bus, hubs: Callable[..., Hub]) -> None:
    """Where the bus was trimmed beyond a client's place, a new sidecar says so."""
    steps = Steps(bus.config(keep_entries=40))
    steps.start("prc", ACME)
    steps.move("prc", ACME, 1)
    old = Client(hubs(bus.config()))
    old.until(lambda: old.at("prc") == 1).leave()
    for number in range(2, 401):
        steps.move("prc", ACME, number)
    oldest = open_reader(bus.config()).first()["one-0"][1]
    assert oldest > 10
    again = Client(hubs(bus.config()), after=old)
    assert (again.recovered, again.at("prc")) == (False, 400)
    steps.close()


def test_a_gap_is_told_to_all(bus: Bus, hubs: Callable[..., Hub]) -> None:
    """When the bus lost something, who is up to date and who lags behind both begin anew, and
    no earlier place counts; afterwards it goes on in deltas."""
    steps = Steps(bus.config())
    hub = hubs(bus.config())
    steps.start("prc", ACME)
    ready, lagging = Client(hub), Client(hub, reader="usr_b")
    for one in (ready, lagging):
        one.until(lambda one=one: one.shows("prc") is not None)
    place = Told(ready)
    steps.move("prc", ACME, 1)
    ready.until(lambda: ready.at("prc") == 1)
    steps.begin()
    steps.move("prc", ACME, 9)
    ready.until(lambda: ready.at("prc") == 9)
    lagging.until(lambda: lagging.at("prc") == 9)
    for one in (ready, lagging):
        assert one.resets and set(one.resets) == {"gap"}
        assert one.kinds()[one.kinds().index("reset") + 1] == "snapshot"
    assert 1 not in lagging.moves
    late = Client(hub, after=place)
    assert (late.recovered, late.at("prc")) == (False, 9)
    count = len(ready.resets)
    steps.move("prc", ACME, 10, 11)
    ready.until(lambda: ready.at("prc") == 11)
    assert (ready.moves[-2:], len(ready.resets)) == ([10, 11], count)
    steps.close()


def test_an_entry_that_got_lost_is_told(bus: Bus, hubs: Callable[..., Hub]) -> None:
    """One entry in the midst is gone from the bus: a client of before it is not told the rest
    as if that were all; one of behind it goes on."""
    steps = Steps(bus.config())
    steps.start("prc", ACME)
    steps.move("prc", ACME, 1)
    before = Client(hubs(bus.config()))
    before.until(lambda: before.at("prc") == 1)
    behind = Client(hubs(bus.config())).leave()
    before.leave()
    steps.move("prc", ACME, 2)
    lost = steps.position
    steps.move("prc", ACME, 3, 4)
    behind = Client(hubs(bus.config()), after=behind)
    behind.until(lambda: behind.at("prc") == 4).leave()
    steps.move("prc", ACME, 5)
    bus.lose_newest("one-0", steps.epoch, lost)
    hub = hubs(bus.config())
    again = Client(hub, after=before)
    assert (again.recovered, again.at("prc")) == (False, 5)
    again = Client(hub, after=behind)
    assert (again.recovered, again.moves) == (True, [5])
    steps.close()


def test_the_bus_goes_away_and_comes_back(bus: Bus, hubs: Callable[..., Hub]) -> None:
    """Meanwhile all is shown as it was, and since when is said; then it goes on where it
    stopped, with nothing lost and nothing begun anew."""
    steps = Steps(bus.config())
    steps.start("prc", ACME)
    hub = hubs(bus.config())
    client = Client(hub)
    client.until(lambda: client.shows("prc") is not None)
    assert hub.stale_since is None
    with bus.away():
        until(lambda: hub.stale_since is not None)
        late = Client(hub)
        assert late.shows("prc") == client.shows("prc")
        with pytest.raises(BusUnavailable):
            steps.move("prc", ACME, 1)
    steps.close()
    until(lambda: hub.stale_since is None)
    steps.move("prc", ACME, 1, 2)
    client.until(lambda: client.at("prc") == 2)
    assert (client.moves, client.resets) == ([1, 2], [])
    steps.close()


def test_no_bus_at_first(tmp_path: Path) -> None:
    """A sidecar that starts before there is a bus shows nothing, says so, and takes part as
    soon as it is there."""
    bus = Bus("redis", tmp_path)
    config = bus.config()
    assert bus.server is not None
    bus.server.kill()
    hub = Hub(lambda: open_reader(config), lambda _seen: (), SECRET)
    hub.start()
    until(lambda: hub.stale_since is not None)
    client = Client(hub)
    assert (client.processes, client.kinds()) == ({}, ["snapshot"])
    bus.server.start()
    steps = Steps(config)
    steps.start("prc", ACME)
    client.until(lambda: client.shows("prc") is not None)
    hub.stop()
    steps.close()
    bus.close()


def test_two_collectors_tell_of_one_process(bus: Bus, hubs: Callable[..., Hub]) -> None:
    """Entries that come on two lines have no fixed order among each other, and another sidecar
    may fold them in another one; a client that goes on there ends with the right state."""
    one, two = Steps(bus.config(), "one-0"), Steps(bus.config(), "two-0")

    def done(steps: Steps, process: str, number: int) -> None:
        step = {"id": f"s{number}", "name": f"Step {number}", "index": number}
        steps.sequence = number + 1
        steps.publish(steps.entry(process, "process.step.completed", ACME, activity__step=step))

    names = [f"Step {number}" for number in range(3)]
    for process in ("left", "right"):
        one.start(process, ACME, activity__process__steps=names)
    client = Client(hubs(bus.config()))
    # Whichever line the other sidecar reads first, of one of them it reads the later step first.
    done(one, "left", 0)
    done(two, "right", 0)
    client.until(lambda: client.at("left") == client.at("right") == 333).leave()
    done(two, "left", 1)
    done(one, "right", 1)
    second = hubs(bus.config())
    again = Client(second, after=client)
    assert again.recovered is True
    for process in ("left", "right"):
        assert [again.shows(process)] == second.named(process)
        assert again.at(process) == 667
    one.close()
    two.close()


def test_what_opensearch_alone_has(
    tmp_path: Path, hubs: Callable[..., Hub], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the bus no longer has is folded in before; while OpenSearch cannot be asked the rest
    is shown, and as soon as it answers, all begin anew with the whole."""
    monkeypatch.setattr(listening, "_LOAD_AGAIN", 0.2)
    answers = threading.Event()
    steps = Steps(BusConfig(folder=str(tmp_path / "steps")))
    old = steps.entry("old", "process.started", ACME, activity__process__channel="ssl")
    asked: list[Seen] = []

    def earlier(seen: Seen) -> Iterable[Mapping[str, Any]]:
        asked.append(seen)
        if not answers.is_set():
            raise Unavailable("OpenSearch does not answer.")
        return [old]

    steps.start("new", ACME)
    steps.move("old", ACME, 30)
    hub = hubs(steps.config, earlier=earlier)
    client = Client(hub)
    assert (client.at("old"), client.shows("old")["channel"]) == (30, None)
    until(lambda: len(asked) > 1)  # it is asked again, and what there is stays
    assert client.read(0).resets == []
    answers.set()
    client.until(lambda: client.shows("old")["channel"] == "ssl")
    assert client.at("old") == 30
    assert client.resets == ["history"]
    assert {(one.whole((ACME, "new")), *one.cut_off()) for one in asked} == {(True, (ACME, "old"))}
    steps.close()


# -- who sees it -------------------------------------------------------------------------


def test_same_rights_are_one_group(tmp_path: Path, hubs: Callable[..., Hub]) -> None:
    """What readers with the same rights get is made once; other rights or another part make
    another group; without members there is none."""
    hub = hubs(BusConfig(folder=str(tmp_path)))
    acme = View.of(Scope(Reader("usr_a"), watching=(Reach(ACME),)))
    same = View.of(Scope(Reader("usr_b"), watching=(Reach(ACME), Reach(ACME))))
    clients = [Client(hub, acme), Client(hub, same, reader="usr_b"), Client(hub, ALL)]
    clients.append(Client(hub, View.of(Scope(Reader("usr_a")), channel="ssl")))
    counts = hub.counts()
    assert (counts["groups"], counts["connections"]) == (3, 4)
    for one in clients:
        one.leave().leave()
    counts = hub.counts()
    assert (counts["groups"], counts["connections"]) == (0, 0)


def test_ones_own_shows_from_its_first_step(tmp_path: Path, hubs: Callable[..., Hub]) -> None:
    """Who has no role sees what they begin while they watch, and nothing of others; also where
    it comes with a gap."""
    steps = Steps(BusConfig(folder=str(tmp_path)))
    hub = hubs(steps.config)
    nobody = Scope(Reader("usr_a"))
    client = Client(hub, hub.view(nobody))
    steps.start("others", ACME, user__id="usr_b")
    steps.start("mine", ACME, user__id="usr_a")
    client.until(lambda: client.shows("mine") is not None)
    steps.begin()
    later = Client(hub, hub.view(Scope(Reader("usr_c"))), reader="usr_c")
    steps.start("theirs", ACME, user__id="usr_c")
    later.until(lambda: later.shows("theirs") is not None)
    steps.move("mine", ACME, 5)
    client.until(lambda: client.at("mine") == 5)
    assert [*client.processes] == [(ACME, "mine")]
    assert [*later.processes] == [(ACME, "theirs")]
    assert b"others" not in client.raw + later.raw
    steps.close()


def test_other_rights_begin_anew(tmp_path: Path, hubs: Callable[..., Hub]) -> None:
    """Who may see something else from now on gets a reset and a snapshot of just that."""
    steps = Steps(BusConfig(folder=str(tmp_path)))
    steps.start("one", ACME)
    steps.start("two", UMBRELLA)
    hub = hubs(steps.config)
    client = Client(hub, View.of(Scope(Reader("usr_a"), watching=(Reach(ACME),))))
    assert [*client.processes] == [(ACME, "one")]
    client.feed.watch(View.of(Scope(Reader("usr_a"), watching=(Reach(UMBRELLA),))))
    client.until(lambda: client.shows("two") is not None)
    assert client.resets == ["rights"]
    assert [*client.processes] == [(UMBRELLA, "two")]
    steps.move("one", ACME, 1)
    steps.move("two", UMBRELLA, 1)
    client.until(lambda: client.at("two") == 1)
    assert [*client.processes] == [(UMBRELLA, "two")]
    steps.close()


def test_a_bound_for_all(tmp_path: Path, hubs: Callable[..., Hub]) -> None:
    """Beyond so many connections in all nobody gets another one, whoever it is."""
    hub = hubs(BusConfig(folder=str(tmp_path)), in_all=2)
    one, two = Client(hub), Client(hub, reader="usr_b")
    with pytest.raises(RateLimited):
        Client(hub, reader="usr_c")
    one.leave()
    assert Client(hub, reader="usr_c").recovered is None
    assert two.recovered is None


def test_what_is_no_entry_holds_up_nothing(tmp_path: Path, hubs: Callable[..., Hub]) -> None:
    """Bytes that are no JSON, JSON that is no activity and an activity of nothing are passed
    over; what follows comes."""
    steps = Steps(BusConfig(folder=str(tmp_path)))
    hub = hubs(steps.config)
    client = Client(hub)
    steps.publish({"activity": 7}, {"event": {"action": "process.started"}}, {})
    odd = [b"", b"[1]", b"\xff", orjson.dumps("x"), b'{"activity":{"process":{"id":{}}}}']
    writer = steps._open()
    place = writer.publish((steps.epoch, 3), [*enumerate(odd, 4)])
    assert place[1] == 8
    steps.skip(len(odd))
    steps.start("prc", ACME)
    client.until(lambda: client.shows("prc") is not None)
    assert len(client.processes) == 1
    steps.close()


def test_time_goes_on_without_the_bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What must happen in time is looked at with all processes again and again, also where one
    look goes wrong and while nothing comes."""
    monkeypatch.setattr(listening, "_WAIT", 0.2)
    seen: list[tuple[float, list[str]]] = []

    def tick(held: Iterable[Any], _now: Any) -> None:
        seen.append((time.monotonic(), [key[1] for key, _ in held]))
        if len(seen) == 1:
            raise RuntimeError("the first look goes wrong")

    steps = Steps(BusConfig(folder=str(tmp_path)))
    steps.start("prc", ACME)
    hub = Hub(lambda: open_reader(steps.config), lambda _seen: (), SECRET, tick=tick)
    hub.ready()
    until(lambda: len(seen) >= 3)
    assert seen[-1][1] == ["prc"]
    hub.stop()
    steps.close()
