"""Filters over the real sidecar: chips, values with counts, search, time, saved views."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.table import ROWS, choose, ids, loaded, query, trail

if TYPE_CHECKING:
    from tests.browser.conftest import Site, Window, Windows


def total(page: Page, count: int) -> None:
    """Wait until that many activities are found."""
    expect(page.locator("#showing")).to_have_text(re.compile(rf" of {count:,} items?$"))


def test_values_come_from_the_log_with_their_counts(window: Window, site: Site) -> None:
    """The popover lists what occurs, with the counts of the API; several values are any of."""
    page = trail(window, site)
    choose(page, "Source")
    facet = site.api("activities/facets?name=source")["facets"]["source"]
    options = page.locator("#menu .options label")
    expect(options).to_have_count(len(facet))
    shown = [text.split("\n") for text in options.all_inner_texts()]
    assert [[one["label"], f"{one['count']:,}"] for one in facet] == shown
    window.shoot("filter-values-wide-light")
    page.get_by_role("checkbox", name="API").check()
    total(page, site.api("activities?source=api")["page"]["total"])
    page.get_by_label("CLI").check()
    total(page, site.api("activities?source=api&source=cli")["page"]["total"])
    expect(page.locator(".chip.set")).to_contain_text("API, CLI")
    page.keyboard.press("Escape")
    choose(page, "Outcome")
    page.locator("#menu").get_by_label("Failure").check()
    total(page, site.api("activities?source=api&source=cli&outcome=failure")["page"]["total"])
    assert query(page) == {"source": ["api", "cli"], "outcome": ["failure"]}


def test_back_and_forward_and_a_pasted_link(window: Window, site: Site) -> None:
    """The address is the state: each step of filtering can be gone back and pasted."""
    page = trail(window, site, "/audit?source=api")
    count = site.api("activities?source=api")["page"]["total"]
    total(page, count)
    choose(page, "Outcome")
    page.locator("#menu").get_by_label("Failure").check()
    page.keyboard.press("Escape")
    total(page, site.api("activities?source=api&outcome=failure")["page"]["total"])
    page.go_back()
    total(page, count)
    expect(page.locator(".chip.set")).to_have_count(1)
    page.go_forward()
    expect(page.locator(".chip.set")).to_have_count(2)
    page.get_by_role("button", name="Remove the filter Source").click()
    total(page, site.api("activities?outcome=failure")["page"]["total"])
    page.get_by_role("button", name="Clear all").click()
    total(page, site.api("activities")["page"]["total"])


def test_values_are_found_by_typing(window: Window, site: Site) -> None:
    """A text narrows the values down, and a closed menu gives the focus back."""
    page = trail(window, site)
    choose(page, "Action")
    page.locator("#menu .find").fill("login_f")
    expect(page.locator("#menu .options label")).to_have_count(1)
    page.locator("#menu .options input").check()
    page.keyboard.press("Escape")
    total(page, site.api("activities?action=user.login_failed")["page"]["total"])
    assert page.evaluate("document.activeElement.id") == "add-filter"


def test_other_filters_take_a_text(window: Window, site: Site) -> None:
    """An address or network, and a part of an action, are typed; a wrong one says so."""
    page = trail(window, site)
    choose(page, "Action contains")
    page.locator("#menu input[name=value]").fill("server")
    page.keyboard.press("Enter")
    total(page, site.api("activities?action_contains=server")["page"]["total"])
    choose(page, "Address")
    page.locator("#menu input[name=value]").fill("not an address")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("The filter Address cannot be used like this")
    expect(page.locator(ROWS).first).to_be_visible()
    window.shoot("wrong-filter-wide-light")
    page.get_by_role("button", name="Remove Address").click()
    total(page, site.api("activities?action_contains=server")["page"]["total"])


def test_free_text(window: Window, site: Site) -> None:
    """A slash goes to the search, which finds by resource, action, name or e-mail address."""
    page = trail(window, site)
    page.keyboard.press("/")
    page.keyboard.type("web-prod")
    total(page, site.api("activities?q=web-prod")["page"]["total"])
    assert query(page)["q"] == ["web-prod"]
    page.locator("#search").fill("")
    total(page, site.api("activities")["page"]["total"])


def test_times_by_preset_and_of_ones_own(window: Window, site: Site) -> None:
    """24 hours, 7 and 30 days, or from and to in the zone that the page shows."""
    page = trail(window, site)
    for name, value in (("24 hours", "24h"), ("7 days", "7d"), ("30 days", "30d")):
        page.locator("[data-menu=filter-when]").click()
        page.locator("#menu .option", has_text=name).click()
        expect(page.locator(".chip.set")).to_contain_text(f"last {name}")
        assert query(page)["range"] == [value]
    page.click("#zone")
    page.locator("[data-menu=filter-when]").click()
    page.locator("#menu input[name=from]").fill("2020-01-01T10:00")
    page.locator("#menu form button").click()
    page.wait_for_url("**/audit?from=**")
    assert query(page) == {"from": ["2020-01-01T10:00:00.000Z"]}
    total(page, site.api("activities")["page"]["total"])


@pytest.mark.parametrize(
    ("zone", "summer", "winter", "offset"),
    [
        ("Europe/Berlin", "08:00", "09:00", "UTC+1"),
        ("America/St_Johns", "12:30", "13:30", "UTC\u22123:30"),
    ],
)
def test_ones_own_times_are_of_ones_own_zone(
    windows: Windows, site: Site, zone: str, summer: str, winter: str, offset: str
) -> None:
    """What is typed is local time, east and west of Greenwich, in summer and in winter."""
    window = windows(zone=zone)
    page = trail(window, site)
    for day, hours in (("2020-07-01", summer), ("2020-12-01", winter)):
        page.locator("[data-menu=filter-when]").click()
        page.locator("#menu input[name=from]").fill(f"{day}T10:00")
        page.locator("#menu form button").click()
        page.wait_for_url(f"**/audit?from={day}*")
        assert query(page) == {"from": [f"{day}T{hours}:00.000Z"]}
    page.goto(f"{site.url}/audit")
    loaded(page)
    page.locator(f"{ROWS} .toggle").first.click()
    expect(page.locator(".details dd time").first).to_contain_text(offset)


def test_a_range_is_brushed_by_mouse_and_by_keys(window: Window, site: Site) -> None:
    """Dragging over the histogram, or Shift and arrow keys, choose from and to."""
    page = trail(window, site)
    data = site.api("activities/histogram")
    buckets = data["buckets"]
    box = page.locator(".brush").bounding_box()
    assert box
    one = box["width"] / len(buckets)
    page.mouse.move(box["x"] + one * 2.5, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + one * 5.5, box["y"] + 20, steps=5)
    expect(page.locator(".chosen-text")).to_be_visible()
    window.shoot("brush-wide-light")
    page.mouse.up()
    page.wait_for_url("**/audit?from=**")
    chosen = query(page)
    assert chosen["from"] == [buckets[2]["at"]]
    assert chosen["to"] == [buckets[6]["at"]]
    total(page, sum(bucket["count"] for bucket in buckets[2:6]))
    page.go_back()
    expect(page.locator(".chip.set")).to_have_count(0)
    loaded(page)
    page.locator(".brush").focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    spoken = page.locator(".brush").get_attribute("aria-valuetext") or ""
    expected = buckets[1]["count"] + buckets[2]["count"]
    assert spoken.endswith(f"{expected:,} activities") or expected == 1
    page.keyboard.press("Enter")
    page.wait_for_url("**/audit?from=**")
    assert query(page)["from"] == [buckets[1]["at"]]
    total(page, expected)


def test_views_that_are_built_in(window: Window, site: Site) -> None:
    """Security, Critical, Failed, AI Pilot only and Reads of the log are one click away."""
    page = trail(window, site)
    wanted = {
        "Security": {"verb": ["authenticate", "permit"]},
        "Critical": {"critical": ["true"]},
        "Failed": {"outcome": ["failure"]},
        "AI Pilot only": {"source": ["agent"]},
        "Reads of the log": {"action_contains": ["activity_log."]},
    }
    for name, filters in wanted.items():
        page.click("#views")
        page.locator("#menu .option", has_text=name).click()
        expect(page.locator("#views")).to_have_text(name)
        assert query(page) == filters
        expect(page.locator("#activities, #empty")).to_be_visible()
    page.get_by_role("link", name="Security").click()
    expect(page.get_by_role("link", name="Security")).to_have_attribute("aria-current", "page")


def test_ones_own_views_are_kept(window: Window, site: Site) -> None:
    """A view of one's own is saved under a name, used again and forgotten."""
    page = trail(window, site, "/audit?source=cli&outcome=success")
    page.click("#views")
    page.get_by_label("Name of the view").fill("<b>Scripts that ran</b>")
    page.get_by_role("button", name="Save this view").click()
    expect(page.locator("#announcer")).to_have_text("The view <b>Scripts that ran</b> is saved")
    page.goto(f"{site.url}/audit")
    loaded(page)
    page.click("#views")
    own = page.locator("#menu .option", has_text="<b>Scripts that ran</b>")
    own.click()
    page.wait_for_url("**source=cli&outcome=success**")
    page.click("#views")
    page.get_by_role("button", name="Forget the view <b>Scripts that ran</b>").click()
    expect(own).to_have_count(0)


