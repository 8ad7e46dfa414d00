"""POST /v1/activities?form=replay: records with what their first transport said of them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.clients.http import PATH, Client, problem

LINES = {"Content_Type": "application/x-ndjson"}


@pytest.fixture
def post(serve: Any) -> Client:
    """A client of a server with the usual limits."""
    return Client(serve.http().address)


def test_a_record_comes_with_its_time_and_tag(post: Client, sink: Any) -> None:
    """The batch is what the first transport made of it; one without a time has none."""
    body = b'{"record": {"n": 1}, "time": 1700000000000000001}\n{"time": null, "record": {"n": 2}}'
    answer = post(body, PATH + "?source=native&form=replay&tag=app.%C3%A9", **LINES)
    assert answer.status == 200
    assert answer.body["accepted"] == 2
    (batch,) = sink.batches
    assert batch.records == [{"n": 1}, {"n": 2}]
    assert batch.times == [1_700_000_000_000_000_001, None]
    assert (batch.source, batch.tag) == ("native", "app.\u00e9")


@pytest.mark.parametrize(
    "line",
    [
        b'{"n": 1}',
        b'{"record": {}}',
        b'{"record": {}, "time": "now"}',
        b'{"record": {}, "time": true}',
        b'{"record": {}, "time": 1.5}',
        b'{"record": {}, "time": 9223372036854775808}',
        b'{"record": {}, "time": 1, "more": 1}',
        b"5",
    ],
)
def test_another_line_is_refused(post: Client, sink: Any, line: bytes) -> None:
    """A line of another form is not taken for a record, and nothing of the request is kept."""
    good = b'{"record": {"n": 1}, "time": 1}\n'
    answer = post(good + line, PATH + "?form=replay", **LINES)
    assert problem(answer, 400, "not-replayed")["detail"].startswith("line 2 ")
    assert not sink.batches


@pytest.mark.parametrize("query", ["?tag=a", "?form=other", "?form=replay&more=1"])
def test_other_queries_are_refused(post: Client, sink: Any, query: str) -> None:
    """A tag belongs to a replay; other forms and names do not exist."""
    answer = post(b'{"record": {"n": 1}, "time": 1}', PATH + query, **LINES)
    assert answer.status == 400
    assert not sink.batches
