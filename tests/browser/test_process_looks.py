"""Active Processes in both themes and at every width: over a stand-in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import LOOKS
from tests.browser.process_stand_in import Processes
from tests.browser.test_processes import card, live, sample

if TYPE_CHECKING:
    from tests.browser.conftest import Windows

WIDTHS: Final = (320, 640, 880, 1140, 1920)


@pytest.fixture
def server() -> Iterator[Processes]:
    """A stand-in with one process of each kind."""
    made = Processes(*sample())
    yield made
    made.close()


@pytest.mark.parametrize(("size", "dark"), LOOKS)
def test_axe_finds_nothing_grave(
    windows: Windows, server: Processes, size: tuple[int, int], dark: bool
) -> None:
    """Cards, dialog, one process, history: in both themes, wide and narrow."""
    server.past = sample()
    server.pieces = [{"step": "check-dns", "stream": "stderr", "offset": 0, "text": "a\n" * 99}]
    window = windows(size=size, dark=dark)
    page = window.page
    shade = f"{'phone' if size[0] < 700 else 'wide'}-{'dark' if dark else 'light'}"
    found: dict[str, list[str]] = {}

    def check(name: str) -> None:
        window.shoot(f"processes-{name}-{shade}")
        if wrong := window.axe():
            found[name] = wrong
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]

    page.goto(f"{server.url}/processes")
    live(page)
    check("live")
    card(page, "Provision api-prod-3").locator(".control").click()
    check("dialog")
    page.keyboard.press("Escape")
    page.goto(f"{server.url}/processes/cert-7")
    expect(page.locator(".line").first).to_be_visible()
    check("one")
    page.goto(f"{server.url}/processes?tab=history")
    expect(page.locator("#operations .row").first).to_be_visible()
    check("history")
    assert not found, "\n".join(f"{name}: {one}" for name, all_ in found.items() for one in all_)


def test_every_width_has_room(windows: Windows, server: Processes) -> None:
    """Nothing scrolls sideways but output and code: styles alone know how wide the window is."""
    server.past = sample()
    server.pieces = [{"step": "s", "stream": "stdout", "offset": 0, "text": "x" * 5000}]
    page = windows().page
    for path in ("/processes", "/processes?tab=history", "/processes/cert-7", "/processes/web-9"):
        page.goto(f"{server.url}{path}")
        expect(page.locator(".badge").first).to_be_visible()
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            shown = page.evaluate("[innerWidth, document.documentElement.scrollWidth]")
            assert shown[0] == width >= shown[1], (path, shown)


def test_what_waits_has_room_too(windows: Windows, server: Processes) -> None:
    """While answers are on their way, nothing scrolls sideways on the smallest phone either."""
    page = windows(size=(320, 800)).page
    page.route("**/api/v1/processes**", lambda _: None)
    page.route_web_socket("**/ws/**", lambda _: None)
    for path in ("/processes", "/processes/cert-7", "/processes?tab=history"):
        page.goto(f"{server.url}{path}")
        expect(page.locator("main :not(.lens-bones) > .bone:visible").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, path
