"""An answer that is not whole, late or none is never taken for the log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from activity_center.config import Cluster
from activity_center.connection import connect
from sidecar_api.failures import BadRequest, Failure, Incomplete, RateLimited, Unavailable
from sidecar_api.search import Search, ask
from sidecar_api.search.newer import Place
from tests.json_server import json_server
from tests.sidecar_api.search.log import Anyone, Log, document, filters, put_templates
from tests.weighed import Weighed

if TYPE_CHECKING:
    from tests.conftest import OwnNode

WHOLE = {"total": 2, "successful": 2, "failed": 0, "skipped": 0}
PART = {"total": 2, "successful": 1, "failed": 0, "skipped": 0}
HIT = {"_id": "a", "_source": {"event": {"id": "a"}}, "sort": [1, "a", None, 1]}


def answer(shards: Any = None, hits: int = 1, **more: Any) -> dict[str, Any]:
    """What OpenSearch answers a search with."""
    return {
        "timed_out": False,
        "_shards": WHOLE if shards is None else shards,
        "hits": {"total": {"value": hits, "relation": "eq"}, "hits": [HIT] * hits},
        "pit_id": "p",
        **more,
    }


@dataclass
class Fake:
    """An OpenSearch that answers what it is told to."""

    status: int = 200
    answers: list[Any] = field(default_factory=list)
    first: list[tuple[int, Any]] = field(default_factory=list)
    """Statuses and bodies of the first answers, to whatever is asked."""
    delay: float = 0.0
    """Seconds before an answer."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    url: str = ""


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What never becomes whole is known soon."""
    monkeypatch.setattr(ask, "STARTING", (0.001, 0.002, 0.004))


@pytest.fixture
def fake() -> Iterator[Fake]:
    """A server whose last answer repeats; PITs are made and deleted."""
    told = Fake()

    def said(method: str, path: str, text: bytes) -> tuple[int, Any]:
        told.asked.append((method, path))
        time.sleep(told.delay)
        status, body = told.status, told.answers[0] if told.answers else {}
        if told.first:
            status, body = told.first.pop(0)
        elif "point_in_time" in path and isinstance(body, dict) and "hits" in body:
            body = {"pit_id": "p", "_shards": WHOLE, "pits": []}
        elif len(told.answers) > 1:
            told.answers.pop(0)
        if b'"aggs":{"0":' in text and isinstance(body, dict) and "hits" in body:
            body = {**body, "aggregations": {"0": {"doc_count": 0}}}  # what a place counts
        return status, body

    with json_server(said) as told.url:
        yield told


SCOPE = Anyone()
PLACE = Place(1, "a", 1, {}, 0, 0)
ASKING: dict[str, Callable[[Search], Any]] = {
    "page": lambda search: search.page(SCOPE, filters(), size=25),
    "one": lambda search: search.one(SCOPE, "a"),
    "recent": lambda search: search.recent(SCOPE),
    "facets": lambda search: search.facets(SCOPE, filters(), ["action"]),
    "histogram": lambda search: search.histogram(SCOPE, filters()),
    "newer": lambda search: search.newer(SCOPE, filters(), PLACE),
    "begin": lambda search: search.beginning(SCOPE, filters()),
    "seen_of": lambda search: search.seen_of(SCOPE, ["acme"]),
    "scan": lambda search: list(search.scan(SCOPE, filters())),
}


def test_a_long_reading_waits_for_a_busy_node(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """One 429 does not end an export."""
    monkeypatch.setattr(ask, "PAUSES", (0.001, 0.002))
    pit, none = {"pit_id": "p", "_shards": WHOLE, "pits": []}, answer(hits=0)
    fake.first = [(200, pit), (200, none), (429, {}), (429, {})]
    fake.answers = [answer(hits=1)]
    assert len(list(search(fake).scan(SCOPE, filters()))) == 1
    fake.first = [(200, pit), (200, none), (429, {}), (429, {}), (429, {})]
    with pytest.raises(RateLimited):
        list(search(fake).scan(SCOPE, filters()))


def search(fake: Fake) -> Search:
    """A search whose OpenSearch is the fake one."""
    return Search(connect(Cluster(url=fake.url), timeout=5))


@pytest.mark.parametrize("question", ASKING.values(), ids=ASKING)
@pytest.mark.parametrize(
    "made",
    [
        answer(PART),
        answer({**WHOLE, "failed": 1}),
        answer({}, _shards=None),
        answer(timed_out=True),
        {},
        [],
    ],
    ids=["part", "failed", "no shards", "timed out", "empty", "list"],
)
def test_part_of_the_log_is_no_answer(
    fake: Fake, question: Callable[[Search], Any], made: Any
) -> None:
    """200 with part of the shards, or timed out, is 503 for every question."""
    fake.answers = [made]
    with pytest.raises(Incomplete) as refused:
        question(search(fake))
    assert int(refused.value.headers["Retry-After"]) > 0


def test_a_later_page_in_part_ends_a_reading(fake: Fake) -> None:
    """A reading whose second page is not whole fails there, and its PIT is deleted."""
    fake.answers = [answer(hits=0), answer(hits=3), answer(PART)]  # first: are there large ones
    reading = search(fake).scan(SCOPE, filters(), page_size=3)
    assert len([next(reading) for _ in range(3)]) == 3
    with pytest.raises(Unavailable):
        next(reading)
    assert [method for method, path in fake.asked if "point_in_time" in path] == ["POST", "DELETE"]


def test_every_search_asks_for_whole_answers(fake: Fake) -> None:
    """No search and no PIT may answer in part, as far as OpenSearch can be told."""
    fake.answers = [answer(hits=0)]
    for name in ("page", "one", "scan", "newer"):
        ASKING[name](search(fake))
    searches = [path for _, path in fake.asked if path.split("?")[0].endswith("/_search")]
    assert len(searches) == 7  # lists and readings first look for large entries
    assert all("allow_partial_search_results=false" in path for path in searches)
    opened = [path for method, path in fake.asked if method == "POST" and "point_in_time" in path]
    assert len(opened) == 1
    assert "allow_partial_pit_creation=false" in opened[0]


def error(kind: str) -> dict[str, Any]:
    """An error's body."""
    return {"error": {"type": "x", "root_cause": [{"type": kind, "reason": "secret text"}]}}


