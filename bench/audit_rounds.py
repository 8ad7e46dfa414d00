"""The sidecar against what it asks OpenSearch for: pages, first bytes, whole exports.

Both sides of a pair are asked by this process over HTTP, one right after the other, and take
turns in being first. Neither gets an answer from a cache of requests: every body has a time of
its own in it.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import urlencode

import orjson
import urllib3
from opensearchpy import OpenSearch
from werkzeug.datastructures import MultiDict

from bench import process
from sidecar_api.export.manifest import read as manifest
from sidecar_api.export.write import PAGE
from sidecar_api.search import FACETS, Filters, order, page
from sidecar_api.search.ask import INDEX, SECONDS

Given: TypeAlias = Sequence[tuple[str, str]]
"""Filters: name and value of each."""

ROWS: Final = 25
EVERYTHING: Final[dict[str, Any]] = {"match_all": {}}
"""The wall of a platform administrator, as whom the bench asks."""
FILTERS: Final[tuple[Given, ...]] = (
    (),
    (("range", "24h"),),
    (("range", "7d"),),
    (("range", "30d"),),
    (("organization", "northwind"),),
    (("organization", "atlas_mobility"), ("range", "30d")),
    (("organization", "brightleaf"), ("outcome", "failure")),
    (("verb", "delete"),),
    (("action", "server.create"),),
    (("action", "user.login"), ("action", "user.login_failed")),
    (("action_contains", "backup"),),
    (("source", "agent"),),
    (("source", "cli"), ("source", "api")),
    (("lens", "agent"), ("impact", "destructive")),
    (("resource_type", "server"), ("verb", "update")),
    (("actor", "katarzyna"),),
    (("ip", "203.0.113.0/24"),),
    (("severity", "3"), ("severity", "4")),
    (("critical", "true"), ("range", "30d")),
    (("q", "server"),),
    (("q", "jonas deploy"),),
)
FORMATS: Final = ("csv", "ndjson", "ocsf")
_CHUNK: Final = 256 * 1024
_TAIL: Final = 16 * 1024
"""Bytes that surely hold the last line of an export."""


@dataclass(frozen=True, slots=True)
class Parties:
    """Who is asked.

    Attributes:
        sidecar: its address, with ``token`` for a platform administrator.
        opensearch: the node's address.
        client: for bare paging.
        pid: the sidecar's parent process.
    """

    sidecar: str
    token: str
    opensearch: str
    client: OpenSearch
    pid: int
    http: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(maxsize=4))

    def ask(self, path: str) -> urllib3.BaseHTTPResponse:
        """Ask the sidecar; the body is not read yet."""
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = self.http.request(
            "GET", f"{self.sidecar}{path}", headers=headers, preload_content=False, timeout=120
        )
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {answer.read()[:500]!r}")
        return answer


@dataclass(slots=True)
class Pages:
    """Seconds a page, of each round: through the sidecar and bare."""

    ours: list[list[float]] = field(default_factory=list)
    bare: list[list[float]] = field(default_factory=list)


@dataclass(slots=True)
class Exports:
    """What the pairs of export and bare paging gave.

    Attributes:
        late: seconds from the arrival of a bare first page to an export's first byte.
        rates: format -> activities a second of each round.
        bare: activities a second, before or after each of them.
    """

    late: list[float] = field(default_factory=list)
    rates: dict[str, list[float]] = field(default_factory=dict)
    bare: dict[str, list[float]] = field(default_factory=dict)


def pages(parties: Parties, rounds: int, until: float, say: Callable[[str], None]) -> Pages:
    """Ask for every filter's page with all facets, ``rounds`` times, once before that.

    Args:
        until: of the monotonic clock; no round begins later, but the first one.
    """
    found, dice = Pages(), random.Random(1)
    for number in range(rounds + 1):
        if number > 1 and time.monotonic() > until:
            say(f"pages: out of time after {number - 1} rounds")
            break
        say(f"pages, round {number} of {rounds}" if number else "pages, warming up")
        ours, bare = [], []
        for turn, filters in enumerate(dice.sample(FILTERS, len(FILTERS))):
            for side in (0, 1) if (turn + number) % 2 else (1, 0):
                if side:
                    bare.append(_timed(_bare_page, parties, filters))
                else:
                    ours.append(_timed(_page, parties, filters))
        if number:
            found.ours.append(ours)
            found.bare.append(bare)
    return found


def _timed(work: Callable[[Parties, Given], None], parties: Parties, filters: Given) -> float:
    begun = time.perf_counter()
    work(parties, filters)
    return time.perf_counter() - begun


def _page(parties: Parties, filters: Given) -> None:
    query = urlencode([*filters, ("include", "facets"), ("size", str(ROWS))])
    answer = orjson.loads(parties.ask(f"/api/v1/activities?{query}").data)
    if not answer["facets"]:
        raise RuntimeError("a page without facets")


def _bare_page(parties: Parties, filters: Given) -> None:
    question = page.Question(
        EVERYTHING, Filters.parse(MultiDict(filters)), page.moment(None), FACETS
    )
    body = {**page.body(question, size=ROWS), "timeout": f"{SECONDS}s"}
    answer = parties.http.request(
        "POST",
        f"{parties.opensearch}/{INDEX}/_search?allow_partial_search_results=false"
        "&allow_no_indices=true&ignore_unavailable=true",
        body=orjson.dumps(body),
        headers={"Content-Type": "application/json"},
        timeout=120,
    )
    if "aggregations" not in orjson.loads(answer.data):
        raise RuntimeError(f"OpenSearch answered {answer.status}: {answer.data[:500]!r}")


def exports(
    parties: Parties,
    rounds: int,
    until: float,
    window: tuple[datetime, datetime],
    say: Callable[[str], None],
) -> Exports:
    """Export a window of time in each format, in turns with bare paging over the same."""
    found = Exports()
    given = _window(window)
    for number in range(rounds):
        if number and time.monotonic() > until:
            say(f"exports: out of time after {number} rounds")
            break
        for turn, form in enumerate(FORMATS):
            say(f"exports, round {number + 1} of {rounds}: {form}")
            ours = bare = 0.0
            for side in (0, 1) if (turn + number) % 2 else (1, 0):
                if side:
                    bare = _bare_rate(parties, given)
                else:
                    ours = whole(parties, form, given)
            found.rates.setdefault(form, []).append(ours)
            found.bare.setdefault(form, []).append(bare)
            found.late += [
                _late(parties, form, given, bare_first=first) for first in (True, False) * 2
            ]
    return found


def _window(window: tuple[datetime, datetime]) -> list[tuple[str, str]]:
    begin, end = (f"{one:%Y-%m-%dT%H:%M:%SZ}" for one in window)
    return [("from", begin), ("to", end)]


def whole(parties: Parties, form: str, given: Given) -> float:
    """Export; return activities a second."""
    begun = time.perf_counter()
    answer = parties.ask(f"/api/v1/activities/export?{urlencode([('format', form), *given])}")
    last = b""
    for chunk in answer.stream(_CHUNK):
        last = (last + chunk)[-_TAIL:]
    took = time.perf_counter() - begun
    answer.release_conn()
    closing = manifest(last.rstrip().rpartition(b"\n")[2])
    if closing is None:
        raise RuntimeError(f"an export as {form} was cut off")
    return int(closing["count"]) / took


def everything(parties: Parties, seconds: float) -> tuple[float, int, bool]:
    """Export all, or as much as comes in so many seconds.

    Returns:
        Activities a second, how many came, and whether they are all: as many lines as the
        manifest at the end says.
    """
    begun, lines, last = time.perf_counter(), 0, b""
    answer = parties.ask("/api/v1/activities/export?format=ndjson")
    for chunk in answer.stream(_CHUNK):
        lines += chunk.count(b"\n")
        last = (last + chunk)[-_TAIL:]
        if time.perf_counter() - begun > seconds:
            break
    took = time.perf_counter() - begun
    answer.close()
    closing = manifest(last.rstrip().rpartition(b"\n")[2])
    if closing is None:
        return lines / took, lines, False
    return closing["count"] / took, closing["count"], closing["count"] == lines - 1


def _bare_rate(parties: Parties, given: Given) -> float:
    begun = time.perf_counter()
    count = sum(len(hits) for hits in _bare_pages(parties.client, given))
    return count / (time.perf_counter() - begun)


def _bare_pages(client: OpenSearch, given: Given) -> Iterator[list[dict[str, Any]]]:
    """Page through a point in time by opensearch-py, and nothing else."""
    body = {**_body(given), "track_total_hits": False}
    pit = client.create_pit(index=INDEX, params={"keep_alive": "5m"})["pit_id"]
    try:
        while True:
            answer = client.search(body={**body, "pit": {"id": pit, "keep_alive": "5m"}})
            pit, hits = answer["pit_id"], answer["hits"]["hits"]
            if hits:
                yield hits
            if len(hits) < PAGE:
                return
            body["search_after"] = hits[-1]["sort"]
    finally:
        client.delete_pit(body={"pit_id": [pit]})


def _late(parties: Parties, form: str, given: Given, *, bare_first: bool) -> float:
    """Seconds from the arrival of a bare first page to the first byte, of one pair."""
    took = {}
    for bare in (True, False) if bare_first else (False, True):
        begun = time.perf_counter()
        if bare:
            reading = _bare_pages(parties.client, given)
            next(reading)
        else:
            path = f"/api/v1/activities/export?{urlencode([('format', form), *given])}"
            answer = parties.ask(path)
            answer.read(1)
        took[bare] = time.perf_counter() - begun
    reading.close()  # type: ignore[attr-defined]
    answer.close()
    return took[False] - took[True]


def _body(given: Given) -> dict[str, Any]:
    filters, now = Filters.parse(MultiDict(given)), datetime.now(UTC) - timedelta(seconds=5)
    question = page.Question(EVERYTHING, filters, page.moment(now))
    return {"query": question.body()["query"], "size": PAGE, "sort": order.sort()}


class Memory:
    """Resident memory of a process's children, in MB, looked at again and again.

    Attributes:
        seen: (seconds since the start, MB).
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.seen: list[tuple[float, float]] = []

    def now(self) -> float:
        """Return it."""
        listed = Path(f"/proc/{self._pid}/task/{self._pid}/children").read_text()
        return sum(process.resident(int(one))[0] for one in listed.split())

    @contextmanager
    def watched(self, every: float = 0.1) -> Iterator[None]:
        """Look every so many seconds."""
        begun, ended = time.monotonic(), threading.Event()

        def look() -> None:
            while True:
                self.seen.append((time.monotonic() - begun, self.now()))
                if ended.wait(every):
                    return

        watching = threading.Thread(target=look, daemon=True)
        watching.start()
        try:
            yield
        finally:
            ended.set()
            watching.join()

    def growth(self) -> float:
        """Return by how much the mean of the last tenth is above that of the second tenth."""
        tenth = max(1, len(self.seen) // 10)
        early = [mb for _, mb in self.seen[tenth : 2 * tenth]] or [self.seen[0][1]]
        late = [mb for _, mb in self.seen[-tenth:]]
        return sum(late) / len(late) - sum(early) / len(early)
