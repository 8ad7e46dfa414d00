"""The part of Dashboards Query Language that our objects use."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activity_center.dashboards.dql import Is, Join, Not, Range, parse, terms
from activity_center.errors import VocabularyError

A, B, C = Is("a", "1"), Is("b", "2"), Is("c", "3")


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a: 1", A),
        ("a:1", A),
        ('a: "1 or 2"', Is("a", "1 or 2", phrase=True)),
        (r'a: "say \"so\""', Is("a", 'say "so"', phrase=True)),
        ("a: *", Is("a", "*")),
        ("a: user.*", Is("a", "user.*")),
        ("a >= 5", Range("a", ">=", "5")),
        ("a < 2026-11-24", Range("a", "<", "2026-11-24")),
        ("a: 1 or b: 2 and c: 3", Join("or", (A, Join("and", (B, C))))),
        ("(a: 1 OR b: 2) AND c: 3", Join("and", (Join("or", (A, B)), C))),
        ("not a: 1 and b: 2", Join("and", (Not(A), B))),
        ("not (a: 1 or b: 2)", Not(Join("or", (A, B)))),
        ("a: (1 or 2)", Join("or", (A, Is("a", "2")))),
        ("a: (not 1 and 2)", Join("and", (Not(A), Is("a", "2")))),
    ],
)
def test_trees(text: str, tree: object) -> None:
    """``not`` binds more tightly than ``and``, and that than ``or``, as in Dashboards."""
    assert parse(text) == tree


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a:",
        "a: 1 2",
        "a: 1 b: 2",
        "a: (1",
        "a: 1)",
        "a <",
        ": 1",
        "and",
        'a: "1',
        "a: (1 or)",
    ],
)
def test_what_is_refused(text: str) -> None:
    """What Dashboards reads otherwise, or not at all, is our error with the place in it."""
    with pytest.raises(VocabularyError, match="cannot be read at character"):
        parse(text)


@given(st.text(max_size=60))
def test_no_text_raises_anything_else(text: str) -> None:
    """Any text is a tree or our error."""
    with suppress(VocabularyError):
        assert list(terms(parse(text)))


def test_kinds_of_values() -> None:
    """A star alone asks for any value, one among others is a pattern, in quotes it is a star."""
    assert Is("a", "*").exists and not Is("a", "*").wildcard
    assert Is("a", "x*").wildcard and not Is("a", "x*").exists
    assert not Is("a", "*", phrase=True).exists and not Is("a", "x*", phrase=True).wildcard
