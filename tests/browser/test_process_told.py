"""What the server says of itself: that it reads nothing new, and that there is more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import pytest
from playwright.sync_api import expect

from tests.browser.process_samples import iso, process
from tests.browser.process_stand_in import Processes
from tests.browser.test_processes import card, live

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.conftest import Window

STALE: Final = "the step bus does not answer, steps may come late"
MORE: Final = (
    "There are more than these. Choose a channel to see more of it; the operation history has all."
)
WAYS: Final = pytest.mark.parametrize(
    ("shut", "via"),
    [(set(), "websocket"), ({"websocket"}, "sse"), ({"websocket", "sse"}, "polling")],
    ids=["websocket", "sse", "polling"],
)


@pytest.fixture
def server() -> Iterator[Processes]:
    """A stand-in with one running process."""
    made = Processes(process("api-prod-3"))
    yield made
    made.close()


def arrive(window: Window, server: Processes, via: str) -> Page:
    """Open the cards, and wait until what happens comes on the way that is open."""
    page = window.open(f"{server.url}/processes")
    live(page)
    expect(page.locator("#connection")).to_have_attribute("data-via", via)
    move(page, server, 0.11)
    return page


def move(page: Page, server: Processes, progress: float) -> None:
    """What happens is shown."""
    server.happen_to("api-prod-3", process={"progress": progress})
    bar = card(page, "Provision api-prod-3").locator("progress")
    expect(bar).to_have_attribute("value", str(progress))


@WAYS
def test_a_bus_that_is_away_is_said_without_a_reconnect(
    window: Window, server: Processes, shut: set[str], via: str
) -> None:
    """Who opens the page meanwhile is told; it goes when the bus is back, and comes when it goes
    away again: in the line and to who listens, on the same connection."""
    server.shut = shut
    opened: list[str] = []
    window.page.on("websocket", lambda one: opened.append(one.url))
    window.page.on(
        "request", lambda one: opened.append(one.url) if "/processes/stream" in one.url else None
    )
    server.stale(iso(30))
    page = arrive(window, server, via)
    line, dot = page.locator("#connection"), page.locator("#connection .live")
    spoken = page.locator("#announcer")
    expect(line).to_contain_text(STALE)
    expect(dot).to_have_class("live polling")
    begun = [*opened]
    for since in (None, iso(5), None):
        server.stale(since)
        if since:
            expect(line).to_contain_text(STALE)
            expect(spoken).to_contain_text(STALE)
            expect(dot).to_have_class("live polling")
        else:
            expect(line).not_to_contain_text(STALE)
            expect(spoken).not_to_contain_text(STALE)
            expect(dot).to_have_class("live polling" if via == "polling" else "live on")
    move(page, server, 0.77)
    expect(line).to_have_attribute("data-phase", "live")
    assert opened == begun
    window.wrong.clear()  # the browser reports each refused handshake


@WAYS
def test_that_there_is_more_is_said(
    window: Window, server: Processes, shut: set[str], via: str
) -> None:
    """Below the cards of a snapshot that is cut, whatever moves; it goes with the next one that
    has all."""
    server.shut = shut
    server.more = True
    page = arrive(window, server, via)
    note = page.locator("#cut")
    expect(note).to_have_text(MORE)
    for more in (False, True):
        server.more = more
        server.forget()
        expect(note).to_have_count(int(more))
        move(page, server, 0.22 + more / 10)
        expect(note).to_have_count(int(more))
    window.wrong.clear()  # the browser reports each refused handshake


def test_a_server_that_cannot_be_reached_is_said_in_words(
    window: Window, server: Processes
) -> None:
    """Not by the name that the stream has for it."""
    page = window.page
    for path in ("**/api/v1/processes/**", "**/ws/processes**"):
        page.route(path, lambda route: route.abort())
    page.route_web_socket("**/ws/processes**", lambda socket: socket.close())
    window.open(f"{server.url}/processes")
    expect(page.locator("#failure p").first).to_have_text(
        "The server cannot be reached. Check the connection, then try again."
    )
    window.wrong.clear()
