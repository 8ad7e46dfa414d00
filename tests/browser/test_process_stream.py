"""The module ``process-stream.js`` alone, as another page would use it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from sidecar_api.processes.replay import replayed
from tests.browser.process_samples import iso, process, step
from tests.browser.process_stand_in import Processes
from tests.sidecar_api.processes.stage import valid

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.conftest import Window

CASES: Final = Path(__file__).parents[1] / "activity_center" / "processes" / "cases"
OPTIONS: Final = {"retry": 400, "upgrade": 800, "patience": 2000}
"""Less patient than usual, in milliseconds."""


@pytest.fixture
def server() -> Iterator[Processes]:
    """A stand-in with one running process."""
    made = Processes(process("api-prod-3"))
    yield made
    made.close()


def watching(window: Window, server: Processes, **options: Any) -> Page:
    """A page without the Activity Center's own code that watches."""
    page = window.page
    page.goto(f"{server.url}/api/v1/channels")
    page.evaluate(
        """async (options) => {
            const { ProcessStream } = await import("/static/process-stream.js");
            window.stream = new ProcessStream(options);
            window.steps = [];
            window.states = [];
            stream.addEventListener("state", ({ detail }) => states.push(detail));
            stream.addEventListener("processes", () => {
                for (const one of stream.processes.values()) {
                    const progress = one.steps[1].progress;
                    if (window.steps.at(-1) !== progress) window.steps.push(progress);
                }
            });
            stream.start();
        }""",
        OPTIONS | options,
    )
    return page


def reach(page: Page, condition: str) -> None:
    """Wait until something is true of the stream (the page's policy allows no ``eval``)."""
    deadline = time.monotonic() + 15
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, page.evaluate("[stream.state, steps, stream.place]")
        page.wait_for_timeout(30)


def advance(server: Processes, progress: float) -> None:
    """The second step gets further."""
    row = step(1, "Create compute instance", "running", progress=progress)
    server.happen_to("api-prod-3", steps=[row])


@pytest.mark.parametrize("name", sorted(one.stem for one in CASES.glob("*.json")))
def test_merge_is_the_same_as_in_python(window: Window, server: Processes, name: str) -> None:
    """After each delta of a shared case a client has the process that the server has."""
    case = json.loads((CASES / f"{name}.json").read_text())
    window.page.goto(f"{server.url}/api/v1/channels")
    wrong = window.page.evaluate(
        """async ({ deltas, processes }) => {
            const { merge } = await import("/static/process-stream.js");
            const plain = (one) => one && typeof one === "object" && !Array.isArray(one);
            const order = ([a], [b]) => (a < b ? -1 : 1);
            const sorted = (value) => JSON.stringify(value, (_, one) =>
                plain(one) ? Object.fromEntries(Object.entries(one).sort(order)) : one);
            let process = null;
            const before = sorted(deltas);
            for (const [at, delta] of deltas.entries()) {
                const frozen = sorted(process);
                const made = merge(process, delta);
                if (sorted(process) !== frozen) return `the former process was changed by ${at}`;
                process = made;
                if (sorted(process) !== sorted(processes[at]))
                    return `after ${at}: ${sorted(process)} is not ${sorted(processes[at])}`;
            }
            return sorted(deltas) === before ? "" : "a delta was changed";
        }""",
        {"deltas": case["deltas"], "processes": case["processes"]},
    )
    assert wrong == ""
    assert len(case["deltas"]) > 1


@pytest.mark.parametrize("name", sorted(one.stem for one in CASES.glob("*.json")))
def test_a_replay_ends_as_the_fold_did(window: Window, server: Processes, name: str) -> None:
    """Entries in their order lead to the states, steps and requests that the fold has."""
    case = json.loads((CASES / f"{name}.json").read_text())
    entries = sorted(
        case["entries"], key=lambda one: (one["@timestamp"], one["event"].get("sequence", 0))
    )
    window.page.goto(f"{server.url}/api/v1/channels")
    found = window.page.evaluate(
        """async ({ frames, process }) => {
            const { Replay } = await import("/static/process-replay.js");
            const replay = new Replay(process, frames);
            return replay.when(replay.end);
        }""",
        {"frames": [*replayed(entries)], "process": case["processes"][-1]},
    )
    last = case["processes"][-1]
    for member in ("attempt", "state", "stalled", "cleaned", "receipt"):
        assert found[member] == last[member], member
    for member in ("name", "state"):
        assert [s[member] for s in found["steps"]] == [s[member] for s in last["steps"]]
    assert [(r["id"], r["kind"], r["state"]) for r in found["requests"]] == [
        (r["id"], r["kind"], r["state"]) for r in last["requests"]
    ]


