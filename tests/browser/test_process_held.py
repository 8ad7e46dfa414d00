"""The order of the cards: it follows what happens, and holds while somebody is at them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

import pytest
from playwright.sync_api import expect

from tests.browser.process_samples import iso, process
from tests.browser.process_stand_in import Processes
from tests.browser.test_processes import ERROR, card, live

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.conftest import Windows

SIZE: Final = (900, 600)
ORDER: Final = [f"Provision p{number}" for number in range(12)]
"""Of the stand-in's processes, the newest first."""
AFTER: Final = ["Provision p5", "Provision new", *ORDER[:5], *ORDER[6:]]
"""After one began and one failed."""


@pytest.fixture
def server() -> Iterator[Processes]:
    """A stand-in with more running processes than a window has room for."""
    controls = {"controls": ["cancel"], "effects": {"cancel": "Deletes the server"}}
    made = Processes(*(process(f"p{n}", started=iso(1000 + n), **controls) for n in range(12)))
    yield made
    made.close()


def names(page: Page) -> list[str]:
    """Names on the cards in their order, also of those that the window has no room for."""
    return [text.strip() for text in page.locator(".process header h3").all_text_contents()]


def arrive(windows: Windows, server: Processes) -> Page:
    """Open the cards."""
    page = windows(size=SIZE).page
    page.goto(f"{server.url}/processes")
    live(page)
    assert names(page) == ORDER
    return page


def happen(server: Processes) -> None:
    """A process begins, and one that runs fails."""
    server.begin(process("new", started=iso()))
    server.happen_to("p5", process={"state": "failed", "ended": iso(), "error": ERROR})


def scroll(page: Page) -> None:
    """Read further below."""
    page.evaluate("window.scrollTo({ top: 200, behavior: 'instant' })")
    assert page.evaluate("window.scrollY") == 200


def hover(page: Page) -> None:
    """Point at a card."""
    card(page, "Provision p0").locator("h3").hover()


def focus(page: Page) -> None:
    """Go to a card by keyboard."""
    card(page, "Provision p0").locator("a[data-process]").focus()


def consider(page: Page) -> None:
    """Be asked, by keyboard, whether a process is to be cancelled."""
    card(page, "Provision p0").locator(".control").focus()
    page.keyboard.press("Enter")
    expect(page.locator("dialog[open]")).to_be_visible()
    expect(page.locator(".processes :focus")).to_have_count(0)


def test_the_order_follows_where_nobody_is_at_the_cards(
    windows: Windows, server: Processes
) -> None:
    """What is new and what needs a look moves up by itself; no pill is needed for it."""
    page = arrive(windows, server)
    happen(server)
    expect(page.locator(".process header h3")).to_have_text(AFTER)
    expect(page.locator("#fresh")).to_have_count(0)
    page.evaluate("window.scrollTo(0, 30)")  # this little is not reading further below
    server.happen_to("p5", process={"state": "running", "ended": None, "error": None})
    expect(page.locator(".process header h3")).to_have_text(["Provision new", *ORDER])


@pytest.mark.parametrize("come", [scroll, hover, focus, consider])
def test_the_order_holds_while_somebody_is_at_the_cards(
    windows: Windows, server: Processes, come: Callable[[Page], None]
) -> None:
    """Whatever happens, no card moves; each says in its place how it is, and a pill offers the
    rest."""
    page = arrive(windows, server)
    come(page)
    happen(server)
    expect(page.locator("#fresh")).to_have_text("1 new process, 1 to look at")
    expect(card(page, "Provision p5").locator("header .badge")).to_have_text("Failed")
    server.happen_to("p0", process={"progress": 0.9})
    bar = card(page, "Provision p0").locator("progress")
    expect(bar).to_have_attribute("value", "0.9")
    assert names(page) == ORDER
    if come is not consider:  # the dialog is in front of it
        page.locator("#fresh").click()
        expect(page.locator(".process header h3")).to_have_text(AFTER)
        expect(page.locator("#fresh")).to_have_count(0)
        assert page.evaluate("window.scrollY") == 0
        expect(page.locator(".process a[data-process]").first).to_be_focused()


@pytest.mark.parametrize("come", [scroll, hover, focus])
def test_the_order_follows_when_they_leave(
    windows: Windows, server: Processes, come: Callable[[Page], None]
) -> None:
    """Back at the top, and with the focus elsewhere, at once; with the pointer elsewhere, soon."""
    page = arrive(windows, server)
    come(page)
    happen(server)
    expect(page.locator("#fresh")).to_have_text("1 new process, 1 to look at")
    assert names(page) == ORDER
    if come is scroll:
        page.evaluate("window.scrollTo(0, 0)")
    elif come is focus:
        page.locator("#channel").focus()
    else:
        page.mouse.move(1, 1)
    expect(page.locator(".process header h3")).to_have_text(AFTER)
    expect(page.locator("#fresh")).to_have_count(0)


@pytest.mark.parametrize("by", ["pointer", "keyboard"])
def test_the_pill_waits_for_who_goes_to_it(windows: Windows, server: Processes, by: str) -> None:
    """Who was at the cards can reach it, at the pace of a hand, and think before pressing it."""
    page = arrive(windows, server)
    hover(page) if by == "pointer" else focus(page)
    happen(server)
    pill = page.locator("#fresh")
    expect(pill).to_have_text("1 new process, 1 to look at")
    if by == "pointer":
        box = pill.bounding_box()
        assert box is not None
        page.mouse.move(box["x"] - 200, box["y"] + 10)  # between the cards and the pill
        server.happen_to("p0", process={"progress": 0.9})
        bar = card(page, "Provision p0").locator("progress")
        expect(bar).to_have_attribute("value", "0.9")
        pill.hover()
    else:
        pill.focus()
    page.wait_for_timeout(2000)
    assert names(page) == ORDER
    page.mouse.down() if by == "pointer" else page.keyboard.press("Enter")
    page.mouse.up()
    expect(page.locator(".process header h3")).to_have_text(AFTER)
    expect(page.locator(".process a[data-process]").first).to_be_focused()
