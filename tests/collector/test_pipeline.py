"""The pipeline as a function: records in, entries and rejects out."""

from __future__ import annotations

import asyncio
import copy
from typing import Any

import jsonschema_rs
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activity_center.canonical import LARGE_BYTES, digest
from activity_center.config import Organization
from activity_center.vocabulary import event_schema, fields
from collector.mapping import Candidates, Router
from collector.normalize import Normalizer
from collector.normalize.digest import Digests
from collector.normalize.place import MAX_FLAT_DEPTH, depth_of
from collector.normalize.pseudonyms import Pseudonyms
from collector.pipeline import Pipeline, Stages
from collector.records import MAX_EVENT_BYTES, Batch, Entry, Reject, Sender
from collector.redact import Redactor
from tests.collector.pipeline_parts import (
    NOW,
    ROUTER,
    Nowhere,
    deep,
    event,
    login,
    one,
    pipeline,
    process,
)


def test_the_hash_is_that_of_the_canonical_bytes() -> None:
    """Anyone can recompute event.hash from the stored document."""
    entry, document = one(event(user={"name": "mira"}))
    assert document["event"]["hash"] == entry.hash == digest(document)
    document["user"]["name"] = "eve"
    assert digest(document) != entry.hash


def test_a_value_that_looks_like_our_mark_changes_nothing() -> None:
    """No value can move the place where hash and time of receipt are written."""
    tricky = event(metadata={"event": {"action": "x"}, "m": '"event":{"action"', "n": {"event": 1}})
    entry, document = one(tricky)
    assert digest(document) == entry.hash
    assert document["event"]["ingested"].startswith("2026-11-25T02:34:56")


@given(st.integers(0, 10**15))
def test_the_same_event_is_the_same_document_at_any_time(delay: int) -> None:
    """Neither id nor hash depend on the time of receipt."""
    first, _ = one(event())
    later, _ = one(event(), received=NOW + delay)
    assert (first.id, first.hash) == (later.id, later.hash)


@pytest.mark.parametrize("length", [4, 12_000, 16_400, 40_000, 900_000])
def test_a_large_document_says_its_size(length: int) -> None:
    """Over 16 KiB a document tells its bytes, whatever a sender claims; its hash stays the same."""
    texts = {f"k{part}": "x" * min(length - part, 8_000) for part in range(0, length, 8_000)}
    entry, document = one(event(metadata=texts, activity={"size": 3}))
    told = document["activity"].pop("size", None)
    without = len(orjson.dumps(document))
    assert (told is not None) == (without > LARGE_BYTES)
    assert told in (None, without)
    assert digest(orjson.loads(entry.body)) == entry.hash


def test_an_unbelievable_time_keeps_id_and_hash_too() -> None:
    """A repeat of an event with a bad clock is still a repeat."""
    bad = event() | {"@timestamp": "9999-01-01T00:00:00Z"}
    first, document = one(bad)
    later, _ = one(copy.deepcopy(bad), received=NOW + 10**10)
    assert (first.id, first.hash) == (later.id, later.hash)
    assert digest(document) == first.hash
    assert document["@timestamp"].startswith("2026-11-25")


def test_ids_differ_by_source_and_organization() -> None:
    """A predictable id in another organization is another event."""
    mine, _ = one(event(organization={"id": "acme"}))
    other, _ = one(event(organization={"id": "bank"}))
    assert mine.id != other.id


def test_equal_records_of_one_chunk_are_several_events() -> None:
    """Two failed logins in one second are two."""
    times: list[int | None] = [NOW - 10**9] * 3
    _, entries, _ = process(login(), login(), login(), times=times)
    assert len({entry.id for entry in entries}) == 3
    _, again, _ = process(login(), login(), login(), times=times, received=NOW + 10**9)
    assert [entry.id for entry in again] == [entry.id for entry in entries]


def test_without_id_and_time_every_record_is_new() -> None:
    """Nothing tells a repeat from a second event, so none is lost."""
    assert one(login())[0].id != one(login())[0].id


def test_a_long_id_is_kept_whole_and_recognized() -> None:
    """An id beyond its field is stood for by its hash."""
    record = {"event": {"action": "server.create", "id": "x" * 5000}}
    first, document = one(record)
    assert document["activity"]["overflow"]["event.id"] == "x" * 5000
    assert document["event"]["id"].startswith("sha256:")
    assert one(copy.deepcopy(record), received=NOW + 1)[0].id == first.id


