"""What the page does when the server is slow, wrong, silent or forbids: over a stand-in."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from flask import Response
from playwright.sync_api import expect

from tests.browser.conftest import LOOKS
from tests.browser.stand_in import RETRY_AFTER, StandIn
from tests.browser.table import ROWS, ids, loaded
from tests.sidecar_api.search.log import document

if TYPE_CHECKING:
    from tests.browser.conftest import Window, Windows

LIST = "/api/v1/activities"


def activities(count: int = 60) -> list[dict[str, Any]]:
    """Simple activities, newest first."""
    now = datetime.now(UTC)
    made = [
        document(
            at=now - timedelta(minutes=7 * number),
            event__action=("server.update", "server.create", "user.login")[number % 3],
            event__outcome="failure" if number % 5 == 0 else "success",
            activity__origin=("ui", "api", "agent")[number % 3],
            activity__resource__name=f"api-prod-{number}",
            activity__resource__type="server",
            organization__id="northwind",
            organization__name="Northwind Labs",
            user__id="usr_mk",
            user__full_name="Mira Kovač",
        )
        for number in range(count)
    ]
    return [{"id": one["event"]["id"], **one} for one in made]


@pytest.fixture
def server() -> Iterator[StandIn]:
    """A stand-in with 60 activities."""
    made = StandIn(activities())
    yield made
    made.close()


def test_rows_of_the_final_height_stand_while_it_loads(window: Window, server: StandIn) -> None:
    """First a skeleton, then rows in the same place; later answers dim the old ones."""
    answer = server.held[LIST] = threading.Event()
    page = window.open(f"{server.url}/audit")
    expect(page.locator("tr.skeleton")).to_have_count(25)
    window.shoot("loading-wide-light")
    height = page.locator("tr.skeleton").first.bounding_box()
    first = page.locator("#activities tbody").bounding_box()
    answer.set()
    loaded(page)
    row, then = (
        page.locator(ROWS).first.bounding_box(),
        page.locator("#activities tbody").bounding_box(),
    )
    assert height and row and height["height"] == row["height"]
    assert first and then and first["y"] == then["y"]
    answer = server.held[LIST] = threading.Event()
    page.click("#refresh")
    expect(page.locator("#activities.stale")).to_be_visible()
    assert page.locator(ROWS).count() == 25
    answer.set()
    expect(page.locator("#activities.stale")).to_have_count(0)


def test_an_error_keeps_what_was_there_and_offers_the_retry(
    window: Window, server: StandIn
) -> None:
    """The rows stay, the problem's sentence and next step are shown, and retrying works."""
    page = window.open(f"{server.url}/audit")
    loaded(page)
    before = ids(page)
    said = {"title": "Unavailable", "detail": "OpenSearch does not answer.", "hint": "It restarts."}
    server.answers[LIST] = (503, said)
    page.click("#refresh")
    banner = page.get_by_role("alert")
    expect(banner).to_contain_text("OpenSearch does not answer. It restarts.")
    assert ids(page) == before
    window.shoot("error-kept-wide-light")
    del server.answers[LIST]
    page.get_by_role("button", name="Try again").click()
    expect(banner).to_have_count(0)


def test_an_error_at_first(windows: Windows, server: StandIn) -> None:
    """Nothing was there yet: what failed, the request's id, and the retry."""
    server.answers[LIST] = (500, {"detail": "It broke here.", "instance": "urn:uuid:4f2c"})
    for size, name in (((1440, 900), "wide"), ((390, 844), "phone")):
        window = windows(size=size, dark=name == "phone")
        page = window.open(f"{server.url}/audit")
        expect(page.locator("#failure")).to_contain_text("It broke here.")
        expect(page.locator("#failure")).to_contain_text("urn:uuid:4f2c")
        window.shoot(f"error-{name}")
        assert window.axe() == []


def test_an_error_of_what_stands_before_the_server(window: Window, server: StandIn) -> None:
    """A proxy's page is none of our problem documents: the status is said, and nothing else."""
    window.page.route(f"**{LIST}?**", lambda route: route.fulfill(status=502, body="<h1>Bad</h1>"))
    page = window.open(f"{server.url}/audit")
    expect(page.get_by_role("alert")).to_contain_text("Something before the server answered 502.")
    expect(page.get_by_role("alert")).not_to_contain_text("=>")


def test_an_answer_that_is_not_whole_is_not_shown(window: Window, server: StandIn) -> None:
    """Part of the record missing: said so, with the retry, instead of half a list."""
    problem = {"type": "/problems/incomplete", "detail": "2 of 5 shards did not answer."}
    server.answers[LIST] = (503, problem)
    page = window.open(f"{server.url}/audit")
    expect(page.locator("#failure")).to_contain_text("Part of the record did not answer")
    expect(page.locator("#failure")).to_contain_text("2 of 5 shards")
    window.shoot("incomplete-wide-light")


