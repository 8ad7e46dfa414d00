"""Times as people send them: RFC 3339, or a date."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Final

from sidecar_api.failures import BadRequest
from sidecar_api.moments import EARLIEST

LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)
PRESETS: Final = {
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
}
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


def check(start: datetime | None, end: datetime | None, preset: str | None) -> None:
    """Go on only with a time range that can hold something, said in one way.

    Args:
        start: ``from``, included.
        end: ``to``, not included.
        preset: ``range``, a name of :data:`PRESETS`.

    Raises:
        BadRequest: it ends before it begins, or is said in both ways.
    """
    if preset and (start or end):
        raise BadRequest("range cannot stand beside from or to.", parameter="range")
    if start and end and start >= end:
        raise BadRequest(
            "The time range ends before it begins.",
            parameter="to",
            hint="from belongs to it, and so does to where it is a whole day.",
        )


def parse(text: str, *, parameter: str, end: bool = False) -> datetime:
    """Read an RFC 3339 time (section 5.6), or a date in UTC.

    Args:
        parameter: named in the failure.
        end: of a date, return the start of the next day: an end that is not included.

    Returns:
        The moment in UTC, whole milliseconds as OpenSearch compares them.

    Raises:
        BadRequest: it is neither, or lies outside the years 1970 to 2199.
    """
    try:
        if _DATE.fullmatch(text):
            day = date.fromisoformat(text)
            moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
            moment += timedelta(days=1 if end else 0)
        elif _TIME.fullmatch(text):
            moment = datetime.fromisoformat(text.upper()).astimezone(UTC)
        else:
            raise ValueError
    except (ValueError, OverflowError):
        raise BadRequest(
            "This is neither a time nor a date.",
            parameter=parameter,
            hint="Such as 2026-11-24T13:02:31Z or 2026-11-24; in a URL write + as %2B.",
        ) from None
    if not EARLIEST <= moment <= LATEST:
        raise BadRequest("Times run from 1970 to 2199.", parameter=parameter)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
