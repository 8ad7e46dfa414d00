"""What a process that ended says of itself: how, by whom, what is left, who has to look."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.browser.process_samples import iso, process, step
from tests.browser.process_stand_in import Processes
from tests.browser.test_processes import card, live, names

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.conftest import Window, Windows

LENA = {"id": None, "name": "Lena"}
NOTHING = "Nothing is left behind and nothing needs a person."


def request(kind: str, state: str, **rest: Any) -> dict[str, Any]:
    """What Mira asked."""
    made = {
        "id": f"ctl_{kind}",
        "kind": kind,
        "attempt": 1,
        "state": state,
        "by": {"id": "usr_mk", "name": "Mira Kovač"},
        "at": iso(60),
        "expires_at": iso(),
        "reason": None,
        "answer": None,
    }
    return {**made, **rest}


def ended(id_: str, state: str, **rest: Any) -> dict[str, Any]:
    """A process that ended within the last minute, its second step still told as running."""
    return process(id_, state=state, **{"ended": iso(20), "duration_ms": 52_000, **rest})


def sample() -> list[dict[str, Any]]:
    """Silent and nobody cleaned up; cleaned up with something left; cleaned up; cancelled; done."""
    return [
        process("web-1"),
        ended(
            "upload-1",
            "failed",
            name="Upload backup",
            receipt={"left_behind": ["Open session"], "needs_person": ["Remove it by hand"]},
            requests=[request("cleanup", "expired")],
        ),
        ended(
            "site-1",
            "failed",
            name="Set up site",
            cleaned=True,
            receipt={"undone": ["Folder removed"], "needs_person": ["Remove the DNS record"]},
            requests=[request("cleanup", "done")],
        ),
        ended("cert-1", "failed", name="Certificate", cleaned=True),
        ended(
            "deploy-1",
            "cancelled",
            name="Deploy checkout",
            cleaned=True,
            requests=[
                request("cancel", "done"),
                request("cleanup", "done", by=LENA),
            ],
        ),
        ended("db-1", "done", name="Database", steps=[step(0, "Create", "done")]),
    ]


@pytest.fixture
def server() -> Iterator[Processes]:
    """A stand-in with one process that runs and five that ended."""
    made = Processes(*sample())
    made.past = sample()
    yield made
    made.close()


def badges(page: Page, name: str) -> list[str]:
    """The words in the head of a card."""
    return card(page, name).locator("header .badge").all_inner_texts()


def test_who_needs_a_person_counts_and_stands_on_top(window: Window, server: Processes) -> None:
    """Whatever else is said of a process: what needs a person is counted, and stands before what
    runs; what was cleaned up and needs nobody does not."""
    page = window.open(f"{server.url}/processes")
    live(page)
    expect(page.locator("[data-show=look]")).to_have_text("Needs a look 2")
    assert set(names(page)[:2]) == {"Upload backup", "Set up site"}
    assert names(page)[2] == "Provision web-1"
    assert badges(page, "Upload backup") == ["Failed"]
    page.click("[data-show=look]")
    expect(page.locator(".process")).to_have_count(2)


def test_how_it_ended_is_told_beside_the_clean_up(windows: Windows, server: Processes) -> None:
    """On the card, in the history and on its own page, wide and on a phone."""
    page = windows().page
    page.goto(f"{server.url}/processes")
    live(page)
    assert badges(page, "Certificate") == ["Failed", "Cleaned up"]
    assert badges(page, "Deploy checkout") == ["Cancelled", "Cleaned up"]
    assert badges(page, "Database") == ["Done"]
    page.goto(f"{server.url}/processes/deploy-1")
    expect(page.locator(".one-head .badge")).to_have_text(["Cancelled", "Cleaned up"])
    for size in ((1440, 900), (390, 844)):
        page = windows(size=size).page
        page.goto(f"{server.url}/processes?tab=history&state=failed")
        row = page.locator("#operations .row[data-id=cert-1]")
        expect(row.locator(".badge")).to_have_text(["Failed", "Cleaned up"])
        for at in (0, 1):
            expect(row.locator(".badge").nth(at)).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize(
    ("receipt", "said", "unsaid"),
    [
        ({"left_behind": [], "needs_person": []}, [NOTHING], ["It did not say"]),
        ({"undone": ["Order removed"]}, ["Order removed", "It did not say what is left."],
         ["Nothing"]),
        ({"undone": [], "left_behind": ["Build (broken off)"]}, ["Build (broken off)"],
         ["Nothing", "It did not say"]),
        ({"left_behind": []}, ["Nothing is left behind."], ["person", "It did not say"]),
        ({"needs_person": []}, ["Nothing needs a person."], ["left behind", "It did not say"]),
        ({"left_behind": [], "needs_person": ["Look at DNS"]},
         ["Nothing is left behind.", "Look at DNS"], ["nothing needs"]),
    ],
    ids=["nothing", "undone", "left", "nothing left", "no person", "person"],
)  # fmt: skip
def test_nothing_is_said_only_where_it_was_told(
    window: Window,
    server: Processes,
    receipt: dict[str, Any],
    said: list[str],
    unsaid: list[str],
) -> None:
    """An empty list says that there is nothing; of a list that is missing nothing was said."""
    server.processes = {"cert-1": ended("cert-1", "failed", name="Certificate", receipt=receipt)}
    for path in ("/processes", "/processes/cert-1"):
        left = window.open(f"{server.url}{path}").locator(".receipt")
        for text in said:
            expect(left).to_contain_text(text)
        for text in unsaid:
            expect(left).not_to_contain_text(text)


@pytest.mark.parametrize("state", ["failed", "cancelled", "done"])
def test_the_end_of_a_process_ends_its_steps(window: Window, server: Processes, state: str) -> None:
    """A step that nobody ended is broken off, in sign and word, and turns no more."""
    server.processes = {"p-1": ended("p-1", state, receipt={"needs_person": ["Look"]})}
    turning = (
        "[...document.querySelectorAll('.step .icon')]"
        ".filter((one) => getComputedStyle(one).animationName === 'turn').length"
    )
    for path in ("/processes", "/processes/p-1"):
        page = window.open(f"{server.url}{path}")
        row = page.locator(".step").nth(1)
        expect(row).to_contain_text("broken off")
        expect(row.locator("use")).to_have_attribute(
            "href", "/static/vendor/lucide/icons.svg#circle-slash"
        )
        assert page.evaluate(turning) == 0
    server.happen_to("p-1", process={"state": "running", "ended": None, "receipt": None})
    expect(page.locator(".step[aria-current=step]")).to_have_count(1)
    assert page.evaluate(turning) == 1


def test_the_card_remembers_who_asked(window: Window, server: Processes) -> None:
    """Also after it is carried out; a new attempt forgets what was asked of the one before."""
    page = window.open(f"{server.url}/processes")
    live(page)
    here = card(page, "Deploy checkout").locator(".requests li")
    expect(here).to_have_text(
        ["Cancel carried out, asked by Mira Kovač", "Clean-up carried out, asked by Lena"]
    )
    server.happen_to("web-1", requests=[request("cancel", "taken", reason="wrong size")])
    here = card(page, "Provision web-1").locator(".requests li")
    expect(here).to_have_text(["Cancel under way, asked by Mira Kovač · wrong size"])
    server.happen_to(
        "web-1",
        process={"state": "cancelled", "ended": iso()},
        requests=[request("cancel", "done", reason="wrong size")],
    )
    expect(here).to_have_text(["Cancel carried out, asked by Mira Kovač · wrong size"])
    server.happen_to("web-1", requests=[request("retry", "done", by=LENA)])
    server.happen_to("web-1", process={"attempt": 2, "state": "running", "ended": None})
    expect(here).to_have_text(["Retry carried out, asked by Lena"])