def test_a_cut_socket_goes_on_where_it_was(window: Window, server: Processes) -> None:
    """Every step arrives once, in order, and the state says that nothing was missed."""
    page = watching(window, server)
    reach(page, "stream.state.phase === 'live' && stream.processes.size === 1")
    advance(server, 0.1)
    reach(page, "steps.at(-1) === 0.1")
    server.cut()
    reach(page, "stream.state.phase === 'waiting'")
    for progress in (0.2, 0.3):
        advance(server, progress)
    reach(page, "steps.at(-1) === 0.3")
    advance(server, 0.4)
    reach(page, "steps.at(-1) === 0.4")
    assert page.evaluate("steps") in ([0, 0.1, 0.2, 0.3, 0.4], [0, 0.1, 0.3, 0.4])
    assert page.evaluate("[stream.state.via, stream.state.recovered]") == ["websocket", True]


def test_the_last_word_says_when_to_come_again(window: Window, server: Processes) -> None:
    """Only what it says of Retry-After counts, not any number; after breaking a rule it does not
    come again."""
    page = watching(window, server)
    for code, reason in ((4408, "no sign of life for 45 seconds"), (1001, "gone at 20:00")):
        reach(page, "stream.state.phase === 'live'")
        server.last_word = (code, reason)
        server.cut()
        reach(page, f"stream.state.reason === '{reason}' || stream.state.phase === 'live'")
    reach(page, "stream.state.phase === 'live'")
    server.last_word = (4429, "Retry-After: 120; too many")
    server.cut()
    reach(page, "stream.state.phase === 'waiting'")
    assert page.evaluate("stream.state.retryAt - Date.now()") > 60_000
    page.evaluate("stream.connect()")
    reach(page, "stream.state.phase === 'live'")
    connected = server.connected
    server.last_word = (1008, "a client may say 10 things a second")
    server.cut()
    reach(page, "stream.state.phase === 'ended'")
    assert page.evaluate("stream.state.reason") == server.last_word[1]
    assert server.connected == connected


@pytest.mark.parametrize(
    ("code", "ended"), [(4401, "signed_out"), (4403, "forbidden"), (4409, "protocol")]
)
def test_a_last_word_that_is_final(
    window: Window, server: Processes, code: int, ended: str
) -> None:
    """Who is signed out, may not watch any more or speaks another version does not come again:
    not after a while, and not when the tab is looked at or the network is back."""
    window.page.clock.install()
    page = watching(window, server)
    reach(page, "stream.state.phase === 'live' && stream.processes.size === 1")
    server.last_word = (code, "no longer")
    server.cut()
    reach(page, "stream.state.phase === 'ended'")
    assert page.evaluate("[stream.state.ended, stream.state.reason]") == [ended, "no longer"]
    page.clock.run_for(120_000)
    for where, event in (("document", "visibilitychange"), ("window", "pageshow"),
                         ("window", "online")):  # fmt: skip
        page.evaluate(f"{where}.dispatchEvent(new Event('{event}'))")
    assert page.evaluate("fetch('/api/v1/channels').then((answer) => answer.status)") == 200
    assert page.evaluate("stream.state.phase") == "ended"
    assert server.connected == 1


def test_signs_of_life_are_answered(window: Window, server: Processes) -> None:
    """Each ping with a pong, as the protocol has it: else the server closes the socket."""
    page = watching(window, server)
    server.wait_until(lambda: len(server.heard) >= 3)
    for said in server.heard:
        assert valid(json.loads(said), "client") == {"type": "pong"}
    assert page.evaluate("stream.state.phase") == "live"


@pytest.mark.parametrize("event", ["visibilitychange", "pageshow"])
def test_a_tab_that_is_looked_at_connects_at_once(
    window: Window, server: Processes, event: str
) -> None:
    """Who comes back to a page that waits does not wait for the next try."""
    page = watching(window, server, retry=600_000)
    reach(page, "stream.processes.size === 1")
    server.cut()
    reach(page, "stream.state.phase === 'waiting'")
    advance(server, 0.6)
    where = "document" if event == "visibilitychange" else "window"
    page.evaluate(f"{where}.dispatchEvent(new Event('{event}'))")
    reach(page, "steps.at(-1) === 0.6")
    assert page.evaluate("stream.state.recovered") is True


@pytest.mark.parametrize("wrong", [0, 3600, -3600], ids=["right", "ahead", "behind"])
def test_what_ended_long_ago_is_let_go_of(window: Window, server: Processes, wrong: int) -> None:
    """As the server does, and by its clock: else a page that is open for days has all that ever
    ran. Who draws is told; what runs stays, and what ended a while ago."""
    window.page.clock.install(time=datetime.now(UTC) + timedelta(seconds=wrong))
    page = watching(window, server)
    reach(page, f"stream.processes.size === 1 && Math.abs(stream.skew / 1000 + {wrong}) < 60")
    page.evaluate(
        """() => {
            window.told = [];
            stream.addEventListener("processes", ({ detail }) => told.push(...(detail ?? [])));
        }"""
    )
    for name, state, seconds in (("old", "done", 4200), ("new", "failed", 600)):
        server.begin(process(name, state=state, updated=iso(seconds)))
    server.happen_to("api-prod-3", process={"updated": iso(90_000)})
    reach(page, "told.filter((key) => key === 'northwind old').length === 2")
    assert page.evaluate("[...stream.processes.keys()]") == [
        "northwind api-prod-3",
        "northwind new",
    ]


