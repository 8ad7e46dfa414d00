"""Where the focus is after an action took away what had it: never on the page as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE
from tests.browser.stand_in import StandIn
from tests.browser.table import ROWS, choose, loaded, query
from tests.browser.test_states import LIST, activities
from tests.sidecar_api.search.log import document

if TYPE_CHECKING:
    from tests.browser.conftest import Window, Windows


@pytest.fixture
def server() -> Iterator[StandIn]:
    """A stand-in with 30 activities."""
    made = StandIn(activities(30))
    yield made
    made.close()


def press(page: Page, name: str) -> None:
    """Press a button as who works by keys does."""
    page.get_by_role("button", name=name).focus()
    page.keyboard.press("Enter")


@pytest.mark.parametrize("name", ["Clear all", "Remove the filter Source"])
def test_without_the_last_filter_the_focus_is_on_filter(
    window: Window, server: StandIn, name: str
) -> None:
    """The chip is gone, and the next one is added from there."""
    page = window.open(f"{server.url}/audit?source=api")
    loaded(page)
    press(page, name)
    expect(page.locator(".chip.set")).to_have_count(0)
    expect(page.locator("#add-filter")).to_be_focused()


def test_on_a_phone_the_focus_is_on_the_sheets_button(windows: Windows, server: StandIn) -> None:
    """What a phone does not show takes no focus."""
    page = windows(size=PHONE).open(f"{server.url}/audit?source=api")
    loaded(page)
    press(page, "Clear all")
    expect(page.locator(".sheet-opener")).to_be_focused()


def test_a_tip_does_not_stand_over_what_was_opened(window: Window, server: StandIn) -> None:
    """It goes when the row opens, and stands above an open one."""
    page = window.open(f"{server.url}/audit")
    loaded(page)
    tip, row = page.locator("#tip"), page.locator(ROWS).nth(3)
    page.keyboard.press("j")
    for _ in range(3):
        page.keyboard.press("j")
    expect(row.locator(".toggle")).to_be_focused()
    expect(tip).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator(".opened")).to_be_visible()
    expect(tip).to_be_hidden()
    page.keyboard.press("k")
    page.keyboard.press("j")
    expect(row.locator(".toggle")).to_be_focused()
    expect(tip).to_be_visible()
    told, opened = tip.bounding_box(), row.bounding_box()
    assert told and opened and told["y"] + told["height"] <= opened["y"] + opened["height"]


def test_the_pill_leads_to_the_first_of_what_is_new(window: Window, server: StandIn) -> None:
    """Who looks at what is new reads on there, not at the top of the page."""
    page = window.open(f"{server.url}/audit")
    expect(page.locator("#live.on")).to_be_visible()
    server.happen({"id": "new", **document(at=datetime.now(UTC), organization__id="northwind")})
    expect(page.locator("#fresh")).to_be_visible()
    press(page, "Show 1 new activity")
    expect(page.locator("#fresh")).to_have_count(0)
    expect(page.locator('tr[data-id="new"] .toggle')).to_be_focused()


def test_an_empty_state_and_an_error_give_the_focus_to_filter(
    window: Window, server: StandIn
) -> None:
    """Their buttons are gone with what they said."""
    page = window.open(f"{server.url}/audit?q=nosuchword")
    press(page, "Without Search: 30 activities")
    loaded(page)
    expect(page.locator("#add-filter")).to_be_focused()
    server.answers[LIST] = (400, {"detail": "There is no such filter.", "parameter": "colour"})
    page.goto(f"{server.url}/audit?colour=red")
    expect(page.locator("#failure")).to_be_visible()
    del server.answers[LIST]
    press(page, "Remove colour")
    loaded(page)
    expect(page.locator("#add-filter")).to_be_focused()


def test_a_filter_opens_with_the_focus_in_its_field(window: Window, server: StandIn) -> None:
    """By typing alone: the filter's name, Enter, its value, Enter."""
    page = window.open(f"{server.url}/audit")
    loaded(page)
    page.keyboard.press("f")
    page.keyboard.type("Addr")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Address")).to_be_focused()
    page.keyboard.type("192.0.2.7")
    page.keyboard.press("Enter")
    page.wait_for_url("**ip=192.0.2.7**")
    assert query(page) == {"ip": ["192.0.2.7"]}


@pytest.mark.parametrize("name", ["User", "When"])
def test_a_list_of_values_opens_with_the_focus_in_it(
    window: Window, server: StandIn, name: str
) -> None:
    """In the field that finds values, or on the first of them."""
    page = window.open(f"{server.url}/audit")
    loaded(page)
    choose(page, name)
    stop = page.get_by_label("Find a value") if name == "User" else page.locator("#menu .option")
    expect(stop.first).to_be_focused()
    assert page.locator(ROWS).count() == 25
