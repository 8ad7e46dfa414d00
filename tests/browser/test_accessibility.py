"""axe finds nothing serious, in both themes, wide and narrow, over the real sidecar."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import LOOKS
from tests.browser.table import ROWS, loaded

if TYPE_CHECKING:
    from tests.browser.conftest import Site, Windows


@pytest.mark.parametrize(("size", "dark"), LOOKS)
def test_every_state_of_the_page(
    windows: Windows, site: Site, size: tuple[int, int], dark: bool
) -> None:
    """Table, open rows, filters, their values, menus, help, card and an empty answer."""
    window = windows(size=size, dark=dark)
    page = window.page
    shade = f"{'phone' if size[0] < 700 else 'wide'}-{'dark' if dark else 'light'}"
    opener = ".sheet-opener" if size[0] < 700 else "#add-filter"
    found: dict[str, list[str]] = {}

    def check(name: str) -> None:
        window.shoot(f"axe-{name}-{shade}")
        if wrong := window.axe():
            found[name] = wrong

    page.goto(f"{site.url}/audit?outcome=failure")
    loaded(page)
    check("table")
    page.locator(f"{ROWS} .toggle").nth(1).click()
    expect(page.locator(".details")).to_be_visible()
    check("row")
    page.click(opener)
    check("filters")
    page.locator("#menu .option", has_text="Kind of action").click()
    expect(page.locator("#menu .options input").first).to_be_visible()
    check("values")
    page.keyboard.press("Escape")
    for button in ("columns", "views", "export", "account"):
        page.click(f"#{button}")
        check(button)
        page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    check("help")
    page.goto(f"{site.url}/ai/entries?decision=denied")
    loaded(page)
    page.locator(f"{ROWS} .toggle").first.click()
    check("agent")
    page.goto(f"{site.url}/organizations/{site.northwind}/activity-logs?verb=update")
    loaded(page)
    page.locator(f"{ROWS} .toggle").first.click()
    check("organization")
    page.goto(f"{site.url}/audit?q=thereisnosuchword&source=api")
    expect(page.locator("#empty")).to_be_visible()
    check("empty")
    page.goto(f"{site.url}/")
    expect(page.locator("activity-recent time").first).to_be_visible()
    check("home")
    assert not found, "\n".join(f"{name}: {one}" for name, all_ in found.items() for one in all_)
