"""The list of proposals: what nobody should miss, chains as stations, filters, live."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from activity_center.agents import verdicts
from tests.browser.proposal_samples import (
    MIRA,
    decision,
    drifted,
    execution,
    pending,
    proposal,
    sample,
)
from tests.browser.proposal_stand_in import Proposals
from tests.browser.table import query

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from tests.browser.conftest import Window

LIST = "/api/v1/proposals"


@pytest.fixture
def server() -> Iterator[Proposals]:
    """A stand-in with one proposal of each kind."""
    made = Proposals(*sample())
    yield made
    made.close()


def chain(page: Page, id_: str) -> Locator:
    """The row of a proposal."""
    return page.locator(f'[data-chain="{id_}"]')


def listed(page: Page) -> list[str]:
    """The proposals in the order of the page."""
    expect(page.locator("[data-chain]").first).to_be_visible()
    found = page.locator("li[data-chain]").evaluate_all(
        "all => all.map((one) => one.dataset.chain)"
    )
    assert isinstance(found, list)
    return found


def behind_the_pill(page: Page, words: str, before: list[str]) -> None:
    """The proposal "newer" waits, and moves nothing until one asks for it."""
    expect(page.locator("#fresh")).to_have_text(words)
    assert listed(page) == before
    page.click("#fresh")
    expect(chain(page, "newer")).to_be_visible()
    expect(page.locator("#fresh")).to_have_count(0)


def test_of_what_nobody_counted_nothing_is_said(window: Window, server: Proposals) -> None:
    """Where the newest ones alone were judged, there is no tick: of how many is said."""
    server.proposals = [one for one in server.proposals if not one["judgement"]["violation"]]
    server.of = 2500
    look = window.open(f"{server.url}/ai").locator(".number").nth(3)
    count = len(server.proposals)
    expect(look).to_have_text(re.compile(rf"0\s*need a look in the newest {count}"))
    expect(look.locator("svg")).to_have_count(0)
    expect(look.locator("xpath=../following-sibling::*[1]")).to_have_text(
        f"Counted over the newest {count} of 2,500 proposals."
    )


def test_what_nobody_should_miss_stands_on_top(window: Window, server: Proposals) -> None:
    """Violations first, each with its verdict and why; then all others, the newest first."""
    page = window.open(f"{server.url}/ai")
    wrong = [one["id"] for one in server.proposals if one["judgement"]["violation"]]
    right = [one["id"] for one in server.proposals if not one["judgement"]["violation"]]
    assert listed(page) == wrong + right
    look = page.locator(".look")
    expect(look.get_by_role("heading", level=2)).to_have_text("What nobody should miss")
    assert look.locator("[data-chain]").count() == len(wrong)
    first = chain(page, "drift")
    expect(first.locator(".headline .badge").first).to_have_text("Parameters drifted")
    expect(first.locator(".explained")).to_have_text("size_gb was 120 when approved; 160 ran.")
    expect(page.locator(".number").nth(3)).to_have_text(re.compile(r"6\s*need a look, last 7 days"))
    page.locator("a.number", has_text="need a look").click()
    expect(page).to_have_url(re.compile("verdict=violations"))
    expect(page.locator(".chip.set", has_text="Verdict")).to_contain_text("Needs a look")
    expect(page.locator("[data-chain]")).to_have_count(len(wrong))
    expect(page.locator("#showing")).to_contain_text("Looked at all 14 proposals")


def test_a_chain_is_four_stations_with_the_waits_between(window: Window, server: Proposals) -> None:
    """Proposed, decided, executed, result: when, by whom, how one knows, how long it took."""
    page = window.open(f"{server.url}/ai")
    stations = chain(page, "drift").locator(".station")
    expect(stations).to_have_count(4)
    expect(stations.nth(0)).to_contain_text("ops-pilot 2.3")
    expect(stations.nth(0)).to_contain_text("asked by Jonas Osei")
    expect(stations.nth(1)).to_contain_text("Approved")
    expect(stations.nth(1)).to_contain_text("47 s later")
    expect(stations.nth(1)).to_contain_text("Mira Kovač, second factor")
    expect(stations.nth(1)).to_contain_text("typed “api-prod-1”")
    expect(stations.nth(2)).to_contain_text("differs from what was approved")
    expect(stations.nth(3)).to_contain_text("took 40 s")
    expect(stations.nth(3).locator("time")).to_have_attribute(
        "datetime", server.proposals[1]["ended_at"]
    )
    said = {
        "bare": ["Not decided", "nobody allowed it"],
        "twice": ["Executed 2 times", "on one approval"],
        "no": ["Denied", "still holds March invoices", "nothing ran"],
        "edit": ["Edited", "same as approved"],
        "rule": ["Approved by rule"],
        "free": ["No approval needed", "by policy safe-runs-alone"],
        "old": ["Expired", "nothing ran"],
        "weak": ["not authenticated", "Approver not proven"],
        "wait": ["Waiting for a decision", "left to decide", "nothing ran yet"],
        "bust": ["Failed", "volume is locked by snap_81"],
    }
    for id_, texts in said.items():
        for text in texts:
            expect(chain(page, id_).locator(".stations")).to_contain_text(text)


def test_the_page_explains_every_verdict(window: Window, server: Proposals) -> None:
    """Opened, each says what its verdict means and what to do; its label is that of the judge."""
    server.proposals = [proposal(f"p{n}", key, ago=60 * n) for n, key in enumerate(verdicts())]
    page = window.open(f"{server.url}/ai")
    for number, said in enumerate(verdicts().values()):
        row = chain(page, f"p{number}")
        expect(row.locator(".headline .verdict")).to_have_text(said.label)
        assert row.locator(".headline .verdict .icon").count() == 1
        row.locator(".toggle-chain").click()
        box = row.locator(".verdict-box")
        expect(box.get_by_role("heading", level=4)).to_have_text(said.label)
        expect(box).to_contain_text(said.explanation)
        expect(box).to_contain_text(f"What to do: {said.what_to_do}")
    words = (files("sidecar_api") / "web" / "proposal-words.js").read_text()
    known = re.findall(r'^  (\w+): \["[\w-]+", "\w+", "(.+)"\],$', words, re.MULTILINE)
    assert known == [(key, said.label) for key, said in verdicts().items()]
    wrong = [key for key, said in verdicts().items() if said.violation]
    page.goto(f"{server.url}/ai?verdict=violations")
    expect(page.locator("[data-chain]").first).to_be_visible()
    assert server.asked[-1]["verdict"] == wrong


def test_what_was_approved_stands_beside_what_ran(window: Window, server: Proposals) -> None:
    """The difference is marked by a word and a sign, comes first, and the digests say the same."""
    page = window.open(f"{server.url}/ai?open=drift")
    table = chain(page, "drift").locator("table.params")
    heads = ["Parameter", "Approved", "Ran", "Difference"]
    expect(table.locator("thead th")).to_have_text(heads)
    first = table.locator("tbody tr").first
    assert first.locator("th, td").all_inner_texts() == ["size_gb", "120", "160", "changed"]
    assert first.locator("td.marks .icon").count() == 1
    expect(table.locator("tbody tr").nth(1).locator(".mark")).to_have_count(0)
    expect(chain(page, "drift").locator(".digest")).to_contain_text("is another than that")
    window.shoot("ai-drifted-wide-light")
    page.goto(f"{server.url}/proposals/edit")
    table = page.locator("table.params")
    heads = ["Parameter", "Proposed", "Approved", "Ran", "Difference"]
    expect(table.locator("thead th")).to_have_text(heads)
    row = table.locator("tr", has_text="size_gb").locator("td")
    assert row.all_inner_texts()[:3] == ["120", "100", "100"]
    expect(page.locator(".digest")).to_contain_text("is the digest of what was approved")


@pytest.mark.parametrize(
    ("approved", "ran", "path", "texts"),
    [
        ({"n": "1"}, {"n": 1}, "arguments.n", ['"1"', "1", "changed"]),
        ({"a": {"b": ["x", "y"]}}, {"a": {"b": ["x", "z"]}}, "arguments.a.b[1]", ["y", "z"]),
        ({}, {"force": True}, "arguments.force", ["not set", "true", "added"]),
        ({"dry_run": True}, {}, "arguments.dry_run", ["true", "not set", "left out"]),
    ],
    ids=["type", "nested", "added", "removed"],
)
def test_each_difference_is_seen_for_what_it_is(
    window: Window,
    server: Proposals,
    approved: dict[str, object],
    ran: dict[str, object],
    path: str,
    texts: list[str],
) -> None:
    """A text is told from a number, a nested value by its path, what is not there says so."""
    one = drifted()
    one["proposed"] = {**one["proposed"], "arguments": approved}
    one["executions"] = [execution(800, arguments=ran, digest="hmac-sha256:k1:1")]
    del one["judgement"]["findings"][0]["difference"]  # the digests differ; the page looks where
    server.replace(one)
    page = window.open(f"{server.url}/proposals/drift")
    row = page.locator("table.params tbody tr.differs")
    expect(row).to_have_count(1)
    found = row.locator("th, td").all_inner_texts()
    assert found[0] == path.removeprefix("arguments.")
    assert found[1 : 1 + len(texts)] == texts


def test_a_hidden_secret_that_differs_is_named(window: Window, server: Proposals) -> None:
    """Both sides show that a secret is hidden; the mark says that it is another one."""
    one = drifted()
    hidden = {"password": "[redacted]"}
    one["proposed"]["arguments"] = one["executions"][0]["arguments"] = hidden
    one["judgement"]["findings"][0]["difference"] = [
        {"path": "arguments.password", "approved": "[redacted]", "ran": "[redacted]",
         "kind": "secret"},
    ]  # fmt: skip
    server.replace(one)
    page = window.open(f"{server.url}/proposals/drift")
    row = page.locator("table.params tbody tr.differs")
    expect(row.locator(".mark")).to_have_text("another secret")


def test_who_decided_and_how_is_read_in_words(window: Window, server: Proposals) -> None:
    """Who asked, who decided with which roles, how they were recognized, what they typed."""
    server.replace(
        drifted() | {"decisions": [decision(853, confirmation="api-prod-1", reason="go ahead")]}
    )
    page = window.open(f"{server.url}/proposals/drift")
    facts = page.locator(".chain-detail dl")
    for text in ("Jonas Osei jonas@northwind.example", "claude-opus anthropic", "94 % full"):
        expect(facts.first).to_contain_text(text)
    decided = facts.nth(1)
    said = ("Approved by a person", "after 47 s", "Mira Kovač", "Authenticated session (oidc)",
            "with a second factor", "admin", "api-prod-1", "go ahead", "this once")  # fmt: skip
    for text in said:
        expect(decided).to_contain_text(text)
    page.goto(f"{server.url}/proposals/solo")
    expect(page.locator(".chain-detail")).to_contain_text("same person as who asked")
    page.goto(f"{server.url}/proposals/weak")
    expect(page.locator(".chain-detail")).to_contain_text("Not authenticated: only the sender says")


def test_the_filters_are_there_and_the_address_is_the_state(
    window: Window, server: Proposals
) -> None:
    """Source, date, server or site, action type, result; state, verdict, agent: in the URL."""
    page = window.open(f"{server.url}/ai")
    listed(page)
    page.keyboard.press("f")
    names = page.locator("#menu .option span:first-of-type").all_inner_texts()
    wanted = {"When", "Source", "Server or site", "Action type", "Result", "State", "Verdict",
              "Agent", "Impact", "Tool", "Asked by", "Decided by"}  # fmt: skip
    assert wanted <= set(names)
    page.locator("#menu .option", has_text="Verdict").click()
    page.locator("#menu .option", has_text="Denied").click()
    expect(page.locator(".chip.set")).to_contain_text("Denied")
    assert query(page)["verdict"] == ["denied"]
    expect(page.locator("[data-chain]")).to_have_count(1)
    page.locator("#add-filter").click()
    page.locator("#menu .option", has_text="Agent").click()
    page.locator("#menu .option", has_text="ops-pilot").click()
    assert query(page) == {"verdict": ["denied"], "agent": ["agt_ops"]}
    expect(page.locator(".chip.set", has_text="Agent")).to_contain_text("ops-pilot")
    page.go_back()
    page.go_back()
    expect(page.locator("[data-chain]")).to_have_count(len(server.proposals))
    page.locator("#search").fill("pg-data")
    expect(page.locator("[data-chain]")).to_have_count(1)
    assert query(page)["target"] == ["pg-data"]
    other = window.context.new_page()
    other.goto(f"{page.url}&open=no&range=24h")
    expect(chain(other, "no").locator(".chain-detail")).to_be_visible()
    assert server.asked[-1]["target"] == ["pg-data"]
    assert server.asked[-1]["range"] == ["24h"]
    assert "open" not in server.asked[-1]


def test_nothing_found_says_which_filter_to_drop(window: Window, server: Proposals) -> None:
    """An empty answer offers its filters to remove; an empty record says what comes here."""
    page = window.open(f"{server.url}/ai?tool=nothing")
    expect(page.locator("#empty")).to_contain_text("No proposal fits")
    page.get_by_role("button", name="Remove Tool", exact=True).click()
    expect(page.locator("[data-chain]").first).to_be_visible()
    server.proposals = []
    page.goto(f"{server.url}/ai")
    expect(page.locator("#empty")).to_contain_text("No AI agent has proposed anything yet")


def test_loading_error_and_denied_are_designed(window: Window, server: Proposals) -> None:
    """Bones of the rows' height; an error keeps what was there; a permission is named."""
    server.delays[LIST] = 0.8
    page = window.open(f"{server.url}/ai")
    expect(page.locator(".chain.skeleton").first).to_be_visible()
    window.shoot("ai-loading-wide-light")
    before = listed(page)
    server.delays.clear()
    server.answers[LIST] = (503, {"detail": "OpenSearch does not answer.", "hint": "It restarts."})
    page.click("#refresh")
    expect(page.get_by_role("alert")).to_contain_text("OpenSearch does not answer. It restarts.")
    assert listed(page) == before
    del server.answers[LIST]
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("alert")).to_have_count(0)
    server.answers[LIST] = (403, {"detail": "No.", "permission": "org:audit"})
    page.goto(f"{server.url}/ai")
    expect(page.locator("#failure")).to_contain_text("the permission org:audit")
    page.goto(f"{server.url}/proposals/nothing")
    expect(page.locator("#failure")).to_contain_text("There is no such proposal")
    page.goto(f"{server.url}/agents/nothing")
    expect(page.locator("#failure")).to_contain_text("There is no such agent")
    page.goto(f"{server.url}/cases/nothing")
    expect(page.locator("#failure")).to_contain_text("There is no such case")


