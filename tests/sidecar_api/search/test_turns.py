"""Searches by part of a value wait for each other, and leave OpenSearch to all others."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from opensearchpy import OpenSearch

from activity_center.config import Cluster
from activity_center.config_sidecar import SidecarConfig
from activity_center.connection import connect
from sidecar_api.access import Access
from sidecar_api.export.write import ahead
from sidecar_api.failures import BadRequest
from sidecar_api.follow.topic import Topic
from sidecar_api.reader import Grant, Reader
from sidecar_api.search import FACETS, Search, clauses, turns
from sidecar_api.search.newer import Place
from sidecar_api.search.page import Question
from tests.integration.process import until
from tests.json_server import json_server
from tests.sidecar_api.desk import Desk
from tests.sidecar_api.export.people import config_of
from tests.sidecar_api.search.log import NOON, Anyone, Log, document, filters

EMPTY = {
    "timed_out": False,
    "_shards": {"total": 1, "successful": 1, "failed": 0},
    "hits": {"total": {"value": 0, "relation": "eq"}, "hits": []},
}


TARGETS = [f"target={letter * 128}" for letter in "wxyz"]


class Slow:
    """An OpenSearch that answers a search for parts of values when it is told to.

    Attributes:
        asked: texts of the searches for parts that are under way, in the order they came.
        parameters: of every search: whether it was for parts, and how many shards at once.
    """

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[str] = []
        self.parameters: list[tuple[bool, list[str]]] = []
        self.ends = threading.Semaphore(0)

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        """Answer a search."""
        text = _text(json.loads(body))
        given = parse_qs(urlsplit(path).query).get("max_concurrent_shard_requests", [])
        self.parameters.append((bool(text), given))
        if text:
            self.asked.append(text)
            self.ends.acquire()
            self.asked.remove(text)
        counts = {
            name: {"doc_count": 0} for name in json.loads(body).get("aggs", {}) if name in "01"
        }
        return 200, {**EMPTY, "aggregations": counts} if counts else EMPTY

    @cached_property
    def client(self) -> OpenSearch:
        """A client of it."""
        return connect(Cluster(url=self.url))

    @cached_property
    def search(self) -> Search:
        """Searches in it."""
        return Search(self.client)


@pytest.fixture
def slow() -> Iterator[Slow]:
    """One of them; all that it holds back is answered at the end."""
    made = Slow()
    with json_server(made.answer) as made.url:
        yield made
        made.ends.release(1000)


def _text(body: Any) -> str:
    """What the first pattern of a body looks for; empty: it has none."""
    if isinstance(body, dict) and "wildcard" in body:
        (one,) = body["wildcard"].values()
        return str(one["value"]).strip("*")
    parts = body.values() if isinstance(body, dict) else body if isinstance(body, list) else ()
    return next(filter(None, map(_text, parts)), "")


def test_a_readers_searches_for_parts_are_one_after_the_other(
    slow: Slow, threads: ThreadPoolExecutor
) -> None:
    """Of two readers two are under way, whoever began first with however many; whoever asked for
    something else is answered meanwhile; then it is the turn of who was not served yet."""

    def ask(reader: str, text: str) -> Future[Any]:
        def page() -> Any:
            turns.reader.set(reader)
            return slow.search.page(Anyone(), filters(action_contains=text), size=25)

        return threads.submit(page)

    asked = [ask("mallory", f"mallory-{number}") for number in range(5)]
    until(lambda: len(slow.asked) == 1)
    asked += [ask("trent", f"trent-{number}") for number in range(5)]
    until(lambda: len(slow.asked) == 2)
    asked.append(ask("alice", "alice"))
    time.sleep(0.2)  # nobody else comes through
    assert [text.partition("-")[0] for text in slow.asked] == ["mallory", "trent"]
    assert slow.search.page(Anyone(), filters(type="Server"), size=25).total == 0
    slow.ends.release()
    until(lambda: "alice" in slow.asked)
    slow.ends.release(20)
    assert [one.result(30).total for one in asked] == [0] * 11


def test_short_searches_do_not_wait_for_long_ones(slow: Slow, threads: ThreadPoolExecutor) -> None:
    """Of long ones there is one at a time, whoever asks, and beside it two short ones."""

    def ask(reader: str, text: str) -> None:
        turns.reader.set(reader)
        slow.search.page(Anyone(), filters(target=[text]), size=25)

    long = [letter * 260 for letter in "abcd"]
    asked = [threads.submit(ask, f"mallory-{text[0]}", text) for text in long]
    until(lambda: len(slow.asked) == 1)
    asked += [threads.submit(ask, reader, reader) for reader in ("alice", "bob", "carol")]
    until(lambda: len(slow.asked) == 3)
    time.sleep(0.2)  # nobody else comes through
    assert len([text for text in slow.asked if text in long]) == 1
    assert len(slow.asked) == 3
    slow.ends.release(20)
    for one in asked:
        one.result(30)


def test_who_asks_often_for_little_comes_not_before_who_asks_once(
    slow: Slow, threads: ThreadPoolExecutor
) -> None:
    """A single letter among many values may take longer than a long word."""

    def ask(reader: str, text: str) -> Future[Any]:
        def page() -> Any:
            turns.reader.set(reader)
            return slow.search.page(Anyone(), filters(action_contains=text), size=25)

        before = len(slow.asked) + sum(map(len, turns.SHORT._waiting.values()))
        made = threads.submit(page)
        until(lambda: len(slow.asked) + sum(map(len, turns.SHORT._waiting.values())) > before)
        return made

    often = [("mallory", "m"), ("trent", "t")] * 3
    asked = [ask(reader, text) for reader, text in often] + [ask("alice", "a" * 200)]
    assert slow.asked == ["m", "t"]
    slow.ends.release()
    until(lambda: len(slow.asked) == 2 and slow.asked != ["m", "t"])
    assert "a" * 200 in slow.asked
    slow.ends.release(10)
    assert [one.result(30).total for one in asked] == [0] * 7


def test_by_http_too(slow: Slow, threads: ThreadPoolExecutor, tmp_path: Path) -> None:
    """A turn is the reader's, whoever that is."""
    desk = Desk(tmp_path, Cluster(url=slow.url), slow.client)

    def ask(who: str) -> Future[int]:
        path = f"/api/v1/activities?action_contains={who}"
        return threads.submit(lambda: desk.ask(path, who).status_code)

    asked = [ask("owner") for _ in range(3)]
    until(lambda: slow.asked == ["owner"])
    asked.append(ask("member"))
    until(lambda: slow.asked == ["owner", "member"])
    slow.ends.release(10)
    assert [one.result(30) for one in asked] == [200] * 4


