"""Options that several verbs have: the configuration's file, JSON, and times."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import click

Decorator = Callable[[Any], Any]

json_option = click.option("--json", "as_json", is_flag=True, help="Plain values for programs.")

_AGO: Final = re.compile(r"([0-9]{1,9})([smhd])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_YEARS: Final = range(1970, 9999)
"""Years that can be reckoned with: before the last one, since an hour or a day is added."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TIMES: Final = "A date or time, UTC where it names no zone; or 30m, 24h, 7d for so long ago."


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
    """

    name = "when"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Return the moment, or fail with a message."""
        if isinstance(value, datetime):
            return value
        try:
            if ago := _AGO.fullmatch(value):
                found = datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
            else:
                found = datetime.fromisoformat(value)
                found = found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            self.fail(
                f"{value!r} is not like 30m, 24h, 7d, 2026-11-24 or 2026-11-24T13:00Z", param, ctx
            )
        if found.year not in _YEARS:
            self.fail(f"{value!r} is not between 1970 and 9998", param, ctx)
        return found


def time_option(*names: str, text: str, **more: Any) -> Decorator:
    """An option that is a moment (:class:`When`), which its help says how to write.

    Args:
        text: what the moment is for; a whole sentence.
    """
    return click.option(*names, type=When(), help=f"{text} {_TIMES}", **more)


def milliseconds(when: datetime) -> int:
    """Unix time of a moment, cut to whole milliseconds."""
    return (when - _EPOCH) // timedelta(milliseconds=1)
