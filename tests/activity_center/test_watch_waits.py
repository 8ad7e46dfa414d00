"""How long the Python client waits for a server, and for its next try."""

from __future__ import annotations

import threading

import pytest

from activity_center import watch
from activity_center.errors import WatchEnded
from activity_center.watch import Event, Watch, wait_after
from tests.activity_center.liar import EMPTY, HELLO, Liar
from tests.activity_center.test_watch import Follows
from tests.integration.process import until

QUICK = HELLO.replace('"heartbeat":15', '"heartbeat":1')
PING = '{"type":"ping","at":"2026-11-24T13:00:00Z"}'
OVER = (4401, "over")


def told_by(server: Liar) -> list[Event]:
    """All events until the server says that it is over, on its one connection."""
    events: list[Event] = []
    with server, pytest.raises(WatchEnded, match="over"):
        for event in Watch(server.url, retry=0.01):
            events.append(event)
            if event.kind == "waiting":
                break
    return events


def test_a_server_that_falls_silent_is_left() -> None:
    """After three signs of life that did not come it connects again, where it was."""
    with Liar([QUICK, EMPTY], [HELLO, EMPTY, OVER]) as server:
        follows = Follows(Watch(server.url, retry=0.01))
        until(lambda: follows.kinds() == ["snapshot", "waiting", "snapshot"], timeout=20)
        follows.join()
    assert follows.events[1].reason == "nothing was heard for too long"
    assert server.targets[1] == "/ws/processes?epoch=e&offset=o"


def test_a_server_whose_sign_of_life_comes_late_is_not() -> None:
    """One or two may be missing."""
    told = told_by(Liar([QUICK, EMPTY, 1.5, PING, 1.5, PING, OVER]))
    assert [one.kind for one in told] == ["snapshot"]


def test_a_server_that_never_says_a_word_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has a while for its first one, in which it says how often others come."""
    monkeypatch.setattr(watch, "_FIRST_WORD", 0.5)
    with Liar([]) as server, pytest.raises(WatchEnded, match="nothing was heard"):
        list(Watch(server.url))


def test_the_wait_is_half_chance() -> None:
    """Not everybody comes at the same moment after a restart, and nobody at once."""
    waits = [wait_after("the connection broke", 5.0) for _ in range(200)]
    assert all(2.5 <= one <= 5.0 for one in waits)
    assert min(waits) < 3.1 and max(waits) > 4.4
    assert len(set(waits)) > 100


@pytest.mark.parametrize(
    ("reason", "seconds"),
    [
        ("Retry-After: 30", 30),
        ("Retry-After: 30; too many", 30),
        ("too many; Retry-After: 30", 30),
        ("Retry-After: 300", 300),
        ("Retry-After: 301", 300),
        ("Retry-After: 99999999999", 300),
        ("Retry-After: soon", 0),
        ("Retry-After: -7", 0),
        ("Retry-After:", 0),
        ("after 30 seconds", 0),
    ],
    ids=str,
)
def test_the_server_may_ask_for_more(reason: str, seconds: int) -> None:
    """By its reason alone, and for five minutes at most; for less it cannot ask."""
    assert wait_after(reason, 0.0) == seconds
    assert 2.5 <= wait_after("Retry-After: 1", 5.0) <= 5.0


def test_who_is_asked_to_wait_makes_no_try() -> None:
    """Nor does it hold up who ends the watching."""
    with Liar([HELLO, EMPTY, (4429, "Retry-After: 120; too many")], [HELLO, OVER]) as server:
        watching = Watch(server.url, retry=0.01)
        follows = Follows(watching)
        until(lambda: follows.kinds() == ["snapshot", "waiting"])
        threading.Event().wait(1.0)  # in which it would come
        assert len(server.targets) == 1
        watching.close()
        follows.join()
    assert follows.failed == []


def test_close_while_it_connects() -> None:
    """It ends with the handshake, whatever the server says after that."""
    server = Liar([HELLO, EMPTY, (1001, "going away")])
    with server:
        server.open.clear()
        watching = Watch(server.url, retry=0.01)
        follows = Follows(watching)
        until(lambda: server.targets, why="it does not connect")
        watching.close()
        server.open.set()
        follows.join()
    assert (follows.events, follows.failed) == ([], [])


def test_a_reset_is_told_of_once() -> None:
    """With the snapshot that follows, and not with what comes later."""
    delta = '{"type":"delta","epoch":"e","offset":"o","changes":[]}'
    reset = '{"type":"reset","reason":"gap"}'
    told = told_by(Liar([HELLO, EMPTY, reset, EMPTY, delta, EMPTY, OVER]))
    assert [(one.kind, one.recovered, one.reason) for one in told] == [
        ("snapshot", None, ""),
        ("snapshot", False, "gap"),
        ("delta", None, ""),
        ("snapshot", None, ""),
    ]
