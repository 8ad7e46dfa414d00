"""The form of JSON under a digest is RFC 8785's, but for integers beyond 2^53."""

from __future__ import annotations

import math
import struct
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.normalize.jcs import canonical_json

EXACT = 2**53
_text = st.text(st.characters(exclude_categories=["Cs"]))
_leaves = (
    st.none()
    | st.booleans()
    | st.integers(-EXACT + 1, EXACT - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _text
)
_values = st.recursive(
    _leaves, lambda inner: st.lists(inner) | st.dictionaries(_text, inner), max_leaves=30
)


@given(_values)
@settings(max_examples=300, deadline=None)
def test_is_rfc_8785(value: Any) -> None:
    """The same bytes as the package of the RFC's test suite writes."""
    assert canonical_json(value) == rfc8785.dumps(value)


@given(st.binary(min_size=8, max_size=8))
@settings(max_examples=1000, deadline=None)
def test_numbers(bits: bytes) -> None:
    """Every float is written as ECMAScript writes it (section 3.2.2.3)."""
    (number,) = struct.unpack(">d", bits)
    if math.isfinite(number):
        assert canonical_json(number) == rfc8785.dumps(number)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1"),
        (-0.0, "0"),
        (1e16, "10000000000000000"),
        (1e21, "1e+21"),
        (5e-324, "5e-324"),
        (0.000001, "0.000001"),
        (1e-7, "1e-7"),
        (EXACT - 1, "9007199254740991"),
        (EXACT, '"9007199254740992"'),
        (-EXACT, '"-9007199254740992"'),
        ({"\U0001f600": 1, "\ufb33": 2, "1": 4}, '{"1":4,"\U0001f600":1,"\ufb33":2}'),
        ({}, "{}"),
        ([], "[]"),
        ("\x07\x7f/\n", '"\\u0007\x7f/\\n"'),
    ],
    ids=range(14),
)
def test_what_other_writers_do_differently(value: Any, text: str) -> None:
    """Numbers, large integers as text, names by UTF-16 units, escapes."""
    assert canonical_json(value).decode() == text


def test_what_json_cannot_say_is_written_too() -> None:
    """Nothing raises: the record is refused for it elsewhere, with a reason."""
    deep: Any = []
    for _ in range(5000):
        deep = [deep]
    for value in (float("nan"), float("-inf"), "\ud800", {"\ud800": 1}, {1: 2, "a": 3}, deep):
        assert canonical_json(value)
    assert canonical_json({1: 2, "a": 3}) == b'{"1":2,"a":3}'
