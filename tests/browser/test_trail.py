"""The table of activities over the real sidecar: what it shows and how one moves in it."""

from __future__ import annotations

import json
import re
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.table import ROWS, heads, ids, loaded, query, trail

if TYPE_CHECKING:
    from tests.browser.conftest import Site, Window, Windows


def test_the_newest_come_first_with_the_exact_total(window: Window, site: Site) -> None:
    """A real table of 25 rows, newest first, and "Showing 1–25 of N items" as the API counts."""
    page = trail(window, site)
    answer = site.api("activities")
    assert ids(page) == [one["id"] for one in answer["activities"]]
    total = f"{answer['page']['total']:,}"
    expect(page.locator("#showing")).to_have_text(f"Showing 1–25 of {total} items")
    expect(page.locator("#export")).to_have_text(f"Export {total} activities")
    assert page.locator("#activities > thead th[scope=col]").count() == len(heads(page)) + 1
    window.shoot("audit-wide-light")


def test_each_seed_has_its_columns_and_the_choice_is_remembered(window: Window, site: Site) -> None:
    """The column sets of the five products can be chosen, and last over a reload."""
    page = trail(window, site)
    wanted = {
        "AI audit trail": "Time Source Actor Approver Action Target Result",
        "Activity logs": "When Type Action User Organization Workspace Identifier"
        " Old value New value",
        "Activity log": "Name Action Created at User",
        "Audit logs": "Timestamp User Action Resource Address Details",
        "Activity center": "When Action Resource Project Who Source Outcome",
    }
    for name, columns in wanted.items():
        page.click("#columns")
        page.locator("#menu .option", has_text=re.compile(f"^{name}$")).click()
        assert " ".join(heads(page)) == columns
        window.shoot(f"columns-{name.lower().replace(' ', '-')}")
    page.click("#columns")
    page.locator("#menu .option", has_text="Audit logs").click()
    page.goto(f"{site.url}/audit")
    loaded(page)
    assert " ".join(heads(page)) == wanted["Audit logs"]


def test_columns_take_another_width_by_mouse_and_by_key(window: Window, site: Site) -> None:
    """A column is resized by dragging its edge or with arrow keys, and stays so."""
    page = trail(window, site)
    head = page.locator("th", has=page.locator("[data-head=action]"))
    grip = head.locator(".grip")
    before = head.bounding_box()
    box = grip.bounding_box()
    assert before and box
    page.mouse.move(box["x"] + 6, box["y"] + 6)
    page.mouse.down()
    page.mouse.move(box["x"] + 66, box["y"] + 6, steps=4)
    page.mouse.up()
    dragged = head.bounding_box()
    assert dragged and abs(dragged["width"] - before["width"] - 60) < 3
    grip.focus()
    page.keyboard.press("ArrowLeft")
    keyed = head.bounding_box()
    assert keyed and abs(dragged["width"] - keyed["width"] - 16) < 2
    page.reload()
    loaded(page)
    again = head.bounding_box()
    assert again and abs(again["width"] - keyed["width"]) < 2


def test_columns_change_places_by_mouse_and_by_key(window: Window, site: Site) -> None:
    """A head is dragged onto another, or moved with Alt and arrow keys, and stays there."""
    page = trail(window, site)
    page.locator("[data-head=action]").focus()
    page.keyboard.press("Alt+ArrowRight")
    assert heads(page)[:3] == ["When", "Resource", "Action"]
    assert page.evaluate("document.activeElement.dataset.head") == "action"
    expect(page.locator("#announcer")).to_have_text("Action is now column 3 of 7")
    page.locator("[data-head=outcome]").drag_to(page.locator("[data-head=when]"))
    assert heads(page)[0] == "Outcome"
    page.reload()
    loaded(page)
    assert heads(page)[:2] == ["Outcome", "When"]


def test_times_are_relative_and_tell_the_exact_one(window: Window, site: Site) -> None:
    """A row says how long ago; hovering and focusing say exactly when, in the zone chosen."""
    page = trail(window, site)
    moment = page.locator(f"{ROWS} time").first
    assert re.fullmatch(r"\d+ (s|min|h|d) ago", moment.inner_text())
    iso = moment.get_attribute("datetime") or ""
    assert iso == site.api("activities")["activities"][0]["@timestamp"]
    moment.hover()
    tip = page.locator("#tip")
    expect(tip).to_be_visible()
    assert re.fullmatch(r"\d+ \w{3,4} \d{4}, \d\d:\d\d:\d\d\.\d{3} UTC\+[12]", tip.inner_text())
    page.mouse.move(0, 0)
    expect(tip).to_be_hidden()
    page.click("#zone")
    expect(page.locator("#zone")).to_have_text("UTC")
    page.locator(f"{ROWS} .toggle").first.focus()
    page.keyboard.press("ArrowRight")
    utc = datetime.fromisoformat(iso).astimezone(UTC)
    expect(tip).to_have_text(re.compile(rf"^{utc.day} .*, {utc:%H:%M:%S}\.\d{{3}} UTC$"))


