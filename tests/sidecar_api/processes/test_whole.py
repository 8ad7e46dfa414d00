"""Who watches has the whole of a process, or is told that it may be less."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from activity_center.bus import open_reader
from activity_center.config_processes import BusConfig
from sidecar_api.access import Reach, Scope
from sidecar_api.processes import Hub, View
from sidecar_api.processes.board import MOST, MOST_SHOWN
from sidecar_api.processes.feed import Feed
from sidecar_api.reader import Reader
from tests.integration.process import until
from tests.sidecar_api.processes.peer import Told
from tests.sidecar_api.processes.stage import Steps, at

ACME = "acme"
VIEW = View.of(Scope(Reader("usr_a"), watching=(Reach(ACME),)))


@pytest.fixture
def steps(tmp_path: Path) -> Iterator[Steps]:
    """A stream on an embedded bus."""
    made = Steps(BusConfig(folder=str(tmp_path / "steps")))
    yield made
    made.close()


@pytest.fixture
def hubs(steps: Steps) -> Iterator[Callable[[], Hub]]:
    """Make hubs over it, each as a sidecar of its own has it."""
    made: list[Hub] = []

    def make() -> Hub:
        made.append(Hub(lambda: open_reader(steps.config), lambda _seen: (), bytes(32)))
        made[-1].ready()
        return made[-1]

    yield make
    for one in made:
        one.stop()


class Asker(Told):
    """Who asks again and again."""

    def ask(self, hub: Hub, view: View = VIEW) -> bool | None:
        """Take what a sidecar answers; return whether it goes on."""
        recovered, found = hub.once(view, self.offset)
        self.take(found.body)
        return recovered


class Watcher(Told):
    """Who stays connected, and reads at their own pace."""

    def __init__(self, hub: Hub, view: View) -> None:
        super().__init__()
        self.feed = Feed(hub, "usr_w", view)
        for one in self.feed.begin(""):
            self.take(one.body)

    def read(self) -> Watcher:
        """Take what there is."""
        for one in self.feed.next(0.2):
            self.take(one.body)
        return self


def many(steps: Steps, count: int, organization: str = ACME, *, begin: int = 0) -> None:
    """Processes that begin, all in one go."""
    numbers = range(begin, begin + count)
    steps.publish(
        *(steps.entry(f"{organization}{n}", "process.started", organization) for n in numbers)
    )


def shows(hub: Hub, process: str, **members: Any) -> None:
    """Wait until a sidecar has a process so."""
    until(
        lambda: any(
            all(one[name] == value for name, value in members.items()) for one in hub.named(process)
        )
    )


def test_what_a_snapshot_left_out_comes_as_a_whole(steps: Steps, hubs: Callable[[], Hub]) -> None:
    """In the sidecar that made the snapshot; in another one, which does not know what was left
    out, there is another snapshot. It says that it is cut, and no longer when all fit."""
    steps.start("oldest", ACME, at=at(-600), activity__process__controls=["cancel"])
    many(steps, MOST_SHOWN)
    hub, client = hubs(), Asker()
    client.ask(hub)
    assert (len(client.processes), client.shows("oldest")) == (MOST_SHOWN, None)
    assert client.said[-1]["cut"] is True
    elsewhere = Asker(client)
    steps.move("oldest", ACME, 500)
    shows(hub, "oldest", progress=0.5)
    assert client.ask(hub) is True
    assert client.shows("oldest") == hub.named("oldest")[0]
    second = hubs()
    for one in (elsewhere, client):
        assert one.ask(second) is False
        assert one.kinds()[-1] == "snapshot"
    few = Asker()
    few.ask(second, View(True, (), organization=ACME, process="oldest"))
    assert "cut" not in few.said[-1]


def test_a_process_that_ended_long_ago_and_begins_again(
    steps: Steps, hubs: Callable[[], Hub]
) -> None:
    """No snapshot has it; its next attempt comes as a whole, from a sidecar that was started
    anew too."""
    steps.start("prc", ACME, at=at(-9000))
    steps.publish(steps.entry("prc", "process.failed", ACME, at=at(-8000)))
    client = Asker()
    client.ask(hubs())
    assert client.processes == {}
    retried = steps.entry("prc", "process.retried", ACME)
    retried["activity"]["process"]["attempt"] = 2
    steps.publish(retried)
    second = hubs()
    assert client.ask(second) is True
    assert [client.shows("prc")] == second.named("prc")


def test_who_saw_what_was_let_go_of_begins_anew(steps: Steps, hubs: Callable[[], Hub]) -> None:
    """For want of room: by a reset and a snapshot that is cut; who was away is told no less.
    Who sees none of it notices nothing."""
    steps.start("prc", "umbrella")
    hub = hubs()
    other = View.of(Scope(Reader("usr_b"), watching=(Reach("umbrella"),)))
    away, aside = Asker(), Asker()
    many(steps, 3)
    shows(hub, "acme2")
    away.ask(hub)
    aside.ask(hub, other)
    assert len(away.processes) == 3 and "cut" not in away.said[-1]
    watching = Watcher(hub, VIEW)
    for number in range(0, MOST, 1000):
        many(steps, 1000, begin=3 + number)
    until(lambda: "room" in watching.read().resets)
    assert watching.kinds()[watching.kinds().index("reset") + 1] == "snapshot"
    assert away.ask(hub) is False and away.said[-1]["cut"] is True
    shows(hub, "prc", state="running")
    fresh = Asker()
    fresh.ask(hub, other)
    assert fresh.shows("prc") is not None and "cut" not in fresh.said[-1]


def test_ones_own_that_ended_meanwhile(steps: Steps, hubs: Callable[[], Hub]) -> None:
    """Who has no role and was away hears of the end of what they began, also when it is let go
    of; who cannot be told gets a snapshot."""
    steps.start("mine", ACME, user__id="usr_x")
    hub, client = hubs(), Asker()
    scope = Scope(Reader("usr_x"))
    client.ask(hub, hub.view(scope))
    assert client.shows("mine") is not None
    steps.publish(steps.entry("mine", "process.completed", ACME, user__id="usr_x"))
    shows(hub, "mine", state="done")
    with hub.lock:  # as the clock does it, an hour later
        hub._taking.board.prune(datetime.now(UTC) + timedelta(hours=1, minutes=1))
    assert hub.named("mine") == []
    late = Asker(client)
    assert client.ask(hub, hub.view(scope)) is True
    assert (client.shows("mine") or {})["state"] == "done"
    many(steps, 10_001, "umbrella")  # more than the ring of changes has
    shows(hub, "umbrella10000")
    assert late.ask(hub, hub.view(scope)) is False
    assert late.processes == {}
