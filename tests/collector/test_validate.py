"""The accept path's validator says what the reference says, and words it without the value."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from activity_center.vocabulary import event_schema, fields
from collector.validate import Validator

VALIDATOR = Validator()


def document(**event: Any) -> dict[str, Any]:
    """A document as the writer sees it: without what the receiver adds."""
    return {
        "@timestamp": "2026-11-24T13:02:31.418000Z",
        "event": {"id": "e1", "action": "a.b", "kind": "event", "outcome": "success", **event},
        "activity": {"lens": "audit", "timestamp_source": "event"},
    }


def test_a_right_document_is_valid() -> None:
    """What the receiver adds later is not missed."""
    assert VALIDATOR.is_valid(document())


@pytest.mark.parametrize(
    ("event", "path", "words"),
    [
        ({"outcome": "hunter22"}, "/event/outcome", "must be one of"),
        ({"severity": "hunter22"}, "/event/severity", "must be integer"),
        ({"reason": "hunter22" * 1000}, "/event/reason", "longer than"),
        ({"category": "hunter22"}, "/event/category", "must be array"),
        ({"hunter22": 1}, "/event", "a field that the schema does not know"),
        ({"created": "2026-02-30T00:00:00Z"}, "/event/created", "is no valid date-time"),
    ],
)
def test_a_finding_tells_rule_and_place_but_not_the_value(
    event: dict[str, Any], path: str, words: str
) -> None:
    """The value may be a secret, or long."""
    wrong = document(**event)
    assert not VALIDATOR.is_valid(wrong)
    finding = VALIDATOR.explain(wrong)
    assert finding.path == path
    assert words.lower() in finding.detail.lower()
    assert "hunter22" not in finding.detail


def test_the_pointer_is_escaped() -> None:
    """RFC 6901: ~ and / in a name stand as ~0 and ~1."""
    wrong = document()
    wrong["a/b~c"] = 1
    assert not VALIDATOR.is_valid(wrong)
    wrong = document()
    wrong["activity"]["changes"] = [{"field": 1}]
    assert VALIDATOR.explain(wrong).path == "/activity/changes/0/field"


_REFERENCE = Draft202012Validator(event_schema())
_NAMES = sorted(name for name, one in fields().items() if name.count(".") == 1)
_VALUES = (
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False)
    | st.text(max_size=5) | st.lists(st.text(max_size=3), max_size=2) | st.just({})
)  # fmt: skip


@settings(max_examples=200)
@given(st.dictionaries(st.sampled_from(_NAMES), _VALUES, max_size=3))
def test_both_validators_agree(values: dict[str, Any]) -> None:
    """The quick one is never more lenient, nor stricter (formats aside, which only it checks)."""
    whole = document()
    whole["ecs"] = {"version": "8.17.0"}
    whole["activity"] |= {
        "catalogued": True, "retention": {"class": "permanent"}, "schema_version": 1, "sender": "s"
    }  # fmt: skip
    for name, value in values.items():
        group, key = name.split(".")
        if fields()[name].type in ("date", "ip", "geo_point"):
            continue
        whole.setdefault(group, {})[key] = value
    assert VALIDATOR.is_valid(whole) == _REFERENCE.is_valid(whole)
