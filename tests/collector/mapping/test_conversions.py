"""Conversions give what they say, or nothing; none of them raises."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.mapping.conversions import CONVERSIONS, ArgumentError

ARGUMENTS = {"split": ",", "join": "-", "pairs": {"key": "name", "value": ["value", "a.b"]}}

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary(max_size=4)
    | st.sampled_from(["10.0.0.1:80", "[::1]:9", "1e5", "{}", "[1]", "true", "/a/b", "9" * 40]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=4)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize("name", sorted(CONVERSIONS))
@given(value=anything)
def test_never_raises(name: str, value: Any) -> None:
    """Whatever a record holds, a conversion gives a value or None."""
    CONVERSIONS[name].make(ARGUMENTS.get(name)).apply(value)


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("lower", "ÄB", "äb"),
        ("upper", "ä", "Ä"),
        ("lower", 1, None),
        ("strip", "  a ", "a"),
        ("strip", "  ", None),
        ("string", 1, "1"),
        ("string", True, "true"),
        ("string", 1.5, "1.5"),
        ("string", float("nan"), None),
        ("string", 2**70, None),
        ("string", [], None),
        ("integer", "42", 42),
        ("integer", " -7 ", -7),
        ("integer", 3.0, 3),
        ("integer", 3.5, None),
        ("integer", True, None),
        ("integer", "٣", None),
        ("integer", "1" * 30, None),
        ("float", "1.5e3", 1500.0),
        ("float", "1e999", None),
        ("float", "inf", None),
        ("boolean", "Yes", True),
        ("boolean", 0, False),
        ("boolean", 2, None),
        ("seconds", 1.5, 1_500_000_000),
        ("seconds", "2", 2_000_000_000),
        ("seconds", -1, None),
        ("seconds", float("nan"), None),
        ("seconds", 1e30, None),
        ("milliseconds", 40418, 40_418_000_000),
        ("microseconds", 3, 3000),
        ("nanoseconds", 3, 3),
        ("ip", "10.0.0.1:9200", "10.0.0.1"),
        ("ip", "[2001:db8::1]:443", "2001:db8::1"),
        ("ip", "2001:DB8::1", "2001:db8::1"),
        ("ip", "host/10.0.0.1:9300", "10.0.0.1"),
        ("ip", "fe80::1%eth0", "fe80::1"),
        ("ip", "example.org:80", None),
        ("ip", "300.1.1.1", None),
        ("basename", "/etc/nginx/nginx.conf", "nginx.conf"),
        ("basename", "C:\\a\\b", "b"),
        ("basename", "/", None),
        ("first", [1, 2], 1),
        ("first", [], None),
        ("last", [1, 2], 2),
        ("list", 1, [1]),
        ("list", [1], [1]),
        ("split", "a,b", ["a", "b"]),
        ("join", ["a", 1], "a-1"),
        ("join", ["a", {}], None),
        ("json", '{"a": [1, null]}', {"a": [1, None]}),
        ("json", "{", None),
        ("json", str(2**70), None),
        ("json", "[" * 1000 + "]" * 1000, None),
        ("json", "1e400", None),
        ("pairs", [{"name": "a", "value": 1}, {"name": "b", "a": {"b": 2}}], {"a": 1, "b": 2}),
        ("pairs", [{"name": "a", "value": 1}] * 3, {"a": [1, 1, 1]}),
        ("pairs", [{"value": 1}], None),
        ("pairs", [], None),
    ],
)
def test_value(name: str, value: Any, wanted: Any) -> None:
    """The table of the reference, case by case."""
    assert CONVERSIONS[name].make(ARGUMENTS.get(name)).apply(value) == wanted


@pytest.mark.parametrize(
    ("name", "argument"),
    [
        ("split", ""),
        ("split", 3),
        ("join", None),
        ("pairs", {"key": "k"}),
        ("pairs", {"key": 1, "value": "v"}),
        ("pairs", {"key": "k", "value": []}),
        ("pairs", "k"),
    ],
)
def test_wrong_argument(name: str, argument: Any) -> None:
    """A wrong argument is found when the mapping is loaded."""
    with pytest.raises(ArgumentError):
        CONVERSIONS[name].make(argument)
