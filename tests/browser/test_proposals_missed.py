"""AI activity when the live tail says that it cannot give all that happened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.browser.proposal_samples import decision, pending
from tests.browser.test_proposals import behind_the_pill, chain, listed, server

if TYPE_CHECKING:
    from tests.browser.conftest import Window
    from tests.browser.proposal_stand_in import Proposals

__all__ = ["server"]

DENIED = {"state": "denied", "decisions": [decision(0, "denied", reason="not now")]}


def test_the_list_is_read_again_in_its_place(window: Window, server: Proposals) -> None:
    """What was decided meanwhile shows in its row; that there may be new ones waits behind the
    pill, which brings them."""
    page = window.open(f"{server.url}/ai")
    expect(page.locator("#live")).to_have_text("Live")
    before = listed(page)
    server.replace(pending() | DENIED)
    server.proposals.insert(0, pending("newer"))
    server.forget()
    expect(chain(page, "wait").locator(".station").nth(1)).to_contain_text("not now")
    behind_the_pill(page, "1 or more new proposals", before)


def test_one_proposal_is_read_again(window: Window, server: Proposals) -> None:
    """The page of one proposal shows how it stands now."""
    page = window.open(f"{server.url}/proposals/wait")
    expect(page.locator("#live")).to_have_text("Live")
    server.replace(pending() | DENIED)
    server.forget()
    expect(page.locator(".station").nth(1)).to_contain_text("not now")
