"""``activity-center rejected``: what was refused, why, and sending it again."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import click

from activity_center.cli.rejected_options import (
    Store,
    chosen,
    filter_options,
    find_one,
    store_options,
)
from activity_center.cli.rejected_replay import replay
from activity_center.errors import ActivityCenterError
from activity_center.tailing import printable

WIDE: Final = 120
"""Cells of a terminal from which on times, senders and sources are shown whole."""

if TYPE_CHECKING:
    from collector.rejected import Rejected


@click.group()
def command() -> None:
    """List, show and replay rejected events.

    Nothing is dropped silently: what the collector or OpenSearch refuses is kept here,
    whole and redacted, with the reason. A copy is searchable in the stream
    activity-rejected.

    \b
    Examples:
      activity-center rejected list --config activity-center.yml --since 24h
      activity-center rejected show 3f9a --data-dir activity-center-data
      activity-center rejected replay --config activity-center.yml --reason no_source
    """


@command.command("list")
@store_options
@filter_options
@click.option(
    "--limit", type=click.IntRange(min=1), default=100, show_default=True, help="At most so many."
)
@click.option("--all", "all_", is_flag=True, help="Also those that were sent again.")
@click.option("--json", "as_json", is_flag=True, help="One array of objects.")
def list_(
    config_file: str | None,
    data_dir: str | None,
    since: datetime | None,
    reason: str | None,
    sender: str | None,
    limit: int,
    all_: bool,
    as_json: bool,
) -> None:
    """List rejected records, oldest first.

    Into a pipe: one line a record, with tabs between id, time of receipt, reason, sender,
    source and detail. Control characters in the data are shown as escapes.

    \b
    Examples:
      activity-center rejected list --config activity-center.yml
      activity-center rejected list --data-dir data --reason undecodable --since 7d
      activity-center rejected list --data-dir data --json | jq -r '.[].detail'
    """
    with Store(config_file, data_dir) as store:
        which = chosen(since, reason, sender, all_)
        total = store.count(**which)
        rows = list(store.select(**which, limit=limit))
    if as_json:
        click.echo(json.dumps([_as_object(row, record=False) for row in rows], indent=1))
        return
    if not rows:
        click.echo("nothing is rejected")
        return
    _table(rows)
    if total > len(rows):
        click.echo(f"{len(rows)} of {total}; more with --limit", err=True)


@command.command("show")
@click.argument("id_", metavar="ID")
@store_options
@click.option("--raw", is_flag=True, help="Only the bytes that did not decode, as they came.")
@click.option("--json", "as_json", is_flag=True, help="One object.")
def show(id_: str, config_file: str | None, data_dir: str | None, raw: bool, as_json: bool) -> None:
    """Show one rejected record; the beginning of its ID is enough.

    \b
    Examples:
      activity-center rejected show 3f9a --config activity-center.yml
      activity-center rejected show 3f9a --data-dir data --raw | xxd | head
    """
    with Store(config_file, data_dir) as store:
        row = find_one(store, id_)
        if raw:
            if row.raw_length is None:
                raise ActivityCenterError(
                    "it has no raw bytes", where=row.id, hint="leave --raw out"
                )
            sys.stdout.buffer.write(store.raw_path(row.id).read_bytes())
            return
        file = str(store.raw_path(row.id)) if row.raw_length is not None else ""
    if as_json:
        click.echo(json.dumps({**_as_object(row, record=True), "raw_file": file or None}, indent=1))
        return
    for name, value in _lines(row, file):
        click.echo(f"{name:<10} {printable(value)}")
    if row.record is not None:
        click.echo()
        for line in _pretty(row.record).split("\n"):
            click.echo(printable(line))


@command.command("discard")
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@store_options
@click.option("--yes", is_flag=True, help="Do not ask.")
def discard(ids: tuple[str, ...], config_file: str | None, data_dir: str | None, yes: bool) -> None:
    """Delete rejected records for good, to make room; replayed ones go by themselves.

    \b
    Examples:
      activity-center rejected discard 3f9a --config activity-center.yml
      activity-center rejected list --data-dir data --reason undecodable --json |
        jq -r '.[].id' | xargs activity-center rejected discard --data-dir data --yes
    """
    with Store(config_file, data_dir) as store:
        rows = [find_one(store, id_) for id_ in ids]
        if not yes:
            click.confirm(f"delete {len(rows)} rejected records for good?", abort=True)
        store.discard([row.id for row in rows])
    click.echo(f"{len(rows)} deleted")


def _time(nanoseconds: int | None) -> str | None:
    if nanoseconds is None:
        return None
    try:
        return datetime.fromtimestamp(nanoseconds / 1e9, UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):
        return str(nanoseconds)


def _as_object(row: Rejected, *, record: bool) -> dict[str, Any]:
    value = asdict(row)
    text = (value.pop("record") or b"").decode("utf-8", "replace")
    value["received"], value["replayed"] = _time(row.received), _time(row.replayed)
    if record:
        value["record"] = text if row.record is not None else None
    return value


def _lines(row: Rejected, file: str) -> Iterator[tuple[str, str]]:
    from collector.records import REASONS

    yield "id", row.id
    yield "received", _time(row.received) or ""
    yield "reason", f"{row.reason}: {REASONS.get(row.reason, '')}"
    for name, value in (
        ("detail", row.detail),
        ("path", row.path),
        ("sender", row.sender),
        ("source", row.source),
        ("tag", row.tag),
        ("replayed", _time(row.replayed)),
    ):
        if value:
            yield name, value
    if file:
        yield "raw", f"{file} ({row.raw_length} bytes, SHA-256 {row.raw_sha256})"


def _pretty(record: bytes) -> str:
    try:
        return json.dumps(json.loads(record), ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        return record.decode("utf-8", "replace")


def _table(rows: list[Rejected]) -> None:
    """One line a record, with tabs, for programs; on a terminal columns that fit."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    out = Console(highlight=False)
    if not out.is_terminal:
        for row in rows:
            click.echo("\t".join(_cells(row)))
        return
    narrow = out.width < WIDE
    table = Table(box=None, pad_edge=False, header_style="bold", expand=True)
    for name, width in (("id", 12), ("received", 11 if narrow else 19), ("reason", 13),
                        ("sender", 10 if narrow else 16), ("source", 10 if narrow else 20),
                        ):  # fmt: skip
        table.add_column(name, no_wrap=True, overflow="ellipsis", max_width=width)
    table.add_column("detail", overflow="fold", ratio=1)
    for row in rows:
        id_, received, *others = _cells(row)
        received = received[5:16] if narrow else received[:19]
        table.add_row(*[Text(cell) for cell in (id_[:12], received, *others)])
    out.print(table)


def _cells(row: Rejected) -> tuple[str, ...]:
    """Id, time of receipt, reason, sender, source, detail: safe to print."""
    detail = f"{row.path}: {row.detail}" if row.path else row.detail
    values = (row.id, _time(row.received), row.reason, row.sender, row.source, detail)
    return tuple(printable(value) for value in values)


command.add_command(replay)
