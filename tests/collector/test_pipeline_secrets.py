"""The pipeline and secrets: nothing that must not be read is written, and identity survives."""

from __future__ import annotations

import copy
from typing import Any

import orjson
import pytest

from activity_center.config import Redaction
from collector.normalize.pseudonyms import Pseudonyms
from collector.pipeline import Pipeline
from collector.records import Batch, Entry, Sender
from tests.collector.pipeline_parts import (
    NOW,
    PIPELINE,
    Nowhere,
    deep,
    event,
    login,
    one,
    pipeline,
)


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


def test_configured_hash_fields_are_checked() -> None:
    """The access wall cannot be hashed away."""
    from activity_center.errors import ConfigError

    for name in ("organization.id", "no.such.field", "source.ip"):
        with pytest.raises(ConfigError):
            Pseudonyms((name,), b"k" * 32)
    assert Redaction().hash == ()
