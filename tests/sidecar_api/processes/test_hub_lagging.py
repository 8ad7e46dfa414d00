"""Who does not read, who comes back, and what happens by the clock: at the hub itself."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from wsproto.connection import Connection, ConnectionType
from wsproto.events import TextMessage

from activity_center.config_processes import BusConfig
from sidecar_api.access import Reach, Scope
from sidecar_api.processes import Hub, View, listening
from sidecar_api.processes.messages import Message
from sidecar_api.reader import Reader
from tests.activity_center.bus.servers import Bus
from tests.integration.process import until
from tests.sidecar_api.processes.clients import ACME, ALL, Client
from tests.sidecar_api.processes.peer import Told
from tests.sidecar_api.processes.stage import Steps, at, valid


@pytest.mark.parametrize(("count", "size"), [(1100, 0), (100, 20_000)], ids=["many", "large"])
def test_who_reads_nothing_gets_it_all_at_once(
    tmp_path: Path, hubs: Callable[..., Hub], count: int, size: int
) -> None:
    """A client that does not ask for what there is gets, in place of more changes or bytes than
    are told again, a reset and a snapshot, once, and goes on from there; one that lags behind
    less than that gets each change."""
    steps = Steps(BusConfig(folder=str(tmp_path)))
    steps.start("prc", ACME)
    hub = hubs(steps.config)
    idle, slow = Client(hub), Client(hub, reader="usr_b")
    steps.move("prc", ACME, *range(1, 101))
    until(lambda: hub.named("prc")[0]["progress"] == 0.1)
    slow.until(lambda: slow.at("prc") == 100)
    assert (slow.moves, slow.resets) == ([*range(1, 101)], [])
    for number in range(count):
        if size:
            steps.print("prc", ACME, "x" * (size - 1) + "\n", number * size)
        else:
            steps.move("prc", ACME, number % 100)
    steps.publish(steps.entry("prc", "process.failed", ACME))
    until(lambda: hub.named("prc")[0]["state"] == "failed")
    for one in (idle, slow):
        one.until(lambda one=one: one.shows("prc")["state"] == "failed")
        assert one.resets == ["slow"]
        assert one.kinds()[-2:] == ["reset", "snapshot"]
        assert list(one.processes.values()) == hub.named("prc")
    assert idle.changes == []
    steps.start("next", ACME)
    idle.until(lambda: idle.shows("next") is not None)
    assert (idle.kinds()[-1], idle.resets) == ("delta", ["slow"])
    steps.close()


def test_nothing_is_kept_for_who_reads_nothing(tmp_path: Path, hubs: Callable[..., Hub]) -> None:
    """Whatever is offered to it meanwhile, a client costs the sidecar no memory for that."""
    hub = hubs(BusConfig(folder=str(tmp_path)))
    idle = Client(hub)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(100):
            idle.feed.offer(bytes(100_000), number)
            idle.feed.begin_anew("gap", bytes(100_000), number)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 1_000_000
    idle.read()
    assert idle.kinds() == ["snapshot", "reset", "snapshot"]


def test_a_place_of_a_time_of_doubt_is_none(bus: Bus, hubs: Callable[..., Hub]) -> None:
    """After a gap the bus may say again what is known already, and until that is over a place
    does not say what its client has: nobody goes on from it, here or at another sidecar, also
    when it is over. A place that is given then is one."""
    steps = Steps(bus.config())
    steps.start("prc", ACME)
    hub = hubs(bus.config())
    client = Client(hub)
    client.until(lambda: client.shows("prc") is not None)
    steps.begin()
    steps.move("prc", ACME, 9)
    client.until(lambda: client.at("prc") == 9)
    assert client.resets == ["gap"]
    place = Told(client)
    hub._listening.taking._doubt = float("-inf")
    for one in (hub, hubs(bus.config())):
        again = Client(one, after=place).leave()
        assert (again.recovered, again.kinds(), again.at("prc")) == (False, ["snapshot"], 9)
    steps.move("prc", ACME, 10)
    client.until(lambda: client.at("prc") == 10)
    again = Client(hub, after=client).leave()
    assert (again.recovered, again.kinds()) == (True, [])
    steps.close()


def test_what_ended_goes_by_the_clock(
    tmp_path: Path, hubs: Callable[..., Hub], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An hour after its end a process is in no snapshot any more, and is let go of, though
    nothing comes by the bus; one that runs stays, however long it has been silent. Who comes
    to others, for whom a snapshot was made, sees that too."""
    monkeypatch.setattr(listening, "_PRUNE", 0.5)
    steps = Steps(BusConfig(folder=str(tmp_path)))
    for process in ("over", "runs"):
        steps.start(process, ACME, at=at(-3 * 3600))
    hub = hubs(steps.config)
    steps.publish(steps.entry("over", "process.completed", ACME, at=at(3 - 3600)))
    until(lambda: hub.named("over")[0]["state"] == "done")
    assert Client(hub).leave().shows("over") is not None
    end = hub.end
    assert Client(hub, reader="usr_b").shows("over") is not None  # and stays
    until(lambda: Client(hub).leave().shows("over") is None)
    until(lambda: hub.named("over") == [])
    assert hub.counts()["processes"] == 1
    assert (hub.end, Client(hub).shows("runs") is not None) == (end, True)
    steps.close()


