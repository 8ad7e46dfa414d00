"""Spans of time where the page's own clock is wrong: the server's counts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.process_samples import iso, process
from tests.browser.process_stand_in import Processes

if TYPE_CHECKING:
    from tests.browser.conftest import Window


@pytest.fixture
def server() -> Iterator[Processes]:
    """A stand-in with a process that runs for ten minutes and a half."""
    made = Processes(process("api-prod-3", started=iso(630)))
    yield made
    made.close()


@pytest.mark.parametrize("wrong", [3600, -3600], ids=["ahead", "behind"])
@pytest.mark.parametrize(
    ("path", "place"),
    [("", ".process .standing"), ("/api-prod-3", ".process-facts")],
    ids=["card", "page"],
)
def test_how_long_it_runs(
    window: Window, server: Processes, path: str, place: str, wrong: int
) -> None:
    """An hour wrong in either direction, on the card and on the process's own page."""
    window.page.clock.install(time=datetime.now(UTC) + timedelta(seconds=wrong))
    page = window.open(f"{server.url}/processes{path}")
    took = page.locator(f"{place} .took[data-since]")
    expect(took).to_have_text(re.compile(r"^1[0-2] min \d\d s$"))
    before = took.inner_text()
    expect(took).not_to_have_text(before)  # it counts on
    expect(took).to_have_text(re.compile(r"^1[0-2] min \d\d s$"))
