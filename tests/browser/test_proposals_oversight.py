"""Oversight: how people decide, in numbers, bars and a table; and how a policy is tried."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from tests.browser.proposal_samples import JONAS, MIRA, oversees, oversight_sample, sample
from tests.browser.proposal_stand_in import Proposals
from tests.browser.table import query

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.conftest import Window

PATH = "/api/v1/oversight"
COMMAND = (
    "activity-center proposals replay --config activity-center.yml --policies changed.yml --from "
)


@pytest.fixture
def server() -> Iterator[Proposals]:
    """A stand-in where one looks, one says yes to everything, and a rule decides the rest."""
    made = Proposals(*sample())
    made.oversight = oversight_sample()
    yield made
    made.close()


def opened(window: Window, server: Proposals, more: str = "") -> Page:
    """The view, with its rows."""
    page = window.open(f"{server.url}/ai/oversight{more}")
    expect(page.locator("#oversight")).to_be_visible()
    return page


def test_each_approver_is_measured_by_impact(window: Window, server: Proposals) -> None:
    """Time, rate, row and standing approvals of each; who needs a look first, rules last."""
    page = opened(window, server)
    heads = ["Approver", "Impact", "Decided", "Approved", "In a row", "Standing",
             "Time to decision"]  # fmt: skip
    expect(page.locator("#oversight thead th")).to_have_text(heads)
    names = page.locator("#oversight .o-approver a, #oversight tbody .o-approver:not(:has(a))")
    expect(names).to_have_text(["Mira Kovač", "Jonas Osei", "A rule, no person"])
    rows = [" ".join(one.inner_text().split()) for one in page.locator("#oversight tbody tr").all()]
    assert [re.sub(r" ?, decided by \S+ \S+", "", one).replace(" ,", ",") for one in rows] == [
        "Mira Kovač Destructive 4 100 % 4 2, not looked at one by one 47 s, 95 % within 3 min 10 s",
        "Caution 62 100 % 62, many approvals without a no 0 "
        "1.4 s, hardly time to read, 95 % within 2.9 s",
        "Not rated 2 50 % 1 0 47 s, 95 % within 3 min 10 s",
        "Jonas Osei Destructive 8 62.5 % 5 0 47 s, 95 % within 3 min 10 s",
        "Caution 40 77.5 % 5 0 47 s, 95 % within 3 min 10 s",
        "A rule, no person Safe 900 100 % 900 900 –",
    ]
    marked = page.locator("#oversight .warn:not(.badge)")
    expect(marked).to_have_count(3)
    assert marked.locator(".icon").count() == 3
    for text in ("20 approvals or more in a row", "within 3 s", "a standing approval on what"):
        expect(page.locator(".counted")).to_contain_text(text)


def test_the_answer_comes_in_numbers_and_bars(window: Window, server: Proposals) -> None:
    """People's decisions alone make rate, row and time; the bars say the same in proportion."""
    page = opened(window, server)
    numbers = page.get_by_role("group", name="How people decide")
    expect(numbers.locator(".number")).to_have_text(
        [
            re.compile(r"116\s*decisions by people"),
            re.compile(r"88.8 %\s*approved of what people decided"),
            re.compile(r"62\s*approvals in a row, Mira Kovač"),
            re.compile(r"1.4 s – 47 s\s*median time to decision"),
            re.compile(r"902\s*by a rule or a standing approval"),
        ]
    )
    impacts = page.locator(".card", has_text="Approved of what people decided").locator("li")
    expect(impacts).to_have_text([re.compile(one) for one in
                                  (r"Destructive\s*75 %", r"Caution\s*91.2 %",
                                   r"Not rated\s*50 %")])  # fmt: skip
    runs = page.locator(".card", has_text="Most approvals in a row").locator("li")
    expect(runs).to_have_text([re.compile(r"Mira Kovač\s*62"), re.compile(r"Jonas Osei\s*5")])
    shares = runs.locator("meter").evaluate_all("all => all.map((one) => one.value / one.max)")
    assert shares == [1, pytest.approx(5 / 62)]
    spreads = page.locator("#oversight .spread")
    expect(spreads).to_have_count(5)
    lefts = [
        float(one.locator(".half").get_attribute("x") or -1)
        for one in (spreads.nth(0), spreads.nth(1))
    ]
    assert lefts[0] > lefts[1] > 0


