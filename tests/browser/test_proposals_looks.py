"""AI Activity in both themes and at every width, with hostile text: over a stand-in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import LOOKS
from tests.browser.proposal_samples import (
    case_sample,
    decision,
    drifted,
    execution,
    oversight_sample,
    pending,
    proposal,
    sample,
)
from tests.browser.proposal_stand_in import Proposals

if TYPE_CHECKING:
    from tests.browser.conftest import Window, Windows

DESTRUCTIVE: Final = {"level": "destructive", "source": "operator"}
PATHS: Final = (
    *("/ai", "/ai?open=drift", "/ai/entries", "/proposals/edit", "/proposals/twice"),
    *("/agents", "/agents/agt_ops", "/cases/case_drift", "/ai/oversight"),
)
WIDTHS: Final = (320, 640, 880, 1140, 1920)

# What shows what is known; the words it is said in come before.
HELD: Final = re.compile(r"/(api/v1/(?!me|catalogue|filters|channels)|ws/)")


@pytest.fixture
def server() -> Iterator[Proposals]:
    """A stand-in with one proposal of each kind, and the case of one."""
    made = Proposals(*sample())
    made.cases["case_drift"] = case_sample()
    made.oversight = oversight_sample()
    yield made
    made.close()


@pytest.mark.parametrize(("size", "dark"), LOOKS)
def test_axe_finds_nothing_grave(
    windows: Windows, server: Proposals, size: tuple[int, int], dark: bool
) -> None:
    """List, row, dialog, menus, agents, one agent, oversight, case: both themes, each width."""
    server.proposals[0] = pending(impact=DESTRUCTIVE)
    window = windows(size=size, dark=dark)
    page = window.page
    shade = f"{'phone' if size[0] < 700 else 'wide'}-{'dark' if dark else 'light'}"
    found: dict[str, list[str]] = {}

    def check(name: str) -> None:
        window.shoot(f"ai-{name}-{shade}")
        if wrong := window.axe():
            found[name] = wrong
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0], name

    page.goto(f"{server.url}/ai")
    expect(page.locator("a.number")).to_be_visible()
    check("list")
    page.locator("[data-decide=approved]").click()
    expect(page.locator("#decide")).to_be_visible()
    check("dialog")
    page.locator("#change").click()
    page.locator("[name=arguments]").fill('{"server": "api-prod-1", "size_gb": 100}')
    expect(page.locator("#decide .mark")).to_have_count(2)
    check("changes")
    page.locator("[name=arguments]").fill('{"server": "api-prod-1",')
    expect(page.locator("#edit-said")).to_contain_text("This is no JSON")
    check("changes-wrong")
    page.keyboard.press("Escape")
    page.click("#export")
    check("evidence")
    page.keyboard.press("Escape")
    for name, path, shown in (
        ("open", "/ai?open=drift", ".chain-detail"),
        ("entries", "/ai/entries", "#empty"),
        ("one", "/proposals/twice", ".chain-detail"),
        ("agents", "/agents", "#agents"),
        ("agent", "/agents/agt_ops", ".tallies"),
        ("oversight", "/ai/oversight", "#oversight"),
        ("case", "/cases/case_drift", ".story"),
        ("missing", "/cases/none", "#failure"),
    ):
        page.goto(f"{server.url}{path}")
        expect(page.locator(shown).first).to_be_visible()
        check(name)
    assert not found, "\n".join(f"{name}: {one}" for name, all_ in found.items() for one in all_)


def test_every_width_has_room(windows: Windows, server: Proposals) -> None:
    """Nothing scrolls sideways, and every icon is in the set: styles alone know how wide the
    window is."""
    page = windows().page
    drawn = page.request.get(f"{server.url}/static/vendor/lucide/icons.svg").text()
    for path in PATHS:
        page.goto(f"{server.url}{path}")
        expect(page.locator(".badge, #empty, .agents .row").first).to_be_visible()
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            shown = page.evaluate("[innerWidth, document.documentElement.scrollWidth]")
            assert shown[0] == width >= shown[1], (path, shown)
        icons = page.locator("use").evaluate_all("all => all.map((one) => one.href.baseVal)")
        names = {one.partition("#")[2] for one in icons}
        assert [name for name in names if f'id="{name}"' not in drawn] == []


def test_what_waits_has_room_too(windows: Windows, server: Proposals) -> None:
    """While answers are on their way, nothing scrolls sideways on the smallest phone either."""
    page = windows(size=(320, 800)).page
    page.route(HELD, lambda _: None)
    for path in (*PATHS, "/", "/audit"):
        page.goto(f"{server.url}{path}", wait_until="domcontentloaded")
        expect(page.locator("main :not(.lens-bones) > .bone:visible").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, path


def test_on_a_phone_a_row_has_two_lines(windows: Windows, server: Proposals) -> None:
    """What and on what; then the verdict and when. What is touched is 40 pixels high."""
    window = windows(size=(390, 844))
    page = window.open(f"{server.url}/ai")
    row = page.locator('[data-chain="good"] .chain')
    expect(row).to_be_visible()
    box = row.bounding_box()
    assert box and box["height"] < 92
    expect(row.locator(".stations")).to_be_hidden()
    tool, verdict, when = (
        row.locator(found).bounding_box() for found in (".tool", ".verdict", ".facts time")
    )
    assert tool and verdict and when
    assert tool["y"] + 20 < verdict["y"]
    assert abs(verdict["y"] - when["y"]) < 12
    row.locator(".toggle-chain").click()
    expect(row.locator(".stations")).to_be_visible()
    tops = [one.bounding_box() for one in row.locator(".station").all()]
    assert [one["y"] for one in tops if one] == sorted(one["y"] for one in tops if one)
    assert len({one["x"] for one in tops if one}) == 1
    for path in ("/ai", "/ai?open=drift", "/proposals/drift", "/agents", "/agents/agt_ops",
                 "/cases/case_drift", "/ai/oversight"):  # fmt: skip
        page.goto(f"{server.url}{path}")
        expect(page.locator(".badge, .agents .row").first).to_be_visible()
        small = page.locator("main :is(button, a, select, input, summary):visible").evaluate_all(
            "all => all.filter((one) => one.getBoundingClientRect().height < 40"
            " && !one.closest('td, dd, p:not(.record-links, .choices, .links, .back)'))"
            ".map((one) => one.outerHTML.slice(0, 120))"
        )
        assert small == [], path


HOSTILE: Final = "<img src=x onerror=alert(1)>\u202etxt.exe\u200b{{7*7}}"
LONG: Final = "x" * 10_000


@pytest.mark.parametrize("size", [(1440, 900), (390, 844)], ids=["wide", "phone"])
def test_hostile_text_is_shown_as_text(
    windows: Windows, server: Proposals, size: tuple[int, int]
) -> None:
    """Markup, hidden characters and long values in every field: text, marked, clipped."""
    person = {"id": HOSTILE, "name": HOSTILE, "full_name": HOSTILE, "email": HOSTILE}
    arguments = {HOSTILE: HOSTILE, "long": LONG, "lines": "a\nb", "constructor": {"__proto__": 1}}
    one = proposal(
        "bad",
        "executed_as_approved",
        tool={"name": HOSTILE, "type": "function", "description": HOSTILE, "call_id": HOSTILE},
        target={"type": HOSTILE, "id": HOSTILE, "name": HOSTILE, "url": "javascript:alert(1)"},
        agent={**dict.fromkeys(("id", "name", "provider", "model"), HOSTILE), "version": LONG},
        initiator=person,
        case=HOSTILE,
        rationale=LONG + HOSTILE,
        impact={"level": "constructor", "source": HOSTILE},
        proposed={"arguments": arguments, "digest": None, "entry": HOSTILE},
        decisions=[decision(3000, reason=LONG, confirmation=HOSTILE, scope=HOSTILE, source=HOSTILE,
                            approver={**person, "roles": [HOSTILE]}, auth_method=HOSTILE)],
        executions=[execution(2990, arguments=arguments, output={"a": [HOSTILE, LONG]}),
                    execution(2900, "failed", error=LONG + HOSTILE)],
    )  # fmt: skip
    one["judgement"] |= {"verdict": "constructor", "label": HOSTILE, "explanation": HOSTILE}
    one["judgement"]["findings"] = [{"kind": HOSTILE, "label": HOSTILE, "text": LONG,
                                     "entries": [HOSTILE], "difference": [
                                         {"path": "toString", "approved": HOSTILE, "ran": LONG,
                                          "kind": HOSTILE}]}]  # fmt: skip
    server.faithful = False
    server.proposals = [one, drifted()]
    window: Window = windows(size=size)
    page = window.open(f"{server.url}/ai?open=bad")
    row = page.locator('[data-chain="bad"]')
    expect(row.locator(".chain-detail")).to_be_visible()
    expect(row.locator(".headline .verdict")).to_contain_text("<img src=x onerror=alert(1)>")
    expect(row.locator(".hidden-character").first).to_have_text("U+202E")
    assert page.locator("main img").count() == 0
    assert page.locator("a[href^=javascript]").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") == size[0]
    window.shoot(f"ai-hostile-{'phone' if size[0] < 700 else 'wide'}-light")
    page.goto(f"{server.url}/ai?verdict=<script>&state=constructor&agent=__proto__&open=toString")
    expect(page.locator("#empty")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == size[0]
