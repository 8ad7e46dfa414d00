"""Deciding on a proposal: the dialog says what one says yes or no to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import pytest
from playwright.sync_api import expect

from tests.browser.proposal_samples import MIRA, drifted, pending
from tests.browser.proposal_stand_in import Proposals

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from tests.browser.conftest import Window

DESTRUCTIVE: Final = {"level": "destructive", "source": "operator"}
SEEN: Final = {"entry": "e1", "digest": "hmac-sha256:k1:5b0e"}


@pytest.fixture
def server() -> Iterator[Proposals]:
    """A stand-in with one proposal that waits, and one that is over."""
    made = Proposals(pending(), drifted())
    yield made
    made.close()


def opened(page: Page, what: str = "Approve") -> Locator:
    """The dialog."""
    page.get_by_role("button", name=f"{what} resize_disk on api-prod-1").click()
    return page.get_by_role("dialog", name=f"{what} resize_disk on api-prod-1?")


def test_a_yes_is_recorded_with_its_reason_and_reach(window: Window, server: Proposals) -> None:
    """The dialog shows agent, asker, why and parameters; the row then shows the decision."""
    page = window.open(f"{server.url}/ai")
    dialog = opened(page)
    for text in ("ops-pilot", "Jonas Osei", "94 % full", "size_gb", "120", "Time left"):
        expect(dialog).to_contain_text(text)
    expect(dialog.locator("[name=confirmation]")).to_have_count(0)
    dialog.get_by_label("Reason").fill("go ahead")
    dialog.get_by_label("Reaches").select_option("session")
    window.shoot("ai-approve-wide-light")
    dialog.get_by_role("button", name="Approve resize_disk on api-prod-1").click()
    expect(dialog).to_have_count(0)
    row = page.locator('[data-chain="wait"]')
    expect(row.locator(".headline .verdict")).to_have_text("Approved, not yet run")
    expect(row.locator(".stations")).to_contain_text("go ahead")
    expect(row.locator("[data-decide]")).to_have_count(0)
    assert server.decided == [
        ("wait", {"outcome": "approved", "reason": "go ahead", "scope": "session", "seen": SEEN})
    ]
    expect(page.locator("#announcer")).to_have_text("Approved and recorded")


def test_what_destroys_takes_the_typed_name(window: Window, server: Proposals) -> None:
    """Only the target's name opens the button; a standing approval is not offered."""
    server.proposals = [pending(impact=DESTRUCTIVE)]
    page = window.open(f"{server.url}/ai")
    dialog = opened(page)
    button = dialog.get_by_role("button", name="Approve resize_disk on api-prod-1")
    expect(dialog).to_contain_text("What it does may not be undone.")
    expect(dialog.get_by_label("Reaches")).to_have_count(0)
    typed = dialog.get_by_label("Type api-prod-1 to confirm")
    expect(typed).to_be_focused()
    expect(button).to_be_disabled()
    typed.fill("api-prod-2")
    expect(button).to_be_disabled()
    page.keyboard.press("Enter")
    assert server.decided == []
    typed.fill("api-prod-1")
    window.shoot("ai-confirm-wide-light")
    page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    sent = {"outcome": "approved", "seen": SEEN, "confirmation": "api-prod-1"}
    assert server.decided == [("wait", sent)]


def test_a_no_takes_a_reason_and_nothing_to_type(window: Window, server: Proposals) -> None:
    """Denying says that nothing will run; Esc decides nothing and gives the focus back."""
    server.proposals = [pending(impact=DESTRUCTIVE)]
    page = window.open(f"{server.url}/proposals/wait")
    dialog = opened(page, "Deny")
    expect(dialog).to_contain_text("Nothing will run.")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("button", name="Deny resize_disk on api-prod-1")).to_be_focused()
    assert server.decided == []
    dialog = opened(page, "Deny")
    dialog.get_by_label("Reason").fill("still needed")
    dialog.get_by_role("button", name="Deny resize_disk on api-prod-1").click()
    expect(page.locator(".headline .verdict")).to_have_text("Denied")
    assert server.decided == [("wait", {"outcome": "denied", "reason": "still needed"})]


