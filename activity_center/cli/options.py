"""Options that several verbs have: the configuration's file, JSON, and times."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import click

Decorator = Callable[[Any], Any]

json_option = click.option("--json", "as_json", is_flag=True, help="Plain values for programs.")

_SPAN: Final = re.compile(r"([+]?)([0-9]{1,9})([smhd])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_YEARS: Final = range(1970, 9999)
"""Years that can be reckoned with: before the last one, since an hour or a day is added."""
_DATES: Final = "2026-11-24 or 2026-11-24T13:00Z"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TIMES: Final = "A date or time, UTC where it names no zone; or 30m, 24h, 7d for so long ago."
_COMING: Final = (
    "A date or time from now on, UTC where it names no zone; or +12h, +30d for so long from now."
)


def config_file_option(gives: str, *, required: bool = False) -> Decorator:
    """``--config FILE`` as the parameter ``config_file``.

    Args:
        gives: what the verb takes from the file, for its help.
    """
    return click.option(
        "--config",
        "config_file",
        required=required,
        type=click.Path(dir_okay=False),
        help=f"activity-center.yml: {gives}.",
    )


class When(click.ParamType[datetime]):
    """A date or time of ISO 8601, or ``30s``, ``30m``, ``24h``, ``7d`` before now.

    What names no zone is UTC. Gives a :class:`datetime` in UTC of the years 1970 to 9998.

    Args:
        coming: it lies ahead: ``+30d`` after now instead, and nothing that is past.
    """

    name = "when"

    def __init__(self, *, coming: bool = False) -> None:
        self._coming = coming

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Return the moment, or fail with a message."""
        if isinstance(value, datetime):
            return value
        now = datetime.now(UTC)
        try:
            span = _SPAN.fullmatch(value)
            if span and bool(span[1]) == self._coming:
                long = timedelta(**{_UNITS[span[3]]: int(span[2])})
                found = now + long if self._coming else now - long
            else:
                found = datetime.fromisoformat(value)
                found = found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            like = "+12h, +30d" if self._coming else "30m, 24h, 7d"
            self.fail(f"{value!r} is not like {like}, {_DATES}", param, ctx)
        if found.year not in _YEARS:
            self.fail(f"{value!r} is not between 1970 and 9998", param, ctx)
        if self._coming and found.date() < now.date():
            self.fail(f"{value!r} is past: name a date to come, or +30d", param, ctx)
        return found


def time_option(*names: str, text: str, **more: Any) -> Decorator:
    """An option that is a moment (:class:`When`), which its help says how to write.

    Args:
        text: what the moment is for; a whole sentence.
    """
    return click.option(*names, type=When(), help=f"{text} {_TIMES}", **more)


def coming_option(*names: str, text: str, **more: Any) -> Decorator:
    """As :func:`time_option`, for a moment that lies ahead; today counts."""
    return click.option(*names, type=When(coming=True), help=f"{text} {_COMING}", **more)


def milliseconds(when: datetime) -> int:
    """Unix time of a moment, cut to whole milliseconds."""
    return (when - _EPOCH) // timedelta(milliseconds=1)
