"""Waits between tries: bounds that double, and draws that use all of them."""

from __future__ import annotations

import pytest

from collector.deliver import Backoff

DRAWS = 400
"""That none of them lies in a given fifth of the range has a chance of 0.8 ** 400."""


@pytest.mark.parametrize(("tries", "bound"), [(1, 1.0), (2, 2.0), (3, 4.0), (4, 8.0), (5, 8.0)])
def test_the_bound_doubles_up_to_the_largest(tries: int, bound: float) -> None:
    """Full jitter: from 0 to a bound that doubles with each try, and never beyond the largest."""
    draws = [Backoff(first=1.0, most=8.0).wait(tries) for _ in range(DRAWS)]
    assert 0 <= min(draws) < 0.2 * bound
    assert 0.8 * bound < max(draws) <= bound


def test_very_many_tries_are_no_overflow() -> None:
    """A cluster that is away for weeks: the wait stays within its bound."""
    assert 0 <= Backoff().wait(10_000_000) <= 30.0