def test_a_rejected_record_is_kept_whole_without_its_secrets() -> None:
    """What is refused is stored with reason and path, redacted like all others."""
    _, entries, (reject,) = process({"event": {"action": ""}, "password": "hunter22", "n": 1})
    assert (reject.reason, reject.path) == ("invalid", "/event/action")
    assert reject.record is not None
    assert orjson.loads(reject.record) == {
        "event": {"action": ""}, "password": "[redacted]", "n": 1}  # fmt: skip
    assert [entry.stream for entry in entries] == ["activity-rejected"]
    assert b"hunter22" not in entries[0].body


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ("text", "not_an_object"),
        ([1], "not_an_object"),
        (event(n=2**80), "bad_number"),
        (event(n=float("nan")), "bad_number"),
        (event(a={"b": [float("inf")]}), "bad_number"),
        (event(s="\ud800"), "bad_text"),
        (event(user_agent={"original": "\ud800"}), "bad_text"),
        (event(**{"\udfff": 1}), "bad_text"),
        (event(organization={"id": "Not An Id"}), "invalid"),
        (event(blob="x" * (MAX_EVENT_BYTES + 1)), "too_large"),
    ],
    ids=str,
)
def test_what_cannot_be_kept_is_refused_with_a_reason(record: Any, reason: str) -> None:
    """Bad input has a reason, and harms neither its neighbours nor the process."""
    receipt, entries, rejects = process(event(), record, login())
    assert [reject.reason for reject in rejects] == [reason]
    assert list(receipt.rejected) == [1]
    assert receipt.accepted == 2
    assert len(entries) == 3


@pytest.mark.parametrize("depth", [300, 900])
def test_too_deep_is_refused(depth: int) -> None:
    """What could stop an OpenSearch node never reaches it."""
    _, _, (reject,) = process(event(metadata=deep(depth)))
    assert reject.reason == "too_deep"


@pytest.mark.parametrize("depth", [70, 110, 150, 240])
def test_a_small_deep_record_is_looked_at_like_a_large_one(depth: int) -> None:
    """Where it fits a few kilobytes, what is nested deep is kept as text all the same."""
    _, document = one(event(metadata=deep(depth)))
    assert document["activity"]["overflow_fields"]
    assert MAX_FLAT_DEPTH <= depth_of(document, 300) <= MAX_FLAT_DEPTH + 3


@pytest.mark.parametrize("record", [event(**{f"k{n}": n for n in range(10_000)}),
    event(**{"a.b": 1, "": 2, ".": 3, "a..b": 4, "x.": 5, "\0": 6}),
    event(user={"name": {"first": "x"}}, source={"ip": "nowhere"}, tags="one"),
    event(metadata=deep(150)), {"event.action": "server.create", "user.name": "mira"}],
    ids=["10k keys", "odd keys", "wrong types", "deep", "dotted"])  # fmt: skip
def test_odd_records_are_kept(record: dict[str, Any]) -> None:
    """Everything that can be kept is kept, in a document that the schema accepts."""
    entry, document = one(record)
    assert digest(document) == entry.hash


def test_a_foreign_organization_or_source_is_refused() -> None:
    """A sender sends only what it may."""
    limited = Sender("s", sources=frozenset({"kubernetes-audit"}))
    assert process(event(), sender=limited)[2][0].reason == "source_not_allowed"
    narrow = Sender("s", organizations=frozenset({"acme"}))
    refused = process(event(organization={"id": "bank"}), sender=narrow)[2][0]
    assert refused.reason == "organization_not_allowed"


@pytest.mark.parametrize(
    "name",
    ["activity.retention.class", "activity.catalogued", "activity.schema_version",
     "activity.decision.auth_method", "activity.decision.mfa", "event.ingested", "event.module"],
)  # fmt: skip
def test_reserved_fields_cannot_be_sent(name: str) -> None:
    """What only the collector may say ends up in metadata when a sender says it."""
    nested: Any = "forged"
    for part in reversed(name.split(".")):
        nested = {part: nested}
    record = event()
    for key, value in nested.items():
        record[key] = {**record.get(key, {}), **value}
    entry, document = one(record)
    assert b'"forged"' in entry.body
    place: Any = document
    for part in name.split("."):
        place = place.get(part, {}) if isinstance(place, dict) else {}
    assert place != "forged"
    assert "forged" in str(document["metadata"])