@pytest.mark.parametrize("question", [ASKING["page"], ASKING["scan"]], ids=["page", "scan"])
@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (429, error("rejected_execution_exception"), RateLimited),
        (429, error("circuit_breaking_exception"), RateLimited),
        (503, error("no_shard_available_action_exception"), Incomplete),
        (503, error("cluster_manager_not_discovered_exception"), Unavailable),
        (500, error("null_pointer_exception"), Unavailable),
        (502, b"<html>", Unavailable),
        (401, b"Unauthorized", Unavailable),
        (403, error("security_exception"), Unavailable),
        (404, error("search_context_missing_exception"), Unavailable),
        (200, b"not json", Unavailable),
    ],
)
def test_failures_have_a_name(
    fake: Fake, question: Callable[[Search], Any], status: int, body: Any, expected: type[Failure]
) -> None:
    """Each error of OpenSearch becomes one of ours, and its words are not passed on."""
    fake.status, fake.answers = status, [body]
    with pytest.raises(expected) as refused:
        question(search(fake))
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("status", [400, 500])
@pytest.mark.parametrize(
    "kind",
    ["too_many_clauses", "too_many_nested_clauses", "too_complex_to_determinize_exception"],
)
def test_a_search_too_big(fake: Fake, kind: str, status: int) -> None:
    """What OpenSearch finds too big is the request's fault; any other 400 is ours."""
    fake.status, fake.answers = status, [error(kind)]
    with pytest.raises(BadRequest):
        ASKING["page"](search(fake))
    fake.status, fake.answers = 400, [error("parsing_exception")]
    with pytest.raises(Failure, match="refused a search of ours") as ours:
        ASKING["page"](search(fake))
    assert ours.value.status == 500


def test_too_many_buckets_are_the_searches_fault(own_node: Callable[..., OwnNode]) -> None:
    """OpenSearch says 503 to them, as where a shard is starting: it is not told so, nor waited
    for."""
    node = own_node()
    put_templates(node.client)
    log = Log(node.client)
    log.add(*(document(event__action=action) for action in ("server.create", "server.update")))
    node.client.cluster.put_settings(body={"transient": {"search.max_buckets": 1}})
    weighed = Weighed(node.client)
    with pytest.raises(BadRequest, match="too big"):
        Search(weighed.client).facets(log, filters(), ["action"])
    assert weighed.asked == 1


def test_opensearch_is_down() -> None:
    """No OpenSearch at the address: 503 for every question."""
    nobody = Search(connect(Cluster(url="http://127.0.0.1:9"), timeout=5))
    for question in ASKING.values():
        with pytest.raises(Unavailable):
            question(nobody)


STARTING: dict[str, tuple[int, Any]] = {
    "part": (200, answer(PART)),
    "none": (
        503,
        {"error": {"type": "search_phase_execution_exception", "root_cause": []}, "status": 503},
    ),
}


@pytest.mark.parametrize("question", ASKING.values(), ids=ASKING)
@pytest.mark.parametrize("starting", STARTING.values(), ids=STARTING)
def test_a_shard_that_is_starting_is_waited_for(
    fake: Fake,
    question: Callable[[Search], Any],
    starting: tuple[int, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is whole a moment later is no error, whichever way OpenSearch says: not yet."""
    monkeypatch.setattr(ask, "STARTING", (0.001, 0.002, 10.0))
    fake.first, fake.answers = [starting] * 2, [answer(hits=0)]
    question(search(fake))
    assert not fake.first
    assert len(fake.asked) > 2


def test_an_answer_that_came_late_is_not_asked_for_again(fake: Fake) -> None:
    """OpenSearch has worked on it for as long as it may: again would be as long."""
    fake.delay, fake.answers = 0.02, [answer(timed_out=True)]
    with pytest.raises(Incomplete):
        ASKING["newer"](search(fake))
    assert len(fake.asked) == 1
