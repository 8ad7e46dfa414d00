"""Exports from the page over the real sidecar."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from flask import Response, request
from playwright.sync_api import expect

from tests.browser.conftest import PHONE, WIDE
from tests.browser.proposal_samples import proposal
from tests.browser.proposal_stand_in import Proposals
from tests.browser.table import loaded, query, trail
from tests.sidecar_api.search.log import document

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.conftest import Site, Window, Windows

EXPORT = "/api/v1/activities/export"


@pytest.fixture
def server() -> Iterator[Proposals]:
    """A stand-in with one entry and one proposal."""
    entry = document(
        event__action="server.update", organization__id="brightleaf", organization__name="Bright"
    )
    made = Proposals(proposal("one", "executed_as_approved"), activities=[{"id": "e", **entry}])
    yield made
    made.close()


@pytest.mark.parametrize("form", ["CSV", "NDJSON", "OCSF 1.9"])
def test_the_file_is_whole_and_what_the_filters_show(
    window: Window, site: Site, tmp_path: Path, form: str
) -> None:
    """The button says how many; the file has as many rows, and its manifest was checked."""
    page = trail(window, site, "/audit?source=api")
    count = site.api("activities?source=api")["page"]["total"]
    expect(page.locator("#export")).to_have_text(f"Export {count:,} activities")
    page.click("#export")
    with page.expect_download() as download:
        page.locator("#menu .option", has_text=form).click()
    named = download.value.suggested_filename
    assert re.fullmatch(r"activities-all-\d{8}T\d{6}Z\.(csv|ndjson|ocsf\.ndjson)", named)
    file = tmp_path / named
    download.value.save_as(file)
    expect(page.locator(".toast.done")).to_contain_text(f"Whole: {count:,} activities")
    window.shoot(f"export-{form.split()[0].lower()}-wide-light")
    if form == "CSV":
        assert file.suffix == ".csv"
        rows = list(csv.reader(file.read_text("utf-8-sig").splitlines(keepends=True)))
        assert len(rows) == count + 2
        assert rows[-1][0] == "#manifest"
    else:
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        assert len(lines) == count + 1
        assert lines[-1]["manifest"]["count"] == count


def test_who_may_not_export_is_told_before(windows: Windows, server: Proposals) -> None:
    """The dialog names the permission and offers what is the reader's own instead of a file that
    the API refuses; there, and with the permission, the files are offered."""
    server.permissions = ["org:audit"]
    said = "You see more than you may export: that takes the permission org:audit:export."
    for view, button, own in (("audit", "#export", "actor"), ("ai", "#export", "initiator")):
        for size, dark in ((WIDE, False), (PHONE, True)):
            window = windows(size=size, dark=dark)
            page = window.open(f"{server.url}/{view}")
            page.click(button)
            expect(page.locator("#may-not-export")).to_have_text(said)
            expect(page.locator("#menu .option")).to_have_text(["Only what you did yourself"])
            expect(page.locator("#menu .option")).to_be_focused()
            window.shoot(f"may-not-export-{view}-{size[0]}")
            page.locator("#menu .option").click()
            expect(page.locator("#menu")).to_be_hidden()
            assert query(page) == {own: ["usr_mk"]}
    server.permissions = ["org:audit", "org:audit:export"]
    page = window.open(f"{server.url}/audit")
    page.click("#export")
    expect(page.locator("#menu .option")).to_have_count(3)


def test_what_is_ones_own_is_offered(window: Window, server: Proposals) -> None:
    """Who filters by themselves, or sees nothing but their own, may export it."""
    server.permissions = ["org:audit"]
    page = window.open(f"{server.url}/audit?actor=usr_mk")
    page.locator("#export").evaluate("button => { button.disabled = false; }")
    page.click("#export")
    expect(page.locator("#menu .option")).to_have_count(3)
    server.trail, server.permissions = False, []
    page = window.open(f"{server.url}/audit")
    page.click("#export")
    expect(page.locator("#menu .option")).to_have_count(3)


def test_a_refusal_says_what_is_missing_and_what_to_do(windows: Windows, server: Proposals) -> None:
    """The permission, the organization by its name, and the hint of the API."""
    server.permissions = ["org:audit", "org:audit:export"]
    server.answers[EXPORT] = (
        403,
        {
            "detail": "What you see of the organization brightleaf is not yours to export.",
            "permission": "org:audit:export",
            "organization": "brightleaf",
            "hint": "Filter by other organizations, or by yourself as the actor.",
        },
    )
    for size, dark in ((WIDE, False), (PHONE, True)):
        window = windows(size=size, dark=dark)
        page = window.open(f"{server.url}/audit")
        page.click("#export")
        page.locator("#menu .option", has_text="CSV").click()
        expect(page.locator(".toast.failed")).to_have_text(
            "The export failed. It takes the permission org:audit:export in Bright. "
            "Filter by other organizations, or by yourself as the actor."
        )
        expect(page.locator("#announcer")).to_have_text(
            "The export failed. It takes the permission org:audit:export in Bright. "
            "Filter by other organizations, or by yourself as the actor."
        )
        window.shoot(f"export-refused-{size[0]}")


def _whole(rows: int) -> Response:
    """A file of so many rows that say in which format they were asked for."""
    body = f"{request.args['format']}\n" * rows
    manifest = {"count": rows, "complete": True, "bytes": len(body)}
    return Response(body + json.dumps({"manifest": manifest}) + "\n", content_type="text/plain")


def _keeps(page: Page, count: int) -> None:
    """Return when so many private files are there."""
    for _ in range(50):
        names = page.evaluate(
            "async () => Array.fromAsync((await navigator.storage.getDirectory()).keys())"
        )
        found = [name for name in names if name.endswith(".part")]
        if len(found) == count:
            return
        page.wait_for_timeout(100)
    assert len(found) == count, found


def test_two_tabs_write_a_file_each(window: Window, server: Proposals) -> None:
    """An export is saved as it was checked, whatever another tab exports meanwhile; its private
    file is removed once the browser has it, and so is that of a tab that was closed."""
    server.export = lambda: _whole(3 if request.args["format"] == "csv" else 5)
    first = window.open(f"{server.url}/audit")
    loaded(first)
    # The first one has checked its file, and waits before it takes it.
    first.evaluate(
        """() => { const take = FileSystemFileHandle.prototype.getFile;
        window.checked = new Promise((arrive) => {
          FileSystemFileHandle.prototype.getFile = async function () {
            await new Promise((done) => { window.goOn = done; arrive(); });
            return take.call(this);
          };
        }); }"""
    )
    first.click("#export")
    first.locator("#menu .option", has_text="CSV").click()
    first.evaluate("window.checked")
    second = window.context.new_page()
    second.clock.install()
    second.goto(f"{server.url}/audit")
    loaded(second)
    second.click("#export")
    with second.expect_download() as other:
        second.locator("#menu .option", has_text="NDJSON").click()
    assert other.value.path().read_text().startswith("ndjson\n" * 5)
    with first.expect_download() as mine:
        first.evaluate("window.goOn()")
    assert mine.value.path().read_text().startswith("csv\ncsv\ncsv\n{")
    _keeps(second, 2)
    second.clock.fast_forward(61_000)
    _keeps(second, 0)
    first.click("#export")
    first.locator("#menu .option", has_text="CSV").click()
    _keeps(second, 1)
    first.close()
    server.export = lambda: Response(b"cut off")
    second.click("#export")
    second.locator("#menu .option", has_text="NDJSON").click()
    expect(second.locator(".toast.failed")).to_be_visible()
    _keeps(second, 0)


def test_a_second_export_does_not_hide_the_first(windows: Windows, server: Proposals) -> None:
    """Both are shown, each can be cancelled, and who finished is said of each."""

    def export() -> Response:
        if request.args["format"] == "csv":
            return Response(server.slowly(b"row\n"), content_type="text/csv")
        return _whole(5)

    server.export = export
    for size, dark in ((WIDE, False), (PHONE, True)):
        window = windows(size=size, dark=dark)
        page = window.open(f"{server.url}/audit")
        loaded(page)
        page.click("#export")
        page.locator("#menu .option", has_text="CSV").click()
        expect(page.locator(".toast.running")).to_have_count(1)
        page.click("#export")
        with page.expect_download():
            page.locator("#menu .option", has_text="NDJSON").click()
        expect(page.locator(".toast.done")).to_contain_text(".ndjson. Whole: 5 activities")
        window.shoot(f"two-exports-{size[0]}")
        page.locator(".toast.running").get_by_role("button", name="Cancel").click()
        expect(page.locator(".toast.cancelled")).to_be_visible()
        expect(page.locator(".toast.done")).to_be_visible()
        boxes = [one.bounding_box() for one in page.locator(".toast").all()]
        above, below = sorted(box["y"] for box in boxes if box)
        assert below - above >= min(box["height"] for box in boxes if box)
        for left in (1, 0):
            page.locator(".toast").first.get_by_role("button", name="Close").click()
            expect(page.locator(".toast")).to_have_count(left)
