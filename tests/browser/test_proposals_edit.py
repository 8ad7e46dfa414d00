"""Approving with changes: the parameters as text, what one changes, and what is then recorded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import pytest
from playwright.sync_api import expect

from tests.browser.proposal_samples import pending
from tests.browser.proposal_stand_in import Proposals

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from tests.browser.conftest import Window

DESTRUCTIVE: Final = {"level": "destructive", "source": "operator"}
SEEN: Final = {"entry": "e1", "digest": "hmac-sha256:k1:5b0e"}
AS_PROPOSED: Final = {"server": "api-prod-1", "size_gb": 120, "online": True}


@pytest.fixture
def server() -> Iterator[Proposals]:
    """A stand-in with one proposal that waits."""
    made = Proposals(pending())
    yield made
    made.close()


def approving(page: Page) -> Locator:
    """The dialog of a yes."""
    page.get_by_role("button", name="Approve resize_disk on api-prod-1").click()
    return page.get_by_role("dialog", name="Approve resize_disk on api-prod-1?")


def proposing(arguments: Any) -> dict[str, Any]:
    """A proposal with parameters of its own."""
    return pending(proposed={"arguments": arguments, "digest": None, "entry": "e1"})


def test_a_yes_with_changes_sends_all_that_may_run(window: Window, server: Proposals) -> None:
    """The difference stands there before one confirms; the record has the changed parameters."""
    page = window.open(f"{server.url}/ai")
    dialog = approving(page)
    dialog.get_by_role("button", name="Change the parameters").click()
    text = dialog.get_by_label("Parameters as JSON")
    expect(text).to_be_focused()
    assert json.loads(text.input_value()) == AS_PROPOSED
    said = dialog.get_by_role("status")
    expect(said).to_have_text("Nothing is changed yet.")
    button = dialog.get_by_role("button", name="Approve resize_disk on api-prod-1 with changes")
    expect(button).to_be_disabled()
    changed = {"server": "api-prod-1", "size_gb": 100, "snapshot": True}
    text.fill(json.dumps(changed))
    expect(said).to_have_text("You change 3 parameters:")
    rows = dialog.locator("table.params tbody tr")
    assert [" ".join(one.inner_text().split()) for one in rows.all()] == [
        "online true not set left out",
        "size_gb 120 100 changed",
        "snapshot not set true added",
    ]
    expect(dialog).to_contain_text("run exactly this instead of what it proposed")
    dialog.get_by_label("Reason").fill("100 is enough")
    window.shoot("ai-edit-wide-light")
    button.click()
    expect(dialog).to_have_count(0)
    sent = {"outcome": "edited", "reason": "100 is enough", "arguments": changed, "scope": "once",
            "seen": SEEN}  # fmt: skip
    assert server.decided == [("wait", sent)]
    expect(page.locator("#announcer")).to_have_text("Approved with changes and recorded")
    row = page.locator('[data-chain="wait"]')
    expect(row.locator(".stations")).to_contain_text("Edited")
    row.locator(".toggle-chain").click()
    heads = ["Parameter", "Proposed", "Approved", "Difference"]
    expect(row.locator("table.params thead th")).to_have_text(heads)


SPOILT: Final = (
    ('{"size_gb": 100', "This is no JSON"),
    ("", "This is no JSON"),
    ('["size_gb"]', "This is no JSON object: parameters have names, in braces."),
    ("null", "This is no JSON object"),
    ('{"n": [9007199254740993]}', "A number is too large"),
    ('{"n": {"m": 1e400}}', "A number is too large"),
)


def test_what_cannot_be_sent_is_said_at_once(window: Window, server: Proposals) -> None:
    """Wrong text says why, is told to a screen reader and closes the button; mended, it opens."""
    page = window.open(f"{server.url}/ai")
    dialog = approving(page)
    dialog.get_by_role("button", name="Change the parameters").click()
    field = dialog.get_by_label("Parameters as JSON")
    for text, told in SPOILT:
        field.fill(text)
        expect(dialog.get_by_role("status")).to_contain_text(told)
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(field).to_have_accessible_description(dialog.get_by_role("status").inner_text())
        expect(dialog.locator("button[type=submit]")).to_be_disabled()
        expect(dialog.locator("table.params")).to_have_count(0)
        dialog.get_by_label("Reason").press("Enter")
        assert server.decided == [], text
        field.fill('{"size_gb": 100}')
        expect(field).to_have_attribute("aria-invalid", "false")
        expect(dialog.locator("button[type=submit]")).to_be_enabled()


def test_changes_are_made_and_given_up_by_keys(window: Window, server: Proposals) -> None:
    """Without a mouse: into the text, back to what was proposed, and yes to that."""
    page = window.open(f"{server.url}/proposals/wait")
    dialog = approving(page)
    begin = dialog.get_by_role("button", name="Change the parameters")
    expect(dialog.get_by_label("Reason")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(begin).to_be_focused()
    page.keyboard.press("Enter")
    text = dialog.get_by_label("Parameters as JSON")
    expect(text).to_be_focused()
    page.keyboard.press("Control+A")
    page.keyboard.type('{"size_gb":\n 90}')
    expect(dialog.get_by_role("status")).to_have_text("You change 3 parameters:")
    page.keyboard.press("Tab")
    expect(dialog.get_by_role("region", name="What you change")).to_be_focused()
    page.keyboard.press("Tab")
    expect(dialog.get_by_role("button", name="Keep them as proposed")).to_be_focused()
    page.keyboard.press("Enter")
    expect(begin).to_be_focused()
    expect(dialog.locator("table.params")).to_contain_text("120")
    dialog.get_by_label("Reason").press("Enter")
    expect(dialog).to_have_count(0)
    assert server.decided == [("wait", {"outcome": "approved", "scope": "once", "seen": SEEN})]


def test_what_destroys_is_still_typed(window: Window, server: Proposals) -> None:
    """Changed parameters do not spare the target's name, nor a refusal its text."""
    server.proposals = [pending(impact=DESTRUCTIVE)]
    page = window.open(f"{server.url}/ai")
    dialog = approving(page)
    dialog.get_by_role("button", name="Change the parameters").click()
    text = dialog.get_by_label("Parameters as JSON")
    text.fill('{"size_gb": 100}')
    button = dialog.locator("button[type=submit]")
    expect(button).to_be_disabled()
    dialog.get_by_label("Type api-prod-1 to confirm").fill("api-prod-1")
    expect(button).to_be_enabled()
    path = "/api/v1/proposals/wait/decision"
    server.answers[path] = (413, {"detail": "The body has more than 64 KiB.", "hint": "Shorten."})
    button.click()
    expect(dialog.get_by_role("alert")).to_contain_text("The body has more than 64 KiB. Shorten.")
    expect(text).to_have_value('{"size_gb": 100}')
    server.answers.clear()
    button.click()
    expect(dialog).to_have_count(0)
    sent = {"outcome": "edited", "arguments": {"size_gb": 100}, "confirmation": "api-prod-1",
            "seen": SEEN}  # fmt: skip
    assert server.decided == [("wait", sent)]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"password": ["[redacted]"]}, "A secret in the parameters is hidden"),
        ({"n": 2**60}, "A number is too large to be changed in a browser"),
        ({"spec": {}, "spec.text": "x"}, "The parameters are nested too deep"),
        (None, "The proposal does not tell its parameters"),
    ],
    ids=["secret", "number", "moved", "untold"],
)
def test_what_a_browser_would_spoil_is_not_offered_to_change(
    window: Window, server: Proposals, arguments: Any, told: str
) -> None:
    """Where all parameters cannot be sent as they are, the dialog says why; a plain yes is open."""
    server.proposals = [proposing(arguments)]
    page = window.open(f"{server.url}/ai")
    dialog = approving(page)
    expect(dialog).to_contain_text(told)
    expect(dialog.get_by_role("button", name="Change the parameters")).to_have_count(0)
    expect(dialog.locator("button[type=submit]")).to_be_enabled()


def test_a_no_changes_nothing(window: Window, server: Proposals) -> None:
    """Who denies is not offered to change what will not run."""
    page = window.open(f"{server.url}/ai")
    page.get_by_role("button", name="Deny resize_disk on api-prod-1").click()
    dialog = page.get_by_role("dialog", name="Deny resize_disk on api-prod-1?")
    expect(dialog.locator("table.params")).to_contain_text("120")
    expect(dialog.get_by_role("button", name="Change the parameters")).to_have_count(0)
