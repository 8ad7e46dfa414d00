"""One process with its output and its replay, and the operation history: over a stand-in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest
from playwright.sync_api import expect

from tests.browser.process_samples import iso, process, step
from tests.browser.process_stand_in import Processes
from tests.browser.test_hostile import HIDDEN, LONG, OVERRIDE, SCRIPT

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.conftest import Window

BEGIN: Final = datetime.now(UTC) - timedelta(minutes=10)


def at(seconds: float) -> str:
    """A moment of the replayed process."""
    moment = BEGIN + timedelta(seconds=seconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def entry(seconds: float, action: str, number: int, **activity: Any) -> dict[str, Any]:
    """A stored activity of it."""
    attempt = {"id": "cert-1", "attempt": activity.pop("attempt", 1)}
    if ".step." in action:
        attempt["state"] = "running"
    made: dict[str, Any] = {
        "@timestamp": at(seconds),
        "event": {"action": action, "id": f"e{number}", "sequence": number},
        "activity": {
            "lens": "process",
            "process": {**attempt, **activity.pop("process", {})},
            **activity,
        },
    }
    if "failed" in action:
        made["error"] = {"message": "it broke here"}
    return made


def history() -> list[dict[str, Any]]:
    """An attempt that fails at the second step after 20 s, and one that succeeds."""
    told: list[tuple[float, str, dict[str, Any]]] = [
        (0, "process.started", {"process": {"steps": ["Order", "Install"]}}),
        (1, "process.step.started", {"step": {"id": "order", "name": "Order", "index": 0}}),
        (9, "process.step.completed", {"step": {"id": "order", "name": "Order", "index": 0}}),
        (10, "process.step.started", {"step": {"id": "install", "name": "Install", "index": 1}}),
        (20, "process.step.failed", {"step": {"id": "install", "name": "Install", "index": 1}}),
        (20, "process.failed", {}),
        (40, "process.retried", {"attempt": 2}),
        (41, "process.step.started", {"attempt": 2, "step": {"id": "order", "name": "Order"}}),
        (50, "process.step.completed", {"attempt": 2, "step": {"id": "order", "name": "Order"}}),
        (51, "process.step.started", {"attempt": 2, "step": {"id": "install", "name": "Install"}}),
        (60, "process.step.completed",
         {"attempt": 2, "step": {"id": "install", "name": "Install"}}),
        (60, "process.completed", {"attempt": 2}),
    ]  # fmt: skip
    return [entry(when, what, n, **more) for n, (when, what, more) in enumerate(told)]


def finished() -> dict[str, Any]:
    """The process as it ended."""
    steps = [step(n, name, "done", id=name.lower()) for n, name in enumerate(("Order", "Install"))]
    former = {"attempt": 1, "state": "failed", "started": at(0), "ended": at(20),
              "step": "Install", "error": "it broke here"}  # fmt: skip
    return process(
        "cert-1",
        channel="ssl",
        name="Certificate for shop.example",
        state="done",
        attempt=2,
        attempts=[former],
        started=at(40),
        ended=at(60),
        duration_ms=20_000,
        progress=1,
        steps=steps,
    )


@pytest.fixture
def server() -> Iterator[Processes]:
    """A stand-in whose history has one finished process."""
    made = Processes()
    made.past = [finished()]
    made.entries = history()
    made.pieces = [
        {"step": "order", "stream": "stdout", "offset": 100 * n, "text": f"said {n}\n",
         "at": at(41 + n)}
        for n in range(19)
    ]  # fmt: skip
    yield made
    made.close()


def scrub(page: Page, seconds: float) -> None:
    """Move the replay by its slider."""
    page.locator("#position").focus()
    expect(page.locator("#position")).to_have_attribute("max", "60000")
    page.locator("#position").fill(str(round(seconds * 1000 / 60) * 60))


def test_a_finished_process_replays_as_it_went(window: Window, server: Processes) -> None:
    """At each moment the steps, the attempt and the output are those of then."""
    page = window.open(f"{server.url}/processes/cert-1")
    expect(page.locator(".one-head .badge")).to_have_text("Done")
    expect(page.locator(".attempts")).to_contain_text("it broke here")
    scrub(page, 15)
    rows = page.locator(".one-steps .step")
    expect(rows.nth(0)).to_contain_text("Done: Order")
    expect(rows.nth(1)).to_contain_text("Running: Install")
    expect(page.locator(".one-head .badge")).to_have_text("Running")
    expect(page.locator(".line")).to_have_count(0)
    scrub(page, 30)
    expect(page.locator(".one-head .badge")).to_have_text("Failed")
    expect(page.locator(".one-steps .fault")).to_contain_text("it broke here")
    scrub(page, 45.3)
    expect(page.locator(".one-head")).to_contain_text("attempt 2")
    expect(page.locator(".one-head .badge")).to_have_text("Running")
    expect(rows.nth(0).locator(".took")).to_have_text("4.3 s")
    expect(rows.nth(0)).to_contain_text("Running: Order")
    expect(rows.nth(1)).to_contain_text("Pending: Install")
    expect(page.locator(".line").last).to_contain_text("said 4")
    window.shoot("process-replay-wide-light")
    page.locator("#position").press("End")
    expect(page.locator(".one-head .badge")).to_have_text("Done")
    expect(page.locator(".line")).to_have_count(19)


def test_the_replay_plays_by_keyboard(window: Window, server: Processes) -> None:
    """Space plays from the beginning and pauses; speed and position are ordinary controls."""
    page = window.open(f"{server.url}/processes/cert-1")
    expect(page.locator("#play")).to_have_text("Play")
    page.locator("body").press("Space")
    expect(page.locator("#play")).to_have_text("Pause")
    expect(page.locator(".one-head .badge")).to_have_text("Running")
    page.locator("body").press("Space")
    expect(page.locator("#play")).to_have_text("Play")
    said = page.locator(".moment").inner_text()
    page.locator("body").press("ArrowRight")
    expect(page.locator(".moment")).not_to_have_text(said)
    page.locator("#speed").select_option("600")
    page.locator("#play").click()
    expect(page.locator("#play")).to_have_text("Play")
    expect(page.locator(".one-head .badge")).to_have_text("Done")


def test_a_process_that_runs_again_while_its_replay_plays(
    window: Window, server: Processes
) -> None:
    """It is shown as it is now, and the replay ends; a window in which an error happens fails."""
    server.processes["cert-1"] = server.past.pop()
    page = window.open(f"{server.url}/processes/cert-1")
    page.locator("#play").click()
    expect(page.locator("#play")).to_have_text("Pause")
    server.happen_to("cert-1", process={"attempt": 3, "state": "running", "ended": None})
    expect(page.locator(".one-head .badge")).to_have_text("Running")
    expect(page.locator("#play", has_text="Pause")).to_have_count(0)
    server.happen_to("cert-1", process={"state": "done", "ended": at(90)})
    expect(page.locator("#play")).to_have_text("Play")


def test_ten_megabytes_of_output(window: Window, server: Processes) -> None:
    """All of it is there to scroll and to find; only what is seen is in the page."""
    text = "".join(f"{number:06d} {'x' * 72}\n" for number in range(131_072))
    assert len(text) == 10 * 2**20
    server.pieces = [
        {"step": "order", "stream": "stdout", "offset": start, "text": text[start : start + 32_720],
         "at": at(50)}
        for start in range(0, len(text), 32_720)
    ]  # fmt: skip
    page = window.open(f"{server.url}/processes/cert-1")
    expect(page.locator(".output-bar .status")).to_have_text("10.5 MB, 131,072 lines")
    assert page.locator(".line").count() < 120
    box = page.locator(".output")
    expect(page.locator(".line").first).to_contain_text("000000")
    box.evaluate("(element) => element.scrollTo(0, element.scrollHeight)")
    expect(page.locator(".line").last).to_contain_text("131071")
    assert page.locator(".line").count() < 120
    box.focus()
    page.keyboard.press("Home")
    expect(page.locator(".line").first).to_contain_text("000000")
    page.locator("#find-output").fill("077777 ")
    expect(page.locator(".output-bar .status")).to_have_text("1 line")
    expect(page.locator(".line")).to_contain_text("077777")
    with page.expect_download() as download:
        page.locator(".output-bar").get_by_role("button", name="Save").click()
    assert download.value.path().read_text() == text


def test_millions_of_lines_have_room(window: Window, server: Processes) -> None:
    """More lines than an element may be high: first, last and middle can be reached."""
    server.pieces = [
        {"step": "order", "stream": "stdout", "offset": n * 200_000, "text": "y\n" * 100_000}
        for n in range(20)
    ]
    server.pieces[-1]["text"] = "y\n" * 99_999 + "the end\n"
    page = window.open(f"{server.url}/processes/cert-1")
    expect(page.locator(".output-bar .status")).to_contain_text("2,000,000 lines", timeout=30_000)
    box = page.locator(".output")
    box.evaluate("(element) => element.scrollTo(0, element.scrollHeight)")
    expect(page.locator(".line").last).to_contain_text("the end")
    expect(page.locator(".line .number").last).to_have_attribute("data-n", "2000000")
    box.evaluate("(element) => element.scrollTo(0, element.scrollHeight / 2)")
    middle = re.compile(r"9\d{5}|10\d{5}")  # between 900,000 and 1,100,000
    expect(page.locator(".line .number").nth(30)).to_have_attribute("data-n", middle)


def test_a_running_process_goes_on(window: Window, server: Processes) -> None:
    """Steps and output move live beside what the history has; each line is there once."""
    made = process("api-1")
    made["output"] = {"lines": [], "bytes": 20, "total": 2}
    server.processes = {"api-1": made}
    server.pieces = [{"step": "create-compute-instance", "stream": "stdout", "offset": 0,
                      "text": "line one\nline two\n", "at": iso(5)}]  # fmt: skip
    page = window.open(f"{server.url}/processes/api-1")
    expect(page.locator(".line")).to_have_count(2)
    lines = [
        {"offset": offset, "stream": "stdout", "step": "create-compute-instance",
         "text": text, "at": iso()}
        for offset, text in ((9, "line two"), (18, "line three"))
    ]  # fmt: skip
    server.happen_to("api-1", lines=lines, output={"bytes": 29, "total": 3, "kept": 2})
    expect(page.locator(".line")).to_have_count(3)
    expect(page.locator(".line").last).to_contain_text("line three")
    server.happen_to("api-1", process={"state": "done", "ended": iso()})
    expect(page.locator(".one-head .badge")).to_have_text("Done")
    expect(page.locator("#play")).to_be_visible()


def test_nothing_at_an_address(window: Window, server: Processes) -> None:
    """An unknown process, with the way back."""
    page = window.open(f"{server.url}/processes/none")
    expect(page.locator("#failure")).to_contain_text("There is no process at this address")
    page.get_by_role("link", name="All processes").click()
    expect(page).to_have_url(re.compile("/processes$"))


def test_the_history_is_in_the_address(window: Window, server: Processes) -> None:
    """Filters and pages: set by hand, pasted, and one step back."""
    server.past = [
        process(
            f"op-{number}",
            name=f"Operation {number}",
            channel="ssl" if number % 2 else "git-deploy",
            state="failed" if number % 10 == 0 else "done",
            started=iso(number * 7200),
            ended=iso(number * 7200 - 60),
            duration_ms=60_000,
        )
        for number in range(60)
    ]
    page = window.open(f"{server.url}/processes?tab=history")
    rows = page.locator("#operations .row")
    expect(rows).to_have_count(25)
    expect(page.locator("#showing")).to_have_text("Showing 1–25 of 60 items")
    page.get_by_role("button", name="Next page").click()
    expect(page).to_have_url(re.compile(r"tab=history&page=2$"))
    expect(rows.first).to_contain_text("Operation 25")
    page.click("#add-filter")
    page.locator("#menu .option", has_text="Status").click()
    page.locator("#menu .option", has_text="Failed").click()
    expect(page).to_have_url(re.compile(r"state=failed&tab=history$"))
    expect(rows).to_have_count(6)
    expect(page.locator(".chip.set")).to_contain_text("Status Failed")
    page.click("#add-filter")
    page.locator("#menu .option", has_text="Type").click()
    page.locator("#menu .option", has_text="SSL certificate").click()
    expect(page.locator("#empty")).to_contain_text("No operation fits")
    page.locator("#empty").get_by_role("button", name="Remove Type").click()
    expect(rows).to_have_count(6)
    page.click("[data-menu=filter-when]")
    page.locator("#menu .option", has_text="last 24 hours").click()
    expect(rows).to_have_count(2)
    page.reload()
    expect(rows).to_have_count(2)
    page.go_back()
    expect(rows).to_have_count(6)
    rows.first.locator("a").click()
    expect(page).to_have_url(re.compile(r"/processes/op-0\?organization=northwind$"))
    page.go_back()
    expect(rows).to_have_count(6)
    page.click("#add-filter")
    page.locator("#menu .option", has_text="Cloud account").click()
    page.locator("#menu input[name=value]").fill("Hetzner fsn1")
    page.locator("#menu").get_by_role("button", name="Filter", exact=True).click()
    expect(page).to_have_url(re.compile(r"cloud_account=Hetzner"))
    expect(rows).to_have_count(6)


def test_the_history_fails_politely(window: Window, server: Processes) -> None:
    """An error offers the retry; a missing permission is named."""
    path = "/api/v1/processes"
    server.answers[path] = (503, {"title": "Unavailable", "detail": "No answer in time."})
    page = window.open(f"{server.url}/processes?tab=history")
    expect(page.get_by_role("alert")).to_contain_text("No answer in time.")
    server.answers.clear()
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#operations .row")).to_have_count(1)


def poisoned(value: str) -> dict[str, Any]:
    """A failed process with ``value`` in every text."""
    error = {"message": value, "type": value, "code": value, "stack_trace": value, "whole": True}
    person = {"id": value, "name": value, "full_name": value, "email": value, "agent": value}
    thing = {"id": value, "name": value}
    return process(
        value,
        name=value,
        channel=value,
        project=value,
        workspace=value,
        environment=value,
        state="failed",
        target={"type": value, **thing, "url": f"javascript:{value}"},
        server=thing,
        cloud_account=thing,
        initiator=person,
        case=value,
        error=error,
        controls=["cleanup"],
        effects={"cleanup": value},
        ended=iso(),
        attempts=[{"attempt": 1, "state": value, "started": value, "step": value, "error": value}],
        steps=[
            step(0, value, "running", id=value),
            step(1, value, "failed", id=f"{value}2", error=error),
            step(2, value, value, id=f"{value}3"),
        ],
        output={
            "lines": [{"offset": 0, "stream": value, "step": value, "text": value, "at": value}],
            "bytes": 9,
            "total": 1,
        },
        requests=[{"id": value, "kind": "cleanup", "state": "expired", "by": thing, "at": value,
                   "expires_at": value, "reason": value, "answer": value}],
        receipt={"undone": [value], "left_behind": [value], "needs_person": [value]},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("value", "shown"),
    [(SCRIPT, "<img src=x onerror"), (OVERRIDE, "U+202E"), (HIDDEN, "U+200B"),
     (LONG, LONG[:40]), ("__proto__", "__proto__"), ("constructor", "constructor")],
    ids=["script", "override", "hidden", "long", "proto", "constructor"],
)  # fmt: skip
def test_hostile_text_in_every_field(
    window: Window, server: Processes, value: str, shown: str
) -> None:
    """Text is text: on a card, in the dialog, in the history, on its own page, in its output."""
    server.faithful = False
    made = poisoned(value)
    made["id"] = "p1"
    server.processes = {"p1": made}
    server.past = [made]
    server.pieces = [{"step": value, "stream": value, "offset": 0, "text": value, "at": value}]
    page = window.page
    page.add_init_script(
        "window.violations = [];"
        "document.addEventListener('securitypolicyviolation',"
        " (event) => window.violations.push(event.violatedDirective));"
    )
    wide = page.viewport_size
    assert wide

    def harmless() -> None:
        assert page.evaluate("window.hacked") is None
        assert page.evaluate("window.violations") == []
        assert page.locator("img[src=x], #page script, a[href^=javascript]").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= wide["width"]

    page.goto(f"{server.url}/processes")
    expect(page.locator(".process h3")).not_to_have_count(0)
    expect(page.locator(".process:not(.bones)").first).to_contain_text(shown)
    expect(page.locator(".fault").first).to_contain_text(shown)
    harmless()
    page.locator(".control").click()
    expect(page.locator("#confirm")).to_contain_text(shown)
    harmless()
    page.goto(f"{server.url}/processes?tab=history&state={'%3Cscript%3E'}")
    page.goto(f"{server.url}/processes?tab=history")
    expect(page.locator("#operations .row").first).to_contain_text(shown)
    harmless()
    page.goto(f"{server.url}/processes/p1")
    expect(page.locator(".line").first).to_contain_text(shown)
    expect(page.locator(".process-facts")).to_contain_text(shown)
    harmless()
