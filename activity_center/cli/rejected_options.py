"""Options and look-ups that the verbs under ``activity-center rejected`` share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from activity_center.cli.options import config_file_option, milliseconds, time_option
from activity_center.errors import ConfigError

if TYPE_CHECKING:
    from collector.rejected import Rejected, RejectedStore


def store_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say where the store is."""
    for option in (
        click.option(
            "--data-dir",
            type=click.Path(file_okay=False),
            help="The collector's data_dir, instead of --config.",
        ),
        config_file_option("the collector whose data_dir is meant"),
    ):
        function = option(function)
    return function


def filter_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options that choose records."""
    for option in (
        click.option("--sender", help="Only from this sender."),
        click.option("--reason", help="Only with this reason, such as invalid or no_source."),
        time_option("--since", text="Only received since then."),
    ):
        function = option(function)
    return function


class Store:
    """The store that the options name, opened for reading."""

    def __init__(self, config_file: str | None, data_dir: str | None) -> None:
        if (config_file is None) == (data_dir is None):
            raise click.UsageError("give either --config FILE or --data-dir DIR")
        if config_file is not None:
            from activity_center.config import load

            data_dir = load(config_file).collector.data_dir
        self._folder = Path(str(data_dir)) / "rejected"

    def __enter__(self) -> RejectedStore:
        from collector.rejected import RejectedStore

        self._store = RejectedStore(self._folder, create=False)
        return self._store

    def __exit__(self, *_: object) -> None:
        self._store.close()


def chosen(
    since: datetime | None, reason: str | None, sender: str | None, replayed: bool
) -> dict[str, Any]:
    """Return the arguments of :meth:`collector.rejected.RejectedStore.select`.

    Args:
        replayed: also those that were sent again.

    Raises:
        click.UsageError: no such reason.
    """
    from collector.records import REASONS

    if reason is not None and reason not in REASONS:
        raise click.UsageError(f"no such reason: {reason}; one of {', '.join(sorted(REASONS))}")
    return {
        "since": milliseconds(since) * 1_000_000 if since else None,
        "reason": reason,
        "sender": sender,
        "replayed": None if replayed else False,
    }


def find_one(store: RejectedStore, beginning: str) -> Rejected:
    """Return the one record whose id begins so.

    Raises:
        ConfigError: there is none, or more than one.
    """
    found = store.find(beginning)
    if len(found) != 1:
        why = "more than one id begins" if found else "no id begins"
        raise ConfigError(
            f"{why} so", where=beginning, hint="see the ids: rejected list with the same options"
        )
    row = store.get(found[0])
    if row is None:
        raise ConfigError("it is gone", where=found[0])
    return row
