"""New entries in the table over the real sidecar: announced, and never in the reader's way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.browser.table import ROWS, ids, loaded, trail

if TYPE_CHECKING:
    from tests.browser.conftest import Site, Window, Windows


def test_new_activities_wait_behind_a_pill(window: Window, site: Site) -> None:
    """What happens now is announced and moves nothing until one asks for it."""
    page = trail(window, site)
    expect(page.locator("#live.on")).to_be_visible(timeout=50_000)
    before = ids(page)
    page.locator(f"{ROWS} .toggle").nth(3).focus()
    at = page.locator(ROWS).nth(3).bounding_box()
    first, second = site.happen(name="fresh-1"), site.happen(name="fresh-2")
    pill = page.locator("#fresh")
    expect(pill).to_have_text("2 new activities")
    assert ids(page) == before
    assert page.locator(ROWS).nth(3).bounding_box() == at
    window.shoot("new-activities-wide-light")
    pill.click()
    expect(page.locator(ROWS).first).to_have_attribute("data-id", second)
    assert ids(page)[1] == first
    expect(pill).to_have_count(0)


def test_live_updates_can_be_paused(window: Window, site: Site) -> None:
    """A paused page says so, also after a reload."""
    page = trail(window, site)
    page.click("#live")
    expect(page.locator("#live")).to_have_text("Paused")
    page.reload()
    expect(page.locator("#live")).to_have_text("Paused")


def test_a_link_to_a_row_still_shows_it_later(windows: Windows, site: Site) -> None:
    """With an open row the address says when: what came since waits behind the pill."""
    page = trail(windows(), site, "/audit?source=ui")
    page.locator(f"{ROWS} .toggle").nth(24).click()
    opened = ids(page)[24]
    link = page.url
    for number in range(3):
        site.happen(name=f"later-{number}")
    later = windows().open(link)
    loaded(later)
    expect(later.locator(f'tr[data-id="{opened}"]')).to_have_class("row open")
    expect(later.locator("#fresh")).to_have_text("3 new activities")
    later.click("#fresh")
    expect(later.locator(ROWS).first).to_contain_text("later-2")


def test_reading_is_nothing_new(windows: Windows, site: Site) -> None:
    """What the page's own reading adds to the log does not light the pill, other things do."""
    page = trail(windows(), site, "/audit?source=ui")
    page.locator(f"{ROWS} .toggle").nth(1).click()
    link = page.url
    site.happen(name="read", action="activity_log.fetch_all")
    site.happen(name="done")
    later = windows().open(link)
    loaded(later)
    expect(later.locator("#fresh")).to_have_text("1 new activity")


def test_the_card_is_read_again_each_minute(window: Window, site: Site) -> None:
    """A dashboard that stays open shows what happened since; not before its minute is over."""
    page = window.page
    page.clock.install()
    opened = datetime.now(UTC)
    window.open(f"{site.url}/")
    first = page.locator("activity-recent li").first
    expect(first.locator("time")).to_be_visible()
    site.happen(name="on the card")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    # However long that took: the clock has gone on meanwhile, and stands from here on.
    page.clock.pause_at(opened + timedelta(seconds=59))
    assert not [url for url in asked if "/recent" in url]
    page.clock.run_for(60_000)
    expect(first).to_contain_text("on the card")
