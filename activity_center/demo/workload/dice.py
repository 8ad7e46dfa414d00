"""Chance that comes out the same everywhere.

Only ``random.Random.random()`` and seeding by text are documented to give the same
values in every version of Python, so everything is built from these two. No floats
reach a record unless they are exact in binary.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """A stream of chance with a name; :meth:`split` gives independent ones."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._random = random.Random(name)  # noqa: S311 - a demo, not a secret

    def split(self, name: object) -> Dice:
        """Return another stream; it does not depend on what was drawn here."""
        return Dice(f"{self._name}/{name}")

    def chance(self, percent: float) -> bool:
        """Return true in ``percent`` of 100 cases."""
        return self._random.random() * 100 < percent

    def between(self, low: int, high: int) -> int:
        """Return a whole number, both ends included."""
        return low + int(self._random.random() * (high - low + 1))

    def pick(self, items: Sequence[T]) -> T:
        """Return one of the items."""
        return items[int(self._random.random() * len(items))]

    def weighted(self, items: Sequence[tuple[T, int]]) -> T:
        """Return one of the items, each as often as its weight says."""
        left = self.between(1, sum(weight for _, weight in items))
        for item, weight in items:
            left -= weight
            if left <= 0:
                return item
        raise AssertionError("weights are positive")

    def hex(self, digits: int) -> str:
        """Return random hexadecimal digits."""
        return "".join("0123456789abcdef"[self.between(0, 15)] for _ in range(digits))

    def event_id(self) -> str:
        """Return 32 hexadecimal digits in the form of a version 4 UUID (RFC 9562, 5.4)."""
        digits = self.hex(32)
        return f"{digits[:12]}4{digits[13:16]}{'89ab'[self.between(0, 3)]}{digits[17:]}"