def test_what_happens_moves_the_row_in_its_place(window: Window, server: Proposals) -> None:
    """A decision arrives in the open row; a new proposal waits behind the pill."""
    page = window.open(f"{server.url}/ai?open=wait")
    expect(page.locator("#live")).to_have_text("Live")
    before = listed(page)
    server.replace(
        pending() | {"state": "denied", "decisions": [decision(0, "denied", reason="not now")]}
    )
    server.tell("wait", "denied")
    expect(chain(page, "wait").locator(".station").nth(1)).to_contain_text("not now")
    expect(chain(page, "wait").locator(".chain-detail")).to_be_visible()
    server.proposals.insert(0, pending("newer"))
    server.tell("newer", "proposed")
    behind_the_pill(page, "1 new proposal", before)


def test_keys_and_focus(window: Window, server: Proposals) -> None:
    """g i opens the lens; j, k move; Enter opens, Esc closes, the focus stays; x filters."""
    page = window.open(f"{server.url}/")
    page.locator("activity-recent").wait_for()
    page.keyboard.press("g")
    page.keyboard.press("i")
    first, second = listed(page)[:2]
    expect(page.locator(".tabs [aria-current=page]")).to_have_text("AI activity")
    page.keyboard.press("j")
    page.keyboard.press("ArrowDown")
    expect(chain(page, second).locator(".toggle-chain")).to_be_focused()
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    expect(chain(page, first).locator(".chain-detail")).to_be_visible()
    assert query(page)["open"] == [first]
    expect(chain(page, first).locator(".toggle-chain")).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("Escape")
    expect(page.locator(".chain-detail")).to_have_count(0)
    expect(chain(page, first).locator(".toggle-chain")).to_be_focused()
    page.keyboard.press("x")
    assert query(page)["tool"] == ["resize_disk"]


