"""What an opened row and the card say of an entry: each name with its value."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.browser.stand_in import StandIn
from tests.browser.table import ROWS, loaded
from tests.sidecar_api.search.log import document

if TYPE_CHECKING:
    from tests.browser.conftest import Window, Windows

AT = datetime(2026, 11, 24, 13, 5, 7, tzinfo=UTC)
ENTRY = document(
    id="e-1",
    at=AT,
    event__action="server.resize_disk",
    event__reason="asked for by phone",
    message="disk was resized",
    user__id="usr_mk",
    user__full_name="Mira Kovač",
    user__email="mira@northwind.example",
    user__effective__name="Deploy Service",
    user__target__full_name="Jonas Osei",
    organization__id="northwind",
    organization__name="Northwind Labs",
    source__ip="203.0.113.24",
    user_agent__name="Firefox",
    user_agent__version="131",
    user_agent__original="Mozilla/5.0 Firefox/131",
    http__request__id="req_8f31",
    activity__origin="ui",
    activity__token__name="ci",
    activity__token__id="tok_4",
    activity__resource__type="server",
    activity__resource__id="srv_204",
    activity__resource__name="api-prod-2",
    activity__resource__parent__type="cluster",
    activity__resource__parent__name="eu-1",
    activity__project="checkout",
    activity__workspace="data-lab",
    activity__environment="production",
)
AGENT = document(
    id="e-2",
    at=AT,
    event__action="agent.proposal.executed",
    user__id="usr_mk",
    user__full_name="Mira Kovač",
    activity__origin="agent",
    activity__proposal__stage="completed",
    activity__proposal__rationale="The disk is 94 % full",
    activity__impact__level="destructive",
    activity__initiator__full_name="Jonas Osei",
    activity__approver__full_name="Mira Kovač",
    activity__decision__outcome="approved",
    activity__decision__wait_ms=47_000,
    activity__decision__reason="go ahead",
    activity__confirmation__text="api-prod-2",
    activity__case__id="case_4f2c",
    gen_ai__agent__name="ops-pilot",
    gen_ai__agent__version="2.3",
    gen_ai__tool__name="resize_disk",
    gen_ai__tool__call__arguments={"size_gb": 160},
    gen_ai__tool__call__result={"status": "ok"},
)
SAID = {
    "Time": "14:05:07.000 UTC+1",
    "Action": "server.resize_disk",
    "User": "Mira Kovač",
    "With rights of": "Deploy Service",
    "Affects": "Jonas Osei",
    "Source": "UI",
    "Address": "203.0.113.24",
    "Browser": "Firefox",
    "API token": "tok_4",
    "Request": "req_8f31",
    "Resource": "api-prod-2",
    "Resource id": "srv_204",
    "Part of": "eu-1",
    "Organization": "Northwind Labs",
    "Project": "checkout",
    "Workspace": "data-lab",
    "Environment": "production",
    "Reason": "asked for by phone",
    "Message": "disk was resized",
}
SAID_OF_AGENT = {
    "Agent": "ops-pilot 2.3",
    "Stage": "Completed",
    "Tool": "resize_disk",
    "Parameters": '"size_gb": 160',
    "Why": "The disk is 94 % full",
    "Impact": "Destructive",
    "Asked by": "Jonas Osei",
    "Decided by": "Mira Kovač not proven",
    "Decision": "Approved after 47",
    "Reason given": "go ahead",
    "Typed to confirm": "api-prod-2",
    "Returned": '"status": "ok"',
    "Case": "case_4f2c",
}


@pytest.fixture
def server() -> Iterator[StandIn]:
    """A stand-in with one entry that has everything, and one of an agent."""
    made = StandIn([{"id": "e-1", **ENTRY}, {"id": "e-2", **AGENT}])
    yield made
    made.close()


@pytest.mark.parametrize(("row", "said"), [(0, SAID), (1, SAID_OF_AGENT)], ids=["full", "agent"])
def test_each_name_has_its_value(
    window: Window, server: StandIn, row: int, said: dict[str, Any]
) -> None:
    """An opened row says each thing that the entry holds, under its name."""
    page = window.open(f"{server.url}/audit")
    loaded(page)
    page.locator(f"{ROWS} .toggle").nth(row).click()
    expect(page.locator(".details")).to_be_visible()
    shown = {
        pair.locator("dt").inner_text(): " ".join(pair.locator("dd").inner_text().split())
        for pair in page.locator(".details dl > div").all()
    }
    missing = {name: shown.get(name) for name in said if said[name] not in (shown.get(name) or "")}
    assert missing == {}
    if row == 0:
        time = page.locator(".details dd time")
        assert time.get_attribute("datetime") == ENTRY["@timestamp"]


def test_a_row_that_is_opened_is_asked_for(window: Window, server: StandIn) -> None:
    """So that the record of reading has who looked at which details; closing it asks nothing."""
    page = window.open(f"{server.url}/audit")
    loaded(page)
    toggles = page.locator(f"{ROWS} .toggle")
    with page.expect_response("**/api/v1/activities/e-1"):
        toggles.nth(0).click()
    toggles.nth(0).click()
    expect(page.locator(".details")).to_have_count(0)
    with page.expect_response("**/api/v1/activities/e-2"):
        toggles.nth(1).click()
    expect(page.locator(".details")).to_be_visible()
    assert server.opened == ["e-1", "e-2"]


def test_a_row_without_a_resource_has_no_gap_in_its_name(window: Window) -> None:
    """The opener says what was done and when, and between both what there is."""
    now = datetime.now(UTC)
    server = StandIn(
        [{"id": one, **document(at=now, activity__resource__name=one)} for one in ("", "api-1")]
    )
    page = window.open(f"{server.url}/audit")
    loaded(page)
    spoken = page.locator(f"{ROWS} .toggle").evaluate_all(
        "all => all.map((one) => one.getAttribute('aria-label'))"
    )
    assert [re.sub(r"\d+ s", "0 s", one) for one in spoken] == [
        "Details: Update, 0 s ago",
        "Details: Update api-1, 0 s ago",
    ]
    server.close()


def run(id_: str, stage: str = "completed", **own: Any) -> dict[str, Any]:
    """An entry of a proposal, an hour after :data:`AT`."""
    word = {"completed": "executed"}.get(stage, stage)
    made = document(id=id_, at=AT + timedelta(hours=1), event__action=f"agent.proposal.{word}")
    made["activity"] |= {"proposal": {"id": "p", "stage": stage}, **own}
    return {"id": id_, **made}


MIRA = {"id": "usr_mk", "full_name": "Mira Kovač"}
YES = {"outcome": "approved", "source": "user"}
CLAIM = "not proven: only the sender says who it was"
DECIDED = [
    (run("own", approver=MIRA, decision=YES), False, None),
    (run("vouched", approver={**MIRA, "authenticated": True}, decision=YES), True, None),
    (
        run(
            "joined",
            decided={"at": AT.isoformat(), "authenticated": False, "approver": MIRA, **YES},
        ),
        False,
        AT,
    ),
    (
        run(
            "proven", decided={"at": AT.isoformat(), "authenticated": True, "approver": MIRA, **YES}
        ),
        True,
        AT,
    ),
    (
        run("decision", "approved", approver={**MIRA, "authenticated": True}, decision=YES),
        True,
        AT + timedelta(hours=1),
    ),
]
"""An entry, whether its approver is proven, and when it was decided, where that is told."""


@pytest.mark.parametrize(("entry", "proven", "at"), DECIDED, ids=[one[0]["id"] for one in DECIDED])
def test_who_decided_is_told_with_whether_that_is_proven(
    windows: Windows, entry: dict[str, Any], proven: bool, at: datetime | None
) -> None:
    """In the column and in the opened row, for eyes and for screen readers; and the time of the
    decision is that of its own entry, never that of a run which names it."""
    server = StandIn([entry])
    window = windows(zone="UTC")
    page = window.open(f"{server.url}/audit?columns=trail")
    loaded(page)
    cell = page.locator("td.c-approver")
    expect(cell).to_contain_text("Mira Kovač")
    (expect(cell).not_to_contain_text if proven else expect(cell).to_contain_text)(CLAIM)
    page.locator(f"{ROWS} .toggle").click()
    said = page.locator(".agent-part dl > div")
    by = said.filter(has=page.get_by_text("Decided by", exact=True))
    expect(by).to_contain_text("Mira Kovač")
    (expect(by).not_to_contain_text if proven else expect(by).to_contain_text)(CLAIM)
    when = said.filter(has=page.get_by_text("Decided at", exact=True)).locator("time")
    expect(when).to_have_count(1 if at else 0)
    if at:
        expect(when).to_contain_text(f"{at:%H:%M:%S}")
    window.shoot(f"decided-{entry['id']}")
    assert window.axe() == []
    server.close()


def test_an_approver_that_was_found_elsewhere_offers_no_filter(window: Window) -> None:
    """The API's filter finds entries that name their approver: the key says that there is none,
    and filters by nothing else."""
    server = StandIn([one for one, _, _ in DECIDED])
    page = window.open(f"{server.url}/audit?columns=trail")
    loaded(page)
    page.locator("tr[data-id=proven] td.c-approver").focus()
    page.keyboard.press("x")
    expect(page.locator("#announcer")).to_have_text("This cell offers no filter")
    assert "action" not in page.url
    page.locator("tr[data-id=vouched] td.c-approver").focus()
    page.keyboard.press("x")
    page.wait_for_url("**approver=usr_mk**")
    server.close()


def test_where_a_page_may_not_copy_the_text_is_selected(window: Window, server: StandIn) -> None:
    """Over plain HTTP a browser has no clipboard: the page says so, and the whole is selected."""
    window.page.add_init_script(
        "Object.defineProperty(navigator, 'clipboard', { value: undefined })"
    )
    page = window.open(f"{server.url}/audit")
    loaded(page)
    page.locator(f"{ROWS} .toggle").first.click()
    page.locator(".details .copy").click()
    field = page.get_by_label("copy it with Ctrl or Command and C")
    expect(field).to_be_focused()
    assert json.loads(field.input_value())["event"]["id"] == "e-1"
    assert field.evaluate("one => one.selectionEnd - one.selectionStart === one.value.length")


def test_the_card_says_type_action_user_and_time(window: Window, server: StandIn) -> None:
    """Each of the latest entries has its type, its action, whom and what it is about, and when."""
    page = window.open(f"{server.url}/")
    first = page.locator("activity-recent li").first
    for part in ("Server", "Resize", "api-prod-2", "Mira Kovač"):
        expect(first).to_contain_text(part)
    expect(first.locator("time")).to_have_attribute("datetime", ENTRY["@timestamp"])
