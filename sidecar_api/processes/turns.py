"""Folding in turns: who has much to fold lets the others of its process work in between."""

from __future__ import annotations

import time
from typing import Final

TURN: Final = 0.02
"""Seconds of folding after which it is others' turn."""
PAUSE: Final = 0.001
"""Seconds of such a turn."""


class Turns:
    """Called again and again by who is at work: gives others a turn when it is time."""

    def __init__(self) -> None:
        self._since = time.monotonic()

    def __call__(self) -> None:
        """Go on, at once or after the others."""
        if time.monotonic() - self._since > TURN:
            time.sleep(PAUSE)
            self._since = time.monotonic()