def test_evidence_is_one_click_away(window: Window, server: Proposals) -> None:
    """Of one proposal and of what the filters show; saved once its manifest was checked."""
    page = window.open(f"{server.url}/proposals/drift")
    with page.expect_download() as one:
        page.get_by_role("button", name="Evidence as NDJSON").click()
    assert one.value.suggested_filename == "proposals-drift.ndjson"
    expect(page.locator(".toast.done")).to_contain_text("Whole: 1 proposal, as the manifest says")
    page.goto(f"{server.url}/ai?state=denied")
    listed(page)
    page.click("#export")
    with page.expect_download() as all_:
        page.locator("#menu .option", has_text="NDJSON").click()
    assert all_.value.suggested_filename == "proposals-all.ndjson"
    asked = server.asked[-1]
    assert (asked["state"], asked["format"]) == (["denied"], ["ndjson"])
    server.whole = False
    page.click("#export")
    page.locator("#menu .option", has_text="NDJSON").click()
    expect(page.locator(".toast.failed")).to_contain_text("The file is cut off")
    server.answers["/api/v1/proposals/drift/evidence"] = (503, {"detail": "Nothing is recorded."})
    page.goto(f"{server.url}/proposals/drift")
    page.get_by_role("button", name="Evidence as CSV").click()
    expect(page.locator(".toast.failed")).to_contain_text("Nothing is recorded.")


def test_an_entry_of_the_chain_opens_in_the_trail(window: Window, server: Proposals) -> None:
    """Findings name their entries, which open whole; the lens has its entries as a table."""
    page = window.open(f"{server.url}/proposals/drift")
    link = page.locator(".verdict-box").get_by_role("link", name="entry 3")
    assert link.get_attribute("href") == "/ai/entries?case=case_drift&open=e3"
    link.click()
    expect(page.locator(".lens-tabs [aria-current=page]")).to_have_text("Entries")
    expect(page.locator("#activities, #empty").first).to_be_visible()
    page.locator(".lens-tabs").get_by_role("link", name="Agents").click()
    expect(page.locator("#agents")).to_be_visible()


def test_times_are_local_or_utc(window: Window, server: Proposals) -> None:
    """Times are local or UTC by the switch of the whole page, also in the stations."""
    server.proposals = [pending(initiator=MIRA)]
    page = window.open(f"{server.url}/ai")
    station = chain(page, "wait").locator(".station time").first
    local = station.inner_text()
    page.keyboard.press("t")
    expect(station).not_to_have_text(local)