def test_the_missing_permission_is_named(window: Window, server: StandIn) -> None:
    """403: which permission, in which organization, and where one can go."""
    problem = {"detail": "No.", "permission": "org:audit", "organization": "northwind"}
    server.answers["/api/v1/organizations/northwind/activity-logs"] = (403, problem)
    page = window.open(f"{server.url}/organizations/northwind/activity-logs")
    expect(page.locator("#failure")).to_contain_text("the permission org:audit in Northwind Labs")
    expect(page.get_by_role("link", name="See what you did yourself")).to_be_visible()


def test_too_many_requests_say_when_to_come_back(window: Window, server: StandIn) -> None:
    """429 with its number of seconds."""
    server.answers[LIST] = (429, {"detail": "That is enough."})
    page = window.open(f"{server.url}/audit")
    expect(page.locator("#failure")).to_contain_text(f"Try again in {RETRY_AFTER} s.")


@pytest.mark.parametrize(("size", "dark"), LOOKS)
def test_who_is_signed_out_gets_to_sign_in_and_back(
    windows: Windows, server: StandIn, size: tuple[int, int], dark: bool
) -> None:
    """401 leads to /login, which offers the methods that the server names."""
    server.signed_in = False
    server.answers[LIST] = (401, {"title": "Sign in first"})
    name = "phone" if size[0] < 700 else "wide"
    window = windows(size=size, dark=dark)
    page = window.open(f"{server.url}/audit?source=api")
    page.wait_for_url("**/login?next=%2Faudit%3Fsource%3Dapi")
    link = page.get_by_role("link", name="Continue with Northwind")
    href = "/oidc/login?next=%2Faudit%3Fsource%3Dapi"
    expect(link).to_have_attribute("href", href)
    expect(page.get_by_role("button", name="Mira Kovač")).to_be_visible()
    expect(page.get_by_label("API token")).to_be_visible()
    window.shoot(f"login-{name}-{'dark' if dark else 'light'}")
    assert window.axe() == []


def test_without_a_stream_the_page_asks_again(window: Window, server: StandIn) -> None:
    """Server-sent events that do not get through: the page says so and counts every 15 s."""
    server.answers["/api/v1/activities/stream"] = (404, {"detail": "No stream."})
    window.page.clock.install()
    page = window.open(f"{server.url}/audit")
    expect(page.locator("#live")).to_have_text("Asking every 15 s")
    server.happen({"id": "new", **document(at=datetime.now(UTC), organization__id="northwind")})
    page.clock.fast_forward(15_000)
    expect(page.locator("#fresh")).to_have_text("1 new activity")
    del server.answers["/api/v1/activities/stream"]
    page.clock.fast_forward(15_000)
    expect(page.locator("#live")).to_have_text("Live")


def test_reads_of_the_log_are_counted_where_a_filter_asks(
    windows: Windows, server: StandIn
) -> None:
    """Without a stream too: the view of the reads tells of new ones, the whole trail does not."""
    server.answers["/api/v1/activities/stream"] = (404, {"detail": "No stream."})
    asked = "/audit?action_contains=activity_log."
    reads, all_ = windows().open(f"{server.url}{asked}"), windows().open(f"{server.url}/audit")
    for page in (reads, all_):
        expect(page.locator("#live")).to_have_text("Asking every 15 s")
    read = document(at=datetime.now(UTC), event__action="activity_log.fetch_all")
    other = document(at=datetime.now(UTC))
    for name, one in (("read", read), ("other", other)):
        server.happen({"id": name, **one, "organization": {"id": "northwind"}})
    # The stand-in knows no action_contains: it has both, as the page tells them apart.
    expect(reads.locator("#fresh")).to_have_text("2 new activities", timeout=20_000)
    expect(all_.locator("#fresh")).to_have_text("1 new activity", timeout=20_000)


def test_a_file_that_was_cut_off_is_not_saved(window: Window, server: StandIn) -> None:
    """An export without its manifest is named as cut off, and nothing is downloaded."""
    server.export = lambda: Response(b'{"id": "1"}\n{"id": "2"}\n', content_type="text/plain")
    page = window.open(f"{server.url}/audit")
    loaded(page)
    downloads: list[object] = []
    page.on("download", lambda download: downloads.append(download))
    page.click("#export")
    page.locator("#menu .option", has_text="NDJSON").click()
    expect(page.locator(".toast.failed")).to_contain_text("The file is cut off")
    assert downloads == []


