"""Taking values out of stored activities: what has the wrong shape is not there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final, cast

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
MILLI: Final = 1000
"""Microseconds."""
FIRST: Final = (datetime.min.replace(tzinfo=UTC) - EPOCH) // MICROSECOND
LAST: Final = (datetime.max.replace(tzinfo=UTC) - EPOCH) // MICROSECOND
"""Microseconds since 1970 of the first and the last moment that there is in UTC. With an offset,
what stands in those years may be beyond."""
LARGEST: Final = 2**63 - 1
"""Of whole numbers: what OpenSearch and JSON writers take."""
NOTHING: Final[Mapping[str, Any]] = {}


def part(value: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    """Return the object at a path, or an empty one."""
    found: Any = value
    for name in path:
        found = found.get(name)
        if not isinstance(found, dict):
            return NOTHING
    return cast(Mapping[str, Any], found)


def text(value: Mapping[str, Any], name: str) -> str:
    """Return a text, or the empty one."""
    found = value.get(name)
    return found if isinstance(found, str) else ""


def texts(value: Mapping[str, Any], name: str, most: int) -> list[str] | None:
    """Return a list of texts, at most so many; ``None``: it is not there."""
    found = value.get(name)
    if isinstance(found, str):
        return [found]
    if not isinstance(found, list):
        return None
    return [one for one in found if isinstance(one, str)][:most]


def number(value: Mapping[str, Any], name: str) -> int | None:
    """Return a whole number of 64 bits."""
    found = value.get(name)
    if not isinstance(found, int) or isinstance(found, bool):
        return None
    return found if -LARGEST <= found <= LARGEST else None


def share(value: Mapping[str, Any], name: str) -> float | None:
    """Return a share from 0 to 1; what is beyond counts as its end."""
    found = value.get(name)
    if isinstance(found, bool) or not isinstance(found, int | float) or found != found:
        return None
    return round(min(max(float(found), 0.0), 1.0), 4)


def moment(value: Mapping[str, Any], name: str) -> int | None:
    """Return an RFC 3339 time as microseconds since 1970; ``None``: UTC has no such moment."""
    found = value.get(name)
    if not isinstance(found, str):
        return None
    try:
        parsed = datetime.fromisoformat(found)
    except ValueError:
        return None
    if parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=UTC)
    at = (parsed - EPOCH) // MICROSECOND
    return at if FIRST <= at <= LAST else None


@lru_cache(maxsize=4096)
def written(at: int | None) -> str | None:
    """Return microseconds since 1970 as RFC 3339 in UTC, with milliseconds.

    ``None``: there is none, or not in UTC.
    """
    if at is None or not FIRST <= at <= LAST:
        return None
    stamp = (EPOCH + at * MICROSECOND).isoformat(timespec="milliseconds")
    return stamp.replace("+00:00", "Z")


def lasted(begin: int | None, end: int | None) -> int | None:
    """Return the milliseconds from begin to end; clocks that went back count as none."""
    if begin is None or end is None:
        return None
    return max(end // MILLI - begin // MILLI, 0)
