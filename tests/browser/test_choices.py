"""What a person chooses holds after a reload; what the page says to a screen reader is true."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.browser.table import ROWS, ids, loaded, query, trail

if TYPE_CHECKING:
    from tests.browser.conftest import Site, Window

THEME = "document.documentElement.dataset.theme ?? 'system'"


def test_the_theme_goes_round_and_is_remembered(window: Window, site: Site) -> None:
    """System, light, dark and round again; after a reload it is there before the first paint."""
    page = trail(window, site)
    assert page.evaluate(THEME) == "system"
    seen = []
    for _ in range(3):
        page.click("#theme")
        seen.append(page.evaluate(THEME))
    assert seen == ["light", "dark", "system"]
    page.click("#theme")
    page.click("#theme")
    page.reload()
    loaded(page)
    assert page.evaluate(THEME) == "dark"
    back = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.click("#theme")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != back


def test_the_zone_is_remembered(window: Window, site: Site) -> None:
    """`t` switches all times between local and UTC, and the next visit has the same."""
    page = trail(window, site)
    local = page.locator("#zone").inner_text()
    page.keyboard.press("t")
    expect(page.locator("#zone")).to_have_text("UTC")
    page.reload()
    loaded(page)
    expect(page.locator("#zone")).to_have_text("UTC")
    page.keyboard.press("t")
    expect(page.locator("#zone")).to_have_text(local)


def test_keys_turn_pages_and_refresh(window: Window, site: Site) -> None:
    """`n` and `p` turn pages, `r` reads the list anew."""
    page = trail(window, site)
    first = ids(page)
    page.keyboard.press("n")
    expect(page.locator("#showing")).to_contain_text("Showing 26–50")
    assert query(page)["page"] == ["2"]
    page.keyboard.press("p")
    expect(page.locator("#showing")).to_contain_text("Showing 1–25")
    assert ids(page) == first
    fresh = site.happen(name="for-r")
    page.keyboard.press("r")
    expect(page.locator(ROWS).first).to_have_attribute("data-id", fresh)


def test_what_a_screen_reader_is_told(window: Window, site: Site) -> None:
    """The title names the view, the sorted column says so, an opener says whether it is open."""
    page = trail(window, site)
    expect(page).to_have_title("Audit trail · Activity Center")
    sorted_by = page.locator("#activities th[aria-sort]")
    expect(sorted_by).to_have_count(1)
    expect(sorted_by).to_have_attribute("aria-sort", "descending")
    assert "When" in sorted_by.inner_text()
    opener = page.locator(f"{ROWS} .toggle").first
    expect(opener).to_have_attribute("aria-expanded", "false")
    opener.click()
    expect(opener).to_have_attribute("aria-expanded", "true")
    page.goto(f"{site.url}/nowhere")
    expect(page).to_have_title("Not found · Activity Center")


def test_each_column_has_a_name_of_its_own(window: Window, site: Site) -> None:
    """A head is named once, and no two alike."""
    page = trail(window, site, "/audit?columns=audit&action=user.login")
    names = page.locator("#activities > thead").get_by_role("columnheader")
    spoken = names.evaluate_all(
        "all => all.map((one) => one.getAttribute('aria-label') ?? one.innerText.trim())"
    )
    assert spoken == [
        *("Open or close", "Timestamp", "User", "Action", "Resource", "Address", "Details")
    ]
    for name in spoken:
        expect(page.get_by_role("columnheader", name=name, exact=True)).to_have_count(1)
