"""The short way of records in our own form: never another result than the long one."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activity_center.vocabulary import fields
from collector.drafting import Drafter
from collector.mapping import Router, load_all
from collector.normalize.pseudonyms import Pseudonyms
from collector.pipeline import Pipeline
from collector.records import Batch, Sender
from collector.work import Work
from collector.writing import PLAIN
from tests.collector.pipeline_parts import NOW, Nowhere, deep, event, pipeline


def _long() -> Pipeline:
    """A pipeline whose sources all go the long way."""
    sources = load_all()
    for source in sources.values():
        source.stamp = None
    return Pipeline(pipeline().stages._replace(router=Router(sources.values())), Nowhere())


SHORT, LONG = pipeline(), _long()
SENDER = Sender("s", None, frozenset({"acme"}))
NAMES = sorted({*fields(), *(name.partition(".")[0] for name in fields()), "a.b", ""})
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**65), 2**65),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["acme", "denied", "agent", "2026-11-25T02:34:00+02:00", "10.0.0.1", "secret"]),
)
anything = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["id", "name", "type", "password", "x.y"]), inner),
    ),
    max_leaves=6,
)


def _set(record: dict[str, Any], name: str, value: Any) -> None:
    """Put a value at the place that a field's name says, or as a dotted key."""
    *parents, last = name.split(".")
    group = record
    for parent in parents:
        inner = group.setdefault(parent, {})
        if type(inner) is not dict:
            record[name] = value
            return
        group = inner
    group[last] = value


def _both(record: dict[str, Any]) -> tuple[Any, Any]:
    """What becomes of a record with a time of its transport, by both ways."""
    results = []
    for one in (SHORT, LONG):
        batch = Batch(SENDER, [copy.deepcopy(record)], [NOW], "native", "", NOW)
        receipt, entries, rejects = one.process(batch)
        results.append((receipt.ids, receipt.sources, entries, rejects))
    return results[0], results[1]


@settings(max_examples=600, deadline=None)
@given(st.dictionaries(st.sampled_from(NAMES), anything, max_size=4), st.booleans())
def test_both_ways_agree(values: dict[str, Any], whole: bool) -> None:
    """Ids, bytes, hashes and refusals are the same, whatever stands in whatever field."""
    record = event(user={"id": "u", "name": "mira"}, organization={"id": "acme"}) if whole else {}
    record.setdefault("event", {"action": "server.update", "id": "e-1"})
    for name, value in values.items():
        _set(record, name, value)
    short, long = _both(record)
    assert repr(short) == repr(long)


@pytest.mark.parametrize(
    "more",
    [
        {"organization": 0},
        {"activity": {"timestamp_source": "event"}},
        {"activity": {"approver": {"id": "u", "authenticated": True}}},
        {"activity": {"retention": {"class": "standard-30d"}}},
        {"activity": {"decision": {"mfa": True}}},
        {"activity": {"old_value": deep(30)}},
        {"event": {"action": "server.create", "id": "e-1", "module": "other"}},
        {"event": {"action": "server.create", "id": "e-1", "ingested": "2020-01-01T00:00:00Z"}},
        {"ecs": {"version": "1.0"}},
        {"user": {}},
    ],
)
def test_what_a_sender_may_not_set_goes_the_long_way(more: dict[str, Any]) -> None:
    """Reserved values, empty groups and deep parts: the schema of the short way refuses them."""
    record = event(**more)
    source = SHORT.stages.router.sources["native"]
    assert source.stamp is not None
    short, long = _both(record)
    assert repr(short) == repr(long)
    assert short[2]


def test_a_usual_record_goes_the_short_way() -> None:
    """Without this the comparisons above would prove nothing."""
    record = event(organization={"id": "acme"}, activity={"old_value": {"a": 1}})
    work = Work(Batch(SENDER, [record], [NOW], "native", "", NOW))
    source = SHORT.stages.router.sources["native"]
    before = copy.deepcopy(record)
    made = Drafter().drafts(SHORT.stages, source, record, work, NOW)
    assert isinstance(made, list)
    assert [draft[6] for draft in made] == [PLAIN]
    assert record == before


def test_pseudonyms_are_put_in_on_the_short_way_too() -> None:
    """A chosen field is never stored as it came."""
    made = pipeline(Pseudonyms(("user.name",), b"k" * 32))
    batch = Batch(SENDER, [event(user={"name": "mira"})], [NOW], "native", "", NOW)
    _, (entry,), _ = made.process(batch)
    assert b'"hmac:' in entry.body
    assert b"mira" not in entry.body
