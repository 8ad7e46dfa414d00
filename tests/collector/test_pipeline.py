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

from activity_center.canonical import digest
from activity_center.config import Organization, Redaction
from activity_center.vocabulary import event_schema, fields
from collector.mapping import Router, Source, load_all
from collector.normalize import Normalizer
from collector.normalize.pseudonyms import Pseudonyms
from collector.pipeline import Pipeline, Stages
from collector.records import MAX_EVENT_BYTES, Batch, Entry, Receipt, Reject, Sender
from collector.redact import Redactor

NOW = 1_795_574_096_000_000_000
ROUTER = Router(load_all().values())


class Nowhere:
    async def append(self, entries: list[Entry], rejects: list[Reject]) -> None:
        raise AssertionError("these tests make nothing durable")


def pipeline(pseudonyms: Pseudonyms | None = None) -> Pipeline:
    normalizer = Normalizer({"acme": Organization("acme")}, {}, "permanent")
    none = Pseudonyms((), b"")
    return Pipeline(Stages(ROUTER, normalizer, Redactor(), pseudonyms or none), Nowhere())


PIPELINE = pipeline()


def process(
    *records: Any,
    sender: Sender | None = None,
    received: int = NOW,
    times: list[int | None] | None = None,
) -> tuple[Receipt, list[Entry], list[Reject]]:
    batch = Batch(sender or Sender("s"), list(records), times, "native", "", received)
    return PIPELINE.process(batch)


def one(record: dict[str, Any], **more: Any) -> tuple[Entry, dict[str, Any]]:
    _, entries, rejects = process(record, **more)
    assert not rejects, rejects
    (entry,) = entries
    return entry, orjson.loads(entry.body)


def event(**more: Any) -> dict[str, Any]:
    return {"event": {"action": "server.create", "id": "e-1"},
            "@timestamp": "2026-11-25T02:34:00Z", **more}  # fmt: skip


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


def login(**more: Any) -> dict[str, Any]:
    return {"event": {"action": "user.login_failed"}, "user": {"name": "mira"}, **more}


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


def test_secrets_are_gone_before_the_hash() -> None:
    """The stored bytes and everything derived from them know no secret."""
    record = event(
        password="hunter22",
        activity={"old_value": {"token": "hunter22a"}, "new_value": {"token": "hunter22b"}},
        message="see postgres://app:hunter22@db/main",
    )
    entry, document = one(record)
    assert b"hunter22" not in entry.body
    assert document["metadata"]["password"] == "[redacted]"
    assert record["password"] == "hunter22", "the caller's record is not changed"


def test_ids_that_look_like_secrets_stay_apart() -> None:
    """Redaction makes them equal; the events are still two, and a repeat is still a repeat."""
    keyed = Pipeline(pipeline().stages._replace(pseudonyms=Pseudonyms((), b"k" * 32)), Nowhere())

    def made(record: dict[str, Any]) -> Entry:
        batch = Batch(Sender("s"), [copy.deepcopy(record)], None, "native", "", NOW)
        return keyed.process(batch)[1][0]

    first = {"event": {"action": "a.b", "id": "token:1001x"}, "@timestamp": "2026-11-25T02:00:00Z"}
    second = {**first, "event": {"action": "a.b", "id": "token:1002x"}}
    assert made(first).id != made(second).id
    assert (made(first).id, made(first).hash) == (made(first).id, made(first).hash)
    assert b"1001x" not in made(first).body
    assert b'"id":"hmac:' in made(first).body
    plain = {"event": {"action": "a.b"}, "@timestamp": "2026-11-25T02:00:00Z"}
    one_, two = ({**plain, "input": {"token": secret}} for secret in ("aaaa", "bbbb"))
    assert made(one_).id != made(two).id
    assert made(one_).id == made(one_).id


def test_an_id_says_nothing_of_a_keyed_value() -> None:
    """Who reads the document cannot test guesses of a hashed field against its id."""
    record = login(user={"email": "mira@example.org"}) | {"@timestamp": "2026-11-25T02:00:00Z"}
    ids = set()
    for key in (b"k" * 32, b"l" * 32):
        keyed = pipeline(Pseudonyms(("user.email",), key))
        batch = Batch(Sender("s"), [copy.deepcopy(record)], None, "native", "", NOW)
        ids.add(keyed.process(batch)[1][0].id)
    assert len(ids) == 2


