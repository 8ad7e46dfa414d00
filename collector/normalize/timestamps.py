"""Time of an event: anything that producers send, to UTC with the offset kept.

ISO 8601 / RFC 3339 strings, Unix time as number or digits (seconds, milli-, micro-
or nanoseconds, told apart by magnitude), and Unix nanoseconds from the transport.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final, NamedTuple

PAST_LIMIT: Final = 10 * 365 * 86_400_000
"""Oldest acceptable age, ms: ten years."""
FUTURE_LIMIT: Final = 600_000
"""Furthest acceptable future, ms: ten minutes (clocks differ)."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_new: Final = tuple.__new__
"""Half the time of calling a NamedTuple's class; one is made per event."""
_MICROSECOND: Final = len("2026-11-25T02:34:56.123456")
_UTC: Final = frozenset({"Z", "+00:00"})
_MAX_SECONDS: Final = 4096
_seconds: Final[dict[str, int]] = {}
"""Text of a second (``2026-11-25T02:34:56``) -> Unix ms; a memory of what was parsed."""


class Moment(NamedTuple):
    """A point in time.

    Attributes:
        ms: Unix time in milliseconds.
        text: ``YYYY-MM-DDTHH:MM:SS.ffffffZ``.
        offset: the offset as claimed (``+02:00``), or ``""`` for UTC or unknown.
    """

    ms: int
    text: str
    offset: str


def from_nanoseconds(unix: int) -> Moment:
    """Convert Unix nanoseconds of the transport or of a receiver's clock.

    Raises:
        OverflowError: outside the years 1 to 9999.
    """
    seconds, rest = divmod(unix, 1_000_000_000)
    return _new(Moment, (unix // 1_000_000, f"{_second(seconds)}.{rest // 1000:06d}Z", ""))


@lru_cache(maxsize=4096)
def _second(unix: int) -> str:
    """The text of a second, which many events share."""
    return (_EPOCH + timedelta(seconds=unix)).replace(tzinfo=None).isoformat()


def parse(value: Any) -> Moment | None:
    """Return the moment that a producer's value names, or ``None`` if it names none."""
    if type(value) is str:
        # What most programs send, and nearly always another value: no use to remember it.
        # Many events share its second, though.
        if value[_MICROSECOND:] in _UTC and value[19] == ".":
            start, fraction = _seconds.get(value[:19]), value[20:_MICROSECOND]
            if start is None:
                start = _begin_second(value)
            if start is not None and fraction.isdecimal() and fraction.isascii():
                ms = start + int(fraction[:3])
                return _new(Moment, (ms, value[:_MICROSECOND] + "Z", ""))
        return _parse_text(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return _parse_number(value)


def _begin_second(value: str) -> int | None:
    """Return the ms at which the second of a text begins, if it has the form for that."""
    # Of the forms of this length that fromisoformat() takes, only this one has both.
    if value[10] != "T" or value[7] != "-":
        return None
    text = value[:19]
    try:
        start = _milliseconds(datetime.fromisoformat(text + "+00:00") - _EPOCH)
    except ValueError:
        return None
    if len(_seconds) >= _MAX_SECONDS:
        _seconds.clear()
    _seconds[text] = start
    return start


def _milliseconds(since: timedelta) -> int:
    return since.days * 86_400_000 + since.seconds * 1000 + since.microseconds // 1000


@lru_cache(maxsize=4096)
def _parse_text(value: str) -> Moment | None:
    if len(value) > 64:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        if not value.isascii():
            return None
        try:
            return _parse_number(float(value) if "." in value else int(value))
        except ValueError:
            return None
    if moment.tzinfo is None:
        # Without an offset UTC is the only reading that does not depend on the receiver.
        # "20261125" is a date to fromisoformat, but nothing else; digits alone are Unix time.
        if value.isdigit():
            return _parse_number(int(value)) if len(value) >= 9 else None
        moment = moment.replace(tzinfo=UTC)
    offset = moment.utcoffset()
    if offset:
        try:
            moment = moment.astimezone(UTC)
        except OverflowError:
            return None
    return Moment(_milliseconds(moment - _EPOCH), _text(moment), _offset(offset) if offset else "")


def _parse_number(value: float) -> Moment | None:
    """Seconds up to 1e11 (year 5138), then milli-, micro-, nanoseconds."""
    if value != value or value in (float("inf"), float("-inf")):
        return None
    size = abs(value)
    if size >= 1e20:
        return None
    for limit, per_second in ((1e11, 1), (1e14, 10**3), (1e17, 10**6)):
        if size < limit:
            # Microseconds are the finest that a float of today's seconds can carry.
            unix = round(value * (1_000_000 // per_second)) * 1000
            break
    else:
        unix = int(value)
    try:
        return from_nanoseconds(unix)
    except OverflowError:
        return None


def _offset(offset: timedelta) -> str:
    minutes = offset // timedelta(minutes=1)
    sign = "-" if minutes < 0 else "+"
    return f"{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


def _text(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
