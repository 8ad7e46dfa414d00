"""What a real node answers, and what that means for the event."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from collector.deliver import bulk
from collector.deliver.outcome import Item, Outcome, explain, outcome_of, pointer
from collector.records import Entry

STRICT = {
    "dynamic": "strict",
    "properties": {
        "n": {"type": "long"},
        "word": {"type": "keyword"},
        "user": {"properties": {"name": {"type": "keyword"}}},
        "flat": {"type": "flat_object"},
    },
}


@pytest.fixture
def index(opensearch: Any) -> Iterator[str]:
    """A plain index of the test's own, strictly mapped."""
    name = f"outcome-{secrets.token_hex(5)}"
    opensearch.client.indices.create(
        index=name,
        body={"settings": {"number_of_replicas": 0}, "mappings": STRICT},
    )
    yield name
    opensearch.client.indices.delete(index=name)


def _send(client: Any, index: str, *bodies: bytes, id_: str = "") -> list[Item]:
    entries = [Entry(index, id_ or secrets.token_hex(8), 0, "", body, "") for body in bodies]
    return bulk.send(client, [(1, 1, entry) for entry in entries], 8)


@pytest.mark.parametrize(
    ("body", "kind", "field"),
    [
        (b'{"n":"no number"}', "mapper_parsing_exception", "/n"),
        (b'{"user":"scalar for an object"}', "mapper_parsing_exception", "/user"),
        (b'{"flat":"scalar"}', "mapper_parsing_exception", "/flat"),
        (b'{"other":1}', "strict_dynamic_mapping_exception", ""),
        (b'{"word":"' + b"x" * 40_000 + b'"}', "illegal_argument_exception", ""),
        (b"[1]", "mapper_parsing_exception", ""),
    ],
)
def test_the_event_is_at_fault(
    opensearch: Any, index: str, body: bytes, kind: str, field: str
) -> None:
    """These are refused, alone, with the field named where OpenSearch names it."""
    bad, good = _send(opensearch.client, index, body, b'{"n":1}')
    assert (bad.status, bad.type) == (400, kind)
    assert outcome_of(bad) is Outcome.REJECT
    assert pointer(bad) == field
    assert 0 < len(explain(bad)) <= 600
    assert good.status == 201


def test_the_stream_is_at_fault(opensearch: Any, index: str) -> None:
    """Blocked, closed, without its pipeline: the event is kept and tried again."""
    client = opensearch.client
    for setting, value in (("blocks.write", True), ("default_pipeline", "not-there")):
        client.indices.put_settings(index=index, body={f"index.{setting}": value})
        (item,) = _send(client, index, b'{"n":1}')
        assert outcome_of(item) is Outcome.PARK, item
        client.indices.put_settings(index=index, body={f"index.{setting}": None})
    client.indices.close(index=index)
    (item,) = _send(client, index, b'{"n":1}')
    assert (item.status, item.type) == (400, "index_closed_exception")
    assert outcome_of(item) is Outcome.PARK


def test_the_cluster_has_no_room(opensearch: Any, index: str) -> None:
    """Flood stage answers 429: tried again; it lets go by itself."""
    client = opensearch.client
    client.indices.put_settings(index=index, body={"index.blocks.read_only_allow_delete": True})
    (item,) = _send(client, index, b'{"n":1}')
    assert (item.status, item.type) == (429, "cluster_block_exception")
    assert outcome_of(item) is Outcome.RETRY
    client.indices.put_settings(index=index, body={"index.blocks.read_only_allow_delete": None})


def test_no_primary(opensearch: Any) -> None:
    """503: it may have been executed, so the next try looks first."""
    name = f"outcome-{secrets.token_hex(5)}"
    opensearch.client.indices.create(
        index=name,
        body={"settings": {"index.routing.allocation.require._name": "nobody"}},
        params={"wait_for_active_shards": 0},
    )
    (item,) = _send(opensearch.client, name, b'{"n":1}')
    assert (item.status, item.type) == (503, "unavailable_shards_exception")
    assert outcome_of(item) is Outcome.UNKNOWN
    opensearch.client.indices.delete(index=name)


def test_stored_already(opensearch: Any, index: str) -> None:
    """409 names the index in which it is stored."""
    _send(opensearch.client, index, b'{"n":1}', id_="same")
    (item,) = _send(opensearch.client, index, b'{"n":1}', id_="same")
    assert (item.status, item.backing) == (409, index)
    assert outcome_of(item) is Outcome.EXISTS


def test_a_document_that_a_pipeline_drops_is_not_delivered() -> None:
    """200 "noop" (an ingest pipeline dropped it) is a refusal, in words that say so."""
    item = Item(200, "activity-audit-permanent")
    assert outcome_of(item) is Outcome.REJECT
    assert "ingest pipeline" in explain(item)


def test_an_unheard_of_answer_loses_nothing() -> None:
    """What is not known to be the event's fault is kept, whatever the status."""
    for status in (401, 402, 403, 404, 405, 418, 429, 500, 502, 503, 504, 599):
        assert outcome_of(Item(status, "s")) is not Outcome.EXISTS
        assert outcome_of(Item(status, "s")) is not Outcome.REJECT