def test_a_time_of_another_year_says_so(window: Window, site: Site) -> None:
    """A year and five days do not read as five days."""
    year = datetime.now(UTC).year
    query = f"from={year - 1}-01-20T12:00:00Z&to={year}-01-25T12:00:00Z"
    when = window.open(f"{site.url}/audit?{query}").locator(".chip.set")
    expect(when).to_contain_text(f"When 20 Jan {year - 1}, 13:00 – 25 Jan {year}, 13:00")


def test_seconds_are_told_where_minutes_do_not_tell_apart(window: Window, site: Site) -> None:
    """Of a few seconds, on the chip, below the histogram and to who hears it."""
    at = datetime.fromisoformat(site.api("activities?size=25")["activities"][0]["@timestamp"])
    start, end = at.replace(microsecond=0), at.replace(microsecond=0) + timedelta(seconds=3)
    query = f"from={start:%Y-%m-%dT%H:%M:%SZ}&to={end:%Y-%m-%dT%H:%M:%SZ}"
    page = trail(window, site, f"/audit?{query}")
    told = rf":{start:%M:%S} – .*:{end:%M:%S}$"
    expect(page.locator(".chip.set .chip-name")).to_have_text(re.compile(told))
    ticks = page.locator(".ticks span").all_inner_texts()
    assert f"{start:%M:%S}" in ticks[0]
    assert len(set(ticks)) == len(ticks)
    spoken = page.locator(".brush").get_attribute("aria-valuetext") or ""
    assert re.search(r":\d\d:\d\d", spoken)
    page.locator(".chip.set .chip-name").click()
    page.locator("#menu form button").click()
    expect(page.locator("#menu")).to_be_hidden()
    expect(page.locator(".chip.set .chip-name")).to_have_text(re.compile(told))


