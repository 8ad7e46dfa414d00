"""``activity-center processes``: channels, history, and a live step list."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import click

from activity_center.cli.options import config_file_option, json_option, time_option
from activity_center.cli.processes_ask import Sidecar, sidecar_options

if TYPE_CHECKING:
    from activity_center.watch import Watch

_CUT: Final = "there are more than these: --channel, --organization or --process show others"


@click.group("processes")
def command() -> None:
    """List and watch long operations, step by step.

    list, show and watch ask a sidecar, with an API token of a reader.

    \b
    Examples:
      activity-center processes channels
      export ACTIVITY_CENTER_API_TOKEN=...
      activity-center processes watch --url https://activity.example
      activity-center processes list --state failed --channel ssl --from 2026-11-01
      activity-center processes show prc_20 --output

    Exit codes: 0 done, 1 the sidecar refuses or does not answer, 2 wrong use.
    """


@command.command("channels")
@config_file_option("channels of your own")
@json_option
def channels_(config_file: str | None, as_json: bool) -> None:
    """List the channels on which processes are streamed.

    \b
    Examples:
      activity-center processes channels
      activity-center processes channels --config activity-center.yml --json
    """
    from activity_center import config as configuration
    from activity_center.processes import channels

    found = channels(configuration.load(config_file) if config_file else None).values()
    if as_json:
        click.echo(json.dumps([one.as_dict() for one in found]))
        return
    for one in found:
        click.echo(f"{one.name}: {one.label}" + (f". {one.description}" if one.description else ""))
        if one.steps:
            click.echo(f"    {' > '.join(one.steps)}")


@command.command("list")
@sidecar_options
@click.option("--state", multiple=True, help="pending, running, done, failed, cancelled, stalled.")
@click.option("--channel", multiple=True, help="Only this channel; may stand several times.")
@click.option("--organization", metavar="ID", help="Only this one; -: of none.")
@click.option("--server", metavar="TEXT", help="Id of a server, or a part of its name.")
@click.option("--cloud-account", metavar="TEXT", help="Id of an account, or a part of its name.")
@click.option("--target", metavar="TEXT", help="Id of what it works on, or a part of its name.")
@click.option("--initiator", metavar="WHO", help="Who began it: id, name or e-mail address.")
@time_option("--from", "from_", text="Something of it began or ended then or later.")
@time_option("--to", text="Something of it began or ended before then.")
@click.option("--q", metavar="WORDS", help="Words in its name, target, server, people or id.")
@click.option("--page", type=click.IntRange(1, 10_000), default=1, show_default=True)
@click.option("--size", type=click.Choice(["25", "50", "100"]), default="25", show_default=True)
@json_option
def list_(sidecar: Sidecar, as_json: bool, from_: datetime | None, **filters: Any) -> None:
    """List processes, newest first, finished ones too.

    Into a pipe: a line of names, then one line a process, with tabs. The organization is there
    where the list has several.

    \b
    Examples:
      activity-center processes list --state failed --from 2026-11-01
      activity-center processes list --channel ssl --json | jq -r '.processes[].id'
    """
    query = [
        (name, value.isoformat() if isinstance(value, datetime) else str(value))
        for name, given in {**filters, "from": from_}.items()
        for value in (given if isinstance(given, tuple) else (given,))
        if value is not None
    ]
    found = sidecar.get("/api/v1/processes", query)
    if as_json:
        click.echo(json.dumps(found))
        return
    from activity_center.cli.processes_show import show_table

    show_table(found["processes"])
    page = found["page"]
    about = "about " if page["approximate"] else ""
    click.echo(f"{page['from']} to {page['to']} of {about}{page['total']}", err=True)


@command.command("show")
@sidecar_options
@click.argument("process")
@click.option("--organization", metavar="ID", help="Where several have that id; -: of none.")
@click.option("--output", is_flag=True, help="With all of its output.")
@json_option
def show(
    sidecar: Sidecar, process: str, organization: str | None, output: bool, as_json: bool
) -> None:
    """Show one process: its steps, and what was asked of it.

    \b
    Examples:
      activity-center processes show prc_20
      activity-center processes show prc_20 --output
    """
    from urllib.parse import quote

    path = f"/api/v1/processes/{quote(process, safe='')}"
    query = [("organization", organization)] if organization else []
    found = sidecar.get(path, query)["process"]
    if as_json:
        click.echo(json.dumps(found))
    else:
        from rich.console import Console

        from activity_center.cli.processes_show import about, lines

        console = Console(highlight=False, markup=False, emoji=False)
        for line in (*lines(found, output=0 if output else 10), *about(found)):
            console.print(line, soft_wrap=True)
    after: str | None = ""
    while output and after is not None:
        further = [*query, *([("from", after)] if after else [])]
        page = sidecar.get(f"{path}/output", further)
        for piece in page["output"]:
            _write_piece(piece, as_json)
        after = page["next"]


def _write_piece(piece: dict[str, Any], as_json: bool) -> None:
    from activity_center.tailing.rows import printable

    if as_json:
        click.echo(json.dumps(piece))
        return
    text = piece["text"].removesuffix("\n")
    for line in text.split("\n"):
        click.echo(printable(line))


@command.command("watch")
@sidecar_options
@click.option("--channel", default="", help="Only this channel.")
@click.option("--organization", default="", metavar="ID", help="Only this one; -: of none.")
@click.option("--process", default="", metavar="ID", help="Only this process.")
@click.option("--until-end", is_flag=True, help="Stop when all that is shown has ended.")
@json_option
def watch(
    sidecar: Sidecar,
    channel: str,
    organization: str,
    process: str,
    until_end: bool,
    as_json: bool,
) -> int:
    """Watch processes live.

    On a terminal a step list that moves; else one line for each thing that happens (when,
    organization, id, name, what); with --json one event a line. It connects again by itself
    and goes on where it was. Ctrl-C ends it.

    \b
    Examples:
      activity-center processes watch --channel server-provisioning
      activity-center processes watch --process prc_20 --until-end && echo done
      activity-center processes watch --json | jq -c '.processes[] | [.name, .state]'

    Exit codes: 0 ended (also by Ctrl-C), 1 the sidecar refuses or does not answer, or with
    --until-end a process has failed or was cancelled, 2 wrong use.
    """
    from activity_center.cli import needing

    with needing("cli"):
        from activity_center.watch import Watch

    watching = Watch(
        sidecar.url,
        token=sidecar.token,
        ca=sidecar.ca,
        channel=channel,
        organization=organization,
        process=process,
    )

    def none() -> str:
        """What to say while there is nothing to show."""
        if process:
            return f"nothing yet under this id: {process}"
        if channel and (words := _undeclared(sidecar, channel)):
            return words
        return _unseen(sidecar, organization) if organization not in ("", "-") else ""

    try:
        with watching:
            if not as_json and sys.stdout.isatty():
                return _live(watching, until_end, none)
            return _plain(watching, until_end, as_json, none)
    except KeyboardInterrupt:
        return 0
    except BrokenPipeError:
        # The reader (head, a closed pager) has enough; leave nothing to flush at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _undeclared(sidecar: Sidecar, channel: str) -> str:
    """What to say of a channel on which nothing is; empty: it is one that is declared."""
    declared = [one["name"] for one in sidecar.get("/api/v1/channels", [])["channels"]]
    if channel in declared:
        return ""
    known = ", ".join(declared)
    return f"nothing yet on this channel, which nobody declared: {channel}; declared are {known}"


def _unseen(sidecar: Sidecar, organization: str) -> str:
    """What to say of an organization of which nothing is; empty: the token's reader knows it."""
    seen = [one["id"] for one in sidecar.get("/api/v1/organizations", [])["organizations"]]
    if organization in seen:
        return ""
    shown = ", ".join(seen[:20]) + (f" and {len(seen) - 20} more" if len(seen) > 20 else "")
    return f"nothing yet of this organization: {organization}; this token may see {shown or 'none'}"


