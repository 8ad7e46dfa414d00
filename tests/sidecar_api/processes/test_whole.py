"""Who watches has the whole of a process, or is told that it may be less."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from sidecar_api.access import Reach, Scope
from sidecar_api.processes import Hub, View
from sidecar_api.processes.board import MOST, MOST_SHOWN
from sidecar_api.reader import Reader
from tests.integration.process import until
from tests.sidecar_api.processes.clients import ACME, Client
from tests.sidecar_api.processes.peer import Told
from tests.sidecar_api.processes.stage import Steps, at

VIEW = View.of(Scope(Reader("usr_a"), watching=(Reach(ACME),)))


class Asker(Told):
    """Who asks again and again."""

    def ask(self, hub: Hub, view: View = VIEW) -> bool | None:
        """Take what a sidecar answers; return whether it goes on."""
        recovered, found = hub.once(view, self.offset)
        self.take(found.body)
        return recovered


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


def test_what_a_snapshot_left_out_comes_as_a_whole(steps: Steps, hubs: Callable[..., Hub]) -> None:
    """In the sidecar that made the snapshot; in another one, which does not know what was left
    out, there is another snapshot. It says that it is cut, and no longer when all fit."""
    steps.start("oldest", ACME, at=at(-600), activity__process__controls=["cancel"])
    many(steps, MOST_SHOWN)
    hub, client = hubs(steps.config), Asker()
    client.ask(hub)
    assert (len(client.processes), client.shows("oldest")) == (MOST_SHOWN, None)
    assert client.said[-1]["cut"] is True
    elsewhere = Asker(client)
    steps.move("oldest", ACME, 500)
    shows(hub, "oldest", progress=0.5)
    assert client.ask(hub) is True
    assert client.shows("oldest") == hub.named("oldest")[0]
    second = hubs(steps.config)
    for one in (elsewhere, client):
        assert one.ask(second) is False
        assert one.kinds()[-1] == "snapshot"
    few = Asker()
    few.ask(second, View(True, (), organization=ACME, process="oldest"))
    assert "cut" not in few.said[-1]


def test_a_process_that_ended_long_ago_and_begins_again(
    steps: Steps, hubs: Callable[..., Hub]
) -> None:
    """No snapshot has it; its next attempt comes as a whole, from a sidecar that was started
    anew too."""
    steps.start("prc", ACME, at=at(-9000))
    steps.publish(steps.entry("prc", "process.failed", ACME, at=at(-8000)))
    client = Asker()
    client.ask(hubs(steps.config))
    assert client.processes == {}
    retried = steps.entry("prc", "process.retried", ACME)
    retried["activity"]["process"]["attempt"] = 2
    steps.publish(retried)
    second = hubs(steps.config)
    assert client.ask(second) is True
    assert [client.shows("prc")] == second.named("prc")


def test_who_saw_what_was_let_go_of_begins_anew(steps: Steps, hubs: Callable[..., Hub]) -> None:
    """For want of room: by a reset and a snapshot that is cut; who was away is told no less.
    Who sees none of it notices nothing."""
    steps.start("prc", "umbrella")
    hub = hubs(steps.config)
    other = View.of(Scope(Reader("usr_b"), watching=(Reach("umbrella"),)))
    away, aside = Asker(), Asker()
    many(steps, 3)
    shows(hub, "acme2")
    away.ask(hub)
    aside.ask(hub, other)
    assert len(away.processes) == 3 and "cut" not in away.said[-1]
    watching = Client(hub, VIEW)
    for number in range(0, MOST, 1000):
        many(steps, 1000, begin=3 + number)
    until(lambda: "room" in watching.read().resets)
    assert watching.kinds()[watching.kinds().index("reset") + 1] == "snapshot"
    assert away.ask(hub) is False and away.said[-1]["cut"] is True
    shows(hub, "prc", state="running")
    fresh = Asker()
    fresh.ask(hub, other)
    assert fresh.shows("prc") is not None and "cut" not in fresh.said[-1]


def test_ones_own_that_ended_meanwhile(steps: Steps, hubs: Callable[..., Hub]) -> None:
    """Who has no role and was away hears of the end of what they began, also when it is let go
    of; who cannot be told gets a snapshot."""
    steps.start("mine", ACME, user__id="usr_x")
    hub, client = hubs(steps.config), Asker()
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