def test_several_organizations_are_no_single_one(window: Window, site: Site) -> None:
    """The top of the page speaks for all of what is shown, and by the names of what it is of."""
    one, other = site.northwind, f"brightleaf{site.mark}"
    page = window.open(f"{site.url}/ai/entries?organization={one}&organization={other}")
    expect(page.locator("#organization")).to_have_value("")
    expect(page.locator(".chip.set")).to_contain_text("Northwind Labs, Brightleaf Agency")
    page.goto(f"{site.url}/ai/entries?organization={one}")
    expect(page.locator("#organization")).to_have_value(one)


def test_days_below_the_histogram_say_their_year_once(window: Window, site: Site) -> None:
    """The first of each year but this one, if none before it has said so."""
    page = trail(window, site)
    year = datetime.now(UTC).year
    told = page.evaluate(
        """async ([year]) => {
            const { day } = await import("/static/time.js");
            const days = [`${year - 2}-12-30`, `${year - 2}-12-31`, `${year - 1}-01-01`];
            return days.map((one, i) => day(one, "utc", days[i - 1]));
        }""",
        [year],
    )
    assert told == [f"30 Dec {year - 2}", "31 Dec", f"1 Jan {year - 1}"]


def test_a_view_is_shared_by_its_link(window: Window, site: Site) -> None:
    """Filters and columns, from the first page on, whatever page and row are open here."""
    page = trail(window, site, "/audit?source=cli&outcome=success&size=25")
    page.click("#columns")
    page.locator("#menu .option", has_text="Audit logs").click()
    page.goto(f"{site.url}/audit?source=cli&outcome=success&size=25")  # they are remembered
    loaded(page)
    page.locator("#activities .toggle").first.click()
    page.wait_for_url("**open=**")
    page.click("#views")
    expect(page.locator("#menu")).to_contain_text("A link shows the same to anyone who may see it")
    page.get_by_role("button", name="Copy a link to this view").click()
    expect(page.locator("#copy-view.did")).to_be_visible()
    link = page.evaluate("navigator.clipboard.readText()")
    assert parse_qs(urlsplit(link).query) == {
        "source": ["cli"],
        "outcome": ["success"],
        "columns": ["audit"],
        "size": ["25"],
    }
    page.goto(link)
    loaded(page)
    expect(page.locator("#columns")).to_contain_text("Audit logs")
    page.goto(f"{site.url}/audit")
    loaded(page)
    page.click("#views")
    expect(page.locator("#menu h3").first).to_be_visible()
    expect(page.locator("#copy-view")).to_have_count(0)


