"""Whether this process is about to end: open streams look here, so that none holds it up.

A plain flag, because a signal handler sets it: locks and events are not safe there.
"""

from __future__ import annotations

import time
from typing import Final

_STEP: Final = 0.25
"""Seconds between two looks."""

_state = {"ending": False}


def begin() -> None:
    """The process was told to end (SIGTERM, or another one takes its place)."""
    _state["ending"] = True


def begun() -> bool:
    """Whether open streams must close now; their readers come back with Last-Event-ID."""
    return _state["ending"]


def pause(seconds: float) -> bool:
    """Wait; return ``True`` at once when the process is to end.

    Args:
        seconds: how long to wait at most.
    """
    end = time.monotonic() + seconds
    while not begun():
        left = end - time.monotonic()
        if left <= 0:
            return False
        time.sleep(min(_STEP, left))
    return True