def test_what_is_too_big_is_named(slow: Slow, tmp_path: Path) -> None:
    """By the longest of the request's parameters, whichever that is."""
    desk = Desk(tmp_path, Cluster(url=slow.url), slow.client)
    long = {"contains": "c" * 100, "action_contains": "a" * 256, "resource_name": "r" * 300}
    query = "&".join([*(f"{name}={text}" for name, text in long.items()), *TARGETS])
    told = desk.problem(400, f"/api/v1/activities/facets?{query}")
    assert (told["detail"], told["parameter"]) == ("This search is too big.", "action_contains")


def test_a_live_tails_poller_takes_the_readers_turn(slow: Slow, tmp_path: Path) -> None:
    """Who has tails open and searches, waits for themselves."""
    config = config_of(Cluster(url=slow.url), "acme", SidecarConfig(data_dir=str(tmp_path)))
    reader = Reader("mallory", grants={"acme": (Grant("owner"),)})
    scope = Access(config).scope(reader)
    wanted = filters(action_contains="tail")
    topic = Topic(slow.search, scope, wanted, Place(1, "a", 1, {}, 0, 0), count=1e9)
    topic.watches = 1
    poller = threading.Thread(target=topic.run, args=(0.01,), daemon=True)
    try:
        with turns.SHORT.turn("mallory"):
            poller.start()
            until(lambda: slow.parameters == [(False, [])])  # whether there are large ones
            time.sleep(0.2)
            assert slow.asked == []
        until(lambda: slow.asked == ["tail"])
    finally:
        topic.watches = 0
        slow.ends.release(10)
        poller.join(30)
    assert not poller.is_alive()