def test_a_refusal_is_said_where_one_decided(window: Window, server: Proposals) -> None:
    """The server's sentence and next step stand in the dialog; what was typed is still there."""
    problem = {"detail": "It cannot have been read yet.", "hint": "Read it first."}
    server.answers["/api/v1/proposals/wait/decision"] = (409, problem)
    page = window.open(f"{server.url}/ai")
    dialog = opened(page)
    dialog.get_by_label("Reason").fill("quick")
    button = dialog.get_by_role("button", name="Approve resize_disk on api-prod-1")
    button.click()
    expect(dialog.get_by_role("alert")).to_contain_text(
        "The decision was not recorded. It cannot have been read yet. Read it first."
    )
    expect(dialog.get_by_label("Reason")).to_have_value("quick")
    server.answers.clear()
    button.click()
    expect(dialog).to_have_count(0)
    assert [one["reason"] for _, one in server.decided] == ["quick"]


def test_what_was_decided_meanwhile_is_shown_instead(window: Window, server: Proposals) -> None:
    """The proposal is read again before one decides: over is over."""
    page = window.open(f"{server.url}/ai")
    button = page.get_by_role("button", name="Approve resize_disk on api-prod-1")
    expect(button).to_be_visible()
    server.decided.clear()
    over = server.proposals[0]["decide"] | {"open": False, "closed": "It is denied since 12:01."}
    server.replace(pending() | {"decide": over})
    button.click()
    expect(page.locator("#announcer")).to_have_text(
        "Nothing can be decided any more. It is denied since 12:01."
    )
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(button).to_have_count(0)


def test_a_yes_is_to_what_the_dialog_shows(window: Window, server: Proposals) -> None:
    """It names the entry that was read for the dialog, not the one that the row was made of."""
    page = window.open(f"{server.url}/ai")
    button = page.get_by_role("button", name="Approve resize_disk on api-prod-1")
    expect(button).to_be_visible()
    later = {"arguments": {"size_gb": 500}, "digest": None, "entry": "e9"}
    server.replace(pending(proposed=later))
    dialog = opened(page)
    expect(dialog).to_contain_text("500")
    dialog.get_by_role("button", name="Approve resize_disk on api-prod-1").click()
    expect(dialog).to_have_count(0)
    assert [one["seen"] for _, one in server.decided] == [{"entry": "e9", "digest": None}]


def test_what_was_proposed_in_two_ways_is_denied_alone(window: Window, server: Proposals) -> None:
    """The dialog says why it cannot be approved; denying it is open."""
    conflict = pending()
    conflict["decide"]["conflict"] = True
    server.proposals = [conflict]
    page = window.open(f"{server.url}/ai")
    dialog = opened(page)
    expect(dialog).to_contain_text("Different things were proposed under this id")
    expect(dialog.locator("button[type=submit]")).to_be_disabled()
    page.keyboard.press("Escape")
    dialog = opened(page, "Deny")
    expect(dialog.locator("button[type=submit]")).to_be_enabled()


def test_who_asked_needs_a_second_person(window: Window, server: Proposals) -> None:
    """Where the policy asks for four eyes, the asker may deny, and is told why not more."""
    server.proposals = [pending(initiator=MIRA)]
    page = window.open(f"{server.url}/ai")
    dialog = opened(page)
    expect(dialog).to_contain_text("the policy asks for a second person")
    expect(dialog.locator("button[type=submit]")).to_be_disabled()
    page.keyboard.press("Escape")
    dialog = opened(page, "Deny")
    expect(dialog.locator("button[type=submit]")).to_be_enabled()


def test_only_who_may_is_offered_to_decide(window: Window, server: Proposals) -> None:
    """Without agent:approve there are no buttons; over time there are none either."""
    server.permissions.remove("agent:approve")
    page = window.open(f"{server.url}/ai")
    expect(page.locator('[data-chain="wait"]')).to_be_visible()
    expect(page.locator("[data-decide]")).to_have_count(0)
    server.permissions.append("agent:approve")
    server.proposals = [pending() | {"expires_at": "2026-01-01T00:00:00.000Z"}]
    page.reload()
    expect(page.locator('[data-chain="wait"]')).to_contain_text("time to decide is over")
    expect(page.locator("[data-decide]")).to_have_count(0)
