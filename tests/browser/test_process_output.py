"""The output of a process that runs: the history and the stream beside each other."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import pytest
from playwright.sync_api import expect

from tests.browser.process_samples import iso, process
from tests.browser.process_stand_in import Processes

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.conftest import Window

STEP: Final = "create-compute-instance"
ADDRESS: Final = "/api/v1/processes/api-1/output"
SIZE: Final = 10
"""Bytes of a line, with its end."""


@pytest.fixture
def server() -> Iterator[Processes]:
    """A stand-in with one running process; nobody waits for it at the end."""
    made = Processes(process("api-1"))
    yield made
    for held in made.held.values():
        held.set()
    made.close()


def piece(first: int, after: int, step: str = STEP) -> dict[str, Any]:
    """What the history has of these lines."""
    text = "".join(f"line {number:04d}\n" for number in range(first, after))
    return {"step": step, "stream": "stdout", "offset": first * SIZE, "text": text, "at": iso()}


def said(server: Processes, total: int, *, carried: int = 100, **process_: Any) -> None:
    """So many lines have come in all; the stream carries the last ones alone."""
    first = max(0, total - carried)
    lines = [
        {"offset": number * SIZE, "stream": "stdout", "step": STEP, "text": f"line {number:04d}",
         "at": iso()}
        for number in range(first, total)
    ]  # fmt: skip
    output = {"bytes": total * SIZE, "total": total, "kept": len(lines)}
    server.happen_to("api-1", lines=lines, output=output, process=process_)


def standing(window: Window, server: Processes) -> Page:
    """The page of the process, whose clock is moved by hand."""
    window.page.clock.install()
    page = window.open(f"{server.url}/processes/api-1")
    expect(page.locator("#connection[data-phase=live]")).to_be_visible()
    return page


def whole(page: Page, total: int) -> None:
    """All lines are there, each once and in their order."""
    lines = f"{total:,} lines"
    expect(page.locator(".output-bar .status")).to_contain_text(lines)
    box = page.locator(".output")
    for wanted in ("0", "element.scrollHeight"):
        box.evaluate(f"(element) => element.scrollTo(0, {wanted})")
        edge = "0000" if wanted == "0" else f"{total - 1:04d}"
        row = page.locator(".line").first if wanted == "0" else page.locator(".line").last
        expect(row).to_contain_text(f"line {edge}")
    with page.expect_download() as download:
        page.locator(".output-bar").get_by_role("button", name="Save").click()
    found = download.value.path().read_text().splitlines()
    assert found == [f"line {number:04d}" for number in range(total)]


@pytest.mark.parametrize("carried", [100, 40], ids=["lines", "characters"])
@pytest.mark.parametrize("before", [5, 0])
def test_more_than_the_stream_carries(
    window: Window, server: Processes, before: int, carried: int
) -> None:
    """What lies between is read from the history, and nothing is there twice. The stream carries
    fewer lines than a hundred where they are long, and may be ahead of the first one."""
    server.pieces = [piece(0, before)] if before else []
    said(server, before)
    page = standing(window, server)
    if before:
        expect(page.locator(".line")).to_have_count(before)
    else:
        expect(page.locator(".none-said")).to_be_visible()
    server.pieces = [piece(0, before + 3), piece(before + 3, 300)]
    said(server, 300, carried=carried, progress=0.8)
    expect(page.locator(".one-steps progress")).to_have_attribute("value", "0.8")
    page.clock.run_for(2000)
    whole(page, 300)
    said(server, 302)
    whole(page, 302)


def test_what_goes_on_meanwhile_does_not_put_it_off(window: Window, server: Processes) -> None:
    """A line now and then after many at once: they are read all the same."""
    server.pieces = [piece(0, 5)]
    said(server, 5)
    page = standing(window, server)
    expect(page.locator(".line")).to_have_count(5)
    server.pieces = [piece(0, 310)]
    for more in range(10):
        said(server, 300 + more, progress=0.5 + more / 32)
        bar = page.locator(".one-steps progress")
        expect(bar).to_have_attribute("value", str(0.5 + more / 32))
        page.clock.run_for(1000)
        page.wait_for_timeout(50)
        if "310 lines" in page.locator(".output-bar .status").inner_text():
            return
    raise AssertionError("it is read when no more is said")


def test_the_history_is_behind(window: Window, server: Processes) -> None:
    """It is asked again for what it did not have yet, though no more is said."""
    server.pieces = [piece(0, 5)]
    said(server, 5)
    page = standing(window, server)
    expect(page.locator(".line")).to_have_count(5)
    said(server, 300, progress=0.8)
    expect(page.locator(".one-steps progress")).to_have_attribute("value", "0.8")
    with page.expect_response(lambda answer: ADDRESS in answer.url):
        page.clock.run_for(2000)
    server.pieces = [piece(0, 150), piece(150, 300)]
    page.clock.run_for(2000)
    whole(page, 300)


def test_what_the_history_never_gets_is_shown(window: Window, server: Processes) -> None:
    """What the stream carries, then: a hole is better than nothing."""
    server.pieces = [piece(0, 5)]
    said(server, 5)
    page = standing(window, server)
    expect(page.locator(".line")).to_have_count(5)
    said(server, 300)
    for _ in range(6):
        page.clock.run_for(2000)
        page.wait_for_timeout(50)
    expect(page.locator(".output-bar .status")).to_contain_text("105 lines")


def test_what_comes_while_the_history_is_read(window: Window, server: Processes) -> None:
    """It is there as soon as the history is, though no more is said."""
    server.pieces = [piece(0, 5)]
    server.held[ADDRESS] = threading.Event()
    page = standing(window, server)
    said(server, 7, progress=0.8)
    expect(page.locator(".one-steps progress")).to_have_attribute("value", "0.8")
    server.held[ADDRESS].set()
    whole(page, 7)


def test_another_step_is_chosen_while_the_history_is_read(
    window: Window, server: Processes
) -> None:
    """Its output comes, and none of the former one's."""
    server.pieces = [piece(0, 5), piece(0, 2, "reserve-address")]
    server.held[ADDRESS] = threading.Event()
    page = standing(window, server)
    page.locator("#output-step").select_option("reserve-address")
    server.held.pop(ADDRESS).set()
    expect(page.locator(".output-bar .status")).to_contain_text("2 lines")


