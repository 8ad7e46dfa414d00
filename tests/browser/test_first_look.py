"""What the page tells somebody who sees it for the first time: no more than it knows, in plain
words, and at the place where one looks."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import LOOKS, PHONE, WIDE
from tests.browser.process_samples import process
from tests.browser.process_stand_in import Processes
from tests.browser.proposal_samples import (
    JONAS,
    SAFE,
    case_sample,
    judgement,
    oversees,
    pending,
    proposal,
)
from tests.browser.proposal_stand_in import Proposals
from tests.browser.stand_in import StandIn
from tests.browser.table import loaded
from tests.sidecar_api.search.log import document

if TYPE_CHECKING:
    from playwright.sync_api import Locator

    from tests.browser.conftest import Window, Windows

OWN = "You see what you did yourself; the whole trail takes the permission org:audit."


@pytest.fixture
def agents() -> Iterator[Proposals]:
    """A stand-in where agents have proposed nothing that the reader may see."""
    made = Proposals()
    yield made
    made.close()


@pytest.fixture
def processes() -> Iterator[Processes]:
    """A stand-in with one process that runs."""
    made = Processes(process("one"))
    yield made
    made.close()


def test_who_may_not_see_proposals_is_not_told_that_there_are_none(
    windows: Windows, agents: Proposals
) -> None:
    """Without org:audit nothing is said of what one may not see, but which permission shows it;
    with it, that there is nothing is the truth."""
    agents.trail = False
    for size, dark in ((WIDE, False), (PHONE, True)):
        window = windows(size=size, dark=dark)
        page = window.open(f"{agents.url}/ai")
        empty = page.locator("#empty")
        expect(empty.get_by_role("heading")).to_have_text("None that you may see")
        expect(empty).to_contain_text(OWN)
        expect(page.locator(".number").nth(3)).to_contain_text("none that you may see needs a look")
        window.shoot(f"none-you-may-see-{size[0]}-{'dark' if dark else 'light'}")
        for view in ("agents", "ai/oversight"):
            page.goto(f"{agents.url}/{view}")
            expect(page.locator("#empty")).to_contain_text("None that you may see")
            expect(page.locator("#empty")).to_contain_text(OWN)
    agents.proposals = [proposal("mine", "executed_as_approved")]
    page.goto(f"{agents.url}/ai")
    expect(page.locator("[data-chain]")).to_have_count(1)
    expect(page.locator("#own-only")).to_have_text(OWN)
    agents.trail, agents.proposals = True, []
    page.goto(f"{agents.url}/ai")
    expect(page.locator("#empty")).to_contain_text("No AI agent has proposed anything yet")
    expect(page.locator(".number").nth(3)).to_contain_text("nothing needs a look")
    expect(page.get_by_text("org:audit")).to_have_count(0)


@pytest.mark.parametrize(
    ("permissions", "why"),
    [
        (["org:audit"], "the organization withholds the rest from your role."),
        ([], "the rest takes the permission org:audit."),
    ],
    ids=["withheld", "shown-to-members"],
)
def test_figures_of_ones_own_are_not_told_as_the_whole(
    windows: Windows, agents: Proposals, permissions: list[str], why: str
) -> None:
    """Where a role opens the trail and not what agents do, each view says so, the audit trail
    too; no tick is given for what the reader cannot see."""
    agents.lenses, agents.permissions = ["audit", "process"], permissions
    agents.proposals = [proposal("mine", "executed_as_approved")]
    agents.oversight = [oversees(JONAS, "caution", 3, 2)]
    agents.activities = [{"id": "one", **document(event__action="server.update")}]
    said = f"You see your own part of AI activity; {why}"
    for size, dark in ((WIDE, False), (PHONE, True)):
        window = windows(size=size, dark=dark)
        for view in ("ai", "agents", "ai/oversight", "audit", "ai/entries"):
            page = window.open(f"{agents.url}/{view}")
            expect(page.locator("#own-only")).to_have_text(said)
            look = f"{view.replace('/', '-')}-{size[0]}-{'dark' if dark else 'light'}"
            window.shoot(f"own-part-{look}")
        page.goto(f"{agents.url}/ai")
        look = page.locator(".number").nth(3)
        expect(look).to_contain_text("none that you may see needs a look")
        expect(look.locator('use[href$="#circle-check"]')).to_have_count(0)
        page.get_by_role("navigation", name="AI activity").get_by_role(
            "link", name="Agents"
        ).click()
        page.locator("#agents a").first.click()
        expect(page.locator("#own-only")).to_have_text(said)
    page.goto(f"{agents.url}/audit?lens=audit")
    loaded(page)
    expect(page.locator("#own-only")).to_have_count(0)


def test_each_organization_is_told_of_by_itself(window: Window, agents: Proposals) -> None:
    """Where roles open different parts of several organizations, the sentences name them; of one
    that is chosen, and of lenses that are filtered by, no more is said than concerns them."""
    agents.activities = [
        {"id": one, **document(event__action="server.update", organization__id=one)}
        for one in ("atlas", "brightleaf", "northwind")
    ]
    agents.told["brightleaf"] = {"lenses": ["audit", "process"], "permissions": []}
    agents.told["northwind"] = {"lenses": [], "permissions": [], "trail": False}
    page = window.open(f"{agents.url}/audit")
    own = page.locator("#own-only")
    of_brightleaf = "see your own part of AI activity; the rest takes the permission org:audit."
    expect(own).to_have_text(f"In brightleaf you {of_brightleaf} In northwind you {OWN[4:]}")
    page.goto(f"{agents.url}/ai?organization=brightleaf")
    expect(own).to_have_text(f"You {of_brightleaf}")
    page.goto(f"{agents.url}/ai?organization=atlas")
    expect(page.locator("#empty")).to_contain_text("No proposal fits")
    expect(own).to_have_count(0)
    page.goto(f"{agents.url}/audit?lens=process")
    expect(own).to_have_text(f"In northwind you {OWN[4:]}")


def test_who_may_not_watch_is_not_told_that_nothing_runs(
    windows: Windows, processes: Processes
) -> None:
    """Without process:view one sees what one started: the live cards and the history say so and
    name the permission, whether or not there is something; with it, nothing is said."""
    processes.permissions = ["org:audit"]
    said = (
        "You see the processes that you started; those of others take the permission process:view."
    )
    for size, dark in ((WIDE, False), (PHONE, True)):
        window = windows(size=size, dark=dark)
        page = window.open(f"{processes.url}/processes")
        expect(page.locator("a[data-process=one]")).to_be_visible()
        expect(page.locator("#own-only")).to_have_text(said)
        page.goto(f"{processes.url}/processes?tab=history")
        expect(page.locator("#empty")).to_contain_text("No operation of yours is on record yet")
        expect(page.locator("#own-only")).to_have_text(said)
        processes.processes, shown = {}, processes.processes
        page.goto(f"{processes.url}/processes")
        empty = page.locator("#empty")
        expect(empty.get_by_role("heading")).to_have_text("Nothing that you started is running")
        expect(page.locator("#own-only")).to_have_text(said)
        window.shoot(f"own-processes-{size[0]}-{'dark' if dark else 'light'}")
        processes.processes = shown
    processes.permissions = ["process:view"]
    processes.told["northwind"] = {"processes": False}
    page.goto(f"{processes.url}/processes?organization=northwind")
    expect(page.locator("#own-only")).to_have_text(
        "You see the processes that you started; the organization withholds those of others from"
        " your role."
    )
    processes.told.clear()
    page.reload()
    expect(page.locator("a[data-process=one]")).to_be_visible()
    expect(page.locator("#own-only")).to_have_count(0)


def test_a_process_says_once_how_it_is_connected(window: Window, processes: Processes) -> None:
    """Its page has a connection of its own: the head says nothing beside it."""
    page = window.open(f"{processes.url}/processes/one")
    expect(page.locator("#connection")).to_contain_text("Live")
    expect(page.locator("#live")).to_have_count(0)


@pytest.mark.parametrize(("size", "dark"), LOOKS)
def test_a_wrong_token_is_told_at_its_field(
    windows: Windows, agents: Proposals, size: tuple[int, int], dark: bool
) -> None:
    """Below many people the field says what is wrong, and has the focus; nobody has to scroll."""
    people = [{"id": f"p{n}", "full_name": f"Person {n}", "roles": []} for n in range(38)]
    ways = [{"kind": "development", "people": people}, {"kind": "token"}]
    agents.answers["/api/v1/me"] = (401, {"title": "Sign in first", "sign_in": ways})
    said = {"title": "Unauthorized", "detail": "No such token.", "hint": "Ask for a new one."}
    agents.answers["/api/v1/session"] = (401, said)
    window = windows(size=size, dark=dark)
    page = window.open(f"{agents.url}/login")
    field = page.get_by_label("API token")
    field.fill("wrong")
    page.get_by_role("button", name="Sign in with the token").click()
    alert = page.get_by_role("alert")
    expect(alert).to_have_text("That token did not work. No such token. Ask for a new one.")
    expect(alert).to_be_in_viewport()
    expect(field).to_be_focused()
    expect(field).to_have_accessible_description(alert.inner_text())
    expect(field).to_have_attribute("aria-invalid", "true")
    window.shoot(f"token-{size[0]}-{'dark' if dark else 'light'}")
    assert window.axe() == []
    page.get_by_role("button", name=re.compile(r"^Person 3\b")).click()
    expect(page.get_by_role("alert")).to_contain_text("That did not work.")
    expect(field).not_to_have_attribute("aria-invalid", "true")


@pytest.mark.parametrize(("size", "dark"), LOOKS)
def test_what_needs_no_approval_asks_nobody_for_one(
    windows: Windows, agents: Proposals, size: tuple[int, int], dark: bool
) -> None:
    """A proposal that the policy lets run alone has no button; one that waits says how grave it
    is beside its button, on a phone too."""
    free = pending("free", impact=SAFE, judgement=judgement("pending", cause="no_approval"))
    agents.proposals = [free, pending("asks", impact={"level": "destructive", "source": "default"})]
    window = windows(size=size, dark=dark)
    page = window.open(f"{agents.url}/ai")
    row, asks = page.locator('[data-chain="free"]'), page.locator('[data-chain="asks"]')
    expect(asks.locator("[data-decide]")).to_have_count(2)
    expect(asks.locator(".headline .badge", has_text="Destructive")).to_be_visible()
    expect(row.locator(".verdict")).to_have_text("May run, needs no approval")
    assert row.locator("[data-decide]").count() == 0
    window.shoot(f"no-approval-{size[0]}-{'dark' if dark else 'light'}")
    page.goto(f"{agents.url}/proposals/free")
    decided = page.locator(".station").nth(1)
    expect(decided).to_contain_text("No approval needed")
    expect(page.locator(".verdict-box")).to_contain_text("What to do: Nothing.")
    assert page.locator("[data-decide]").count() == 0


def test_the_reason_of_a_violation_stands_on_its_case(windows: Windows, agents: Proposals) -> None:
    """What differs is said on the card of a case, on a phone too."""
    agents.cases["case_drift"] = case_sample()
    window = windows(size=PHONE)
    page = window.open(f"{agents.url}/cases/case_drift")
    reason = page.get_by_text("size_gb was 120 when approved; 160 ran.")
    expect(reason).to_be_visible()
    window.shoot("case-reason-390-light")


@pytest.mark.parametrize(
    ("view", "path"),
    [
        ("audit", "activities"),
        ("ai", "proposals"),
        ("agents", "agents"),
        ("ai/oversight", "oversight"),
        ("processes?tab=history", "processes"),
    ],
)
def test_loading_is_a_word_too_and_can_be_seen(
    windows: Windows, processes: Processes, agents: Proposals, view: str, path: str
) -> None:
    """While the first answer is awaited, a status says so and each row has bars that stand out
    from the ground; then both are gone."""
    server: StandIn = processes if view.startswith("processes") else agents
    for size, dark in ((WIDE, True), (PHONE, False)):
        answer = server.held[f"/api/v1/{path}"] = threading.Event()
        window = windows(size=size, dark=dark)
        page = window.open(f"{server.url}/{view}")
        bone = page.locator(".panel .bone:visible").first
        expect(bone).to_be_visible()
        expect(page.locator("#loading")).to_have_text("Loading")
        assert page.evaluate(CONTRAST) > 1.5
        window.shoot(f"loading-{view.split('/')[-1].split('?')[0]}-{size[0]}")
        answer.set()
        expect(page.locator("#loading")).to_have_text("")
        expect(bone).to_have_count(0)


# In one go: between finding a bar and asking for its colour the page may draw it anew.
CONTRAST = """() => {
  const one = [...document.querySelectorAll(".panel .bone")].find((bar) => bar.checkVisibility());
  const luminance = (colour) => {
    const [r, g, b] = colour.match(/[0-9.]+/g).slice(0, 3).map((part) => {
      const share = part / 255;
      return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = getComputedStyle(one.closest(".panel")).backgroundColor;
  const bar = getComputedStyle(one, "::after").backgroundColor;
  const [dark, light] = [luminance(ground), luminance(bar)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}"""
"""Contrast of a bar with the panel that it stands on, as WCAG 2.2 defines contrast ratio."""


def test_each_view_says_what_could_not_be_loaded(
    window: Window, agents: Proposals, processes: Processes
) -> None:
    """An error names what was asked for, not always activities."""
    views = {
        "audit": ("activities", "The activities"),
        "ai": ("proposals", "The proposals"),
        "proposals/p1": ("proposals/p1", "The proposal"),
        "agents": ("agents", "The agents"),
        "agents/a1": ("agents/a1", "The agent"),
        "ai/oversight": ("oversight", "How people decide"),
        "ai/entries": ("activities", "The entries"),
        "cases/c1": ("cases/c1", "The case"),
        "processes?tab=history": ("processes", "The operations"),
        "processes/gone": ("processes/gone", "The process"),
    }
    for view, (path, what) in views.items():
        server: StandIn = processes if view.startswith("processes") else agents
        server.answers[f"/api/v1/{path}"] = (500, {"detail": "It broke here."})
        page = window.open(f"{server.url}/{view}")
        heading = page.locator("#failure").get_by_role("heading")
        expect(heading).to_have_text(f"{what} could not be loaded")


def test_an_unknown_place_is_told_to_a_person(window: Window, agents: Proposals) -> None:
    """No address of the API as a next step; all headings of what is not there are of one size."""
    agents.answers["/api/v1/organizations/nope/activity-logs"] = (
        404,
        {
            "detail": "There is no such organization.",
            "hint": "GET /api/v1/organizations lists those known.",
        },
    )
    page = window.open(f"{agents.url}/organizations/nope/activity-logs")
    failure = page.locator("#failure")
    expect(failure).to_contain_text("There is no such organization.")
    expect(failure).to_contain_text("Choose an organization at the top of the page")
    assert "/api/v1" not in failure.inner_text()
    size = "one => getComputedStyle(one).fontSize"
    usual = failure.get_by_role("heading").evaluate(size)
    for path, title in (("proposals/p9", "proposal"), ("agents/a9", "agent"), ("cases/c9", "case")):
        page.goto(f"{agents.url}/{path}")
        heading = page.get_by_role("heading", name=f"There is no such {title}")
        expect(heading).to_be_visible()
        assert heading.evaluate(size) == usual


def test_the_search_is_dropped_by_its_name(
    window: Window, agents: Proposals, processes: Processes
) -> None:
    """Nothing found: what is offered is to drop the search, not a letter, in each list."""
    for url in (f"{agents.url}/audit?q=zzz", f"{processes.url}/processes?tab=history&q=zzz"):
        page = window.open(url)
        offers = page.locator("#empty .choices .button")
        expect(offers).to_have_text(["Remove Search"], use_inner_text=True)


def test_nothing_to_gain_by_one_filter_is_said(window: Window, agents: Proposals) -> None:
    """Where each alone leaves nothing the page says so, instead of numbers that it lacks."""
    said = page_of(window, agents, "type=server&outcome=failure")
    expect(said).to_contain_text("No filter alone is to blame. Drop one after the other:")
    said = page_of(window, agents, "outcome=failure")
    expect(said).to_contain_text("There is nothing without this filter either:")


def page_of(window: Window, server: StandIn, query: str) -> Locator:
    """What stands in the place of a table, where nothing is found."""
    return window.open(f"{server.url}/audit?{query}").locator("#empty")


def test_an_organization_has_the_name_that_the_server_knows(windows: Windows) -> None:
    """An entry that names it by its id alone shows the configured name; the id is on hover."""
    bare, named = (
        {"id": one["event"]["id"], **one}
        for one in (
            document(at=datetime.now(UTC), organization__id="northwind", user__id="usr_mk"),
            document(
                at=datetime.now(UTC), organization__id="northwind", organization__name="Northwind"
            ),
        )
    )
    server = StandIn([bare, named])
    try:
        window = windows()
        page = window.open(f"{server.url}/audit?columns=logs")
        loaded(page)
        cell = page.locator(f'tr[data-id="{bare["id"]}"] .c-organization [data-tip]')
        expect(cell).to_have_text("Northwind")
        expect(cell).to_have_attribute("data-tip", "northwind")
    finally:
        server.close()
