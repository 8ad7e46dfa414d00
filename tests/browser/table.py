"""The table of activities as a test sees it: its heads, rows and address."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page, expect

if TYPE_CHECKING:
    from tests.browser.conftest import Site, Window

ROWS = "#activities tbody tr.row[data-id]"


def heads(page: Page) -> list[str]:
    """The heads of the columns, in order."""
    return [text.strip() for text in page.locator("#activities thead .head").all_inner_texts()]


def query(page: Page) -> dict[str, list[str]]:
    """The query of the address."""
    return parse_qs(urlsplit(page.url).query)


def ids(page: Page) -> list[str]:
    """The ids of the rows."""
    found = page.locator(ROWS).evaluate_all("rows => rows.map((row) => row.dataset.id)")
    assert isinstance(found, list)
    return found


def loaded(page: Page) -> None:
    """Wait until the table shows an answer."""
    expect(page.locator('#activities[aria-busy="false"]')).to_be_visible()
    expect(page.locator(ROWS).first).to_be_visible()


def trail(window: Window, site: Site, path: str = "/audit") -> Page:
    """Open a view of the trail."""
    page = window.open(site.url + path)
    loaded(page)
    return page


def choose(page: Page, name: str) -> None:
    """Open the values of a filter."""
    page.click("#add-filter")
    page.locator("#menu .find").fill(name)
    page.locator("#menu").get_by_role("button", name=name, exact=True).click()
    expect(page.locator("#menu strong").first).to_have_text(name)
