"""What cannot be handled costs only itself: one entry, one process, one row; it is told once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import structlog

from activity_center.processes import Delta, Process, apply, reading

_MOST: Final = 1000
"""Of which it is remembered that they were told of."""

_log = structlog.get_logger("sidecar")
_told: dict[tuple[str, ...], None] = {}


def folded(process: Process | None, activity: Mapping[str, Any]) -> tuple[Process, Delta] | None:
    """Fold an entry in as :func:`activity_center.processes.apply`; ``None`` too: it cannot be."""
    try:
        return apply(process, activity)
    except Exception:
        tell_entry(activity)
        return None


def tell_entry(activity: Mapping[str, Any]) -> None:
    """Log the exception that an entry has just raised."""
    tell(
        "an entry of a process cannot be folded in",
        entry=reading.text(reading.part(activity, "event"), "id"),
        organization=reading.text(reading.part(activity, "organization"), "id"),
        process=reading.text(reading.part(activity, "activity", "process"), "id"),
    )


def tell(what: str, **ids: str) -> None:
    """Log the exception that is being handled, unless it was told of the same."""
    key = (what, *ids.values())
    if key in _told:
        return
    if len(_told) >= _MOST:
        del _told[next(iter(_told))]
    _told[key] = None
    _log.error(what, exc_info=True, **ids)
