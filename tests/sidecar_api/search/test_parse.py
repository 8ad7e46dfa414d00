"""Parameters: what is taken, what is refused, and what the same filters are written as."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from sidecar_api.failures import BadRequest
from sidecar_api.search import FACETS, FILTERS, Filters
from sidecar_api.search.times import parse

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

REFUSED = [
    ("from", "yesterday"),
    ("from", "2026-02-30"),
    ("from", "2026-11-20T12:00:00"),  # RFC 3339 wants an offset
    ("from", "2026-11-20 12:00"),
    ("from", "now-1d"),
    ("from", "1604318400000"),
    ("from", "1969-12-31"),
    ("from", "9999-12-31"),
    ("from", "-2026-01-01"),
    ("from", "0001-01-01T00:00:00+14:00"),
    ("from", "2026-11-20T25:00:00Z"),
    ("from", "2026-11-20T12:00:00+99:99"),
    ("from", "２０２６-11-20"),
    ("to", "10000-01-01"),
    ("to", "2200-01-01"),
    ("to", "2026-11-20T12:00:00Z||/d"),
    ("range", "90d"),
    ("range", "24h,7d"),
    ("outcome", "Success"),
    ("source", "AI Pilot"),
    ("severity", "5"),
    ("severity", "1e3"),
    ("verb", "creates"),
    ("critical", "yes"),
    ("critical", "-"),
    ("ip", "300.1.1.1"),
    ("ip", "10.0.0.0/33"),
    ("ip", "fe80::1%eth0"),
    ("ip", "10.0.0.1-10.0.0.9"),
    ("ip", "*"),
    ("ip", "1"),
    ("ip", "::/129"),
    ("action", "x" * 257),
    ("resource_name", "x" * 1025),
    ("q", "x" * 201),
    ("q", "a b c d e f g h i"),
    ("action_contains", "x" * 257),
]


@pytest.mark.parametrize(("name", "value"), REFUSED)
def test_refused(name: str, value: str) -> None:
    """A wrong value is refused with the parameter's name, and the value is not repeated."""
    with pytest.raises(BadRequest) as refused:
        Filters.parse({name: [value]})
    assert refused.value.members == {"parameter": name}
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    ("args", "parameter"),
    [
        ({"from": ["2026-11-21"], "to": ["2026-11-20T00:00:00Z"]}, "to"),
        ({"from": ["2026-11-21"], "to": ["2026-11-20"]}, "to"),
        ({"target": ["x" * 250, "y" * 250, "z" * 13]}, "target"),
        ({"from": ["2026-11-20"], "range": ["24h"]}, "range"),
        ({"to": ["2026-11-20"], "range": ["24h"]}, "range"),
        ({"q": ["a", "b"]}, "q"),
        ({"from": ["2026-11-20", "2026-11-21"]}, "from"),
        ({"critical": ["true", "false"]}, "critical"),
        ({"action": [f"a{n}" for n in range(51)]}, "action"),
        ({"q": [""] * 51}, "q"),
    ],
)
def test_contradictions(args: dict[str, list[str]], parameter: str) -> None:
    """What cannot hold together, or is too much, is refused with a parameter's name."""
    with pytest.raises(BadRequest) as refused:
        Filters.parse(args)
    assert refused.value.members == {"parameter": parameter}


@pytest.mark.parametrize("name", [one.name for one in FILTERS])
@pytest.mark.parametrize("blank", ["", " ", "\t\n"])
def test_an_empty_filter_is_refused(name: str, blank: str) -> None:
    """It would show everything, which whoever names a filter does not want."""
    with pytest.raises(BadRequest) as refused:
        Filters.parse({name: [blank]})
    assert refused.value.members == {"parameter": name}
    assert refused.value.hint == f"Leave {name} out."


@pytest.mark.parametrize("text", ["No Such", "\u0141", "a-b", "a\r\nb", "x" * 64, "*", "_a"])
def test_what_can_be_no_organization(text: str) -> None:
    """An id has the form that the names of data streams have; "-" asks for those of none."""
    with pytest.raises(BadRequest) as refused:
        Filters.parse({"organization": ["-", "northwind", text]})
    assert refused.value.members == {"parameter": "organization"}
    assert Filters.parse({"organization": ["-", "northwind"]}).values("organization")


def test_same_filters_same_words() -> None:
    """Order, repetition, spelling of times and networks, and unknown names do not count."""
    one = Filters.parse(
        MultiDict(
            [
                ("page", "3"),
                ("to", "2026-11-20"),
                ("action", "b"),
                ("q", "  a   b "),
                ("action", "a"),
                ("action", "b"),
                ("ip", "10.1.2.3/8"),
            ]
        )
    )
    two = Filters.parse(
        {
            "ip": ["10.0.0.0/8"],
            "action": ["a", "b"],
            "to": ["2026-11-21T01:00:00+01:00"],
            "q": ["a b"],
        }
    )
    assert one.canonical() == two.canonical()
    assert one.clauses(NOW) == two.clauses(NOW)
    assert one.canonical() == [
        ("q", "a b"),
        ("action", "a"),
        ("action", "b"),
        ("ip", "10.0.0.0/8"),
        ("to", "2026-11-21T00:00:00.000Z"),
    ]
    assert one.values("action") == ("a", "b")
    assert one.values("type") == ()


def test_presets_move_with_time_and_their_words_do_not() -> None:
    """A preset reaches back from now; what is recorded and signed stays the same."""
    made = Filters.parse({"range": ["7d"]})
    assert made.canonical() == [("range", "7d")]
    assert made.limits(NOW) == (NOW - timedelta(days=7), None)
    assert made.clauses(NOW) != made.clauses(NOW + timedelta(days=1))


@given(st.text(max_size=60))
def test_any_text_is_a_time_or_refused(text: str) -> None:
    """No text breaks the reading of times."""
    try:
        moment = parse(text, parameter="from")
    except BadRequest:
        return
    assert moment.tzinfo is UTC


@given(st.sampled_from(FILTERS), st.lists(st.text(max_size=300), max_size=3))
def test_any_text_is_a_filter_or_refused(one: object, values: list[str]) -> None:
    """No text in any filter raises anything but BadRequest, and what is taken makes a query."""
    name = one.name  # type: ignore[attr-defined]
    try:
        made = Filters.parse({name: values})
    except BadRequest as refused:
        assert refused.members == {"parameter": name}
        return
    assert (
        Filters.parse(
            {key: [value for own, value in made.canonical() if own == key] for key in made.given}
        ).canonical()
        == made.canonical()
        or name == "to"
    )
    assert made.clauses(NOW) or not made.given


def test_declaration() -> None:
    """Names are unique, and each filter says in words what it does."""
    names = [one.name for one in FILTERS]
    assert len(set(names)) == len(names)
    assert all(one.label and one.description and one.fields for one in FILTERS)
    assert set(FACETS) == {one.name for one in FILTERS if one.kind in ("values", "flag")} - {
        "target"
    }


def test_a_near_value_is_suggested() -> None:
    """A wrong value of a closed list: the hint names what was probably meant, and nothing where
    that is another thing."""
    for name, value, hint in (
        ("outcome", "failed", "Did you mean failure?"),
        ("outcome", "zzz", None),
        ("verb", "updte", "Did you mean update?"),
        ("verb", "destroy", None),
    ):
        with pytest.raises(BadRequest) as caught:
            Filters.parse({name: [value]})
        assert caught.value.hint == hint