def _plain(watching: Watch, until_end: bool, as_json: bool, none: Callable[[], str]) -> int:
    from activity_center.cli.processes_show import moved
    from activity_center.tailing.rows import printable

    before: dict[Any, Any] = {}
    for event in watching:
        if as_json:
            since = watching.stale_since
            shown = {
                **{"kind": event.kind, "recovered": event.recovered, "reason": event.reason},
                **{"cut": watching.cut, "stale_since": since.isoformat() if since else None},
            }
            print(json.dumps({**shown, "processes": event.changed}), flush=True)
        elif event.kind == "waiting":
            click.echo(f"activity-center: {event.reason}; trying again", err=True)
        elif event.kind == "stale":
            click.echo(f"activity-center: {_staleness(watching)}", err=True)
        else:
            if event.recovered is False:
                click.echo("activity-center: something may have been missed", err=True)
            if event.kind == "snapshot" and not event.changed and (words := none()):
                click.echo(f"activity-center: {printable(words)}", err=True)
            if event.kind == "snapshot" and watching.cut:
                click.echo(f"activity-center: {_CUT}", err=True)
            for one in event.changed:
                key = (one["organization"]["id"], one["id"])
                for line in moved(before.get(key), one):
                    print(line, flush=True)
                before[key] = one
        if until_end and (code := _ended(watching)) is not None:
            return code
    return 0