def test_a_line_that_comes_twice_is_there_once(window: Window, server: Processes) -> None:
    """Pieces that were sent again, alike or cut otherwise; the same text elsewhere is another."""
    again = {**piece(0, 1), "offset": 5 * SIZE}
    server.pieces = [piece(0, 3), piece(0, 3), piece(2, 5), again, {**again, "stream": "stderr"}]
    page = standing(window, server)
    expect(page.locator(".output-bar .status")).to_contain_text("7 lines")
    assert [text[-4:] for text in page.locator(".line").all_inner_texts()] == [
        "0000", "0001", "0002", "0003", "0004", "0000", "0000",
    ]  # fmt: skip


def test_offsets_are_bytes(window: Window, server: Processes) -> None:
    """As the stream counts them: a line after an é is the same one in the history."""
    text = "café 🙂\nline two\n"
    server.pieces = [{**piece(0, 0), "text": text}]
    page = standing(window, server)
    expect(page.locator(".line")).to_have_count(2)
    second = len("café 🙂\n".encode())
    lines = [
        {"offset": offset, "stream": "stdout", "step": STEP, "text": told, "at": iso()}
        for offset, told in ((0, "café 🙂"), (second, "line two"),
                             (second + 9, "line three"))
    ]  # fmt: skip
    server.happen_to("api-1", lines=lines, output={"bytes": second + 20, "total": 3, "kept": 3})
    expect(page.locator(".line").last).to_contain_text("line three")
    expect(page.locator(".line")).to_have_count(3)
    expect(page.locator(".output-bar .status")).to_contain_text(f"{second + 20} B")


def test_who_does_not_count_bytes(window: Window, server: Processes) -> None:
    """What the history has is not shown again because the stream carries it."""
    at = iso(30)
    server.pieces = [
        {**piece(0, 2), "offset": None, "at": at.replace("Z", "125Z")},
        {**piece(2, 4), "offset": None, "at": iso(29)},
    ]
    page = standing(window, server)
    expect(page.locator(".line")).to_have_count(4)
    carried = [
        {"offset": number * SIZE, "stream": "stdout", "step": STEP, "text": f"line {number:04d}",
         "at": at}
        for number in range(2)
    ]  # fmt: skip
    output = {"bytes": 900, "total": 90, "kept": 2}
    server.happen_to("api-1", lines=carried, output=output, process={"progress": 0.8})
    expect(page.locator(".one-steps progress")).to_have_attribute("value", "0.8")
    for _ in range(6):
        page.clock.run_for(2000)
        page.wait_for_timeout(50)
    whole(page, 4)


def test_one_is_asked_before_more_than_32_megabytes(window: Window, server: Processes) -> None:
    """No more is loaded by itself, and the rest when somebody wants it."""
    megabyte = ("x" * 99_999 + "\n") * 10
    server.pieces = [
        {**piece(0, 0), "offset": number * 1_000_000, "text": megabyte} for number in range(34)
    ]
    page = window.open(f"{server.url}/processes/api-1")
    more = page.locator(".output-bar").get_by_role("button", name="Load more")
    expect(more).to_be_visible(timeout=60_000)
    expect(page.locator(".output-bar .status")).to_have_text("32.0 MB, 320 lines")
    more.click()
    expect(page.locator(".output-bar .status")).to_have_text("34.0 MB, 340 lines")
    expect(more).to_have_count(0)
