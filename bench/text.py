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
from collections.abc import Callable, Iterator, Sequence
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
from sidecar_api.search import FACETS, Filters, Search, turns
from sidecar_api.search.ask import INDEX
from sidecar_api.search.page import Question

ORGANIZATION: Final = "atlas_mobility"
AT_ONCE: Final = 8
"""Requests at the same time."""
WORST: Final = (24,) * 8
LONG: Final = (36, 26, 8)
USUAL: Final = (8, 8)
"""Letters of each word of a search: the most there can be; a UUID, an e-mail address and a word;
what people type."""
NARROWING: Final = 30
"""Letters that each value of every filter is to have in it, in the worst search."""


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
        "how": f"pages of 25, alone, and while two readers keep {AT_ONCE} searches asked for, or "
        "one is sent to OpenSearch as it is; all on this machine",
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
    dice = random.Random(4)

    def page(*words: int, dice: random.Random = dice) -> float:
        begun = time.monotonic()
        search.page(Wall(), _filters(dice, words), size=25)
        return (time.monotonic() - begun) * 1000

    def worst(dice: random.Random = dice) -> float:
        begun = time.monotonic()
        narrowing = _words(dice, (NARROWING,))
        search.facets(Wall(), _filters(dice, WORST), FACETS, contains=narrowing)
        return (time.monotonic() - begun) * 1000

    def straight(dice: random.Random) -> None:
        question = Question(
            Wall().query(),
            _filters(dice, WORST),
            datetime.now(UTC),
            FACETS,
            _words(dice, (NARROWING,)),
        )
        client.search(body={**question.body(), "size": 0}, index=INDEX, request_timeout=120)

    def rounds(*words: int) -> list[float]:
        return [page(*words) for _ in range(plan.rounds)]

    for words in ((), USUAL, LONG):
        page(*words)
    worst()
    say("alone")
    alone, usual, long = rounds(), rounds(*USUAL), rounds(*LONG)
    most = [worst() for _ in range(plan.rounds)]
    turns.reader.set("a third reader")
    say("beside readers who search")
    with _kept_up(AT_ONCE, lambda dice: page(*USUAL, dice=dice)):
        beside_usual = rounds()
    say("beside readers who search for the worst")
    with _kept_up(AT_ONCE, worst):
        beside, usual_beside, long_beside = rounds(), rounds(*USUAL), rounds(*LONG)
    say("beside the same, sent straight to OpenSearch")
    with _kept_up(1, straight):
        unheld = rounds()
    return [
        Row("page without filters, alone, ms", alone),
        Row("  beside two readers' searches for two words", beside_usual),
        Row("  beside two readers' worst searches", beside),
        Row("  beside one of them, sent straight to OpenSearch", unheld),
        Row("page for two words of 8 letters, alone, ms", usual),
        Row("  beside two readers' worst searches", usual_beside),
        Row("page for a UUID, an e-mail address and a word, alone, ms", long),
        Row("  beside two readers' worst searches", long_beside),
        Row("the worst search, alone, ms", most),
    ]


def _filters(dice: random.Random, words: Sequence[int]) -> Filters:
    return Filters.parse({"q": [_words(dice, words)]} if words else {})


def _words(dice: random.Random, words: Sequence[int]) -> str:
    return " ".join("".join(dice.choices(ascii_lowercase, k=letters)) for letters in words)


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
