"""What the page keeps for who reads, and what it does when not all can be had."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from flask import Response
from playwright.sync_api import expect

from tests.browser.stand_in import StandIn
from tests.browser.table import choose, heads, loaded
from tests.sidecar_api.search.documents import document

if TYPE_CHECKING:
    from tests.browser.conftest import Window

ROW = b'{"id": "1"}\n'


@pytest.fixture
def server() -> Iterator[StandIn]:
    """A stand-in with sixty entries of sixty people."""
    now = datetime.now(UTC)
    made = StandIn(
        [
            {
                "id": f"e-{number}",
                **document(
                    at=now - timedelta(minutes=number),
                    user__id=f"usr_{number:02d}",
                    user__full_name=f"Person {number:02d}",
                    organization__id="northwind",
                ),
            }
            for number in range(60)
        ]
    )
    yield made
    made.close()


def test_a_saved_view_has_its_columns(window: Window, server: StandIn) -> None:
    """Used again, it shows the columns that it was saved with, whichever are chosen then."""
    page = window.open(f"{server.url}/audit?columns=log&outcome=success")
    loaded(page)
    saved = heads(page)
    page.click("#views")
    page.get_by_label("Name of the view").fill("Mine")
    page.get_by_role("button", name="Save this view").click()
    page.goto(f"{server.url}/audit?columns=audit")
    loaded(page)
    assert heads(page) != saved
    page.click("#views")
    page.locator("#menu .option", has_text="Mine").click()
    page.wait_for_url("**columns=log**")
    loaded(page)
    assert heads(page) == saved


def test_a_view_is_replaced_knowingly(window: Window, server: StandIn) -> None:
    """A name that is taken says so before it is saved, and then it is the new view's."""
    page = window.open(f"{server.url}/audit?range=7d")
    loaded(page)
    for address in ("range=7d", "range=24h"):
        page.goto(f"{server.url}/audit?{address}")
        loaded(page)
        page.click("#views")
        page.get_by_label("Name of the view").fill("Mine")
        if address == "range=7d":
            page.get_by_role("button", name="Save this view").click()
            continue
        expect(page.locator("#menu")).to_contain_text("You have a view of this name.")
        expect(page.get_by_role("button", name="Save this view")).to_have_count(0)
        window.shoot("view-taken")
        page.get_by_role("button", name="Replace it by this view").click()
    page.goto(f"{server.url}/audit")
    loaded(page)
    page.click("#views")
    page.locator("#menu .option", has_text="Mine").click()
    page.wait_for_url("**range=24h**")


def test_a_view_that_is_forgotten_comes_back(window: Window, server: StandIn) -> None:
    """At its place and with the focus on the way back, as long as the menu is open."""
    page = window.open(f"{server.url}/audit?outcome=success")
    loaded(page)
    for name in ("One", "Two"):
        page.click("#views")
        page.get_by_label("Name of the view").fill(name)
        page.get_by_role("button", name="Save this view").click()
    page.click("#views")
    own = page.locator("#menu .with-drop")
    page.get_by_role("button", name="Forget the view One").focus()
    page.keyboard.press("Enter")
    expect(own).to_have_text(["Two"])
    expect(page.get_by_role("button", name="Undo")).to_be_focused()
    window.shoot("view-forgotten")
    page.keyboard.press("Enter")
    expect(own).to_have_text(["One", "Two"])
    assert page.evaluate("document.activeElement.closest('#menu') !== null")
    page.get_by_role("button", name="Forget the view One").click()
    page.keyboard.press("Escape")
    page.click("#views")
    expect(own).to_have_text(["Two"])
    expect(page.get_by_role("button", name="Undo")).to_have_count(0)


def test_what_a_view_is_stands_where_there_is_none(window: Window, server: StandIn) -> None:
    """It has the columns too."""
    page = window.open(f"{server.url}/audit")
    loaded(page)
    page.click("#views")
    expect(page.locator("#menu")).to_contain_text("the filters and columns of this page")


