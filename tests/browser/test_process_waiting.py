"""Active Processes before anything is known: while it loads, and while nobody answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.process_stand_in import Processes
from tests.browser.test_processes import live, sample

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.conftest import Window, Windows

DOWN = (503, {"title": "Unavailable", "detail": "No answer in time.", "status": 503})


@pytest.fixture
def server() -> Iterator[Processes]:
    """A stand-in with one process of each kind."""
    made = Processes(*sample())
    yield made
    made.close()


def silent(page: Page) -> None:
    """Let no answer about processes come."""
    page.route("**/api/v1/processes**", lambda _: None)
    page.route_web_socket("**/ws/**", lambda _: None)


def test_nothing_is_counted_before_it_is_known(windows: Windows, server: Processes) -> None:
    """While it loads and while nobody answers the choices have no numbers; then they have, also
    after the connection is lost."""
    shows = ["All", "Needs a look", "Running"]
    page = windows().page
    silent(page)
    page.goto(f"{server.url}/processes")
    expect(page.locator(".bone").first).to_be_visible()
    expect(page.locator(".shows button")).to_have_text(shows)
    window = windows()
    server.answers = {"/ws/processes": DOWN, "/api/v1/processes/live": DOWN}
    page = window.page
    page.goto(f"{server.url}/processes")
    expect(page.locator("#failure")).to_be_visible()
    expect(page.locator(".shows button")).to_have_text(shows)
    server.answers = {}
    page.locator("#failure").get_by_role("button", name="Try now").click()
    live(page)
    counted = ["All 5", "Needs a look 2", "Running 2"]
    expect(page.locator(".shows button")).to_have_text(counted)
    window.context.set_offline(True)
    expect(page.locator("#connection")).to_contain_text("what is shown is from before")
    expect(page.locator(".shows button")).to_have_text(counted)
    window.context.set_offline(False)
    expect(page.locator("#connection")).to_contain_text("nothing missed")
    window.wrong.clear()


def test_one_that_loads_has_the_shape_of_what_comes(windows: Windows, server: Processes) -> None:
    """Its head, and beside each other what becomes steps and output; nothing of it jumps."""
    page = windows().page
    silent(page)
    page.goto(f"{server.url}/processes/cert-7")
    expect(page.get_by_role("heading", level=1, name="cert-7")).to_be_visible()
    expect(page.locator(".one > *")).to_have_count(2)
    expect(page.locator(".process.bones")).to_have_count(0)
    parts = ".one-head h1", ".one-side", ".one > :last-child"
    waiting = [page.locator(part).bounding_box() for part in parts]
    page.unroute_all()
    page = windows().page
    page.goto(f"{server.url}/processes/cert-7")
    expect(
        page.get_by_role("heading", level=1, name="Certificate for shop.example")
    ).to_be_visible()
    for before, part in zip(waiting, parts, strict=True):
        after = page.locator(part).bounding_box()
        assert before and after
        assert before["x"] == after["x"], part
        if part != ".one-head h1":
            assert before["width"] == after["width"], part


def test_one_that_fails_has_a_box(window: Window, server: Processes) -> None:
    """The error stands in a panel below the head, with the next step; then the process is there."""
    server.answers["/api/v1/processes/cert-7"] = DOWN
    window.page.route_web_socket("**/ws/**", lambda _: None)
    page = window.open(f"{server.url}/processes/cert-7")
    expect(page.locator(".panel > #failure")).to_contain_text("No answer in time.")
    expect(page.get_by_role("heading", level=1, name="cert-7")).to_be_visible()
    server.answers.clear()
    page.locator("#failure").get_by_role("button", name="Try again").click()
    expect(
        page.get_by_role("heading", level=1, name="Certificate for shop.example")
    ).to_be_visible()
    window.wrong.clear()