def test_a_row_leads_to_what_it_counts(window: Window, server: Proposals) -> None:
    """Approver and impact are links to their proposals of the same time; keys reach them."""
    page = opened(window, server, "?range=30d")
    link = page.get_by_role("link", name=re.compile("Destructive ?, decided by Mira Kovač"))
    found = parse_qs(urlsplit(link.get_attribute("href") or "").query)
    assert found == {"range": ["30d"], "approver": ["usr_mk"], "impact": ["destructive"]}
    page.keyboard.press("j")
    expect(page.get_by_role("link", name="Mira Kovač", exact=True)).to_be_focused()
    page.keyboard.press("j")
    expect(page.get_by_role("link", name="Jonas Osei", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/ai?*")
    assert query(page) == {"range": ["30d"], "approver": ["usr_jo"]}
    expect(page.locator(".chip.set", has_text="Decided by")).to_contain_text("Jonas Osei")
    page.go_back()
    expect(page.locator("#oversight")).to_be_visible()


def test_the_period_is_chosen_as_in_the_other_views(window: Window, server: Proposals) -> None:
    """The presets stand in the menu of "When"; the address says which; the question goes by it."""
    page = opened(window, server)
    assert "range" not in server.asked[-1]
    page.get_by_role("button", name="When any time").click()
    expect(page.locator("#menu .option")).to_have_text(
        ["any time", "last 24 hours", "last 7 days", "last 30 days"]
    )
    with page.expect_response(lambda answer: "range=7d" in answer.url):
        page.locator("#menu .option", has_text="last 7 days").click()
    expect(page.locator(".chip.set")).to_contain_text("last 7 days")
    assert query(page) == {"range": ["7d"]}
    expect(page.locator("#replay .code")).to_have_text(f"{COMMAND}7d")
    assert server.asked[-1]["range"] == ["7d"]
    page.get_by_role("button", name="Remove the filter When").click()
    expect(page.locator(".chip.set")).to_have_count(0)
    server.of = 9000
    page.reload()
    expect(page.locator(".counted")).to_contain_text(
        "Counted over the newest 14 of 9,000 proposals."
    )


def test_a_policy_is_tried_by_a_command(window: Window, server: Proposals) -> None:
    """It says what it does, is of the chosen time and organization, and can be copied."""
    page = opened(window, server, "?from=2026-11-01T00:00:00Z&to=2026-11-08&organization=northwind")
    part = page.locator("#replay")
    expect(part.get_by_role("heading", level=2)).to_have_text("Before you switch a policy on")
    expect(part).to_contain_text("Each verdict that would differ is listed")
    told = f"{COMMAND}2026-11-01T00:00:00Z --to 2026-11-08 --organization northwind"
    expect(part.locator(".code")).to_have_text(told)
    part.get_by_role("button", name="Copy the command").click()
    expect(page.locator("#announcer")).to_have_text("Command copied")
    assert page.evaluate("navigator.clipboard.readText()") == told


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("a b", "'a b'"),
        ("$(rm -rf x)", "'$(rm -rf x)'"),
        ("it's;ls", r"'it'\''s;ls'"),
        ("x\u202ey", "'x[U+202E]y'"),
    ],
    ids=["space", "substitution", "quote", "hidden"],
)
def test_nothing_of_an_address_is_run(
    window: Window, server: Proposals, given: str, told: str
) -> None:
    """A pasted link cannot put a command of its own into the one that is copied."""
    page = window.open(f"{server.url}/ai")
    page.goto(f"{server.url}/ai/oversight?organization={given}")
    expect(page.locator("#replay .code")).to_have_text(f"{COMMAND}30d --organization {told}")


