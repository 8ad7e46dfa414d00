"""``activity-center tail``: follow new activities in the terminal."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

import click

from activity_center.cli.options import milliseconds, time_option

if TYPE_CHECKING:
    from activity_center.tailing import Activity, Follower

_COUNT = 10.0
"""Seconds between two counts of what came late."""
_LATE = (
    "came so long after the collector received it that it is not shown: "
    "tail --since, with a time before that, shows it"
)


@click.command("tail")
@click.option("--action", metavar="TEXT", help="Only actions that contain TEXT, in any case.")
@click.option("--actor", metavar="WHO", help="Only this user (id, name, e-mail) or agent.")
@click.option("--organization", metavar="ID", help="Only this organization (id or name).")
@time_option("--since", text="Begin with what was recorded since then.")
@click.option("--json", "as_json", is_flag=True, help="One activity as JSON a line.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Stop after N activities.")
@click.option(
    "--until-idle",
    type=click.FloatRange(0, min_open=True),
    metavar="SECONDS",
    help="Stop when nothing new came for so long.",
)
@click.option(
    "--interval",
    type=click.FloatRange(0.05, 60),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="Time between two looks.",
)
def command(
    action: str | None,
    actor: str | None,
    organization: str | None,
    since: datetime | None,
    as_json: bool,
    limit: int | None,
    until_idle: float | None,
    interval: float,
) -> None:
    """Follow new activities in the terminal.

    Shows local time, action, actor, resource, organization and outcome, in the order in
    which the collector received them. Goes on through restarts of OpenSearch; Ctrl-C ends
    it. Control characters in the data are shown as escapes.

    \b
    Examples:
      activity-center tail
      activity-center tail --action delete --organization northwind
      activity-center tail --actor mira@northwind.example --since 2h
      activity-center tail --json --since 1d --until-idle 2 | jq -c '.event.action'

    Exit codes: 0 ended (also by Ctrl-C), 1 OpenSearch cannot be asked, 2 wrong use.
    """
    from activity_center.connection import connect
    from activity_center.tailing import Follower, Selection

    follower = Follower(
        connect,
        Selection(action=action, actor=actor, organization=organization),
        since=milliseconds(since) if since else None,
    )
    try:
        _follow(follower, _writer(as_json), limit, until_idle, interval)
    except KeyboardInterrupt:
        pass
    except BrokenPipeError:
        # The reader (head, a closed pager) has enough; leave nothing to flush at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    finally:
        follower.close()


def _follow(
    follower: Follower,
    write: Callable[[Activity], None],
    limit: int | None,
    until_idle: float | None,
    interval: float,
) -> None:
    """Write what comes until one of the ends; the first look must succeed."""
    from activity_center.errors import ClusterError, NodeError

    written, failures = 0, 0
    began = False
    quiet_since = counted = time.monotonic()
    while True:
        try:
            for activity in follower.look():
                write(activity)
                written += 1
                quiet_since = time.monotonic()
                if written == limit:
                    return
            if time.monotonic() - counted >= _COUNT:
                counted = time.monotonic()
                if late := follower.late():
                    click.echo(f"activity-center: {late} {_LATE}", err=True)
        except (ClusterError, NodeError) as wrong:
            if not began:
                raise
            failures += 1
            quiet_since = time.monotonic()
            if failures == 1:
                click.echo(f"activity-center: {wrong.message}; waiting", err=True)
        else:
            if failures:
                click.echo("activity-center: OpenSearch answers again", err=True)
            began, failures = True, 0
            if until_idle is not None and time.monotonic() - quiet_since >= until_idle:
                return
        time.sleep(interval if not failures else min(5.0, interval * 2 ** min(failures, 5)))


def _writer(as_json: bool) -> Callable[[Activity], None]:
    """Return what writes one activity to standard output, at once."""
    if as_json:

        def write_json(activity: Activity) -> None:
            line = {"_id": activity.id, "_index": activity.index, **activity.document}
            print(json.dumps(line), flush=True)

        return write_json
    from rich.console import Console

    from activity_center.tailing import row

    console = Console(highlight=False, markup=False, emoji=False)

    def write_row(activity: Activity) -> None:
        line = row(activity.document, width=console.width if console.is_terminal else None)
        # Not printed by rich itself: at a broken pipe it ends the program with 1.
        with console.capture() as captured:
            console.print(line, soft_wrap=True)
        print(captured.get(), end="", flush=True)

    return write_row