def test_that_the_server_reads_nothing_new_is_said_first(window: Window, server: Processes) -> None:
    """The first word of a connection says so, and a connection that does not say so is one to a
    server that reads again."""
    server.stale("2026-11-24T09:15:30.000Z")
    page = watching(window, server)
    reach(page, "stream.state.phase === 'live'")
    first = page.evaluate("states.find((one) => one.phase === 'live').staleSince")
    assert first == server.stale_since
    server.cut()
    reach(page, "stream.state.phase === 'waiting'")
    server.stale(None)
    page.evaluate("states.length = 0")
    reach(page, "stream.state.phase === 'live'")
    assert page.evaluate("states.find((one) => one.phase === 'live').staleSince") is None


def test_a_sign_of_life_moves_the_place(window: Window, server: Processes) -> None:
    """Of server-sent events: who comes back begins after what is not theirs, and not at what is
    no longer kept by then."""
    server.shut = {"websocket"}
    page = watching(window, server, upgrade=600_000)
    reach(page, "stream.state.via === 'sse' && stream.processes.size === 1")
    server.number = 7
    reach(page, "stream.place.offset === '7'")
    assert page.evaluate("stream.place.epoch") == "e1"
    window.wrong.clear()  # the browser reports each refused handshake


def test_what_is_gone_is_said_to_be_gone(window: Window, server: Processes) -> None:
    """When history is gone everything comes anew, and the state does not say otherwise."""
    page = watching(window, server)
    reach(page, "stream.processes.size === 1")
    server.cut()
    reach(page, "stream.state.phase === 'waiting'")
    advance(server, 0.5)
    server.forget()
    reach(page, "stream.state.phase === 'live' && stream.state.recovered === false")
    reach(page, "steps.at(-1) === 0.5")


def test_a_reset_while_connected(window: Window, server: Processes) -> None:
    """A snapshot replaces what was there; that something may be missing is told."""
    page = watching(window, server)
    reach(page, "stream.processes.size === 1")
    server.processes = {"api-prod-4": process("api-prod-4")}
    server.forget()
    reach(
        page,
        "stream.state.recovered === false && [...stream.processes.values()][0].id === 'api-prod-4'",
    )
    assert page.evaluate("stream.processes.size") == 1


@pytest.mark.parametrize(
    ("shut", "via"), [({"websocket"}, "sse"), ({"websocket", "sse"}, "polling")]
)
def test_other_ways_carry_on(window: Window, server: Processes, shut: set[str], via: str) -> None:
    """Where one way does not get through the next one does; the best one is tried again."""
    server.shut = set(shut)
    page = watching(window, server)
    reach(page, f"stream.state.via === '{via}' && stream.state.phase === 'live'")
    window.wrong.clear()  # the browser reports each refused handshake
    for progress in (0.1, 0.2):
        advance(server, progress)
        reach(page, f"steps.at(-1) === {progress}")
    assert page.evaluate("stream.state.recovered") is not False
    server.shut = set()
    reach(page, "stream.state.via === 'websocket' && stream.state.phase === 'live'")
    advance(server, 0.3)
    reach(page, "steps.at(-1) === 0.3")
    assert page.evaluate("stream.state.recovered") is True
    assert page.evaluate("steps") == [0, 0.1, 0.2, 0.3]
    window.wrong.clear()


def test_signed_out_is_the_end(window: Window, server: Processes) -> None:
    """A server that knows nobody is not asked again and again."""
    problem = (401, {"title": "Sign in first", "detail": "Sign in first."})
    server.answers = {"/ws/processes": problem, "/api/v1/processes/live": problem}
    page = watching(window, server)
    reach(page, "stream.state.phase === 'ended'")
    assert page.evaluate("stream.state.ended") == "signed_out"
    window.wrong.clear()


def test_the_network_comes_back(window: Window, server: Processes) -> None:
    """Offline is noticed at once, and back is noticed at once: not at the next try."""
    page = watching(window, server, retry=60_000)
    reach(page, "stream.processes.size === 1")
    window.context.set_offline(True)
    reach(page, "stream.state.phase === 'waiting'")
    advance(server, 0.7)
    assert page.evaluate("steps.at(-1)") == 0
    window.context.set_offline(False)
    reach(page, "steps.at(-1) === 0.7")
    assert page.evaluate("stream.state.recovered") is True