def test_it_is_reached_from_the_lens_and_the_agents(window: Window, server: Proposals) -> None:
    """A tab beside proposals, agents and entries leads here; organization and time stay."""
    for path in ("/ai", "/agents", "/ai/entries"):
        page = window.open(f"{server.url}{path}?organization=northwind&range=7d")
        tabs = page.get_by_role("navigation", name="AI activity")
        tabs.get_by_role("link", name="Oversight").click()
        page.wait_for_url("**/ai/oversight?organization=northwind&range=7d")
        expect(page.locator("#oversight")).to_be_visible()
        expect(tabs.get_by_role("link", name="Oversight")).to_have_attribute("aria-current", "page")
    expect(page).to_have_title("Oversight of AI agents · Activity Center")
    several = "organization=northwind&organization=brightleaf"  # which entries alone can be of
    elsewhere = window.open(f"{server.url}/ai/entries?{several}&range=7d")
    tab = elsewhere.get_by_role("navigation", name="AI activity").get_by_role("link", name="Agents")
    expect(tab).to_have_attribute("href", "/agents?range=7d")
    page = window.open(f"{server.url}/ai/oversight?organization=northwind&range=7d")
    page.locator("#organization").select_option("")
    expect(page).to_have_url(re.compile("/ai/oversight[?]range=7d$"))
    page.get_by_role("link", name="Proposals", exact=True).click()
    expect(page.locator("[data-chain]").first).to_be_visible()
    page.keyboard.press("f")
    expect(page.locator("#menu .option", has_text="Action type")).to_be_visible()


def test_loading_error_and_denied_are_designed(window: Window, server: Proposals) -> None:
    """Bones first; an error keeps what was there and offers the retry; a permission is named."""
    server.delays[PATH] = 0.8
    page = window.open(f"{server.url}/ai/oversight")
    expect(page.locator(".chain.skeleton").first).to_be_visible()
    expect(page.locator("#oversight")).to_be_visible()
    server.delays.clear()
    server.answers[PATH] = (503, {"detail": "OpenSearch does not answer.", "hint": "It restarts."})
    page.keyboard.press("r")
    expect(page.get_by_role("alert")).to_contain_text("OpenSearch does not answer.")
    expect(page.locator("#oversight tbody tr")).to_have_count(6)
    server.answers.clear()
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("alert")).to_have_count(0)
    server.answers[PATH] = (403, {"detail": "No.", "permission": "org:audit"})
    page.reload()
    expect(page.locator("#failure")).to_contain_text("the permission org:audit")
    expect(page.locator("#oversight")).to_have_count(0)


def test_nothing_decided_says_what_to_drop(window: Window, server: Proposals) -> None:
    """An empty answer offers its filters to remove; an empty record says what comes here."""
    server.oversight = []
    page = window.open(f"{server.url}/ai/oversight?range=24h")
    expect(page.locator("#empty")).to_contain_text("Nothing was decided here")
    server.oversight = [oversees(JONAS, "caution", 3, 2)]
    page.get_by_role("button", name="Remove When", exact=True).click()
    expect(page.locator("#oversight tbody tr")).to_have_count(1)
    server.oversight = []
    page.goto(f"{server.url}/ai/oversight")
    expect(page.locator("#empty")).to_contain_text("As soon as somebody says yes or no")
    expect(page.locator("#empty button")).to_have_count(0)


def test_hostile_names_are_shown_as_text(window: Window, server: Proposals) -> None:
    """Markup and hidden characters in a name are text; a long one has its place."""
    name = "<img src=x onerror=alert(1)>\u202e" + "x" * 300
    who = {**MIRA, "full_name": name, "id": "a/b?c&d"}
    server.oversight = [oversees(who, "caution", 3, 2), oversees(JONAS, "constructor", 3, 2)]
    page = opened(window, server)
    assert page.locator("main img").count() == 0
    expect(page.locator("#oversight .hidden-character").first).to_have_text("U+202E")
    link = page.locator("#oversight .o-approver a").first
    found = parse_qs(urlsplit(link.get_attribute("href") or "").query)
    assert found == {"approver": ["a/b?c&d"]}
    assert page.evaluate("document.documentElement.scrollWidth") <= 1440
