"""Exports from the page over the real sidecar."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.table import trail

if TYPE_CHECKING:
    from tests.browser.conftest import Site, Window


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
    file = tmp_path / download.value.suggested_filename
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