def test_a_row_opens_with_everything(window: Window, site: Site) -> None:
    """Enter opens a row: who and where, old and new, and the whole as JSON to copy."""
    page = trail(window, site, "/audit?verb=update&type=Services")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    details = page.locator(".details")
    expect(details).to_be_visible()
    activity = site.api(f"activities/{ids(page)[0]}")
    change = activity["activity"]["changes"][0]
    cells = details.locator(".diff tbody tr").first.locator("th, td").all_inner_texts()
    assert cells == [change["field"], change["old"], change["new"]]
    expect(details.locator("dl").first).to_contain_text(activity["source"]["ip"])
    details.locator(".copy").click()
    expect(details.locator(".copy.did")).to_be_visible()
    assert json.loads(page.evaluate("navigator.clipboard.readText()")) == activity
    window.shoot("row-open-wide-light")
    assert query(page)["open"] == [activity["id"]]
    page.reload()
    loaded(page)
    expect(details).to_be_visible()
    page.keyboard.press("Escape")
    expect(details).to_have_count(0)


def test_a_row_filters_by_its_user_resource_and_address(window: Window, site: Site) -> None:
    """The details offer the same user, resource and address as filters."""
    page = trail(window, site, "/audit?verb=update&type=Services")
    page.locator(f"{ROWS} .toggle").first.click()
    activity = site.api(f"activities/{ids(page)[0]}")
    page.get_by_role("button", name="this user").click()
    page.locator(".chip-name", has_text=activity["user"]["full_name"]).wait_for()
    assert query(page)["actor"] == [activity["user"]["id"]]
    loaded(page)
    assert set(page.locator(f"{ROWS} .c-who").all_inner_texts()) == {
        page.locator(f"{ROWS} .c-who").first.inner_text()
    }


def test_an_agents_entry_shows_decision_output_and_error(window: Window, site: Site) -> None:
    """Who asked, who decided, with what result: on the entries of a chain."""
    page = trail(window, site, "/ai/entries?action=agent.proposal.denied")
    page.locator(f"{ROWS} .toggle").first.click()
    activity = site.api(f"activities/{ids(page)[0]}")["activity"]
    part = page.locator(".agent-part")
    expect(part).to_contain_text(activity["approver"]["full_name"])
    expect(part).to_contain_text(activity["initiator"]["full_name"])
    expect(part.locator("dd", has_text="Denied").first).to_be_visible()
    window.shoot("agent-open-wide-light")
    page.goto(
        f"{site.url}/ai/entries?result=failed&action=agent.proposal.executed&action=agent.deploy"
    )
    loaded(page)
    page.locator(f"{ROWS} .toggle").first.click()
    failed = site.api(f"activities/{ids(page)[0]}")
    text = failed["activity"].get("execution", {}).get("error") or failed["error"]["message"]
    expect(page.locator(".details .failure")).to_contain_text(text[:60])


def test_pages_are_numbered_and_stay_the_same_while_entries_arrive(
    window: Window, site: Site
) -> None:
    """Page 2 goes on where page 1 ended, by a point in time; a gap takes a number."""
    page = trail(window, site)
    first = ids(page)
    page.get_by_role("button", name="Page 2", exact=True).click()
    loaded(page)
    expect(page.locator("#showing")).to_contain_text("Showing 26–50 of")
    assert not set(first) & set(ids(page))
    as_of = query(page)["as_of"][0]
    again = site.api(f"activities?page=2&as_of={as_of}")
    assert ids(page) == [one["id"] for one in again["activities"]]
    page.get_by_role("button", name="Go to a page").first.click()
    page.locator("input.gap").fill("7")
    page.keyboard.press("Enter")
    expect(page.locator("#showing")).to_contain_text("Showing 151–175 of")
    page.go_back()
    expect(page.locator("#showing")).to_contain_text("Showing 26–50 of")
    page.go_back()
    expect(page.locator("#showing")).to_contain_text("Showing 1–25 of")


