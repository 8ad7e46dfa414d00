"""Exponential back-off with full jitter.

Waits are drawn evenly from 0 up to a bound that doubles (Brooker, "Exponential
Backoff And Jitter", AWS Architecture Blog, 2015), so that many collectors that lost
the same cluster do not come back in step.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

_RANDOM = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds: the first bound, and the largest."""

    first: float = 0.25
    most: float = 30.0

    def wait(self, tries: int) -> float:
        """Return the seconds to wait after ``tries`` failed tries (1 and up)."""
        return _RANDOM.uniform(0, min(self.most, self.first * 2.0 ** min(tries - 1, 30)))
