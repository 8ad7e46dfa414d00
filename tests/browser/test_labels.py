"""What a value is called: as the API says; where it does not, the value itself stands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.proposal_samples import decision, proposal
from tests.browser.proposal_stand_in import Proposals
from tests.browser.table import ROWS, loaded
from tests.browser.test_cells import ENTRIES

if TYPE_CHECKING:
    from tests.browser.conftest import Window

FILTERS: Final = "/api/v1/filters"
SEEN: Final = """new MutationObserver(() => {
  const cell = document.querySelector("#activities .row[data-id] .c-source");
  if (cell) (window.seen ??= new Set()).add(cell.innerText);
}).observe(document, { subtree: true, childList: true, characterData: true })"""


@pytest.fixture
def server() -> Iterator[Proposals]:
    """A stand-in with what an agent did, and with what it proposed and somebody changed."""
    made = Proposals(
        proposal("edit", "approved", decisions=[decision(3000, "edited")]),
        activities=[{"id": "ran", **ENTRIES["ran"]}],
    )
    yield made
    made.close()


def said(page: Page, server: Proposals) -> list[str]:
    """How the page calls source, outcome, impact, state and the values of a filter."""
    page.goto(f"{server.url}/audit?open=ran")
    loaded(page)
    row = page.locator(ROWS)
    found = [row.locator(".c-source"), row.locator(".c-outcome")]
    texts = [one.inner_text() for one in found]
    texts.append(page.locator(".agent-part .badge").inner_text())
    page.goto(f"{server.url}/ai?open=edit")
    chain = page.locator('[data-chain="edit"]')
    expect(chain.locator(".chain-detail")).to_be_visible()
    texts.append(chain.locator(".headline .badge:not(.verdict)").inner_text())
    texts.append(chain.locator(".chain-detail .badge.agent").inner_text())
    texts.append(chain.locator(".decision-part dd").first.inner_text())
    page.goto(f"{server.url}/ai?source=agent&result=failed&impact=safe")
    expect(page.locator("#empty")).to_be_visible()
    texts += page.locator(".chips .chip-name b").all_inner_texts()
    return texts


def test_values_are_called_as_the_api_says(window: Window, server: Proposals) -> None:
    """In cells, details, proposals and the filters of both lists: a label stands once."""

    def renamed(route: Route) -> None:
        answer = route.fetch()
        found = answer.json()
        for one in found["filters"]:
            for value in one["values"]:
                value["label"] = f"the {one['name']} {value['value']}"
        route.fulfill(response=answer, json=found)

    window.page.route(f"**{FILTERS}", renamed)
    assert said(window.page, server) == [
        *("the source agent", "the outcome success", "the impact destructive"),
        *("the impact caution", "the source agent", "the decision edited by a person"),
        *("the source agent", "the result failed", "the impact safe"),
    ]


def test_without_the_filters_the_values_themselves_stand(window: Window, server: Proposals) -> None:
    """Nothing is empty where the API has no labels to give."""
    server.answers[FILTERS] = (500, {"detail": "It broke here."})
    assert said(window.page, server) == [
        *("agent", "Success", "destructive"),
        *("Caution", "agent", "Edited by a person"),
        *("agent", "failed", "safe"),
    ]


def test_the_first_row_that_is_drawn_has_its_labels(window: Window, server: Proposals) -> None:
    """Filters that are late are waited for: no value turns into another word."""
    server.delays[FILTERS] = 0.5
    window.page.add_init_script(SEEN)
    loaded(window.open(f"{server.url}/audit"))
    assert window.page.evaluate("[...window.seen]") == ["AI Pilot"]
