"""A link to an entry that the page does not show says so, and why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import LOOKS
from tests.browser.stand_in import StandIn
from tests.browser.table import ROWS, loaded, query
from tests.browser.test_states import activities

if TYPE_CHECKING:
    from tests.browser.conftest import Window, Windows

SAID: Final = {
    "detail": "There is no such activity, or none that you may see.",
    "hint": "Somebody who may see it can tell you its organization.",
}


@pytest.fixture
def server() -> Iterator[StandIn]:
    """A stand-in with 60 activities."""
    made = StandIn(activities(60))
    yield made
    made.close()


@pytest.mark.parametrize(("size", "dark"), LOOKS)
def test_an_entry_that_is_not_there_is_named(
    windows: Windows, server: StandIn, size: tuple[int, int], dark: bool
) -> None:
    """In the API's words, with its hint; the rows stay, and the address forgets it."""
    server.answers["/api/v1/activities/nosuchid"] = (404, SAID)
    window = windows(size=size, dark=dark)
    page = window.open(f"{server.url}/audit?range=7d&open=nosuchid")
    loaded(page)
    note = page.get_by_role("alert")
    expect(note).to_have_text(f"{SAID['detail']} {SAID['hint']}")
    assert query(page) == {"range": ["7d"]}
    assert page.locator(ROWS).count() == 25
    window.shoot(f"lost-{size[0]}-{dark}")
    assert window.axe() == []
    page.click("#refresh")
    expect(note).to_have_count(0)


def test_an_entry_on_another_page_is_told_from_one_that_is_gone(
    window: Window, server: StandIn
) -> None:
    """It is there: the filters or the page of the link do not show it."""
    other = server.activities[40]["id"]
    page = window.open(f"{server.url}/audit?open={other}")
    loaded(page)
    expect(page.get_by_role("alert")).to_contain_text("is not on this page")
    page.goto(f"{server.url}/audit?page=2&open={other}")
    loaded(page)
    expect(page.locator(".details")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)


def test_an_opened_row_is_no_lost_one(window: Window, server: StandIn) -> None:
    """Opening and closing rows says nothing."""
    page = window.open(f"{server.url}/audit")
    loaded(page)
    for number in (0, 3, 3):
        page.locator(f"{ROWS} .toggle").nth(number).click()
    expect(page.locator(".details")).to_have_count(0)
    expect(page.get_by_role("alert")).to_have_count(0)
