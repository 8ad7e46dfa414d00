"""Moments as numbers and text; files that must load without Flask use it too."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND: Final = timedelta(milliseconds=1)


def milliseconds(moment: datetime) -> int:
    """Return the moment as Unix time in ms, rounded down as OpenSearch does."""
    return (moment - EARLIEST) // MILLISECOND


def written(moment: datetime) -> str:
    """Return the moment as RFC 3339 in UTC with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment_of(text: Any) -> datetime | None:
    """Return the moment of an RFC 3339 text, in UTC; ``None``: it is none. Without a zone: UTC."""
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return None
