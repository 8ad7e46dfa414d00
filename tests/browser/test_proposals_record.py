"""The record of an agent, the story of a case, and what was seen of a chain."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.proposal_samples import case_sample, entry, sample
from tests.browser.proposal_stand_in import Proposals
from tests.browser.table import query
from tests.sidecar_api.search.documents import document

if TYPE_CHECKING:
    from tests.browser.conftest import Window


@pytest.fixture
def server() -> Iterator[Proposals]:
    """A stand-in with one proposal of each kind, and the case of one."""
    made = Proposals(*sample())
    made.cases["case_drift"] = case_sample()
    yield made
    made.close()


def test_an_agent_has_its_record(window: Window, server: Proposals) -> None:
    """Counts, approval rate, time to decision, failure and violation rate, each leads on."""
    page = window.open(f"{server.url}/agents")
    row = page.locator("#agents tbody tr")
    expect(row).to_have_count(1)
    for text in ("ops-pilot", "claude-opus", "14", "90 %", "47 s", "9.1 %", "42.9 %"):
        expect(row).to_contain_text(text)
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/agents/agt_ops")
    expect(page.get_by_role("heading", level=1)).to_contain_text("ops-pilot")
    record = page.get_by_role("group", name="Record")
    for text in ("14", "90 %", "median time to decision, 95 % within 47 s", "9.1 %", "violations"):
        expect(record).to_contain_text(text)
    tally = page.locator(".tallies li", has_text="Parameters drifted")
    expect(tally.locator(".count")).to_have_text("1")
    expect(page.locator(".latest [data-chain]")).to_have_count(5)
    tally.get_by_role("link").click()
    expect(page.locator("[data-chain]")).to_have_count(1)
    assert query(page) == {"agent": ["agt_ops"], "verdict": ["parameters_drifted"]}
    page.locator(".facts .agent a").first.click()
    page.wait_for_url("**/agents/agt_ops")


def test_what_nobody_rated_leads_to_its_proposals(window: Window, server: Proposals) -> None:
    """Unrated is an impact like the others: by a name, and with a list behind it."""
    for one in server.proposals[:2]:
        one["impact"]["level"] = "unrated"
    page = window.open(f"{server.url}/agents/agt_ops")
    tally = page.locator(".tallies li", has_text="Not rated")
    expect(tally.locator(".count")).to_have_text("2")
    tally.get_by_role("link").click()
    expect(page.locator("[data-chain]")).to_have_count(2)
    assert query(page) == {"agent": ["agt_ops"], "impact": ["unrated"]}
    expect(page.locator(".chip.set", has_text="Impact")).to_contain_text("Not rated")


def test_no_agent_yet(window: Window, server: Proposals) -> None:
    """An empty record says what comes here."""
    server.proposals = []
    page = window.open(f"{server.url}/agents")
    expect(page.locator("#empty")).to_contain_text("No agent has proposed anything yet")


def test_time_and_organization_narrow_the_records(window: Window, server: Proposals) -> None:
    """A chip for each, as in the lists; the API is asked with them, and links keep them."""
    page = window.open(f"{server.url}/agents")
    chips = page.get_by_role("group", name="Filter by")
    chips.get_by_role("button", name="When any time").click()
    with page.expect_request(lambda sent: sent.url.endswith("/api/v1/agents?range=7d")):
        page.locator("#menu .option", has_text="last 7 days").click()
    expect(chips.locator(".chip.set")).to_have_text("When last 7 days")
    with page.expect_request(lambda sent: sent.url.endswith("/api/v1/agents/agt_ops?range=7d")):
        page.locator("#agents th a").click()
    expect(chips.locator(".chip.set")).to_have_text("When last 7 days")
    expect(page.get_by_role("link", name="All agents")).to_have_attribute(
        "href", "/agents?range=7d"
    )
    page.get_by_role("link", name="All proposals of this agent").click()
    expect(page.locator("[data-chain]").first).to_be_visible()
    assert query(page) == {"agent": ["agt_ops"], "range": ["7d"]}
    link = page.locator(".facts .agent a").first
    expect(link).to_have_attribute("href", "/agents/agt_ops?range=7d")
    page.go_back()
    with page.expect_request(lambda sent: sent.url.endswith("/api/v1/agents/agt_ops")):
        chips.get_by_role("button", name="Remove the filter When").click()
    page.keyboard.press("f")
    expect(page.locator("#menu .option")).to_have_text(["When", "Organization"])


def test_an_empty_time_says_so(window: Window, server: Proposals) -> None:
    """Not that there is no agent at all; the time is dropped from there."""
    kept, server.proposals = server.proposals, []
    page = window.open(f"{server.url}/agents?range=24h")
    expect(page.locator("#empty")).to_contain_text("No agent proposed anything here")
    page.goto(f"{server.url}/agents/agt_ops?range=24h")
    expect(page.locator("#empty")).to_contain_text("Nothing of this agent in this time")
    server.proposals = kept
    page.get_by_role("button", name="Remove When", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("ops-pilot")
    page.goto(f"{server.url}/agents/other")
    expect(page.locator("#failure")).to_contain_text("There is no such agent")


def test_a_finding_has_its_time_as_all_times_are(window: Window, server: Proposals) -> None:
    """In the chosen zone, in the list and in the whole; what somebody typed stays as it is."""
    at = "2026-11-24T13:02:31.418Z"
    said = {
        "decided_after_expiry": f"It expired at {at} and ran.",
        "confirmation_missing": f"Not typed: {at}.",
    }
    late = next(one for one in server.proposals if one["id"] == "late")
    late["judgement"]["findings"] = [
        {"kind": kind, "label": kind, "text": text, "entries": []} for kind, text in said.items()
    ]
    page = window.open(f"{server.url}/ai")
    told = "It expired at 24 Nov 2026, 14:02:31.418 UTC+1 and ran."
    row = page.locator('[data-chain="late"]')
    expect(row.locator(".explained")).to_have_text(told)
    row.locator(".toggle-chain").click()
    expect(row.locator(".finding")).to_contain_text(told)
    expect(row.locator(".findings")).to_contain_text(f"Not typed: {at}.")


def test_evidence_that_may_not_be_had_is_not_offered(window: Window, server: Proposals) -> None:
    """Before one asks for it, and with the reason."""
    server.permissions = ["org:audit"]
    page = window.open(f"{server.url}/proposals/drift")
    why = "You see more than you may export: that takes the permission org:audit:export."
    expect(page.locator(".no-evidence")).to_have_text(f"Evidence: {why}")
    expect(page.get_by_role("button", name="Evidence as")).to_have_count(0)
    expect(page.get_by_role("button", name="Copy link")).to_be_visible()
    server.permissions = ["org:audit", "org:audit:export"]
    for one in ("northwind", "brightleaf"):
        server.activities.append({"id": one, **document(organization__id=one)})
    server.told["brightleaf"] = {"permissions": ["org:audit"]}  # of another one nothing is asked
    page.reload()
    expect(page.get_by_role("button", name="Evidence as")).to_have_count(2)


def test_a_case_tells_its_story_in_order(window: Window, server: Proposals) -> None:
    """Proposal, decision, execution, process, changes: in order, with who, waits and links."""
    page = window.open(f"{server.url}/ai")
    page.locator('[data-chain="drift"] .case').click()
    page.wait_for_url("**/cases/case_drift")
    expect(page.get_by_role("heading", level=1)).to_have_text("Case case_drift")
    expect(page.locator("[data-chain] .headline .verdict")).to_have_text("Parameters drifted")
    moments = page.locator(".story .moment")
    expect(moments).to_have_count(6)
    told = [
        ("Proposed", "The disk is 94 % full."),
        ("Approved", "Mira Kovač"),
        ("Executing", "2 s later"),
        ("Started", "Resize disk of api-prod-1"),
        ("Resize disk", "size_gb 80 → 160"),
        ("Executed", "resized to 160 GB"),
    ]
    for number, texts in enumerate(told):
        for text in texts:
            expect(moments.nth(number)).to_contain_text(text)
    assert moments.nth(3).get_by_role("link", name="Open the process").get_attribute("href") == (
        "/processes/prc_20"
    )
    assert moments.nth(4).get_by_role("link", name="Open the entry").get_attribute("href") == (
        "/audit?case=case_drift&open=a5"
    )
    expect(page.locator(".started")).to_contain_text("Done")
    moments.nth(0).get_by_role("link", name="Open the proposal").click()
    page.wait_for_url(re.compile("/proposals/drift$"))


def test_a_case_says_what_is_left_out_of_it(window: Window, server: Proposals) -> None:
    """Each part that has more than is shown says so; a whole one says nothing."""
    page = window.open(f"{server.url}/cases/case_drift")
    expect(page.locator(".story .moment")).to_have_count(6)
    expect(page.locator("[data-cut]")).to_have_count(0)
    server.cases["case_drift"] |= {
        "whole": False,
        "left_out": ["entries", "processes", "proposals"],
    }
    page.reload()
    expect(page.locator("[data-cut]")).to_have_count(3)
    expect(page.locator("[data-cut=proposals]")).to_contain_text("more proposals than are shown")
    expect(page.locator("[data-cut=processes]")).to_contain_text("more processes than are shown")
    expect(page.locator("[data-cut=entries]")).to_contain_text("goes on in the entries")


def test_a_case_goes_on_while_one_reads(window: Window, server: Proposals) -> None:
    """What happens in the case is added at its end."""
    page = window.open(f"{server.url}/cases/case_drift")
    expect(page.locator("#live")).to_have_text("Live")
    server.cases["case_drift"]["entries"].append(entry(7, "agent.proposal.failed", 1))
    server.tell("drift", "failed")
    expect(page.locator(".story .moment")).to_have_count(7)
