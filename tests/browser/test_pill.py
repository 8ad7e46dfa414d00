"""The pill and the total stand side by side: what is new hides nothing of what is there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect

from tests.browser.stand_in import StandIn
from tests.browser.table import ROWS, loaded
from tests.browser.test_states import activities
from tests.sidecar_api.search.log import document

if TYPE_CHECKING:
    from tests.browser.conftest import Windows


@pytest.fixture
def server() -> Iterator[StandIn]:
    """A stand-in with 4,863 activities."""
    made = StandIn(activities(4863))
    yield made
    made.close()


def sides(page: Page, selector: str) -> tuple[float, float, float]:
    """Left, right and top of what is shown."""
    box = page.locator(selector).bounding_box()
    assert box
    return box["x"], box["x"] + box["width"], box["y"]


@pytest.mark.parametrize("width", [390, 768, 1024, 1440])
@pytest.mark.parametrize(
    "chips", ["", "?source=ui&source=api&source=agent&type=Servers&lens=audit"]
)
def test_the_total_stays_beside_the_pill(
    windows: Windows, server: StandIn, width: int, chips: str
) -> None:
    """Neither covers the other, chips stay where they are, and so do the rows."""
    for one in server.activities:
        one["activity"] |= {"type": "Servers", "lens": "audit"}
    window = windows(size=(width, 844), dark=width in (390, 1024))
    page = window.open(f"{server.url}/audit{chips}")
    loaded(page)
    expect(page.locator("#live.on")).to_be_visible()
    before = page.locator(ROWS).first.bounding_box()
    alone = sides(page, ".summary")
    new = document(at=datetime.now(UTC), organization__id="northwind")
    for number in range(12):
        server.happen({"id": f"new-{number}", **new})
    expect(page.locator("#fresh")).to_have_text("12 new activities")
    summary = page.locator(".summary")
    assert summary.evaluate("one => getComputedStyle(one).visibility") == "visible"
    expect(summary).to_contain_text("4,863 activities")
    total, pill, held = (sides(page, one) for one in (".summary", "#fresh", ".chips"))
    assert total[1] <= pill[0] or pill[1] <= total[0]
    assert pill[1] <= width
    assert (total[0], total[2]) == (alone[0], alone[2])  # it stays where it was, and is whole
    assert summary.evaluate("one => one.scrollWidth <= one.clientWidth")
    assert held[1] <= total[0] or held[2] < total[2]
    assert page.locator(ROWS).first.bounding_box() == before
    window.shoot(f"pill-{width}-{len(chips)}")
    server.forget()
    expect(page.locator("#fresh")).to_have_text("12 or more new activities")
    total, pill = sides(page, ".summary"), sides(page, "#fresh")
    assert total[1] <= pill[0] or pill[1] <= total[0]
    assert total[0] == alone[0]
    window.shoot(f"pill-more-{width}-{len(chips)}")