def test_nothing_found_names_the_filter_to_drop(window: Window, site: Site) -> None:
    """An empty answer says how many each filter keeps away."""
    page = window.open(f"{site.url}/audit?source=cli&q=thereisnosuchword")
    count = site.api("activities?source=cli")["page"]["total"]
    button = page.get_by_role("button", name=f"Without Search: {count:,} activities")
    expect(button).to_be_visible()
    window.shoot("empty-wide-light")
    button.click()
    total(page, count)
    assert ids(page)


def test_nothing_found_by_a_single_filter_says_what_there_is_without(
    window: Window, site: Site
) -> None:
    """One filter is weighed as several are."""
    page = window.open(f"{site.url}/audit?q=thereisnosuchword")
    count = site.api("activities")["page"]["total"]
    expect(page.get_by_role("button", name=f"Without Search: {count:,} activities")).to_be_visible()


def test_a_result_filters_by_what_it_shows(window: Window, site: Site) -> None:
    """The value behind a cell of the column Result is the one that stands in it."""
    page = trail(window, site, "/audit?columns=trail")
    cells = page.locator("td.c-result[data-value]")
    expect(cells.first).to_be_visible()
    shown = [text.strip().lower() for text in cells.all_inner_texts()]
    values = cells.evaluate_all("all => all.map((one) => one.dataset.value)")
    assert ["-" if text == "unknown" else text for text in shown] == values
    page.locator("td.c-result[data-value=completed]").first.focus()
    page.keyboard.press("x")
    total(page, site.api("activities?result=completed")["page"]["total"])


def test_a_range_that_ends_before_it_begins_is_not_asked_for(window: Window, site: Site) -> None:
    """The form says so at the field, and takes it once it is put right."""
    page = trail(window, site)
    page.locator("[data-menu=filter-when]").click()
    menu = page.locator("#menu")
    menu.get_by_label("From").fill("2026-02-02T10:00")
    menu.get_by_label("To").fill("2026-02-01T10:00")
    page.keyboard.press("Enter")
    said = menu.get_by_label("To").evaluate("one => one.validationMessage")
    assert said == "The end has to be later than the beginning."
    assert query(page) == {}
    window.shoot("range-backwards")
    menu.get_by_label("To").fill("2026-02-03T10:00")
    menu.get_by_role("button", name="Filter", exact=True).click()
    page.wait_for_url("**/audit?from=2026-02-02*to=2026-02-03*")


@pytest.mark.parametrize("lens", ["audit", "ai"])
def test_a_time_that_is_none_is_named(window: Window, site: Site, lens: str) -> None:
    """A link may hold anything: the filter is named, and the page goes on without it."""
    page = window.open(f"{site.url}/{lens}?from=yesterday&to=2026-13-45")
    failure = page.locator("#failure")
    expect(failure).to_contain_text("The filter When cannot be used like this")
    expect(failure).to_contain_text("From: This is neither a time nor a date.")
    expect(failure).not_to_contain_text("%2B")
    expect(page.get_by_role("navigation").first).to_be_visible()
    failure.get_by_role("button", name="Change When").click()
    expect(page.locator("#menu").get_by_label("From")).to_be_visible()
    page.keyboard.press("Escape")
    failure.get_by_role("button", name="Remove When").click()
    expect(page.locator("#failure")).to_have_count(0)
    expect(page.locator("#showing, .showing").first).to_contain_text("Showing 1–25")