@pytest.mark.parametrize(
    ("asked", "at_once"),
    [
        ({"action_contains": "create"}, "2"),
        ({"q": "create a server"}, "2"),
        ({"q": " ".join(["abcdefg"] * 8)}, "2"),
        ({"q": " ".join(["abcdefghijkl"] * 8)}, "1"),
        ({"target": ["a" * 150, "b" * 150]}, "1"),
    ],
)
def test_it_leaves_threads_of_a_node_to_others(
    slow: Slow, asked: dict[str, Any], at_once: str
) -> None:
    """Few indices are searched at the same time, and for one page they are once."""
    slow.ends.release(10)
    slow.search.page(Anyone(), filters(**asked), size=25)
    assert [given for parts, given in slow.parameters if parts] == [[at_once]]
    assert [given for parts, given in slow.parameters if not parts] == [[]]
    slow.search.facets(Anyone(), filters(), ["actor"], contains="a" * 200)
    assert slow.parameters[-1] == (True, ["1"])


def test_what_is_too_big_is_refused_before_it_is_asked(slow: Slow) -> None:
    """It would hold up all other long ones."""
    asked = {
        "q": " ".join(["abcdefghijklmnopqrstuvwx"] * 8),
        "target": ["t" * 250, "u" * 250],
        "action_contains": "a" * 256,
    }
    slow.ends.release(10)
    slow.search.page(Anyone(), filters(**asked), size=25)
    before = len(slow.parameters)
    with pytest.raises(BadRequest, match="too big"):
        slow.search.facets(Anyone(), filters(**asked), FACETS, contains="c" * 100)
    assert len(slow.parameters) == before


def test_what_is_not_too_big_is_asked(slow: Slow) -> None:
    """To the last letter: the bound is neither higher nor lower than the docs have it."""
    slow.ends.release(10)
    places = clauses.pattern_length(Question({}, filters(), NOON, FACETS, "c").body()) // len("*c*")
    longest = 4096 // places - len("**")
    slow.search.facets(Anyone(), filters(), FACETS, contains="c" * longest)
    assert [given for parts, given in slow.parameters if parts] == [["1"]]
    with pytest.raises(BadRequest, match="too big"):
        slow.search.facets(Anyone(), filters(), FACETS, contains="c" * (longest + 1))


def test_what_a_list_may_ask_its_tail_may_too(slow: Slow) -> None:
    """Counting what came late asks for each pattern once, however many moments it compares."""
    asked = filters(q=" ".join(["abcdefghijklmnopqrstuvwx"] * 8))
    slow.ends.release(10)
    slow.search.page(Anyone(), asked, size=25)
    slow.search.missed(Anyone(), asked, Place(1, "a", 1, {}, 0, 0))
    assert [given for parts, given in slow.parameters if parts] == [["1"], ["1"]]


def test_an_export_reads_ahead_for_its_reader(threads: ThreadPoolExecutor) -> None:
    """In a thread of its own."""
    seen: list[str] = []

    def hits() -> Iterator[dict[str, Any]]:
        for number in range(2):
            seen.append(turns.reader.get())
            yield {"_id": str(number), "_source": {}}

    def export() -> int:
        turns.reader.set("mallory")
        return len(list(ahead(hits(), 1)))

    assert threads.submit(export).result(30) == 2
    assert seen == ["mallory"] * 2


def test_a_clients_text_is_no_clause() -> None:
    """Who looks for the name of a clause looks for nothing else."""
    found = filters(type="wildcard", q="wildcard *").clauses(NOON)
    assert clauses.pattern_length(found["type"]) == 0
    assert clauses.pattern_length(found["q"]) == 7 * (len("*wildcard*") + len("*\\**"))


def test_large_entries_are_found_by_parts(log: Log) -> None:
    """Though the search that fetches them does not look for the parts again."""
    big = {"activity__size": 300_000, "message": "m" * 300_000}
    log.add(
        document(id="a", activity__resource__name="web-prod-1", **big),
        document(id="b", activity__resource__name="web-test-1", **big),
        document(id="c", activity__resource__name="web-prod-2"),
    )
    assert log.found(q="prod web") == {"a", "c"}
    assert log.found(target="prod-1") == {"a"}
