"""What a cell cannot show in full is cut where it does least harm, and told on hover."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import LOOKS
from tests.browser.stand_in import StandIn
from tests.browser.table import loaded
from tests.sidecar_api.search.log import document

if TYPE_CHECKING:
    from tests.browser.conftest import Window, Windows

LONG: Final = "registry.example.northwind.internal/team-checkout/base-image"
SHOWN: Final = """one => {
  const cell = one.closest("td").getBoundingClientRect();
  return one.scrollWidth <= one.clientWidth + 1 && one.getBoundingClientRect().right <= cell.right;
}"""


@pytest.fixture
def server() -> Iterator[StandIn]:
    """A stand-in with long names, deleted and not, short ones, and commands of an agent."""
    made = []
    for number, (name, deleted, action) in enumerate(
        [
            (LONG, True, "server.delete"),
            (LONG, False, "server.update"),
            ("db-1", True, "server.delete"),
            ("registry-mirror", False, "server.update"),
            ("web-1", False, "agent.ssh_command.proposed"),
        ]
    ):
        one = document(
            at=datetime.now(UTC) - timedelta(minutes=number),
            event__action=action,
            activity__resource__name=name,
            activity__resource__type="container_registry",
            activity__resource__deleted=deleted,
            organization__id="northwind",
            source__ip="203.0.113.24",
        )
        made.append({"id": f"e-{number}", **one})
    found = StandIn(made)
    yield found
    found.close()


@pytest.mark.parametrize(("size", "dark"), LOOKS)
@pytest.mark.parametrize("columns", ["audit", "center", "log"])
def test_deleted_is_read_in_full(
    windows: Windows, server: StandIn, columns: str, size: tuple[int, int], dark: bool
) -> None:
    """The badge is whole inside its cell, beside a long name and a short one."""
    window = windows(size=size, dark=dark)
    page = window.open(f"{server.url}/audit?columns={columns}")
    loaded(page)
    window.shoot(f"cut-{columns}-{size[0]}-{dark}")
    for id_ in ("e-0", "e-2"):
        badge = page.locator(f'tr[data-id="{id_}"] .gone')
        expect(badge).to_have_text("deleted")
        assert badge.evaluate(SHOWN)


def test_a_name_has_the_room_that_there_is(window: Window, server: StandIn) -> None:
    """The name before its kind: no gap is left between them, and the whole is on hover."""
    page = window.open(f"{server.url}/audit?columns=audit")
    loaded(page)
    name = page.locator('tr[data-id="e-3"] .resource > span')
    assert name.evaluate(SHOWN)
    cut = page.locator('tr[data-id="e-1"] .resource')
    kind = page.locator('tr[data-id="e-1"] .thing > .kind')
    a, b = cut.bounding_box(), kind.bounding_box()
    assert a and b and 0 <= b["x"] - a["x"] - a["width"] < 10
    for id_, said in (("e-0", "was deleted"), ("e-1", LONG)):
        page.locator(f'tr[data-id="{id_}"] .resource').hover()
        expect(page.locator("#tip")).to_contain_text(LONG)
        expect(page.locator("#tip")).to_contain_text(said)


def test_an_action_is_told_in_full(window: Window, server: StandIn) -> None:
    """On hover where the column is too narrow for it."""
    page = window.open(f"{server.url}/audit")
    loaded(page)
    badge = page.locator('tr[data-id="e-4"] .badge').first
    badge.hover()
    expect(page.locator("#tip")).to_contain_text(badge.inner_text())
