"""``take: vocabulary``: what is a field is taken, everything else stays."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activity_center.vocabulary import fields
from collector.mapping import load_all

NATIVE = load_all()["native"]
MEMBERS = [name for name in fields() if name.startswith("activity.changes.")]
OPEN = [name for name, one in fields().items() if not one.reserved and name not in MEMBERS]
RESERVED = [name for name, one in fields().items() if one.reserved]


def _nest(flat: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, value in flat.items():
        *parents, last = name.split(".")
        node = result
        for parent in parents:
            node = node.setdefault(parent, {})
        node[last] = value
    return result


def _map(record: dict[str, Any]) -> dict[str, Any]:
    (activity,) = NATIVE.map(record)
    assert isinstance(activity, dict)
    event = activity["event"]
    assert event.pop("module") == "native"
    if event.get("dataset") == "native.activity":
        del event["dataset"]
    if not event:
        del activity["event"]
    return activity


_documents = st.dictionaries(
    st.sampled_from(sorted(set(OPEN) - {"metadata"})),
    st.text(max_size=5) | st.integers(0, 9) | st.lists(st.text(max_size=3), max_size=2),
    max_size=25,
)


@given(flat=_documents, data=st.data())
def test_round_trip(flat: dict[str, Any], data: st.DataObject) -> None:
    """A document of vocabulary fields comes out as it went in, nested or dotted or mixed."""
    wanted = _nest(flat)
    assert _map(_nest(flat)) == wanted
    assert _map(dict(flat)) == wanted
    dotted = {name: flat[name] for name in flat if data.draw(st.booleans())}
    nested = _nest({name: value for name, value in flat.items() if name not in dotted})
    assert _map({**nested, **dotted}) == wanted


@pytest.mark.parametrize("name", RESERVED)
def test_reserved_fields_move_to_metadata(name: str) -> None:
    """What a sender may not set is kept under metadata, in its place."""
    assert _map(_nest({name: "claimed"})) == {"metadata": _nest({name: "claimed"})}
    assert _map({name: "claimed"}) == {"metadata": {name: "claimed"}}


@pytest.mark.parametrize(
    ("record", "wanted"),
    [
        ({"plan": "pro"}, {"metadata": {"plan": "pro"}}),
        (
            {"user": {"shoe": 4, "name": "m"}},
            {"user": {"name": "m"}, "metadata": {"user": {"shoe": 4}}},
        ),
        ({"user": "mira"}, {"metadata": {"user": "mira"}}),
        ({"user": None, "message": None}, {}),
        ({"user": {"name": None}}, {}),
        ({"metadata": {"a": 1}, "b": 2}, {"metadata": {"a": 1, "b": 2}}),
        ({"metadata": {"a": 1}, "a": 2}, {}),
        ({"metadata": "text", "b": 2}, {"metadata": {"metadata": "text", "b": 2}}),
        ({"metadata": "text"}, {"metadata": "text"}),
        ({"metadata.a": 1, "metadata": {"b": 2}}, {"metadata": {"b": 2, "a": 1}}),
        (
            {"activity": {"new_value": {"a": 1}}, "activity.new_value.b.c": 2},
            {"activity": {"new_value": {"a": 1, "b": {"c": 2}}}},
        ),
        (
            {"activity": {"new_value": "text"}, "activity.new_value.b": 2},
            {"activity": {"new_value": "text"}, "metadata": {"activity.new_value.b": 2}},
        ),
        (
            {"user.name": "a", "user": {"name": "b"}},
            {"user": {"name": "b"}, "metadata": {"user.name": "a"}},
        ),
        (
            {"user.": {"name": 1}, ".user": 2, "a..b": 3},
            {"metadata": {"user.": {"name": 1}, ".user": 2, "a..b": 3}},
        ),
        ({"user": {"target.name": "m"}}, {"user": {"target": {"name": "m"}}}),
        (
            {"user.target": {"name": "m", "x": 1}},
            {"user": {"target": {"name": "m"}}, "metadata": {"user.target": {"x": 1}}},
        ),
        ({"user.target": "m"}, {"metadata": {"user.target": "m"}}),
        ({"activity.changes": [{"field": "a"}]}, {"activity": {"changes": [{"field": "a"}]}}),
    ],
)
def test_place(record: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Unknown and misplaced keys stay where they were, under metadata; null says nothing."""
    mapped = _map(record)
    if not wanted and "a" in record:
        assert sorted(mapped["metadata"].values()) == [1, 2]
    else:
        assert mapped == wanted


def test_dotted_key_does_not_change_the_record() -> None:
    """A dotted key that goes into an object of the record goes into a copy."""
    state = {"a": 1}
    record = {"activity": {"new_value": state}, "activity.new_value.b": 2}
    NATIVE.map(record)
    assert state == {"a": 1}


def test_the_time_of_the_transport_is_the_normalizers() -> None:
    """A record without @timestamp gets none from the mapping."""
    (activity,) = NATIVE.map({"event": {"action": "a.b"}}, "activity.native", 1_700_000_000 * 10**9)
    assert "@timestamp" not in activity