# -- signs of life -----------------------------------------------------------------------


def _from(ping: Message, client: Client) -> Told:
    """A client that has what this one has, and the place of a ping."""
    assert valid(orjson.loads(ping.body))["type"] == ping.kind == "ping"
    told = Told(client)
    told.epoch, told.offset = ping.epoch, ping.offset
    return told


def test_a_ping_goes_no_further_than_what_was_told(
    tmp_path: Path, hubs: Callable[..., Hub]
) -> None:
    """Its place is one that the client goes on from with nothing missed and nothing told twice;
    while something waits to be read, a change or a reset, it has none."""
    steps = Steps(BusConfig(folder=str(tmp_path)))
    steps.start("prc", ACME)
    hub = hubs(steps.config)
    client = Client(hub)
    first = _from(client.feed.ping(), client)
    assert first.offset
    end = hub.end
    steps.move("prc", ACME, 1)
    until(lambda: hub.end > end)
    ahead = client.feed.ping()
    assert (ahead.epoch, ahead.offset) == ("", "")
    again = Client(hub, after=first).leave()
    assert (again.recovered, again.moves) == (True, [1])
    assert client.read().moves == [1]
    again = Client(hub, after=_from(client.feed.ping(), client)).leave()
    assert (again.recovered, again.moves) == (True, [])
    steps.begin()
    until(lambda: client.feed.lost == "gap")
    assert client.feed.ping().offset == ""
    client.until(lambda: client.kinds()[-2:] == ["reset", "snapshot"])
    assert client.feed.ping().offset
    steps.close()


def test_a_ping_moves_the_place_of_who_sees_nothing(
    tmp_path: Path, hubs: Callable[..., Hub]
) -> None:
    """What happens is not for this client, and goes out of memory in the end: with the place of
    a ping of after that it goes on, with its last one it could not."""
    steps = Steps(BusConfig(folder=str(tmp_path)))
    steps.start("mine", "umbrella")
    steps.start("theirs", ACME)
    hub = hubs(steps.config)
    view = View.of(Scope(Reader("usr_a"), watching=(Reach("umbrella"),)))
    client = Client(hub, view)
    for _ in range(11):
        steps.move("theirs", ACME, *range(1000))
    steps.publish(steps.entry("theirs", "process.failed", ACME))
    until(lambda: hub.named("theirs")[0]["state"] == "failed")
    assert client.read().kinds() == ["snapshot"]
    moved = _from(client.feed.ping(), client)
    assert Client(hub, view, after=moved).leave().recovered is True
    assert Client(hub, view, after=client).leave().recovered is False
    steps.close()


class Taker:
    """A member that takes everything at once, as a socket does that is not behind."""

    def __init__(self, view: View) -> None:
        self.reader, self.view, self.number, self.lost = "usr_t", view, 0, ""
        self.told = Told()
        self._protocol = Connection(ConnectionType.CLIENT)

    def offer(self, frame: bytes, _number: int) -> None:
        """Take frames."""
        self._protocol.receive_data(frame)
        for event in self._protocol.events():
            assert isinstance(event, TextMessage) and event.message_finished
            self.told.take(event.data.encode())

    def begin_anew(self, _reason: str, frame: bytes, number: int) -> None:
        """Take a reset and a snapshot."""
        self.offer(frame, number)

    def end(self, *_: Any) -> None:
        """Nothing ends it."""


def test_who_watches_hears_at_once_that_the_bus_is_away(bus: Bus, hubs: Callable[..., Hub]) -> None:
    """Everybody who is connected, whatever they see, gets a ping that says since when, as soon as
    the bus cannot be read, and another one without that when it can: one each, however often it
    was tried. A client that reads at its own pace finds it in the next ping."""
    steps = Steps(bus.config())
    steps.start("prc", ACME)
    hub = hubs(bus.config())
    takers = [Taker(ALL), Taker(View.of(Scope(Reader("usr_t"), watching=(Reach("b"),))))]
    for one in takers:
        hub.join(one)
    client = Client(hub)
    with bus.away():
        for one in takers:
            until(lambda one=one: one.told.stale_since is not None)
        ping = orjson.loads(client.feed.ping().body)
        assert {one.told.stale_since for one in takers} == {ping["stale_since"]}
        for _ in range(2):  # it is tried again
            tried = hub._listening._deaf_until
            until(lambda tried=tried: hub._listening._deaf_until > tried)
    for one in takers:
        until(lambda one=one: one.told.stale_since is None)
        assert (one.told.pings, one.told.said) == (2, [])
    assert "stale_since" not in orjson.loads(client.feed.ping().body)
    steps.close()
