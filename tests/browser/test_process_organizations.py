"""Whose a process is, where processes of several organizations are in view."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.browser.process_samples import iso, process
from tests.browser.process_stand_in import Processes
from tests.browser.test_processes import card, live

if TYPE_CHECKING:
    from tests.browser.conftest import Window, Windows

NORTHWIND = {"id": "northwind", "name": "Northwind Labs"}
BRIGHTLEAF = {"id": "brightleaf", "name": "Brightleaf Agency"}


def two() -> list[dict[str, Any]]:
    """A process of each of two organizations."""
    return [
        process("web-1", state="done", ended=iso(9), organization=NORTHWIND),
        process("web-2", state="done", ended=iso(9), organization=BRIGHTLEAF),
    ]


@pytest.fixture
def server() -> Iterator[Processes]:
    """A stand-in for a reader of both."""
    made = Processes(*two(), activities=[{"organization": NORTHWIND}, {"organization": BRIGHTLEAF}])
    made.past = two()
    yield made
    made.close()


def test_cards_and_rows_say_whose_they_are(windows: Windows, server: Processes) -> None:
    """All organizations: each card and row names its own, wide and on a phone. One that was
    chosen is not repeated."""
    for size in ((1440, 900), (390, 844)):
        page = windows(size=size).page
        page.goto(f"{server.url}/processes")
        live(page)
        expect(card(page, "Provision web-1").locator(".facts")).to_contain_text("Northwind Labs")
        expect(card(page, "Provision web-2").locator(".facts")).to_contain_text("Brightleaf Agency")
        page.goto(f"{server.url}/processes?tab=history")
        rows = page.locator("#operations .row")
        cells = rows.locator(".o-organization")
        expect(cells).to_have_text(["Northwind Labs", "Brightleaf Agency"])
        for at in (0, 1):
            expect(cells.nth(at)).to_be_in_viewport(ratio=1)
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    page.goto(f"{server.url}/processes?organization=northwind")
    live(page)
    expect(card(page, "Provision web-1").locator(".facts")).not_to_contain_text("Northwind")
    page.goto(f"{server.url}/processes?organization=northwind&tab=history")
    expect(rows.first).to_be_visible()
    expect(page.locator(".o-organization")).to_have_count(0)


def test_what_is_of_the_only_organization_does_not_repeat_it(
    window: Window, server: Processes
) -> None:
    """Where the reader has one, only a process of another one names its own."""
    server.activities = [{"organization": NORTHWIND}]
    page = window.open(f"{server.url}/processes")
    live(page)
    expect(card(page, "Provision web-1").locator(".facts")).not_to_contain_text("Northwind")
    expect(card(page, "Provision web-2").locator(".facts")).to_contain_text("Brightleaf Agency")
    server.past = two()[:1]
    page.goto(f"{server.url}/processes?tab=history")
    expect(page.locator("#operations .row")).to_have_count(1)
    expect(page.locator(".o-organization")).to_have_count(0)