def _live(watching: Watch, until_end: bool, none: Callable[[], str]) -> int:
    from rich.console import Console, Group
    from rich.live import Live
    from rich.text import Text

    from activity_center.cli.processes_show import lines
    from activity_center.processes import ENDS
    from activity_center.tailing.rows import printable

    console = Console(highlight=False, markup=False, emoji=False)
    word = ""
    empty = "Nothing is running."

    def drawn() -> Group:
        """All that fits: what runs first, the newest first."""
        order = sorted(
            watching.processes.values(), key=lambda one: one["started"] or "", reverse=True
        )
        order.sort(key=lambda one: one["state"] in ENDS)
        rows = [line for one in order for line in lines(one)] or [Text(empty)]
        room = max(console.height - 2, 1)
        if len(rows) > room:
            rows = [*rows[: room - 1], Text(f"... {len(rows) - room + 1} further lines", "dim")]
        for row in rows:
            row.truncate(console.width, overflow="ellipsis")
        return Group(*rows, Text(_status(watching, word)))

    with Live(console=console, get_renderable=drawn, refresh_per_second=4):
        for event in watching:
            if event.kind == "snapshot" and not event.changed:
                empty = printable(none()) or empty
            if event.kind == "waiting":
                word = f"{event.reason}; trying again"
            elif event.recovered is not None:
                word = "" if event.recovered else "something may have been missed"
            elif word.endswith("trying again"):
                word = ""
            if until_end and (code := _ended(watching)) is not None:
                return code
    return 0


def _status(watching: Watch, word: str) -> str:
    """The line under the list: the last word of the connection, and what holds now."""
    stale = _staleness(watching) if watching.stale_since else ""
    return "; ".join(filter(None, (word, stale, _CUT if watching.cut else "")))


def _staleness(watching: Watch) -> str:
    since = watching.stale_since
    if since is None:
        return "the sidecar reads the step bus again"
    return f"since {since:%H:%M:%S} UTC the sidecar cannot read the step bus: steps come late"


def _ended(watching: Watch) -> int | None:
    """The exit code when all has ended; ``None``: it has not, or nothing is there."""
    from activity_center.processes import ENDS

    states = {one["state"] for one in watching.processes.values()}
    if not states or not states <= ENDS:
        return None
    return 0 if states == {"done"} else 1
