"""Any Python value becomes plain data."""

from __future__ import annotations

import enum
import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activity_center.emit.plain import MARK, MAX_DEPTH, Plain


class Colour(enum.Enum):
    """An enumeration."""

    RED = "red"


@dataclass
class Disk:
    """A dataclass."""

    size: int
    tags: list[str]


class Hostile:
    """An object that cannot be shown."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr")


class HostileMapping(dict[str, Any]):
    """A mapping that cannot be walked."""

    def items(self) -> Any:
        raise RuntimeError("no items")


plain_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=20,
)
anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.complex_numbers()
    | st.binary(max_size=20)
    | st.text(st.characters())
    | st.datetimes()
    | st.decimals()
    | st.uuids()
    | st.builds(Hostile)
    | st.builds(HostileMapping)
    | st.builds(object),
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(st.characters()) | st.integers() | st.binary(max_size=3), inner)
        | st.frozensets(st.integers())
    ),
    max_leaves=20,
)


@settings(deadline=None)
@given(plain_json)
def test_plain_data_is_copied_unchanged(value: Any) -> None:
    """What both JSON and MessagePack carry arrives as it was, and nothing is marked."""
    run = Plain()
    assert run.copy(value) == value
    assert run.replaced == []


@settings(deadline=None)
@given(anything)
def test_any_value_becomes_carriable(value: Any) -> None:
    """Whatever the value, both encoders take the copy, strictly."""
    copy = Plain().copy(value)
    json.dumps(copy, allow_nan=False).encode()
    json.dumps(copy, ensure_ascii=False).encode("utf-8")
    msgpack.packb(copy, strict_types=True)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (datetime(2026, 11, 25, 1, 2, 3, tzinfo=UTC), "2026-11-25T01:02:03+00:00"),
        (timedelta(seconds=90), 90.0),
        (Decimal("1.10"), "1.10"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (PurePosixPath("/etc"), "/etc"),
        (Colour.RED, "red"),
        (Disk(20, ["a"]), {"size": 20, "tags": ["a"]}),
        ({"b", "a"}, ["a", "b"]),
        ((1, 2), [1, 2]),
        ({1: "a", Colour.RED: "b", None: "c"}, {"1": "a", "red": "b", "None": "c"}),
    ],
)
def test_common_types_have_their_usual_form(value: Any, expected: Any) -> None:
    """Types that programs use every day are no errors."""
    run = Plain()
    assert run.copy(value) == expected
    assert run.replaced == []


@pytest.mark.parametrize(
    "value", [object(), b"\xff", 2**64, -(2**63) - 1, math.nan, math.inf, Hostile(), 1j, print]
)
def test_what_cannot_be_carried_is_marked(value: Any) -> None:
    """A marked text with the type stands for it, and its path is listed."""
    run = Plain()
    copy = run.copy({"a": [0, value]})
    assert copy["a"][1].startswith(f"{MARK} ")
    assert type(value).__qualname__ in copy["a"][1]
    assert run.replaced == ["a[1]"]


def test_lone_surrogates_are_written_out_and_marked() -> None:
    """Text that UTF-8 cannot carry keeps its code points as escapes."""
    run = Plain()
    assert run.copy({"a": "x\ud800"}) == {"a": "x\\ud800"}
    assert run.replaced == ["a"]


def test_cycles_and_depth_end() -> None:
    """A structure that holds itself, many times over, ends in marks soon."""
    loop: list[Any] = []
    loop += [loop, loop, loop]
    deep: Any = 0
    for _ in range(5000):
        deep = [deep]
    wide: Any = 0
    for _ in range(MAX_DEPTH - 4):
        wide = (wide, wide)  # 2 ** 60 leaves without a cycle
    for value in (loop, deep, wide):
        run = Plain()
        json.dumps(run.copy(value))
        assert run.replaced


def test_keys_that_fall_together_are_both_kept() -> None:
    """``{1: a, "1": b}`` loses nothing."""
    assert Plain().copy({1: "a", "1": "b"}) == {"1": "a", "1#": "b"}


def test_the_copy_shares_nothing_with_the_original() -> None:
    """What the caller changes afterwards does not change the record."""
    original = {"a": [1]}
    copy = Plain().copy(original)
    original["a"].append(2)
    assert copy == {"a": [1]}


def test_size_follows_the_value() -> None:
    """The byte bound of the queue rests on it: never below the text itself."""
    run = Plain()
    run.copy({"a": "x" * 100_000})
    assert 100_000 <= run.size < 110_000
