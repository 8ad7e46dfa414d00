"""What a control sends: one wish under one key, once, and of which organization."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import pytest
from playwright.sync_api import expect

from tests.browser.process_samples import iso, process, step
from tests.browser.process_stand_in import Processes

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page, Request, Route

    from tests.browser.conftest import Window

ADDRESS: Final = "/api/v1/processes/cert-7/retry"


def failed(organization: str = "Northwind") -> dict[str, Any]:
    """A process that offers to be tried again."""
    return process(
        "cert-7",
        name=f"Certificate of {organization}",
        organization={"id": organization.lower(), "name": organization},
        state="failed",
        ended=iso(20),
        controls=["retry"],
        steps=[step(0, "Check DNS", "done"), step(1, "Answer challenge", "failed")],
    )


@pytest.fixture
def server() -> Iterator[Processes]:
    """A stand-in with one failed process; nobody waits for it at the end."""
    made = Processes(failed())
    yield made
    for held in made.held.values():
        held.set()
    made.close()


def keys(page: Page) -> list[str]:
    """The keys of the wishes that are sent from now on."""
    sent: list[str] = []

    def note(request: Request) -> None:
        if request.method == "POST":
            sent.append(request.headers["idempotency-key"])

    page.on("request", note)
    return sent


def retry(page: Page, organization: str = "Northwind") -> Locator:
    """The button on its card."""
    return page.get_by_role("button", name=f"Retry Certificate of {organization}")


def unheard(route: Route) -> None:
    """The request comes to the server, and its answer does not come back."""
    route.fetch()
    route.abort()


def asked_in_vain(window: Window, server: Processes) -> tuple[Page, list[str]]:
    """A page whose first wish was heard and not answered, and the keys of all of them."""
    page = window.open(f"{server.url}/processes")
    sent = keys(page)
    page.route(f"**{ADDRESS}*", unheard)
    retry(page).click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.unroute_all()
    return page, sent


@pytest.mark.parametrize(
    ("status", "same"), [(0, True), (500, True), (503, True), (409, False), (403, False)]
)
def test_a_wish_without_an_answer_is_sent_again(
    window: Window, server: Processes, status: int, same: bool
) -> None:
    """Under the key that it had: it may have been heard. After a refusal it is another wish, and
    so is the one after it was granted."""
    page = window.open(f"{server.url}/processes")
    sent = keys(page)
    if status:
        server.answers[ADDRESS] = (status, {"title": "No", "detail": "It could not be."})
    else:
        page.route(f"**{ADDRESS}*", unheard)
    for times in (1, 2):
        retry(page).click()
        expect(page.get_by_role("alert")).to_contain_text("Retry")
        expect(retry(page)).to_be_enabled()
        assert len(sent) == times
    server.answers.clear()
    page.unroute_all()
    retry(page).click()
    expect(page.locator(".requests")).to_contain_text("Retry asked by Mira Kovač")
    expect(page.get_by_role("alert")).to_have_count(0)
    assert len(set(sent)) == (1 if same else 3)
    assert {key for _, key, _ in server.controls} == {sent[-1]}
    row = {"id": f"ctl_{sent[-1][:8]}", "kind": "retry", "state": "expired"}
    server.happen_to("cert-7", requests=[row])
    retry(page).click()
    expect(retry(page)).to_have_count(0)
    assert len(sent) == 4
    assert sent[-1] not in sent[:-1]


def test_a_wish_of_another_attempt_is_another(window: Window, server: Processes) -> None:
    """The answer was lost, the retry was done, and failed too: to retry again is new. Under the
    former key the server would say what became of the former one, and ask nothing."""
    page, sent = asked_in_vain(window, server)
    server.happen_to("cert-7", process={"attempt": 2, "state": "running", "controls": []})
    expect(retry(page)).to_have_count(0)
    server.happen_to("cert-7", process={"state": "failed", "controls": ["retry"]})
    expect(retry(page)).to_be_enabled()
    expect(page.get_by_role("alert")).to_have_count(0)
    retry(page).click()
    expect(retry(page)).to_have_count(0)
    assert len(set(sent)) == 2


def test_a_wish_that_was_heard_after_all_is_over(window: Window, server: Processes) -> None:
    """Its answer was lost, its row came by the stream, and nobody took it: the next one is new."""
    page, sent = asked_in_vain(window, server)
    row = {"id": f"ctl_{sent[0][:8]}", "kind": "retry", "attempt": 1, "state": "requested"}
    server.happen_to("cert-7", requests=[row])
    expect(retry(page)).to_have_count(0)
    server.happen_to("cert-7", requests=[{**row, "state": "expired"}])
    expect(page.get_by_role("alert")).to_have_count(0)
    retry(page).click()
    expect(page.locator(".requests")).to_contain_text("Retry asked by Mira Kovač")
    assert len(set(sent)) == 2


@pytest.mark.parametrize("path", ["/processes", "/processes/cert-7"])
def test_a_wish_under_way_is_not_sent_a_second_time(
    window: Window, server: Processes, path: str
) -> None:
    """Neither by two clicks before anything is drawn again, nor by Enter twice in the dialog."""
    server.processes["cert-7"]["controls"] = ["retry", "cleanup"]
    cleanup = ADDRESS.replace("retry", "cleanup")
    server.held = {one: threading.Event() for one in (ADDRESS, cleanup)}
    page = window.open(f"{server.url}{path}")
    sent = keys(page)
    retry(page).evaluate("(button) => { button.click(); button.click(); }")
    expect(retry(page)).to_be_disabled()
    page.locator("[data-control=cleanup]").click()
    twice = "(form) => { form.requestSubmit(); form.requestSubmit(); }"
    page.locator("#confirm form").evaluate(twice)
    expect(page.locator("[data-control=cleanup]")).to_be_disabled()
    for held in server.held.values():
        held.set()
    expect(page.locator(".requests")).to_contain_text("Retry asked by Mira Kovač")
    expect(page.locator(".requests")).to_contain_text("Clean-up asked by Mira Kovač")
    assert len(sent) == len(server.controls) == 2


@pytest.mark.parametrize("of", ["Northwind", "Umbrella", ""])
def test_two_organizations_with_one_id(window: Window, server: Processes, of: str) -> None:
    """A control says which one is meant: the server would have to guess, and refuses to. The
    third is of no organization."""
    server.processes = {one: failed(one) for one in ("Northwind", "Umbrella", "")}
    server.platform_roles = ["platform:admin"]
    page = window.open(f"{server.url}/processes")
    here = page.get_by_role("article", name=f"Certificate of {of}", exact=True)
    here.locator("[data-control=retry]").click()
    expect(here.locator(".requests")).to_contain_text("Retry asked by Mira Kovač")
    expect(page.locator(".requests")).to_have_count(1)
    assert server.meant == [of.lower() or "-"]
