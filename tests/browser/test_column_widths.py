"""A column's edge follows the pointer, and no other column moves but the one that gives way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect

from tests.browser.stand_in import StandIn
from tests.browser.table import loaded
from tests.browser.test_states import activities

if TYPE_CHECKING:
    from tests.browser.conftest import Window

NAMES = ("when", "action", "resource", "project", "who", "source", "outcome")


@pytest.fixture
def server() -> Iterator[StandIn]:
    """A stand-in with 30 activities."""
    made = StandIn(activities(30))
    yield made
    made.close()


def widths(page: Page) -> dict[str, int]:
    """How wide each column is."""
    heads = page.locator("#activities th:has(.head)").evaluate_all(
        "all => all.map((one) => [one.querySelector('.head').dataset.head,"
        " Math.round(one.getBoundingClientRect().width)])"
    )
    return dict(heads)


def drag(page: Page, name: str, by: int) -> float:
    """Drag the right edge of a column; return how far it went."""
    head = page.locator("#activities th", has=page.locator(f"[data-head={name}]"))
    before = head.bounding_box()
    assert before
    edge, middle = before["x"] + before["width"], before["y"] + before["height"] / 2
    page.mouse.move(edge - 6, middle)
    page.mouse.down()
    page.mouse.move(edge - 6 + by, middle, steps=4)
    page.mouse.up()
    after = head.bounding_box()
    assert after
    return after["x"] + after["width"] - edge


@pytest.mark.parametrize("by", [40, -30])
@pytest.mark.parametrize(
    ("name", "gives"),
    [("when", "resource"), ("action", "resource"), ("resource", "project"), ("who", "source")],
)
def test_the_edge_follows_the_pointer(
    window: Window, server: StandIn, name: str, gives: str, by: int
) -> None:
    """To both sides, left and right of the flexible column and on that itself."""
    page = window.open(f"{server.url}/audit")
    loaded(page)
    before = widths(page)
    assert abs(drag(page, name, by) - by) < 2
    now = widths(page)
    moved = {key: now[key] - before[key] for key in NAMES if abs(now[key] - before[key]) > 1}
    assert set(moved) == {name, gives}
    assert abs(moved[name] - by) < 2 and abs(moved[gives] + by) < 2


def test_columns_keep_their_width(window: Window, server: StandIn) -> None:
    """One that was sized stays as it is when another one is, and after a reload."""
    page = window.open(f"{server.url}/audit")
    loaded(page)
    drag(page, "resource", 40)
    sized = widths(page)
    drag(page, "action", -100)
    now = widths(page)
    assert {key: now[key] for key in NAMES[3:]} == {key: sized[key] for key in NAMES[3:]}
    page.reload()
    loaded(page)
    assert widths(page) == now


def test_the_neighbour_gives_no_more_than_it_has(window: Window, server: StandIn) -> None:
    """At its least width the edge stays where it is, and the table as wide as it was."""
    page = window.open(f"{server.url}/audit")
    loaded(page)
    total = sum(widths(page).values())
    drag(page, "who", 300)
    assert widths(page)["source"] == 64
    assert abs(sum(widths(page).values()) - total) < 2


@pytest.mark.parametrize("columns", ["center", "trail", "logs", "log", "audit"])
def test_the_width_that_is_told_is_the_true_one(
    window: Window, server: StandIn, columns: str
) -> None:
    """Of each column, also of the flexible one, and in a window of another size."""
    page = window.open(f"{server.url}/audit?columns={columns}")
    loaded(page)
    for width in (1440, 1900, 1000):
        page.set_viewport_size({"width": width, "height": 900})
        for name, wide in widths(page).items():
            head = page.locator("#activities th", has=page.locator(f"[data-head={name}]"))
            grip = head.locator(".grip")
            expect(grip).to_have_attribute("aria-valuenow", str(wide))
            assert wide <= int(grip.get_attribute("aria-valuemax") or 0)


def test_keys_move_the_same_edge(window: Window, server: StandIn) -> None:
    """Arrow keys on the edge, Shift and arrow keys on the head."""
    page = window.open(f"{server.url}/audit")
    loaded(page)
    before = widths(page)
    page.locator("[data-head=who]").focus()
    page.keyboard.press("Shift+ArrowRight")
    page.locator("th", has=page.locator("[data-head=who]")).locator(".grip").focus()
    page.keyboard.press("ArrowRight")
    now = widths(page)
    assert now == {**before, "who": before["who"] + 32, "source": before["source"] - 32}
