"""Old and new states: wrapped for storage, and compared leaf by leaf."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from collector.normalize.changes import MAX_LEAVES, difference, unwrap, wrap

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)
objects = st.dictionaries(st.text(max_size=4), json_values, max_size=5)


@given(json_values)
def test_a_scalar_state_comes_back(state: Any) -> None:
    """Readers get what the producer sent (an object with the only key "value" aside)."""
    if not (isinstance(state, dict) and set(state) == {"value"}):
        assert unwrap(wrap(state)) == state


def test_leaves_are_named_by_their_path() -> None:
    """Nested changes have dotted names; strings stay, the rest is JSON text."""
    old = {"plan": "team", "limits": {"disk": 40, "cpu": 2}, "tags": ["a"], "gone": None}
    new = {"plan": "enterprise", "limits": {"disk": 80, "cpu": 2}, "tags": ["a", "b"], "on": True}
    assert difference(old, new) == [
        {"field": "gone", "old": "null"},
        {"field": "limits.disk", "old": "40", "new": "80"},
        {"field": "on", "new": "true"},
        {"field": "plan", "old": "team", "new": "enterprise"},
        {"field": "tags", "old": '["a"]', "new": '["a","b"]'},
    ]


def test_true_is_not_one() -> None:
    """Python thinks True == 1; an auditor does not."""
    assert difference({"a": True}, {"a": 1}) == [{"field": "a", "old": "true", "new": "1"}]


def test_a_huge_difference_is_told_by_top_level_fields() -> None:
    """Thousands of leaves would hide the answer; nothing is left out of the values."""
    old = {"big": {str(n): n for n in range(MAX_LEAVES + 1)}, "same": 1}
    new = {"big": {str(n): n + 1 for n in range(MAX_LEAVES + 1)}, "same": 1}
    (entry,) = difference(old, new)
    assert entry["field"] == "big"
    assert f'"{MAX_LEAVES}":{MAX_LEAVES + 1}' in entry["new"]


@given(objects, objects)
def test_no_difference_means_equal(old: dict[str, Any], new: dict[str, Any]) -> None:
    """The list is empty exactly when nothing changed."""
    assert difference(old, old) == []
    assert (difference(old, new) == []) == (_typed(old) == _typed(new))


def _typed(value: Any) -> Any:
    """Equality that tells True from 1."""
    if isinstance(value, dict):
        return {key: _typed(child) for key, child in value.items()}
    if isinstance(value, list):
        return [_typed(child) for child in value]
    return (type(value).__name__, value)
