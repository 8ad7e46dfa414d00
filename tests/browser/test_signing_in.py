"""Who is not signed in, and who may not see something, over the real sidecar."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.browser.table import loaded

if TYPE_CHECKING:
    from tests.browser.conftest import Site, Window


def test_one_signs_in_as_somebody_else_and_out_again(window: Window, site: Site) -> None:
    """The sign-in page offers what the server does; a member sees what a member may see."""
    page = window.page
    page.goto(f"{site.url}/audit")
    loaded(page)
    everything = page.locator("#showing").inner_text()
    page.goto(f"{site.url}/login")
    page.get_by_role("button", name="Lena Thiele").click()
    page.wait_for_url(f"{site.url}/audit")
    expect(page.locator("#empty")).to_contain_text("Nothing of yours is on record here yet")
    page.goto(f"{site.url}/organizations/{site.northwind}/activity-logs")
    own = "You see what you did yourself; the whole trail takes the permission org:audit."
    expect(page.locator("#empty")).to_contain_text(own)
    window.shoot("own-only-wide-light")
    page.goto(f"{site.url}/organizations/brightleaf{site.mark}/activity-logs")
    failure = page.locator("#failure")
    expect(failure).to_contain_text("It takes the permission org:audit")
    expect(failure.get_by_role("link", name="See what you did yourself")).to_be_visible()
    window.shoot("forbidden-wide-light")
    page.click("#account")
    expect(page.locator("#menu")).to_contain_text("Lena Thiele")
    expect(page.locator("#menu")).to_contain_text("Member")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(f"{site.url}/login")
    page.goto(f"{site.url}/audit")
    page.wait_for_url(f"{site.url}/login?next=%2Faudit")
    page.get_by_role("button", name="Mira Kovač").click()
    page.wait_for_url(f"{site.url}/audit")
    loaded(page)
    assert page.locator("#showing").inner_text() == everything


def test_the_sign_in_page_leads_back(window: Window, site: Site) -> None:
    """Who signs in is led on to where they wanted; never to another site."""
    page = window.page
    page.goto(f"{site.url}/login?next=/audit%3Fsource%3Dapi")
    page.get_by_role("button", name="Mira Kovač").click()
    page.wait_for_url("**/audit?source=api")
    for elsewhere in ("//evil.example/audit", "https://evil.example/", "/%5Cevil.example"):
        page.goto(f"{site.url}/login?next={elsewhere}")
        page.get_by_role("button", name="Mira Kovač").click()
        page.wait_for_url(f"{site.url}/audit")
