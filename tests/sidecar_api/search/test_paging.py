"""Pages: whole, in order, still while new entries arrive, at any depth."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from sidecar_api.failures import BadRequest
from sidecar_api.moments import written
from sidecar_api.search import Position
from sidecar_api.search.page import Page
from tests.sidecar_api.search.log import NOON, Log, document, filters, minutes, put_templates

AS_OF = NOON + minutes(600)


def event_ids(page: Page) -> list[str]:
    """Event ids of a page, in order."""
    return [one["event"]["id"] for one in page.activities]


def forward(log: Log, size: int, as_of: datetime) -> list[list[str]]:
    """All pages by cursor."""
    pages: list[list[str]] = []
    after: Position | None = None
    while True:
        page = log.search.page(log, filters(), size=size, after=after, as_of=as_of)
        if not page.activities:
            return pages
        pages.append(event_ids(page))
        after = page.last


@pytest.fixture(scope="module")
def ties(table: Log) -> Log:
    """230 entries of which 150 share a moment, in two streams."""
    table.add(
        *(
            document(
                id=f"tie{n:03}",
                event__action="agent.read" if n % 3 else "server.update",
                event__hash=None if n % 2 else f"{n:064x}",
            )
            for n in range(150)
        ),
        *(document(id=f"e{n:03}", at=NOON + timedelta(seconds=n - 40)) for n in range(80)),
    )
    return table


def test_numbered_pages_and_cursor_are_the_same(ties: Log) -> None:
    """Both ways give each entry once, newest first, in one order, with the exact total."""
    numbered = [
        log_page
        for number in range(1, 11)
        for log_page in [ties.search.page(ties, filters(), size=25, number=number, as_of=AS_OF)]
    ]
    assert {page.total for page in numbered} == {230}
    order = [id_ for page in numbered for id_ in event_ids(page)]
    assert len(order) == len(set(order)) == 230
    assert [event_ids(page) for page in numbered] == forward(ties, 25, AS_OF)
    times = [one["@timestamp"] for page in numbered for one in page.activities]
    assert times == sorted(times, reverse=True)
    assert numbered[-1].number == 10
    beyond = ties.search.page(ties, filters(), size=25, number=11, as_of=AS_OF)
    assert (beyond.activities, beyond.total, beyond.first, beyond.last) == ([], 230, None, None)


def test_back_and_forth(ties: Log) -> None:
    """The page before a position is the page that led to it, through all ties."""
    pages = [ties.search.page(ties, filters(), size=50, number=n, as_of=AS_OF) for n in range(1, 6)]
    for earlier, later in pairwise(pages):
        back = ties.search.page(ties, filters(), size=50, before=later.first, as_of=AS_OF)
        assert event_ids(back) == event_ids(earlier)
        assert (back.first, back.last) == (earlier.first, earlier.last)
    first = ties.search.page(ties, filters(), size=25, before=pages[0].first, as_of=AS_OF)
    assert first.activities == []


def test_new_entries_move_nothing(log: Log) -> None:
    """Pages of one as_of stay the same while newer, older and equal entries arrive."""
    log.add(*(document(id=f"a{n:03}", at=NOON + minutes(n % 7)) for n in range(120)))
    as_of = NOON + minutes(60)
    first = log.search.page(log, filters(), size=50, as_of=as_of, facets=["action"])
    arriving = [
        document(
            id=f"b{n:03}", at=NOON + minutes(n % 9), event__ingested="2026-11-20T13:00:00.001Z"
        )
        for n in range(200)
    ]
    log.add(*arriving)
    again = log.search.page(log, filters(), size=50, as_of=first.as_of, facets=["action"])
    assert event_ids(again) == event_ids(first)
    assert (again.total, again.facets) == (120, first.facets)
    rest = [
        id_
        for number in (2, 3)
        for id_ in event_ids(
            log.search.page(log, filters(), size=50, number=number, as_of=first.as_of)
        )
    ]
    assert sorted(event_ids(first) + rest) == [f"a{n:03}" for n in range(120)]
    assert log.search.page(log, filters(), size=25, as_of=NOON + minutes(61)).total == 320


def test_as_of_defaults_to_now(log: Log) -> None:
    """Without as_of a page shows what is there now, and says which moment that was."""
    log.add(document(id="a", at=datetime.now(UTC)))
    before = datetime.now(UTC)
    page = log.search.page(log, filters(), size=25)
    assert event_ids(page) == ["a"]
    assert before - timedelta(milliseconds=1) <= page.as_of <= datetime.now(UTC)


def test_what_is_found_late_moves_nothing(log: Log) -> None:
    """With an as_of of five seconds ago, what was received just before the first page was asked
    for, and becomes searchable only after it, shifts neither the second page nor the total."""
    received = written(datetime.now(UTC) - timedelta(seconds=6))
    log.add(*(document(id=f"a{n:02}", event__ingested=received) for n in range(40)))
    as_of = datetime.now(UTC) - timedelta(seconds=5)
    first = log.search.page(log, filters(), size=25, as_of=as_of)
    just_before = written(as_of + timedelta(seconds=4))
    log.add(*(document(id=f"b{n:02}", event__ingested=just_before) for n in range(30)))
    second = log.search.page(log, filters(), size=25, number=2, as_of=first.as_of)
    assert sorted(event_ids(first) + event_ids(second)) == [f"a{n:02}" for n in range(40)]
    assert (first.total, second.total) == (40, 40)


def test_rollover_in_between(own_log: Log) -> None:
    """Pages go on over a rollover, with entries of equal time on both sides of it."""
    own_log.add(*(document(id=f"a{n:02}") for n in range(40)))
    first = own_log.search.page(own_log, filters(), size=25, as_of=AS_OF)
    own_log.client.indices.rollover(alias="activity-audit-permanent")
    late = {"event__ingested": "2026-11-20T22:00:00.001Z"}
    own_log.add(*(document(id=f"b{n:02}", **late) for n in range(40)))
    later = NOON + minutes(601)
    everything = [id_ for page in forward(own_log, 25, later) for id_ in page]
    assert sorted(everything) == sorted(f"{k}{n:02}" for k in "ab" for n in range(40))
    second = own_log.search.page(own_log, filters(), size=25, after=first.last, as_of=AS_OF)
    assert event_ids(second) == [f"a{n:02}" for n in reversed(range(15))]


@pytest.fixture(scope="module")
def deep(table: Log) -> tuple[Log, list[str]]:
    """10,120 entries in a random order of arrival, 40 of a time each; their ids in order."""
    numbers = list(range(10_120))
    random.Random(4).shuffle(numbers)
    log = Log(table.client)
    log.add(*(document(id=f"{n:05}", at=NOON + timedelta(seconds=n // 40)) for n in numbers))
    arrived = {number: place for place, number in enumerate(numbers)}
    order = sorted(numbers, key=lambda n: (n // 40, arrived[n]), reverse=True)
    return log, [f"{n:05}" for n in order]


def test_beyond_ten_thousand(deep: tuple[Log, list[str]]) -> None:
    """Numbered pages end at 10,000 with a hint; the cursor goes on to the last entry and back.

    Of equal times the one stored later comes first.
    """
    log, order = deep
    last = log.search.page(log, filters(), size=100, number=100, as_of=AS_OF)
    assert last.total == 10_120
    assert event_ids(last) == order[9900:10_000]
    with pytest.raises(BadRequest) as refused:
        log.search.page(log, filters(), size=100, number=101, as_of=AS_OF)
    assert refused.value.members == {"parameter": "page"}
    assert "cursor" in (refused.value.hint or "")
    on = log.search.page(log, filters(), size=100, after=last.last, as_of=AS_OF)
    assert event_ids(on) == order[10_000:10_100]
    end = log.search.page(log, filters(), size=100, after=on.last, as_of=AS_OF)
    assert event_ids(end) == order[10_100:]
    back = log.search.page(log, filters(), size=100, before=end.first, as_of=AS_OF)
    assert event_ids(back) == event_ids(on)


@pytest.mark.parametrize(
    ("options", "parameter"),
    [
        ({"size": 25, "number": 401}, "page"),
        ({"size": 25, "number": 10**30}, "page"),
        ({"size": 25, "as_of": datetime(1, 1, 1, tzinfo=UTC)}, "as_of"),
        ({"size": 25, "as_of": datetime(9999, 1, 1, tzinfo=UTC)}, "as_of"),
    ],
)
def test_refused_pages(log: Log, options: dict[str, object], parameter: str) -> None:
    """Pages beyond the deepest and moments out of range are refused by name."""
    with pytest.raises(BadRequest) as refused:
        log.search.page(log, filters(), **options)  # type: ignore[arg-type]
    assert refused.value.members == {"parameter": parameter}


@pytest.fixture
def no_log(own_log: Log) -> Iterator[Log]:
    """A node without streams, which others find with them again."""
    for name in ("audit", "agent", "process"):
        own_log.client.indices.delete_data_stream(name=f"activity-{name}-permanent")
    yield own_log
    put_templates(own_log.client)


def test_no_log_yet(no_log: Log) -> None:
    """Where nothing was ever stored the answer is empty, not an error."""
    page = no_log.search.page(no_log, filters(), size=25, facets=["actor"], histogram=True)
    assert (page.total, page.activities, page.facets) == (0, [], {"actor": []})
    assert page.histogram is not None
    assert page.histogram["buckets"] == []
    assert list(no_log.search.scan(no_log, filters())) == []