keys = st.text(max_size=8)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=12,
)


GROUPS = ["event", "user", "activity", "metadata", "@timestamp", "organization", "related"]
names = st.text(max_size=8) | st.sampled_from(GROUPS) | st.sampled_from(sorted(fields()))


@settings(max_examples=400)
@given(st.sampled_from(["server.create", "x.y"]), st.dictionaries(names, anything, max_size=6))
def test_no_record_stops_the_pipeline(action: str, record: dict[str, Any]) -> None:
    """Whatever is sent, also in our own fields, is accepted with a right hash, or rejected.

    Never as a defect: a sender whose event raises would send it again for ever.
    """
    receipt, entries, rejects = process({"event.action": action, **record})
    assert receipt.accepted + len(rejects) == 1
    assert all(reject.reason != "internal" for reject in rejects)
    for entry in entries:
        document = orjson.loads(entry.body)
        if entry.stream != "activity-rejected":
            assert digest(document) == entry.hash
            assert jsonschema_rs.is_valid(event_schema(), document)


class Defective(Router):
    """Raises for one record: stands for what nobody thought of."""

    def candidates(self, name: str | None, tag: str) -> Candidates:
        return [(source, _defective) for source, _ in super().candidates(name, tag)]


def _defective(record: dict[str, Any]) -> bool:
    if "defect" in record:
        raise ZeroDivisionError
    return True


def test_a_defect_costs_its_own_record_alone() -> None:
    """What we did not foresee goes to the rejected store; its neighbours are taken."""
    stages = pipeline().stages._replace(router=Defective(ROUTER.sources.values()))
    batch = Batch(Sender("s"), [event(), event(defect=1), login()], None, "native", "", NOW)
    receipt, _, (reject,) = Pipeline(stages, Nowhere()).process(batch)
    assert (receipt.accepted, reject.reason) == (2, "internal")
    assert reject.record is not None
    assert b'"defect":1' in reject.record


def test_neither_sender_nor_plan_make_another_event() -> None:
    """A repeat through another sender, or after a change of plan, is still the same event."""
    first, document = one(event(organization={"id": "acme"}))
    again, _ = one(event(organization={"id": "acme"}), sender=Sender("other"))
    assert (first.id, first.hash) == (again.id, again.hash)
    normalizer = Normalizer(
        {"acme": Organization("acme", plan="p")}, {"p": "standard-30d"}, "permanent"
    )
    moved = Pipeline(
        Stages(ROUTER, normalizer, Redactor(), Pseudonyms((), b""), Digests(b"")), Nowhere()
    )
    batch = Batch(Sender("s"), [event(organization={"id": "acme"})], None, "native", "", NOW)
    _, (other,), _ = moved.process(batch)
    assert (other.id, other.hash) == (first.id, first.hash)
    assert (other.stream, first.stream) == (
        "activity-audit-standard-30d",
        "activity-audit-permanent",
    )
    assert document["activity"]["sender"] == "s"
    assert document["ecs"] == {"version": "8.17.0"}


def test_an_event_without_a_time_to_believe_may_be_in_any_generation() -> None:
    """Delivery must look everywhere: when such an event was first delivered nobody knows."""
    assert one(event())[0].time > 0
    assert one(event() | {"@timestamp": "9999-01-01T00:00:00Z"})[0].time == 0


def test_parts_that_a_mapping_ignores_are_counted() -> None:
    """An envelope's ignored records are not dropped silently."""
    item = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "auditID": "a1",
        "verb": "get",
        "requestReceivedTimestamp": "2026-11-25T02:34:00Z",
        "user": {"username": "m"},
    }
    items = [{**item, "stage": "RequestReceived"}, {**item, "stage": "ResponseComplete"}]
    record = {"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": items}
    kept = Kept()
    counting = Pipeline(pipeline().stages, kept)
    batch = Batch(Sender("s"), [record], None, "kubernetes-audit", "", NOW)
    asyncio.run(counting.accept(batch))
    assert len(kept.entries) == 1
    assert counting.counts[("s", "kubernetes-audit", "ignored")] == 1
    assert counting.counts[("s", "kubernetes-audit", "accepted")] == 1


class Kept:
    """Keeps what is made durable in a list."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    async def append(self, entries: list[Entry], rejects: list[Reject]) -> None:
        self.entries += entries
