"""The card of the latest activities, on a page that is not ours."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PHONE, WIDE
from tests.browser.stand_in import StandIn
from tests.sidecar_api.search.log import document

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.conftest import Window, Windows

STYLES = """<link rel="stylesheet" href="/static/styles/page.css">
<link rel="stylesheet" href="/static/styles/table.css">"""
SCRIPT = '<script type="module" src="/static/card.js"></script>'
RECENT = "/api/v1/activities/recent"


@pytest.fixture
def server() -> Iterator[StandIn]:
    """A stand-in with 25 entries of two kinds."""
    kinds = [
        {"event__action": "server.update", "activity__resource__name": "api-prod-1",
         "activity__resource__type": "virtual_machine"},
        {"event__action": "activity_log.fetch_all", "activity__resource__type": "activity_log"},
    ]  # fmt: skip
    made = StandIn([{"id": str(n), **document(**kinds[n % 2])} for n in range(25)])
    yield made
    made.close()


def host(window: Window, server: StandIn, body: str, head: str = STYLES) -> tuple[Page, list[str]]:
    """Open a page of somebody else's with cards; also return what it asks the API."""
    page = window.page
    asked: list[str] = []
    page.on("request", lambda one: "/api/" in one.url and asked.append(one.url[len(server.url) :]))
    text = f"<!doctype html><html><head>{head}{SCRIPT}</head><body>{body}</body></html>"
    page.route("**/host", lambda route: route.fulfill(body=text, content_type="text/html"))
    page.goto(f"{server.url}/host")
    return page, asked


def test_a_card_asks_once(window: Window, server: StandIn) -> None:
    """Each card asks for its activities once, and all of them once for the catalogue."""
    card = '<activity-recent organization="northwind" count="{}"></activity-recent>'
    page, asked = host(window, server, "".join(card.format(n) for n in (2, 3, 4)))
    expect(page.locator("activity-recent li time")).to_have_count(9)
    page.wait_for_timeout(200)
    assert sorted(asked) == [
        *(f"{RECENT}?count={n}&organization=northwind" for n in (2, 3, 4)),
        "/api/v1/catalogue",
    ]


def test_an_answer_that_was_overtaken_is_dropped(window: Window, server: StandIn) -> None:
    """What is shown is what was asked for last, in whatever order the answers come."""
    page, _ = host(window, server, '<activity-recent count="3"></activity-recent>')
    card = page.locator("activity-recent")
    expect(card.locator("time")).to_have_count(3)
    held = server.held[RECENT] = threading.Event()
    card.evaluate('one => one.setAttribute("count", "5")')
    page.wait_for_timeout(200)
    del server.held[RECENT]
    card.evaluate('one => one.setAttribute("count", "4")')
    expect(card.locator("time")).to_have_count(4)
    with page.expect_response(f"**{RECENT}?count=5"):
        held.set()
    page.wait_for_timeout(200)
    expect(card.locator("time")).to_have_count(4)


@pytest.mark.parametrize(
    ("count", "shown"), [("99", 20), ("0", 6), ("-3", 1), ("2.9", 2), ("x", 6)]
)
def test_a_count_is_within_what_the_api_gives(
    window: Window, server: StandIn, count: str, shown: int
) -> None:
    """A count out of bounds is the nearest within, and none is the usual one."""
    page, _ = host(window, server, f'<activity-recent count="{count}"></activity-recent>')
    expect(page.locator("activity-recent li time")).to_have_count(shown)


def test_a_card_is_a_guest(windows: Windows, server: StandIn) -> None:
    """Types are words as in the table; margin, headings, links and colours of the page that it
    stands on are those that it would have without."""
    look = """() => ["html", "body", "main", "h1", "p", "a", "ul", "select"].map((name) => {
      const { margin, padding, color, backgroundColor, font, colorScheme, boxSizing, listStyle,
        textDecoration } = getComputedStyle(document.querySelector(name));
      return [name, margin, padding, color, backgroundColor, font, colorScheme, boxSizing,
        listStyle, textDecoration];
    })"""
    body = (
        "<main><h1>Your dashboard</h1><p>Text and <a href='/x'>a link</a></p><ul><li>one</li></ul>"
        "<select></select></main><activity-recent count='2'></activity-recent>"
    )
    for size, dark in ((WIDE, False), (PHONE, True)):
        page, _ = host(windows(size=size, dark=dark), server, body, head="")
        alone = page.evaluate(look)
        window = windows(size=size, dark=dark)
        page, _ = host(window, server, body)
        rows = page.locator("activity-recent li")
        expect(rows.nth(0).locator(".kind").first).to_have_text("Virtual machine")
        expect(rows.nth(0).locator(".recent-name")).to_have_text("api-prod-1")
        expect(rows.nth(1).locator(".recent-name")).to_have_text("activity log")
        assert page.evaluate(look) == alone
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
        window.shoot(f"card-guest-{size[0]}-{'dark' if dark else 'light'}")