def test_an_export_shows_its_progress_and_can_be_cancelled(window: Window, server: StandIn) -> None:
    """Rows of how many and bytes while it runs; cancelling saves nothing."""
    server.export = lambda: Response(
        server.slowly(b'{"id": "1"}\n' * 10), content_type="text/plain"
    )
    page = window.open(f"{server.url}/audit")
    loaded(page)
    page.click("#export")
    page.locator("#menu .option", has_text="NDJSON").click()
    toast = page.locator(".toast.running")
    expect(toast).to_contain_text(re.compile(r"\d0 of 60"))
    window.shoot("export-running-wide-light")
    toast.get_by_role("button", name="Cancel").click()
    expect(page.locator(".toast.cancelled")).to_contain_text("Export cancelled, nothing saved")


def test_a_filter_that_does_not_exist(window: Window, server: StandIn) -> None:
    """It is named, and its removal is offered."""
    problem = {"detail": "There is no such filter.", "parameter": "colour"}
    server.answers[LIST] = (400, problem)
    page = window.open(f"{server.url}/audit?colour=red")
    expect(page.locator("#failure")).to_contain_text("The filter colour cannot be used like this")
    del server.answers[LIST]
    page.get_by_role("button", name="Remove colour").click()
    loaded(page)


def test_beyond_ten_thousand_one_goes_on_step_by_step(window: Window, server: StandIn) -> None:
    """Numbers end where the API's do; next and previous go on by cursor, also after a reload."""
    server.activities[:] = activities(10_060)
    page = window.open(f"{server.url}/audit?page=400")
    expect(page.locator("#showing")).to_have_text("Showing 9,976–10,000 of 10,060 items")
    assert page.get_by_role("button", name="Page 400", exact=True).is_visible()
    assert page.get_by_role("button", name="Page 401", exact=True).count() == 0
    page.get_by_role("button", name="Next page").click()
    expect(page.locator("#showing")).to_have_text("Showing 10,001–10,025 of 10,060 items")
    assert "cursor=401" in page.url and "page=" not in page.url
    page.reload()
    expect(page.locator("#showing")).to_have_text("Showing 10,001–10,025 of 10,060 items")
    page.keyboard.press("n")
    expect(page.locator("#showing")).to_have_text("Showing 10,026–10,050 of 10,060 items")
    page.keyboard.press("n")
    expect(page.locator("#showing")).to_have_text("Showing 10,051–10,060 of 10,060 items")
    expect(page.get_by_role("button", name="Next page")).to_be_disabled()
    page.get_by_role("button", name="Page 1", exact=True).click()
    expect(page.locator("#showing")).to_have_text("Showing 1–25 of 10,060 items")


def test_a_page_that_is_not_there_leads_to_one_that_is(window: Window, server: StandIn) -> None:
    """Beyond the last one, and beyond those that have numbers."""
    server.activities[:] = activities(60)
    page = window.open(f"{server.url}/audit?page=9")
    expect(page.locator("#empty h2")).to_have_text("There is no page 9")
    page.get_by_role("button", name="Go to the last page, 3").click()
    expect(page.locator("#showing")).to_have_text("Showing 51–60 of 60 items")
    server.answers[LIST] = (400, {"detail": "Go on with cursor.", "parameter": "page"})
    page.goto(f"{server.url}/audit?page=900")
    expect(page.locator("#failure")).to_contain_text("There is no page 900")
    del server.answers[LIST]
    page.get_by_role("button", name="Go to the first page").click()
    expect(page.locator("#showing")).to_have_text("Showing 1–25 of 60 items")


def test_a_small_bar_that_failed_in_part_shows_both(window: Window, server: StandIn) -> None:
    """Beside a tall bar it is a few pixels high, and not as red as one of failures alone."""
    server.activities[:] = [*activities(900), *activities(18), *activities(3)]
    for number, one in enumerate(server.activities):
        day = 9 if number < 900 else 8 if number < 918 else 7
        one["@timestamp"] = f"2026-11-0{day}T12:00:00.000Z"
        one["event"]["outcome"] = "failure" if number in (900, 918, 919, 920) else "success"
    page = window.open(f"{server.url}/audit")
    bars = page.locator("svg.bars rect.bar")
    expect(bars).to_have_count(5)
    heights = bars.evaluate_all("all => all.map((one) => Number(one.getAttribute('height')))")
    assert heights[:4] == [0, 2, 2, 1]  # what went well and what failed, of two days


def test_without_a_connection(window: Window, server: StandIn) -> None:
    """A server out of reach is named as such; what was shown stays."""
    page = window.open(f"{server.url}/audit")
    loaded(page)
    window.context.set_offline(True)
    page.click("#refresh")
    expect(page.get_by_role("alert")).to_contain_text("The server cannot be reached")
    assert page.locator(ROWS).count() == 25
    window.context.set_offline(False)
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("alert")).to_have_count(0)
