"""The event's JSON Schema: what it takes, what it refuses, and where two validators differ."""

from __future__ import annotations

import copy
from datetime import datetime
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

from activity_center.generate.schema import MAX_ITEMS
from activity_center.vocabulary import Field, event_schema, fields

SCHEMA = event_schema()
FAST = jsonschema_rs.Draft202012Validator(SCHEMA, validate_formats=True)
CHECKER = FormatChecker(["ipv4", "ipv6"])
REFERENCE = Draft202012Validator(SCHEMA, format_checker=CHECKER)


@CHECKER.checks("date-time", raises=ValueError)
def is_date_time(value: object) -> bool:
    """RFC 3339 by the standard library; jsonschema itself needs another package for it."""
    return not isinstance(value, str) or bool(datetime.fromisoformat(value))


def put(document: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
    """Set a dotted field."""
    node = document
    *parents, last = name.split(".")
    for parent in parents:
        node = node.setdefault(parent, {})
    node[last] = value
    return document


def smallest() -> dict[str, Any]:
    """A document with the required fields alone."""
    document: dict[str, Any] = {}
    for field in fields().values():
        if field.required:
            put(document, field.name, copy.deepcopy(field.example))
    return document


def accepts(document: dict[str, Any]) -> bool:
    """Whether the schema takes the document; both validators must agree."""
    fast, reference = FAST.is_valid(document), REFERENCE.is_valid(document)
    assert fast == reference, list(REFERENCE.iter_errors(document))
    return fast


def plain_fields() -> list[Field]:
    """Fields that stand in no list of objects."""
    return [one for one in fields().values() if not one.name.startswith("activity.changes.")]


def test_the_schema_is_one() -> None:
    """The generated document is a valid JSON Schema 2020-12."""
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_all_examples_make_a_valid_document() -> None:
    """A document with every field set to its example is valid."""
    document: dict[str, Any] = {}
    for field in plain_fields():
        put(document, field.name, copy.deepcopy(field.example))
    assert accepts(document), list(REFERENCE.iter_errors(document))


REQUIRED = [
    "@timestamp",
    "event.id",
    "event.action",
    "event.kind",
    "event.outcome",
    "activity.lens",
    "activity.retention.class",
    "activity.schema_version",
    "ecs.version",
]


def test_the_required_fields_suffice() -> None:
    """The required fields are those of the design, and they suffice."""
    assert sorted(REQUIRED) == sorted(one.name for one in fields().values() if one.required)
    assert accepts(smallest())


@pytest.mark.parametrize("name", REQUIRED)
def test_a_required_field_cannot_be_missing(name: str) -> None:
    """Without a required field the document is invalid."""
    document = smallest()
    node = document
    *parents, last = name.split(".")
    for parent in parents:
        node = node[parent]
    del node[last]
    assert not accepts(document)


def groups(schema: dict[str, Any], path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every object that holds declared fields."""
    found = [path]
    for name, child in schema.get("properties", {}).items():
        if "properties" in child:
            found += groups(child, (*path, name))
    return found


@pytest.mark.parametrize("path", groups(SCHEMA), ids=".".join)
def test_no_producer_can_invent_a_field(path: tuple[str, ...]) -> None:
    """At every level that holds declared fields, an unknown key is refused."""
    document = smallest()
    put(document, ".".join((*path, "invented")), "x")
    assert not accepts(document)


@pytest.mark.parametrize(
    "name",
    [one.name for one in fields().values() if one.type in ("flat_object", "object_disabled")],
)
def test_free_objects_take_anything(name: str) -> None:
    """What a producer shapes freely is taken as it is, but it is an object."""
    odd = {"": 1, "a.b": None, "deep": {"er": [1, "x", None, {"y": True}]}}
    assert accepts(put(smallest(), name, odd))
    assert not accepts(put(smallest(), name, "text"))
    assert not accepts(put(smallest(), name, [odd]))


@pytest.mark.parametrize(
    "field",
    [one for one in plain_fields() if one.max_length and not one.values],
    ids=lambda f: f.name,
)
def test_text_has_a_longest_length(field: Field) -> None:
    """Text of the longest length is taken (unless a pattern says more), one more is refused."""
    assert field.max_length is not None
    for length, taken in ((field.max_length, True), (field.max_length + 1, False)):
        text = "a" * length
        document = put(smallest(), field.name, [text] if field.many else text)
        assert accepts(document) == taken


@pytest.mark.parametrize(
    "field", [one for one in plain_fields() if one.values], ids=lambda field: field.name
)
def test_closed_lists_are_closed(field: Field) -> None:
    """Each value of a closed list is taken, another one and another case are not."""
    for value in field.values or ():
        assert accepts(put(smallest(), field.name, [value] if field.many else value))
    for value in ("invented", (field.values or ("",))[0].upper(), "", None, 1):
        assert not accepts(put(smallest(), field.name, [value] if field.many else value))


@pytest.mark.parametrize(
    "field", [one for one in plain_fields() if one.many], ids=lambda field: field.name
)
def test_many_values_stand_in_a_list(field: Field) -> None:
    """A field of many values is always a list, and not an endless one."""
    one = field.example[0]
    assert accepts(put(smallest(), field.name, []))
    assert accepts(put(smallest(), field.name, [one] * MAX_ITEMS))
    assert not accepts(put(smallest(), field.name, [one] * (MAX_ITEMS + 1)))
    assert not accepts(put(smallest(), field.name, one))


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        (
            "@timestamp",
            ["2026-11-24T13:02:31Z", "2026-11-24T13:02:31.123456789+05:30", "0001-01-01T00:00:00Z"],
            [
                "2026-11-24",
                "2026-11-24 13:02:31Z",
                "2026-11-24T13:02:31",
                "2026-02-30T13:02:31Z",
                "2026-11-24T24:00:00Z",
                "2026-11-24T23:59:60Z",
                "2026-11-24t13:02:31z",
                "2026-11-24T13:02:31+18:01",
                "2026-11-24T13:02:31.1234567890Z",
                "+12026-11-24T13:02:31Z",
                "now",
                1764000000,
                None,
            ],
        ),
        (
            "source.ip",
            ["203.0.113.24", "2001:db8::1", "::ffff:203.0.113.24", "::"],
            ["", "203.0.113", "203.0.113.256", "fe80::1%eth0", "host", "203.0.113.24/24", 1],
        ),
        (
            "organization.id",
            ["northwind", "a", "9lives", "a" * 63, "a_b"],
            ["", "_a", "North", "a-b", "a" * 64, "a.b", "a b", "ä", "${user.name}", "*", 1],
        ),
        ("event.sequence", [0, 7, 2**63 - 1], [-1, 2**63, 1.5, "7", True]),
        ("activity.process.progress", [0, 0.5, 1], [-0.1, "0.5"]),
        ("activity.catalogued", [True, False], ["true", 1, None]),
        ("event.hash", ["0" * 64], ["0" * 63, "g" * 64, "A" * 64]),
        (
            "source.geo.location",
            [{"lat": 46.05, "lon": 14.51}, {"lat": -90, "lon": 180}],
            [{"lat": 91, "lon": 0}, {"lat": 0}, {"lat": 0, "lon": 0, "x": 1}, "46,14", [14, 46]],
        ),
        (
            "activity.changes",
            [[], [{"field": "a", "old": "1", "new": "2"}], [{"field": "a"}]],
            [{"field": "a"}, [{"field": "a", "by": "x"}], [{"field": "a", "old": 1}], ["a"]],
        ),
        ("user", [{}, {"name": "m"}], ["mira", [], None, {"name": None}, {"name": ["m"]}]),
    ],
)
def test_values(name: str, good: list[Any], bad: list[Any]) -> None:
    """Values that OpenSearch takes for the field's type are taken, others are not."""
    for value in good:
        assert accepts(put(smallest(), name, value)), value
    for value in bad:
        assert not accepts(put(smallest(), name, value)), value


def values() -> st.SearchStrategy[Any]:
    """Any JSON value, small; strings without a line feed (see the pinned differences)."""
    text = st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=40)
    leaf = (
        st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(-1e9, 1e9) | text
    )
    return st.recursive(
        leaf,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
        max_leaves=6,
    )


@settings(max_examples=300, deadline=None)
@given(name=st.sampled_from([one.name for one in plain_fields()]), value=values())
def test_the_fast_validator_agrees_with_the_reference(name: str, value: Any) -> None:
    """Whatever stands in a field, jsonschema_rs and jsonschema say the same."""
    accepts(put(smallest(), name, value))


def test_difference_in_anchors() -> None:
    """``$`` matches before a final line feed in Python's re, as in no ECMA-262 expression.

    So ``jsonschema`` would let an organization id with a line feed pass; ``jsonschema_rs``,
    which decides, does not.
    """
    document = put(smallest(), "organization.id", "northwind\n")
    assert not FAST.is_valid(document)
    assert REFERENCE.is_valid(document)


def test_difference_in_digits() -> None:
    r"""``\d`` is any Unicode digit in Python's re, ASCII in jsonschema_rs: we write [0-9]."""
    schema = {"type": "string", "pattern": r"^\d$"}
    arabic = "\N{ARABIC-INDIC DIGIT THREE}"
    assert Draft202012Validator(schema).is_valid(arabic)
    assert not jsonschema_rs.Draft202012Validator(schema).is_valid(arabic)
    assert r"\d" not in str(SCHEMA)
    assert not accepts(put(smallest(), "@timestamp", f"202{arabic}-11-24T13:02:31Z"))


def test_difference_in_multiples() -> None:
    """0.07 is a multiple of 0.01 for one and not for the other: we use no ``multipleOf``."""
    schema = {"multipleOf": 0.01}
    assert jsonschema_rs.Draft202012Validator(schema).is_valid(0.07)
    assert not Draft202012Validator(schema).is_valid(0.07)
    assert "multipleOf" not in str(SCHEMA)


def test_each_caller_gets_a_schema_of_its_own() -> None:
    """A caller that changes the schema changes nobody else's."""
    mine = event_schema()
    mine["properties"].clear()
    assert event_schema()["properties"]
