"""A lens that is left again while what it needs is still on its way."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.table import loaded

if TYPE_CHECKING:
    from playwright.sync_api import Route

    from tests.browser.conftest import Site, Window


@pytest.mark.parametrize(("key", "lens"), [("i", "proposals"), ("p", "processes")])
def test_what_comes_too_late_starts_nothing(
    window: Window, site: Site, key: str, lens: str
) -> None:
    """Who goes on before a lens has its style sees the next page, and nothing of the lens is asked
    for or followed behind it."""
    page = window.page
    style = f"**/static/styles/{lens}.css"
    held: list[Route] = []
    asked: list[str] = []
    page.route(style, lambda route: held.append(route))
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: asked.append(socket.url))
    page.goto(f"{site.url}/audit")
    loaded(page)
    with page.expect_request(style):
        page.keyboard.press("g")
        page.keyboard.press(key)
    page.keyboard.press("g")
    page.keyboard.press("a")
    page.wait_for_url("**/audit")
    loaded(page)
    asked.clear()
    with page.expect_response(style):
        held[0].continue_()
    with page.expect_response("**/api/v1/activities?**"):
        page.click("#refresh")
    loaded(page)
    expect(page.locator("#activities")).to_be_visible()
    assert not [url for url in asked if re.search(r"/ws/|/api/v1/(processes|proposals)", url)]
