"""Text from outside that wants to be more than text."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.browser.stand_in import StandIn
from tests.browser.table import ROWS, loaded
from tests.sidecar_api.search.log import document

if TYPE_CHECKING:
    from tests.browser.conftest import Window, Windows

SCRIPT = "<img src=x onerror=window.hacked=1><script>window.hacked=1</script>\"'${window.hacked=1}"
OVERRIDE = "invoice\u202efdp.exe"
HIDDEN = "ad\u200bmin"
LOOK_ALIKE = "аdmin"  # its first letter is Cyrillic
LONG = "x" * 10_240


def poisoned(value: str) -> dict[str, Any]:
    """An activity with ``value`` in every text."""
    made = document(
        at=datetime.now(UTC),
        event__action="server.update",
        event__reason=value,
        message=value,
        activity__type=value,
        activity__project=value,
        activity__workspace=value,
        activity__environment=value,
        activity__origin=value,
        activity__resource__id=value,
        activity__resource__name=value,
        activity__resource__type=value,
        activity__resource__url=f"javascript:window.hacked=1//{value}",
        activity__resource__parent__name=f"parent {value}",
        activity__case__id=value,
        activity__result=value,
        activity__changes=[{"field": value, "old": value, "new": f"new {value}"}],
        activity__old_value={value: value},
        activity__new_value={value: f"new {value}"},
        activity__approver__full_name=value,
        activity__initiator__full_name=value,
        activity__decision__outcome=value,
        activity__decision__reason=value,
        activity__impact__level=value,
        activity__proposal__stage=value,
        activity__proposal__rationale=value,
        activity__execution__output=value,
        activity__execution__error=value,
        activity__confirmation__text=value,
        activity__token__name=value,
        gen_ai__agent__name=value,
        gen_ai__tool__name=value,
        gen_ai__tool__call__arguments={value: value},
        organization__id="northwind",
        organization__name=value,
        user__id=value,
        user__name=value,
        user__full_name=value,
        user__email=value,
        source__ip="203.0.113.7",
        user_agent__name=value,
        http__request__id=value,
        metadata={value: value},
    )
    return {"id": value, **made}


@pytest.fixture
def server() -> Iterator[StandIn]:
    """A stand-in that holds what a sender can make."""
    made = StandIn([poisoned(SCRIPT)])
    made.faithful = False
    yield made
    made.close()


@pytest.mark.parametrize("columns", ["center", "trail", "logs", "log", "audit"])
def test_scripts_in_every_field_are_text(window: Window, server: StandIn, columns: str) -> None:
    """Nothing of it runs, no link leads into a script, no policy is even tried."""
    page = window.page
    page.add_init_script(
        "window.violations = [];"
        "document.addEventListener('securitypolicyviolation',"
        " (event) => window.violations.push(event.violatedDirective));"
    )
    page.goto(f"{server.url}/audit?columns={columns}&actor=%3Cscript%3Ealert(1)%3C/script%3E")
    page.goto(f"{server.url}/audit?columns={columns}")
    loaded(page)
    expect(page.locator(ROWS).first).to_contain_text("<img src=x onerror")
    page.locator(f"{ROWS} .toggle").first.click()
    expect(page.locator(".details")).to_contain_text("<script>window.hacked=1</script>")
    assert page.locator("#page img[src=x], #page script, a[href^=javascript]").count() == 0
    page.click("#add-filter")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="this user").click()
    expect(page.locator(".chip.set")).to_contain_text("<img src=x onerror")
    page.goto(f"{server.url}/")
    expect(page.locator("activity-recent")).to_contain_text("<img src=x onerror")
    assert page.evaluate("window.hacked") is None
    assert page.evaluate("window.violations") == []
    assert page.locator("#page img[src=x], #page script, a[href^=javascript]").count() == 0


def test_what_cannot_be_seen_is_made_visible(windows: Windows, server: StandIn) -> None:
    """Direction marks, zero-width characters and look-alikes show for what they are."""
    server.activities[:] = [poisoned(OVERRIDE), poisoned(HIDDEN), poisoned(LOOK_ALIKE)]
    for size, name in (((1440, 900), "wide"), ((390, 844), "phone")):
        window = windows(size=size)
        page = window.open(f"{server.url}/audit")
        loaded(page)
        cells = page.locator(f"{ROWS} .c-resource")
        expect(cells.nth(0)).to_contain_text("invoiceU+202Efdp.exe")
        expect(cells.nth(1)).to_contain_text("adU+200Bmin")
        expect(cells.nth(2).locator(".mixed")).not_to_have_count(0)
        page.locator(f"{ROWS} .toggle").nth(0).click()
        expect(page.locator(".everything pre")).to_contain_text("invoice\\u202efdp.exe")
        window.shoot(f"hidden-characters-{name}-light")


def test_long_values_are_clipped_and_open(windows: Windows, server: StandIn) -> None:
    """10 kB in every field: rows keep their height, the rest is there on demand."""
    server.activities[:] = [poisoned(LONG), poisoned("short")]
    for size, name in (((1440, 900), "wide"), ((390, 844), "phone")):
        window = windows(size=size)
        page = window.open(f"{server.url}/audit")
        loaded(page)
        row = page.locator(ROWS).first.bounding_box()
        assert row and row["height"] < 90
        page.locator(f"{ROWS} .toggle").first.click()
        value = page.locator(".diff details").last
        assert len(value.inner_text()) < 500
        value.get_by_text("Show all 10,244 characters").click()
        assert LONG in value.inner_text()
        assert page.evaluate("document.documentElement.scrollWidth") == size[0]
        window.shoot(f"long-values-{name}-light")


@pytest.mark.parametrize("name", ["constructor", "__proto__", "toString", "-", "{{x}}"])
def test_names_that_mean_something_to_scripts_are_names(
    window: Window, server: StandIn, name: str
) -> None:
    """A value named like a member of every object is a value like others, also in the address."""
    server.activities[:] = [poisoned(name)]
    page = window.open(f"{server.url}/audit?columns={name}")
    loaded(page)
    expect(page.locator(f"{ROWS} .c-project")).to_have_text(name)
    expect(page.locator(f"{ROWS} .c-source")).to_have_text(name)
    page.locator(f"{ROWS} .toggle").click()
    expect(page.locator(".agent-part")).to_contain_text(name)
    page.goto(
        f"{server.url}/ai/entries?{name}={name}&range={name}&open={name}&page={name}&size={name}"
    )
    expect(page.locator(".chip.set").first).to_contain_text(name)