def test_widths_and_order_are_put_back(window: Window, server: StandIn) -> None:
    """By one button, also for the next visit."""
    page = window.open(f"{server.url}/audit")
    loaded(page)
    usual = heads(page)
    width = page.locator("th", has=page.locator("[data-head=action]")).bounding_box()
    page.locator("[data-head=action]").focus()
    page.keyboard.press("Alt+ArrowRight")
    page.locator("th", has=page.locator("[data-head=action]")).locator(".grip").focus()
    page.keyboard.press("ArrowRight")
    assert heads(page) != usual
    page.click("#columns")
    page.get_by_role("button", name="Reset widths and order").click()
    assert heads(page) == usual
    page.reload()
    loaded(page)
    assert heads(page) == usual
    assert page.locator("th", has=page.locator("[data-head=action]")).bounding_box() == width


def test_the_chip_of_a_resource_has_its_id(window: Window, server: StandIn) -> None:
    """Two that have one name are told apart, in the chip and in the list of filters."""
    for number, one in enumerate(server.activities[:2]):
        one["activity"]["resource"] = {"id": f"bkp_{number}", "name": "shop_prod", "type": "backup"}
    page = window.open(f"{server.url}/audit?resource_id=bkp_1")
    loaded(page)
    expect(page.locator(".chip.set b")).to_have_text("shop_prod (bkp_1)")
    page.click("#add-filter")
    expect(page.locator("#menu .option", has_text="Resource id")).to_contain_text("(bkp_1)")


def test_what_was_missed_is_announced_as_more(window: Window, server: StandIn) -> None:
    """A live tail that cannot catch up says that there is more, and reading the list shows it."""
    page = window.open(f"{server.url}/audit")
    expect(page.locator("#live.on")).to_be_visible()
    server.activities.insert(0, {**server.activities[0], "id": "missed"})
    server.forget()
    expect(page.locator("#fresh")).to_have_text("1 or more new activities")
    page.click("#fresh")
    expect(page.locator("#activities tr.row").first).to_have_attribute("data-id", "missed")
    expect(page.locator("#fresh")).to_have_count(0)


def test_many_values_ask_for_a_word(window: Window, server: StandIn) -> None:
    """Of more values than a list shows it says how many are left, and finds them by a part."""
    page = window.open(f"{server.url}/audit")
    loaded(page)
    choose(page, "User")
    rest = page.locator("#menu .rest")
    expect(rest).to_have_text("10 more: type to narrow down")
    page.get_by_label("Find a value").fill("usr_59")
    expect(page.locator("#menu .option", has_text="usr_59")).to_be_visible()
    expect(rest).to_have_count(0)


def whole(rows: int, said: int) -> Response:
    """An export of so many rows, whose manifest says so many bytes."""
    manifest = json.dumps({"manifest": {"count": rows, "complete": True, "bytes": said}})
    return Response(ROW * rows + manifest.encode() + b"\n", content_type="application/x-ndjson")


@pytest.mark.parametrize(("said", "saved"), [(20 * len(ROW), True), (19 * len(ROW), False)])
def test_a_file_is_as_long_as_its_manifest_says(
    window: Window, server: StandIn, said: int, saved: bool
) -> None:
    """One that lost something on the way, but not its end, is not saved."""
    server.export = lambda: whole(20, said)
    page = window.open(f"{server.url}/audit")
    loaded(page)
    downloads: list[object] = []
    page.on("download", lambda download: downloads.append(download))
    page.click("#export")
    page.locator("#menu .option", has_text="NDJSON").click()
    if saved:
        expect(page.locator(".toast.done")).to_contain_text("Whole: 20 activities")
    else:
        expect(page.locator(".toast.failed")).to_contain_text("The file is cut off")
    assert len(downloads) == saved


def test_a_browser_without_files_of_its_own_downloads(window: Window, server: StandIn) -> None:
    """Where the page cannot keep a file back until it is whole, the browser saves what comes."""
    window.context.add_init_script("delete StorageManager.prototype.getDirectory")
    server.export = lambda: whole(20, 20 * len(ROW))
    page = window.open(f"{server.url}/audit")
    loaded(page)
    page.click("#export")
    with page.expect_download() as download:
        page.locator("#menu .option", has_text="NDJSON").click()
    assert download.value.suggested_filename == "activities-all.ndjson"
    assert page.locator(".toast").count() == 0
