"""How ``process-stream.js`` leaves a connection that is of no use, and when it comes again.

The clock stands still and is moved by hand: no machine is too slow for it.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.browser.process_samples import process
from tests.browser.process_stand_in import Processes
from tests.browser.test_process_stream import advance, reach, watching

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.conftest import Window

WEBSOCKET: Final = "/ws/processes"
SSE: Final = "/api/v1/processes/stream"
POLLING: Final = "/api/v1/processes/live"
SHUT: Final[dict[str, set[str]]] = {
    "websocket": set(),
    "sse": {"websocket"},
    "polling": {"websocket", "sse"},
}
"""What does not get through for a way to be the one."""
NEVER: Final = 3_600_000


@pytest.fixture
def server() -> Iterator[Processes]:
    """A stand-in with one running process; nobody waits for it at the end."""
    made = Processes(process("api-prod-3"))
    yield made
    for held in made.held.values():
        held.set()
    made.close()


def standing(window: Window, server: Processes, **options: Any) -> Page:
    """A page that watches while its clock stands still."""
    window.page.clock.install(time="2026-11-24T09:00:00Z")
    window.page.clock.pause_at("2026-11-24T10:00:00Z")
    return watching(window, server, upgrade=NEVER, **options)


def move(page: Page, step: int, condition: str, most: int) -> int:
    """Move the clock on by steps until something is true; how far it was."""
    for moved in range(step, most + 1, step):
        page.clock.run_for(step)
        page.wait_for_timeout(20)  # what was asked may be answered
        if page.evaluate(condition):
            return moved
    raise AssertionError(page.evaluate("[stream.state, steps, stream.place]"))


@pytest.mark.parametrize(
    ("via", "heartbeat", "silence"),
    [("websocket", 15, 45_000), ("websocket", 4, 12_000), ("sse", 0, 45_000),
     ("polling", 0, 45_000)],
)  # fmt: skip
def test_a_server_that_falls_silent_is_left(
    window: Window, server: Processes, via: str, heartbeat: int, silence: int
) -> None:
    """Three heartbeats without a word, and not sooner: then it connects again and goes on."""
    server.shut = set(SHUT[via])
    server.hello = {"heartbeat": heartbeat}
    page = standing(window, server, retry=NEVER)
    reach(page, f"stream.opened && stream.state.via === '{via}'")
    for _ in range(4):
        page.clock.run_for(silence // 3)
        reach(page, "Date.now() - stream.lastWord < 1000")
    assert page.evaluate("stream.state.phase") == "live"
    server.silent = True
    server.held[POLLING] = threading.Event()
    move(page, silence // 10, "stream.state.phase === 'waiting'", 3 * silence)
    assert page.evaluate("stream.state.reason") == "silent"
    age = page.evaluate("Date.now() - stream.lastWord")
    assert silence < age <= silence + silence // 10 + 1000
    server.silent = False
    server.held.pop(POLLING).set()
    advance(server, 0.5)
    page.evaluate("window.dispatchEvent(new Event('pageshow'))")
    reach(page, "stream.state.phase === 'live' && steps.at(-1) === 0.5")
    assert page.evaluate("[stream.state.via, stream.state.recovered]") == [via, True]
    window.wrong.clear()  # the browser reports each refused handshake


@pytest.mark.parametrize(
    ("shut", "hangs", "via"),
    [(set(), {WEBSOCKET}, "sse"), ({"websocket"}, {SSE}, "polling"),
     (set(), {WEBSOCKET, SSE}, "polling")],
)  # fmt: skip
def test_a_way_that_hangs_is_shut(
    window: Window, server: Processes, shut: set[str], hangs: set[str], via: str
) -> None:
    """No answer at all: after its patience, and not sooner, the next way is tried."""
    server.shut = shut
    server.held = {path: threading.Event() for path in hangs}
    page = standing(window, server, patience=10_000)
    if not shut:
        page.clock.run_for(9_000)
        page.wait_for_timeout(20)
        assert page.evaluate("[stream.state.phase, stream.heard]") == ["connecting", False]
    move(page, 1000, f"stream.state.via === '{via}' && stream.state.phase === 'live'", 40_000)
    advance(server, 0.3)
    if via == "polling":
        page.clock.run_for(2000)
    reach(page, "steps.at(-1) === 0.3")
    window.wrong.clear()  # the browser reports what was given up


def test_where_all_hangs_it_is_said(window: Window, server: Processes) -> None:
    """Also what tells whether the server can be reached has no more patience than a way."""
    server.held = {path: threading.Event() for path in (WEBSOCKET, SSE, POLLING)}
    page = standing(window, server, patience=10_000, retry=NEVER)
    move(page, 1000, "stream.state.phase === 'waiting'", 40_000)
    assert page.evaluate("stream.state.reason") == "unreachable"
    for path in (WEBSOCKET, SSE, POLLING):
        server.held.pop(path).set()
    page.evaluate("window.dispatchEvent(new Event('online'))")
    reach(page, "stream.state.phase === 'live' && stream.state.via === 'websocket'")
    window.wrong.clear()  # the browser reports what was given up


def test_another_version_is_refused(window: Window, server: Processes) -> None:
    """What it says is not taken for what it may not be, and it is not asked again."""
    server.hello = {"version": 2}
    page = standing(window, server)
    reach(page, "stream.state.phase === 'ended'")
    assert page.evaluate("stream.state.ended") == "protocol"
    page.clock.run_for(120_000)
    for event in ("online", "pageshow"):
        page.evaluate(f"window.dispatchEvent(new Event('{event}'))")
    assert page.evaluate("fetch('/api/v1/channels').then((answer) => answer.status)") == 200
    assert page.evaluate("[stream.state.phase, stream.heard]") == ["ended", False]
    assert server.connected == 1


def test_not_all_come_at_once(window: Window, server: Processes) -> None:
    """After a restart each waits by chance, between half of its time and all of it."""
    page = standing(window, server)
    page.evaluate(
        """async () => {
            const { ProcessStream } = await import("/static/process-stream.js");
            window.crowd = Array.from({ length: 12 }, () => new ProcessStream({ retry: 4000 }));
            stream.stop();
            for (const one of crowd) one.start();
        }"""
    )
    reach(page, "crowd.every((one) => one.state.phase === 'live')")
    server.cut()
    reach(page, "crowd.every((one) => one.state.phase === 'waiting')")
    waits = sorted(page.evaluate("crowd.map((one) => one.state.retryAt - Date.now())"))
    assert waits[0] >= 2000
    assert waits[-1] <= 4000
    assert waits[-1] - waits[0] > 300  # less by chance: once in a hundred million times
    gaps = [after - before for before, after in itertools.pairwise(waits)]
    first = gaps.index(max(gaps))
    page.clock.run_for(int(waits[first] + max(gaps) / 2))
    back = page.evaluate("crowd.filter((one) => one.state.phase !== 'waiting').length")
    assert back == first + 1
    page.clock.run_for(4000)
    reach(page, "crowd.every((one) => one.state.phase === 'live')")
    page.evaluate("crowd.forEach((one) => one.stop())")


@pytest.mark.parametrize("via", ["websocket", "sse", "polling", "asking"])
@pytest.mark.parametrize(("said", "waits"), [(120, 120), (86_400, 300)])
def test_a_server_says_when_to_come_again(
    window: Window, server: Processes, via: str, said: int, waits: int
) -> None:
    """On every way, and no longer than five minutes: nobody looks at a page for a day."""
    server.retry_after = said
    many = (429, {"title": "Too many requests", "detail": "Too many requests."})
    if via == "sse":
        server.answers[SSE] = many
    server.shut = set(SHUT.get(via, {"websocket"}))
    if via == "asking":  # what tells whether the server can be reached is the one that says it
        server.answers[POLLING] = many
    page = standing(window, server)
    if via in ("websocket", "polling"):
        reach(page, f"stream.opened && stream.state.via === '{via}'")
    if via == "websocket":
        server.last_word = (4429, f"Retry-After: {said}; too many")
        server.cut()
    elif via == "polling":
        server.answers[POLLING] = many
        page.clock.run_for(2000)
    reach(page, "stream.state.phase === 'waiting'")
    assert page.evaluate("stream.state.retryAt - Date.now()") == waits * 1000
    server.answers.clear()
    page.clock.run_for(waits * 1000 - 1000)
    assert page.evaluate("stream.state.phase") == "waiting"
    page.clock.run_for(2000)
    reach(page, "stream.state.phase === 'live'")
    window.wrong.clear()  # the browser reports each refused handshake