def test_a_deep_record_is_rejected_with_keyed_fields_too() -> None:
    """Nothing about a rejected record can stop its sender."""
    keyed = pipeline(Pseudonyms(("user.email",), b"k" * 32))
    record = event(user={"email": "mira@example.org"}, x=deep(500))
    _, _, (reject,) = keyed.process(Batch(Sender("s"), [record], None, "native", "", NOW))
    assert reject.reason == "too_deep"
    assert reject.record is not None
    assert b"mira@example.org" not in reject.record


def test_no_secret_stands_in_the_words_of_a_rejection() -> None:
    """Tag and source come from the sender too."""
    token = "ghp_0123456789abcdefABCDEF0123456789abcd"
    batch = Batch(Sender("s"), [{"n": 1}], None, token, f"tag.{token}", NOW)
    _, (entry,), (reject,) = PIPELINE.process(batch)
    assert token not in f"{reject.tag}{reject.source}{reject.detail}{reject.path}"
    assert token.encode() not in entry.body


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


def deep(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"a": value}
    return value


@pytest.mark.parametrize("depth", [300, 900])
def test_too_deep_is_refused(depth: int) -> None:
    """What could stop an OpenSearch node never reaches it."""
    _, _, (reject,) = process(event(metadata=deep(depth)))
    assert reject.reason == "too_deep"


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


def test_chosen_fields_become_keyed_hashes() -> None:
    """The same value gives the same hash, so it can be searched; it cannot be read."""
    keyed = pipeline(Pseudonyms(("user.email",), b"k" * 32))
    record = event(user={"email": "mira@example.org"})
    batch = Batch(Sender("s"), [record, copy.deepcopy(record)], None, "native", "", NOW)
    _, entries, _ = keyed.process(batch)
    assert all(b"mira@example.org" not in entry.body for entry in entries)
    first, second = (orjson.loads(entry.body) for entry in entries)
    assert first["user"]["email"] == second["user"]["email"]
    assert first["user"]["email"].startswith("hmac:")
    assert first["user"]["email"] in first["related"]["user"]


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

    def route(self, name: str | None, tag: str, record: dict[str, Any]) -> Source | None:
        if "defect" in record:
            raise ZeroDivisionError
        return super().route(name, tag, record)


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
    moved = Pipeline(Stages(ROUTER, normalizer, Redactor(), Pseudonyms((), b"")), Nowhere())
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


def test_what_a_source_drops_is_not_in_the_rejected_store() -> None:
    """A Secret's data is dropped by its mapping, also when the record is refused."""
    record = {
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "stage": "ResponseComplete",
        "auditID": "a1", "verb": "create", "level": "RequestResponse",
        "objectRef": {"resource": "secrets", "namespace": "default", "name": "db"},
        "requestObject": {"kind": "Secret", "data": {"k": "aHVudGVyMjI="}},
        "user": {"username": "mira"}, "annotations": {"n": 2**80},
    }  # fmt: skip
    batch = Batch(Sender("s"), [record], None, "kubernetes-audit", "", NOW)
    _, _, (reject,) = PIPELINE.process(batch)
    assert reject.record is not None
    assert b"aHVudGVyMjI" not in reject.record
    assert b"mira" in reject.record


def test_chosen_fields_are_hashed_in_the_rejected_store_too() -> None:
    """What must not be readable is not readable there either."""
    keyed = pipeline(Pseudonyms(("user.email",), b"k" * 32))
    record = event(user={"email": "mira@example.org"}, note="mira@example.org", n=2**80)
    batch = Batch(Sender("s"), [record], None, "native", "", NOW)
    _, entries, (reject,) = keyed.process(batch)
    assert reject.record is not None
    assert b"mira@example.org" not in reject.record
    assert b"hmac:" in reject.record
    assert b"mira@example.org" not in entries[0].body


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


def test_configured_hash_fields_are_checked() -> None:
    """The access wall cannot be hashed away."""
    from activity_center.errors import ConfigError

    for name in ("organization.id", "no.such.field", "source.ip"):
        with pytest.raises(ConfigError):
            Pseudonyms((name,), b"k" * 32)
    assert Redaction().hash == ()
