"""Comparing by meaning: functions over values."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activity_center.setup import compare

NAMES = st.sampled_from(["type", "name", "id", "properties", "fields", "a"])
LEAVES = st.fixed_dictionaries(
    {"type": st.sampled_from(["keyword", "date", "long", "flat_object"])},
    optional={"ignore_above": st.integers(1, 9000), "index": st.booleans()},
)
FIELDS = st.recursive(
    LEAVES,
    lambda children: st.fixed_dictionaries(
        {"properties": st.dictionaries(NAMES, children, min_size=1, max_size=4)}
    ),
    max_leaves=12,
)
MAPPINGS = st.fixed_dictionaries({"properties": st.dictionaries(NAMES, FIELDS, max_size=4)})


def test_settings_in_every_spelling() -> None:
    """Nested, dotted, with and without ``index.``, typed or as text: one setting."""
    wanted = {"index.refresh_interval": "2s", "index.number_of_shards": "1", "index.a.b": "true"}
    for spelling in (
        {"index": {"refresh_interval": "2s", "number_of_shards": 1, "a": {"b": True}}},
        {"refresh_interval": "2s", "number_of_shards": "1", "a.b": "true"},
        {"index.refresh_interval": "2s", "index": {"number_of_shards": "1", "a.b": True}},
    ):
        assert compare.flat_settings(spelling) == wanted


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"type": "date", "format": "strict_date_optional_time||epoch_millis"}, {"type": "date"}),
        ({"type": "keyword", "index": True, "doc_values": True}, {"type": "keyword"}),
        ({"type": "wildcard"}, {"type": "wildcard", "doc_values": True}),
        (
            {"type": "object", "properties": {"b": {"type": "ip"}}},
            {"properties": {"b": {"type": "ip"}}},
        ),
        ({"type": "keyword", "ignore_above": 8191}, {"type": "keyword", "ignore_above": "8191"}),
    ],
)
def test_what_opensearch_leaves_out_or_adds(ours: Any, theirs: Any) -> None:
    """Defaults that the node drops or adds when it returns a mapping are no difference."""
    assert compare.mapping({"properties": {"a": ours}}) == compare.mapping(
        {"properties": {"a": theirs}, "_data_stream_timestamp": {"enabled": True}}
    )


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"type": "keyword"}, {"type": "wildcard"}),
        ({"type": "keyword", "index": False}, {"type": "keyword"}),
        ({"type": "object", "enabled": False}, {"type": "object"}),
        ({"type": "keyword", "fields": {"x": {"type": "ip"}}}, {"type": "keyword"}),
    ],
)
def test_real_differences_are_found(ours: Any, theirs: Any) -> None:
    """What changes how a field is stored or searched is a difference, and named by path."""
    found = compare.differences(
        compare.mapping({"properties": {"a": theirs}}), compare.mapping({"properties": {"a": ours}})
    )
    assert found
    assert all(one.path.startswith("a") for one in found)


def test_dotted_field_names_are_objects() -> None:
    """``"event.action"`` in a mapping is the field ``action`` of the object ``event``."""
    dotted = {"properties": {"event.action": {"type": "keyword"}, "event.id": {"type": "keyword"}}}
    nested = {"properties": {"event": {"properties": dotted["properties"]}}}
    nested["properties"]["event"]["properties"] = {
        "action": {"type": "keyword"},
        "id": {"type": "keyword"},
    }
    assert compare.mapping(dotted) == compare.mapping(nested)


def test_fields_called_type_are_joined() -> None:
    """A field whose name is ``type`` does not make the list of fields a leaf."""

    def component(**fields: str) -> dict[str, Any]:
        properties = {name: {"type": type_} for name, type_ in fields.items()}
        return {"template": {"mappings": {"properties": {"event": {"properties": properties}}}}}

    components = {
        "one": component(type="keyword", category="keyword"),
        "two": component(type="wildcard", id="keyword"),
    }
    composed = compare.compose({"composed_of": ["one", "two"]}, components).mappings
    assert composed["properties"]["event"]["properties"] == {
        "category": {"type": "keyword"},
        "id": {"type": "keyword"},
        "type": {"type": "wildcard"},
    }


def test_only_settings_of_templates_count() -> None:
    """What the node or a policy notes in an index is no difference; what a template sets is."""
    wanted = compare.Composed({"index.refresh_interval": "2s", "index.codec": "default"}, {})
    there = compare.Composed(
        {
            "index.refresh_interval": "2s",
            "index.uuid": "x",
            "index.blocks.write": "true",
            "index.number_of_shards": "1",
            "index.plugins.index_state_management.policy_id": "p",
            "index.mapping.total_fields.limit": "5",
        },
        {},
    )
    assert [tuple(one) for one in compare.index_differences(wanted, there)] == [
        ("settings.index.codec", None, "default"),
        ("settings.index.mapping.total_fields.limit", "5", None),
    ]


@given(MAPPINGS)
def test_canonical_is_stable(mappings: dict[str, Any]) -> None:
    """A canonical form is its own canonical form, so nothing rolls over for ever."""
    once = compare.mapping(mappings)
    assert compare.mapping(once) == once
    assert compare.differences(once, once) == []


@given(MAPPINGS, MAPPINGS)
def test_differences_are_complete(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Differences are found exactly if the canonical forms are not equal."""
    left, right = compare.mapping(one), compare.mapping(other)
    assert bool(compare.differences(left, right)) == (left != right)


@given(MAPPINGS, MAPPINGS)
def test_merging_keeps_what_is_above(below: dict[str, Any], above: dict[str, Any]) -> None:
    """Composed with an equal one a mapping stays; composed with nothing too."""
    one, other = compare.mapping(below), compare.mapping(above)
    assert compare.merge(one, {}) == one
    assert compare.merge({}, other) == other
    assert compare.merge(other, other) == other
