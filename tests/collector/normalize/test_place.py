"""What does not fit its field is kept whole in the overflow, and the document is valid."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activity_center.vocabulary import fields
from collector.normalize.place import MAX_FLAT_DEPTH, Placer, depth_of
from collector.normalize.refused import Refused
from collector.validate import Validator

PLACER, VALIDATOR = Placer(), Validator()


def document(**more: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "@timestamp": "2026-11-24T13:02:31.418000Z",
        "ecs": {"version": "8.17.0"},
        "event": {"id": "e1", "action": "server.create", "kind": "event", "outcome": "success"},
        "activity": {
            "lens": "audit",
            "retention": {"class": "permanent"},
            "schema_version": 1,
            "catalogued": True,
            "sender": "s",
            "timestamp_source": "event",
            "type": "Infrastructure",
        },
    }
    return {**base, **more}


def test_the_plain_document_is_valid_and_left_alone() -> None:
    """Fitting changes nothing where nothing is wrong."""
    plain = document()
    assert VALIDATOR.is_valid(plain), VALIDATOR.explain(plain)
    before = orjson.dumps(plain)
    PLACER.fit(plain)
    assert orjson.dumps(plain) == before


@pytest.mark.parametrize(
    ("field", "value", "stored"),
    [
        ("user.name", 17, "17"),
        ("user.name", ["mira"], "mira"),
        ("user.roles", "admin", ["admin"]),
        ("event.severity", "3", 3),
        ("event.duration", 4.0, 4),
        ("source.ip", " 203.0.113.9 ", "203.0.113.9"),
        ("event.created", "2026-11-24T14:02:31+01:00", "2026-11-24T13:02:31.000000Z"),
        ("event.created", 1_700_000_000, "2023-11-14T22:13:20.000000Z"),
    ],
)
def test_the_same_value_in_the_fields_form(field: str, value: Any, stored: Any) -> None:
    """A value that only has another form is converted, not moved."""
    group, name = field.split(".")
    fitted = document()
    fitted.setdefault(group, {})[name] = value
    PLACER.fit(fitted)
    assert fitted[group][name] == stored
    assert "overflow" not in fitted["activity"]
    assert VALIDATOR.is_valid(fitted), VALIDATOR.explain(fitted)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("user.name", "x" * 300),
        ("user.name", {"first": "mira"}),
        ("user.name", ["a", "b"]),
        ("event.severity", "high"),
        ("event.severity", 2**63),
        ("event.sequence", -1),
        ("source.ip", "not-an-address"),
        ("source.ip", "fe80::1%eth0"),
        ("event.created", "yesterday"),
        ("user.roles", ["r"] * 1001),
        ("source.geo", "Berlin"),
    ],
)
def test_what_does_not_fit_is_kept_whole(field: str, value: Any) -> None:
    """The value is in the overflow under its field's name, and named there."""
    group, name = field.split(".")
    fitted = document()
    fitted.setdefault(group, {})[name] = value
    PLACER.fit(fitted)
    assert fitted["activity"]["overflow"] == {field: value}
    assert fitted["activity"]["overflow_fields"] == [field]
    assert name not in fitted[group]
    assert VALIDATOR.is_valid(fitted), VALIDATOR.explain(fitted)


def test_a_long_leaf_of_a_flat_object_moves_alone() -> None:
    """OpenSearch would refuse the whole document for one leaf of 32 kB."""
    fitted = document(metadata={"log": "x" * 40_000, "list": ["y" * 40_000, "z"], "host": "h"})
    PLACER.fit(fitted)
    assert fitted["metadata"] == {"host": "h", "list": ["z"]}
    assert set(fitted["activity"]["overflow"]) == {"metadata.log", "metadata.list.0"}


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {"leaf": 1}
    for _ in range(depth - 1):
        value = {"a": value}
    return value


@pytest.mark.parametrize("depth", [MAX_FLAT_DEPTH + 1, 60, 100])
def test_a_deep_part_is_kept_as_text(depth: int) -> None:
    """Objects nested 550 deep in a flat_object end OpenSearch; ours never come near."""
    fitted = document(metadata=nested(depth))
    PLACER.fit(fitted)
    assert depth_of(fitted, 200) <= MAX_FLAT_DEPTH + 3
    (text,) = fitted["activity"]["overflow"].values()
    assert orjson.loads(text) == nested(depth - MAX_FLAT_DEPTH + 1) or "leaf" in text


def test_too_deep_is_refused() -> None:
    """Where not even JSON text can be written of it, it is refused, with the reason."""
    with pytest.raises(Refused) as caught:
        PLACER.fit(document(metadata=nested(400)))
    assert caught.value.reason == "too_deep"


keys = st.text(max_size=6)
anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=40) | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=10,
)
WALL = {"organization.id", "event.id", "event.action", "event.kind", "event.outcome", "@timestamp"}
FREE = sorted(
    name
    for name, one in fields().items()
    if not one.required and name not in WALL and not name.startswith(("activity.changes.", "ecs"))
)


@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from(FREE), anything, max_size=4))
def test_whatever_stands_in_a_field_the_result_is_valid(values: dict[str, Any]) -> None:
    """No shape that a producer can send breaks the document or is lost."""
    fitted = document()
    placed: dict[str, Any] = {}
    for name, value in values.items():
        group = fitted
        *parents, last = name.split(".")
        for parent in parents:
            child = group.setdefault(parent, {})
            if not isinstance(child, dict):
                break
            group = child
        else:
            group[last] = value
            placed[name] = value
    PLACER.fit(fitted)
    assert VALIDATOR.is_valid(fitted), VALIDATOR.explain(fitted)
