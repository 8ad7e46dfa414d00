"""The live cards of Active Processes, over a stand-in that speaks the protocol."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import pytest
from playwright.sync_api import expect

from tests.browser.process_samples import iso, process, step
from tests.browser.process_stand_in import Processes

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from tests.browser.conftest import Window, Windows

ERROR: Final[dict[str, Any]] = {
    "message": "203.0.113.9: Timeout after 10 s\nThe challenge was not answered",
    "type": "AcmeError",
    "code": "connection",
    "stack_trace": "\n".join(f"  File acme.py, line {number}" for number in range(41)),
    "whole": True,
}


def sample() -> list[dict[str, Any]]:
    """One of each: running, failed, stalled, cancelled, done."""
    failed = process(
        "cert-7",
        channel="ssl",
        name="Certificate for shop.example",
        state="failed",
        attempt=2,
        ended=iso(20),
        duration_ms=33_500,
        error=ERROR,
        controls=["cleanup", "retry"],
        effects={"retry": "Begins again at the step that failed", "cleanup": "Removes the order"},
        steps=[
            step(0, "Check DNS", "done"),
            step(1, "Answer challenge", "failed", error=ERROR),
            step(2, "Install certificate"),
        ],
        initiator={
            "id": "u",
            "name": None,
            "full_name": "Jonas Osei",
            "email": None,
            "agent": "pilot",
        },
        case="4f31",
    )
    stalled = process(
        "upload-1",
        channel="cloud-transfer",
        name="Upload backup",
        stalled=True,
        lease="2026-11-24T09:15:30.000Z",
        controls=["cleanup"],
        effects={"cleanup": "Removes 152 parts"},
    )
    cancelled = process(
        "web-9",
        channel="git-deploy",
        name="Deploy checkout",
        state="cancelled",
        ended=iso(30),
        receipt={"undone": ["Build removed"], "left_behind": ["Image, 410 MB"], "needs_person": []},
    )
    running = process(
        "api-prod-3",
        controls=["cancel"],
        effects={"cancel": "Deletes the half-made server"},
        output={
            "lines": [line(n) for n in range(5)],
            "bytes": 50,
            "total": 5,
        },
    )
    done = process("db-2", state="done", ended=iso(40), duration_ms=124_000, progress=1)
    return [running, done, failed, cancelled, stalled]


def line(number: int, text: str = "") -> dict[str, Any]:
    """One line of output of the running step."""
    return {
        "offset": number * 10,
        "stream": "stdout",
        "step": "create-compute-instance",
        "text": text or f"line {number}",
        "at": iso(),
    }


@pytest.fixture
def server() -> Iterator[Processes]:
    """A stand-in with one process of each kind."""
    made = Processes(*sample())
    yield made
    made.close()


def card(page: Page, name: str) -> Locator:
    """The card of a process."""
    return page.locator(f".process[aria-label='{name}']")


def names(page: Page) -> list[str]:
    """Names on the cards in their order."""
    return page.locator(".process header h3").all_inner_texts()


def live(page: Page) -> None:
    """Wait until the cards are there."""
    expect(page.locator("#connection[data-phase=live]")).to_be_visible()
    expect(page.locator(".process:not(.bones)").first).to_be_visible()


def test_what_waits_for_a_person_stands_on_top(window: Window, server: Processes) -> None:
    """Failed and stalled first, then what runs, then what ended; each says what it is in words."""
    page = window.open(f"{server.url}/processes")
    live(page)
    listed = names(page)
    assert set(listed[:2]) == {"Certificate for shop.example", "Upload backup"}
    assert listed[2] == "Provision api-prod-3"
    assert set(listed[3:]) == {"Deploy checkout", "Provision db-2"}
    expect(card(page, "Upload backup").locator("header .badge")).to_have_text("Stalled")
    silent = "Nothing was heard since 24 Nov 2026, 10:15:30"  # its lease, not what came later
    expect(card(page, "Upload backup")).to_contain_text(silent)
    expect(card(page, "Certificate for shop.example")).to_contain_text("AI Pilot for Jonas Osei")
    expect(page.locator("#connection")).to_have_text("Live · WebSocket")
    page.click("[data-show=look]")
    expect(page).to_have_url(re.compile(r"\?show=look$"))
    expect(page.locator(".process")).to_have_count(2)
    page.go_back()
    expect(page.locator(".process")).to_have_count(5)
    page.locator("#channel").select_option(label="SSL certificate")
    expect(page).to_have_url(re.compile(r"\?channel=ssl$"))
    expect(page.locator(".process")).to_have_count(1)


def test_the_whole_error_is_open(window: Window, server: Processes) -> None:
    """Kind, code, the message with its lines; the stack trace is one click away."""
    page = window.open(f"{server.url}/processes")
    live(page)
    fault = card(page, "Certificate for shop.example").locator(".fault")
    expect(fault).to_contain_text("AcmeError · connection")
    expect(fault).to_contain_text("The challenge was not answered")
    expect(fault.get_by_text("File acme.py, line 40")).to_be_hidden()
    fault.get_by_text("Stack trace, 41 lines").click()
    expect(fault.get_by_text("File acme.py, line 40")).to_be_visible()


def test_steps_and_output_move_live(window: Window, server: Processes) -> None:
    """States, progress and the last lines follow; the card keeps its height."""
    page = window.open(f"{server.url}/processes")
    live(page)
    here = card(page, "Provision api-prod-3")
    before = here.bounding_box()
    expect(here.locator(".tail")).to_contain_text("line 4")
    expect(here.locator(".took").first).to_have_text(re.compile(r"\d+ (min|s)"))
    server.happen_to(
        "api-prod-3",
        process={"progress": 0.9},
        steps=[
            step(1, "Create compute instance", "done"),
            step(2, "Harden firewall", "running", started=iso()),
        ],
        lines=[{**line(6, "firewall up"), "step": "harden-firewall"}],
        output={"bytes": 61, "total": 6, "kept": 6},
    )
    expect(here.locator(".step[aria-current=step]")).to_contain_text("Harden firewall")
    expect(here.locator(".tail")).to_have_text("firewall up")
    expect(here.locator("progress")).to_have_attribute("value", "0.9")
    after = here.bounding_box()
    assert before and after and before["height"] == after["height"]


def test_nothing_moves_under_a_reader(window: Window, server: Processes) -> None:
    """While somebody is at a card the order stays; what is new waits behind a pill."""
    page = window.open(f"{server.url}/processes")
    live(page)
    card(page, "Provision api-prod-3").locator("a[data-process]").focus()
    before = names(page)
    server.begin(process("web-11", name="Provision web-11"))
    server.happen_to("api-prod-3", process={"state": "failed", "ended": iso(), "error": ERROR})
    pill = page.locator("#fresh")
    expect(pill).to_contain_text("1 new process")
    assert names(page) == before
    expect(card(page, "Provision api-prod-3").locator("header .badge")).to_have_text("Failed")
    pill.click()
    expect(card(page, "Provision web-11")).to_be_visible()
    assert names(page).index("Provision api-prod-3") < 3
    expect(pill).to_have_count(0)


def test_a_control_says_what_it_will_do(window: Window, server: Processes) -> None:
    """The dialog names the thing and the effect; asking twice asks once; then what is left."""
    page = window.open(f"{server.url}/processes")
    live(page)
    here = card(page, "Provision api-prod-3")
    expect(here.locator(".control")).to_have_count(1)
    expect(here).to_contain_text("Deletes the half-made server")
    here.get_by_role("button", name="Cancel Provision api-prod-3").click()
    dialog = page.get_by_role("dialog", name="Cancel Provision api-prod-3?")
    expect(dialog).to_contain_text("Deletes the half-made server")
    expect(dialog).to_contain_text("Reserve address")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    assert server.controls == []
    expect(here.get_by_role("button", name="Cancel Provision api-prod-3")).to_be_focused()
    page.keyboard.press("Enter")
    window.shoot("processes-confirm-wide-light")
    dialog.get_by_label("Reason").fill("wrong size")
    dialog.get_by_role("button", name="Cancel Provision api-prod-3").click()
    expect(here.locator(".requests")).to_contain_text("Cancel asked by Mira Kovač")
    expect(here.locator(".control")).to_have_count(0)
    ((path, key, body),) = server.controls
    assert (path, body) == ("api-prod-3/cancel", {"reason": "wrong size"})
    assert len(key) == 32
    request = {"id": f"ctl_{key[:8]}", "kind": "cancel", "by": {"name": "Mira Kovač"}}
    server.happen_to("api-prod-3", requests=[{**request, "state": "taken"}])
    expect(here.locator(".requests")).to_contain_text("Cancel under way")
    server.happen_to(
        "api-prod-3",
        process={
            "state": "cancelled",
            "controls": [],
            "ended": iso(),
            "receipt": {"undone": ["Server deleted"], "left_behind": ["Volume vol_7"],
                        "needs_person": ["Remove the DNS record"]},
        },
        requests=[{**request, "state": "done"}],
    )  # fmt: skip
    for text in ("Server deleted", "Left behind", "Volume vol_7", "Remove the DNS record"):
        expect(here.locator(".receipt")).to_contain_text(text)
    server.happen_to("api-prod-3", process={"receipt": None})
    expect(here.locator(".receipt")).to_contain_text("It did not say what is left.")
    expect(here.locator(".receipt")).not_to_contain_text("Nothing")


def test_a_refused_control_says_why(window: Window, server: Processes) -> None:
    """The sentence of the server and the next step stand at the button; a retry needs no dialog."""
    server.answers["/api/v1/processes/cert-7/retry"] = (
        409,
        {"title": "Conflict", "detail": "It has been retried.", "hint": "Reload."},
    )
    page = window.open(f"{server.url}/processes")
    live(page)
    here = card(page, "Certificate for shop.example")
    here.get_by_role("button", name="Retry").click()
    expect(here.get_by_role("alert")).to_contain_text("It has been retried. Reload.")
    del server.answers["/api/v1/processes/cert-7/retry"]
    here.get_by_role("button", name="Retry").click()
    expect(here.locator(".requests")).to_contain_text("Retry asked by Mira Kovač")
    expect(here.get_by_role("button", name="Retry")).to_have_count(0)
    assert [path for path, _, _ in server.controls] == ["cert-7/retry"]


def test_nobody_is_offered_what_they_may_not(window: Window, server: Processes) -> None:
    """Without process:control there are no buttons."""
    server.permissions.remove("process:control")
    page = window.open(f"{server.url}/processes")
    live(page)
    expect(page.locator(".control")).to_have_count(0)


def test_the_connection_says_how_it_is(window: Window, server: Processes) -> None:
    """Lost: what is shown is from before. Back: nothing was missed. Other ways are named."""
    page = window.open(f"{server.url}/processes")
    live(page)
    window.context.set_offline(True)
    at = page.locator("#connection")
    expect(at).to_contain_text("what is shown is from before")
    expect(page.locator(".process")).to_have_count(5)
    window.shoot("processes-offline-wide-light")
    server.happen_to("api-prod-3", process={"progress": 0.77})
    window.context.set_offline(False)
    expect(at).to_contain_text("nothing missed")
    here = card(page, "Provision api-prod-3")
    expect(here.locator("progress")).to_have_attribute("value", "0.77")
    server.cut()
    expect(at).to_have_attribute("data-phase", "waiting")
    server.forget()
    at.get_by_role("button", name="Try now").click()
    expect(at).to_contain_text("shown anew")


@pytest.mark.parametrize(
    ("shut", "words"),
    [({"websocket"}, "server-sent events"), ({"websocket", "sse"}, "asking every few seconds")],
    ids=["sse", "polling"],
)
def test_the_way_is_named(window: Window, server: Processes, shut: set[str], words: str) -> None:
    """Where WebSockets do not get through the page says what it is on."""
    server.shut = shut
    page = window.open(f"{server.url}/processes")
    live(page)
    expect(page.locator("#connection")).to_contain_text(words)
    server.happen_to("api-prod-3", process={"progress": 0.66})
    here = card(page, "Provision api-prod-3")
    expect(here.locator("progress")).to_have_attribute("value", "0.66")
    window.wrong.clear()  # the browser reports each refused handshake


def test_keys(window: Window, server: Processes) -> None:
    """g p opens the lens, j and k go from card to card, Enter opens one."""
    page = window.open(f"{server.url}/")
    page.locator("activity-recent").wait_for()
    page.keyboard.press("g")
    page.keyboard.press("p")
    live(page)
    expect(page).to_have_url(re.compile(r"/processes$"))
    expect(page.locator(".tabs [aria-current=page]")).to_have_text("Processes")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    expect(page.locator(".process a[data-process]").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".one-head h1")).to_be_visible()
    expect(page.locator("#connection[data-phase=live]")).to_be_visible()


def test_empty_loading_and_denied(windows: Windows, server: Processes) -> None:
    """Each state is designed: bones while nothing is known, a next step when there is nothing."""
    server.processes = {}
    server.delays["/api/v1/channels"] = 0.5
    window = windows()
    page = window.page
    page.goto(f"{server.url}/processes")
    expect(page.locator(".bone").first).to_be_visible()
    expect(page.locator("#empty")).to_contain_text("Nothing is running")
    window.shoot("processes-empty-wide-light")
    page.goto(f"{server.url}/processes?channel=ssl")
    page.get_by_role("button", name="Show all").click()
    expect(page.locator("#empty")).to_contain_text("Nothing is running")
    problem = (403, {"title": "Forbidden", "detail": "You may not watch these processes.",
                     "permission": "process:view"})  # fmt: skip
    server.answers = {"/ws/processes": problem, "/api/v1/processes/live": problem}
    page.goto(f"{server.url}/processes")
    expect(page.locator("#failure")).to_contain_text("You may not watch these processes.")
    window.shoot("processes-denied-wide-light")
    window.wrong.clear()


def test_an_unreachable_server_offers_the_next_try(window: Window, server: Processes) -> None:
    """What failed is said, and trying again is one click; then the cards are there."""
    problem = (503, {"title": "Unavailable", "detail": "The step bus does not answer."})
    server.answers = {"/ws/processes": problem, "/api/v1/processes/live": problem}
    page = window.open(f"{server.url}/processes")
    expect(page.locator("#failure")).to_contain_text("The step bus does not answer.")
    server.answers = {}
    page.locator("#failure").get_by_role("button", name="Try now").click()
    live(page)
    window.wrong.clear()