def test_the_page_size_is_remembered(window: Window, site: Site) -> None:
    """50 a page stays 50 a page; it is asked for once."""
    page = trail(window, site)
    page.goto(f"{site.url}/audit?page=2")
    loaded(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.select_option("#page-size", "50")
    expect(page.locator(ROWS)).to_have_count(50)
    assert len([url for url in asked if "/activities?" in url]) == 1
    page.goto(f"{site.url}/audit")
    expect(page.locator(ROWS)).to_have_count(50)


def test_keys_move_open_filter_and_give_the_focus_back(window: Window, site: Site) -> None:
    """j and k move, Enter opens, x filters by the focused value, ? lists, Esc closes."""
    page = trail(window, site)
    page.keyboard.press("j")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("k")
    focused = "document.activeElement.closest('tr').dataset.id"
    assert page.evaluate(focused) == ids(page)[0]
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).to_be_hidden()
    assert page.evaluate(focused) == ids(page)[0]
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    action = site.api("activities")["activities"][0]["event"]["action"]
    page.keyboard.press("x")
    expect(page.locator(".chip.set")).to_contain_text(action)
    assert query(page)["action"] == [action]
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "search"
    page.locator("#search").blur()
    page.keyboard.press("f")
    expect(page.locator("#menu")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#menu")).to_be_hidden()
    expect(page.locator("#add-filter")).to_be_focused()
    page.keyboard.press("g")
    page.keyboard.press("i")
    page.wait_for_url("**/ai")
    page.keyboard.press("g")
    page.keyboard.press("a")
    page.wait_for_url("**/audit")


def test_a_deleted_resource_has_no_link(window: Window, site: Site) -> None:
    """The link of a resource leads to it; once it is deleted, it is disabled and says so."""
    page = trail(window, site, "/audit?action=site.delete&action=server.delete&outcome=success")
    activity = site.api("activities?action=site.delete&action=server.delete&outcome=success")
    gone = next(one for one in activity["activities"] if one["activity"]["resource"]["deleted"])
    row = page.locator(f'tr[data-id="{gone["id"]}"]')
    link = row.get_by_role("link")
    expect(link).to_have_attribute("aria-disabled", "true")
    assert link.get_attribute("href") is None
    expect(row).to_contain_text("deleted")
    page.goto(f"{site.url}/audit?verb=update&type=Services")
    loaded(page)
    there = page.locator(f"{ROWS} a.resource").first
    assert (there.get_attribute("href") or "").startswith("https://")


def test_organizations_have_a_page_each(window: Window, site: Site) -> None:
    """The switcher opens /organizations/<id>/activity-logs, which shows that organization alone."""
    page = trail(window, site)
    page.select_option("#organization", label="Northwind Labs")
    page.wait_for_url(f"**/organizations/{site.northwind}/activity-logs")
    loaded(page)
    total = site.api(f"organizations/{site.northwind}/activity-logs")["page"]["total"]
    expect(page.locator("#showing")).to_contain_text(f"of {total:,} items")
    assert set(page.locator(f"{ROWS} .c-organization").all_inner_texts()) <= {"Northwind Labs"}
    assert heads(page)[:2] == ["When", "Type"]
    window.shoot("organization-wide-light")


def test_the_card_shows_the_six_latest(window: Window, site: Site) -> None:
    """The dashboard's card: six entries and a way to all of them."""
    page = window.open(f"{site.url}/")
    expect(page.locator("activity-recent li")).to_have_count(6)
    expect(page.locator("activity-recent .bone")).to_have_count(0)
    latest = site.api("activities/recent")["activities"][0]
    first = page.locator("activity-recent li").first
    expect(first).to_contain_text(latest["activity"]["resource"]["name"])
    window.shoot("home-wide-light")
    page.get_by_role("link", name="Show more").click()
    loaded(page)


def test_on_a_phone_a_row_has_two_lines_and_nothing_scrolls_sideways(
    windows: Windows, site: Site
) -> None:
    """390 pixels: action and resource, who and when; what is touched is 40 pixels high."""
    window = windows(size=(390, 844))
    page = trail(window, site)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    row = page.locator(ROWS).first
    box = row.bounding_box()
    assert box and box["height"] < 90
    tops = [
        row.locator(f".c-{name}").bounding_box() for name in ("action", "resource", "who", "when")
    ]
    action, resource, who, when = (found["y"] if found else 0 for found in tops)
    assert abs(action - resource) < 8 < who - action
    assert abs(who - when) < 8
    small = page.locator("main :is(button, a, select, input):visible").evaluate_all(
        "all => all.filter((one) => one.getBoundingClientRect().height < 40"
        " && !one.closest('td.cell')).map((one) => one.outerHTML.slice(0, 120))"
    )
    assert small == []
    window.shoot("audit-phone-light")
    row.locator(".toggle").click()
    expect(page.locator(".details")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    window.shoot("row-open-phone-light")
    page.click(".sheet-opener")
    menu = page.locator("#menu").bounding_box()
    assert menu and menu["width"] == 390 and round(menu["y"] + menu["height"]) == 844
    window.shoot("filters-phone-light")


def test_a_large_entry_is_whole_once_it_is_open(window: Window, site: Site) -> None:
    """A list has large entries in part alone: who opens one gets everything, by a link too."""
    end = f"end-of-{uuid.uuid4().hex}"
    id_ = site.happen(name="large", metadata={"long": "x" * 15_000, "z": end}, size=17_000)
    page = trail(window, site)
    page.locator(f'tr[data-id="{id_}"] .toggle').click()
    expect(page.locator(".everything pre")).to_contain_text(end)
    page.goto(page.url)
    expect(page.locator(".everything pre")).to_contain_text(end)


@pytest.mark.parametrize("width", [320, 641, 768, 1024, 1920])
def test_no_width_scrolls_the_page_sideways(windows: Windows, site: Site, width: int) -> None:
    """From a small phone to a wide screen: only the table's own frame scrolls, if anything."""
    window = windows(size=(width, 800), dark=width == 1920)
    page = trail(window, site, f"/organizations/{site.northwind}/activity-logs?outcome=failure")
    page.locator(f"{ROWS} .toggle").first.click()
    expect(page.locator(".details")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    details = page.locator(".details").bounding_box()
    assert details and details["x"] >= 0 and details["x"] + details["width"] <= width
    window.shoot(f"width-{width}")
