"""``python -m bench text``: what others wait while somebody searches for parts of words.

OpenSearch pays for each word, field and index (:mod:`sidecar_api.search.turns`), so the log is in
many indices, as after months of rollovers. Everything is asked through the sidecar's own search,
in this process; the node is removed at the end.
"""

from __future__ import annotations

import os
import random
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from string import ascii_lowercase
from typing import Any, Final

from opensearchpy import OpenSearch

from activity_center import node
from activity_center.connection import connect
from activity_center.setup import desired_state, install
from activity_center.streams import LENS_PATTERNS
from bench.audit_data import load
from bench.machine import machine
from bench.measure import HEAP
from bench.report import Row
from sidecar_api.failures import RateLimited
from sidecar_api.search import Filters, Search, turns
from sidecar_api.search.ask import INDEX
from sidecar_api.search.page import Question

ORGANIZATION: Final = "atlas_mobility"
AT_ONCE: Final = 8
"""Requests at the same time."""
WORST: Final = (8, 24)
USUAL: Final = (2, 8)
"""Words of a search, and letters of each."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured.

    Attributes:
        activities: in the log.
        indices: that it is in.
        rounds: of each kind of question.
    """

    activities: int
    indices: int
    rounds: int


FULL: Final = Plan(30_000, indices=40, rounds=7)
QUICK: Final = Plan(10_000, indices=20, rounds=3)
TINY: Final = Plan(500, indices=4, rounds=1)
"""For the test that the bench runs; its figures mean nothing."""


class Wall:
    """One organization's trail."""

    def query(self) -> dict[str, Any]:
        """The clause."""
        return {"term": {"organization.id": ORGANIZATION}}


def run(plan: Plan, say: Callable[[str], None]) -> tuple[dict[str, str], list[Row]]:
    """Measure; return facts and rows."""
    begun, load_average = time.monotonic(), os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="activity-bench-") as name:
        own = f"bench-{Path(name).name}".lower()
        try:
            say("starting OpenSearch")
            info = node.start(own, heap=HEAP, fast=plan is TINY)
            with connect(info.cluster, timeout=120) as client:
                install(client, desired_state())
                count = spread(client, plan, say)
            with connect(info.cluster) as client:
                rows = measured(client, plan, say)
        finally:
            node.wipe(own)
    facts = {
        "machine": machine(info.version),
        "workload": f"{plan.activities:,} activities of the demo's workload in {count} indices; "
        f"heap {HEAP}",
        "how": f"a page of 25 without filters, alone, and while two readers keep {AT_ONCE} "
        f"searches of {WORST[0]} words of {WORST[1]} random letters asked for, or one is sent to "
        "OpenSearch as it is; all on this machine",
        "took": f"{time.monotonic() - begun:.0f} s, begun at a load average of {load_average:.1f}",
    }
    return facts, rows


def spread(client: OpenSearch, plan: Plan, say: Callable[[str], None]) -> int:
    """Load the log with rollovers in between; return how many indices it is in then."""
    streams = [one["name"] for one in _streams(client)]
    rolled = count = 0

    def advance(documents: int) -> None:
        nonlocal rolled, count
        count += documents
        while rolled < (plan.indices - len(streams)) * count // plan.activities:
            client.indices.rollover(alias=streams[rolled % len(streams)])
            rolled += 1

    say("loading")
    load(client, plan.activities, advance)
    return sum(len(one["indices"]) for one in _streams(client))


def _streams(client: OpenSearch) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.indices.get_data_stream(name=",".join(LENS_PATTERNS))[
        "data_streams"
    ]
    return found


def measured(client: OpenSearch, plan: Plan, say: Callable[[str], None]) -> list[Row]:
    """Ask, alone and beside others; every time in ms."""
    search = Search(client)

    def page(**asked: str) -> float:
        wanted = Filters.parse({name: [value] for name, value in asked.items()})
        begun = time.monotonic()
        search.page(Wall(), wanted, size=25)
        return (time.monotonic() - begun) * 1000

    dice = random.Random(4)
    for asked in ({}, {"q": _words(dice, *USUAL)}, {"q": _words(dice, *WORST)}):
        page(**asked)
    say("alone")
    alone = [page() for _ in range(plan.rounds)]
    usual = [page(q=_words(dice, *USUAL)) for _ in range(plan.rounds)]
    worst = [page(q=_words(dice, *WORST)) for _ in range(plan.rounds)]
    say("beside readers who search")
    with _kept_up(AT_ONCE, lambda dice: page(q=_words(dice, *WORST))):
        beside = [page() for _ in range(plan.rounds)]
        turns.reader.set("a third reader")
        waited = [page(q=_words(dice, *USUAL)) for _ in range(plan.rounds)]
    say("beside the same, sent straight to OpenSearch")

    def straight(dice: random.Random) -> None:
        wanted = Filters.parse({"q": [_words(dice, *WORST)]})
        body = Question(Wall().query(), wanted, datetime.now(UTC)).body()
        client.search(body=body, index=INDEX, request_timeout=120)

    with _kept_up(1, straight):
        unheld = [page() for _ in range(plan.rounds)]
    return [
        Row("page without filters, alone, ms", alone),
        Row("  beside the worst searches of two readers", beside),
        Row("  beside one of them, sent straight to OpenSearch", unheld),
        Row(f"page for {USUAL[0]} words of {USUAL[1]} letters, alone, ms", usual),
        Row("  beside the worst searches of two others", waited),
        Row(f"page for {WORST[0]} words of {WORST[1]} letters, alone, ms", worst),
    ]


def _words(dice: random.Random, words: int, letters: int) -> str:
    return " ".join("".join(dice.choices(ascii_lowercase, k=letters)) for _ in range(words))


@contextmanager
def _kept_up(at_once: int, ask: Callable[[random.Random], object]) -> Iterator[None]:
    """Two readers ask again and again, so many times at once."""
    ended = threading.Event()

    def ask_on(number: int) -> None:
        turns.reader.set(f"reader {number % 2}")
        dice = random.Random(number)
        while not ended.is_set():
            with suppress(RateLimited):
                ask(dice)

    threads = [threading.Thread(target=ask_on, args=(number,)) for number in range(at_once)]
    for one in threads:
        one.start()
    try:
        yield
    finally:
        ended.set()
        for one in threads:
            one.join()
