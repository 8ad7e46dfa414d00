"""``activity-center rejected replay``: send rejected records again."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import click

from activity_center.cli.rejected_options import (
    Store,
    chosen,
    filter_options,
    find_one,
    store_options,
)
from activity_center.cli.sending import CollectorClient, collector_url
from activity_center.errors import ActivityCenterError

if TYPE_CHECKING:
    from collector.rejected import Rejected, RejectedStore

_AT_DELIVERY: Final = frozenset({"refused", "id_conflict"})
"""Reasons of records that are normalized already: they go through the source ``native``."""
_PART_RECORDS: Final = 2000
_PART_BYTES: Final = 2 * 1024 * 1024
_NOT_BY_ITSELF: Final = "id_conflict"
"""Sent again only when asked for: it is another event under an id that is taken."""


@click.command("replay")
@click.argument("ids", metavar="[ID]...", nargs=-1)
@store_options
@filter_options
@click.option("--source", help="Source mapping for all of them; default: the one of each.")
@click.option("--url", help="Address of the collector, instead of the first HTTP listener.")
@click.option(
    "--token",
    envvar="ACTIVITY_CENTER_TOKEN",
    default="",
    help="Bearer token of a sender; better in ACTIVITY_CENTER_TOKEN than on the command line.",
)
@click.option(
    "--ca", envvar="ACTIVITY_CENTER_CA", default="", help="PEM file of the collector's authority."
)
@click.option(
    "--retry-for",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    help="Seconds to go on when the collector is full or away.",
)
@click.option("--print", "print_", is_flag=True, help="Print the records (NDJSON), send nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")
def replay(
    ids: tuple[str, ...],
    config_file: str | None,
    data_dir: str | None,
    since: datetime | None,
    reason: str | None,
    sender: str | None,
    source: str | None,
    url: str | None,
    token: str,
    ca: str,
    retry_for: float,
    print_: bool,
    as_json: bool,
) -> None:
    """Send rejected records to the running collector again, all or those chosen.

    For when the cause is mended: a source mapping, a right, a template. Records that were
    one chunk go as one, with their tag and the time that their transport gave them, so
    that each is the event that it would have been: replaying again, after a break or
    beside the sender's own repetition stores nothing twice.

    Two kinds are exceptions. A record with neither an id nor any time is a new event
    whenever it comes: a connection that breaks before the answer can store it twice. A
    document that OpenSearch refused goes through the source native, as an event of that
    source: replaying it again stores nothing twice, but the sender's own repetition does.

    What is rejected again has a new entry with the new reason. Bytes that did not decode
    cannot be sent; conflicts of ids only by their own ID or with --reason id_conflict.

    Exit code: 0 all were accepted, 1 some were rejected again or could not be sent.

    \b
    Examples:
      activity-center rejected replay --config activity-center.yml --reason no_source
      activity-center rejected replay 3f9a 77b0 --config activity-center.yml --source native
      activity-center rejected replay --data-dir data --print > records.ndjson
    """
    with Store(config_file, data_dir) as store:
        rows = _to_replay(store, ids, chosen(since, reason, sender, False), reason)
        if print_:
            for row in rows:
                if row.record is not None:
                    click.echo(_record(row))
            return
        if not token:
            raise click.UsageError("--token or ACTIVITY_CENTER_TOKEN is needed")
        address = collector_url(url, config_file)
        total = len(ids) or store.count(**chosen(since, reason, sender, False))
        summary = _replay(store, rows, _Target(address, token, ca, source, retry_for), total)
    if as_json:
        click.echo(json.dumps(asdict(summary)))
    else:
        click.echo(
            f"{summary.accepted} accepted, {summary.ignored} ignored, "
            f"{summary.rejected} rejected again, {summary.skipped} without a record to send"
        )
    if summary.rejected or summary.skipped:
        raise click.exceptions.Exit(1)


@dataclass
class _Summary:
    accepted: int = 0
    ignored: int = 0
    rejected: int = 0
    skipped: int = 0
    seconds: float = 0.0


class _Replayer(CollectorClient):
    """Posts replayed records; the form is that of ``collector/receive/http/replay.py``.

    Args:
        source: a source mapping, or ``""``: routed by the tag, as at first.
        tag: the Forward tag with which they came, or ``""``.
    """

    def __init__(
        self, url: str, token: str, ca: str, source: str, tag: str, retry_for: float
    ) -> None:
        super().__init__(url, token, ca, source, retry_for)
        query = {"source": source, "form": "replay", "tag": tag}
        self._path = f"{self._path.partition('?')[0]}?{urlencode(query)}"


class _Target:
    """The running collector; a connection for each source and tag."""

    def __init__(self, url: str, token: str, ca: str, source: str | None, retry_for: float) -> None:
        self._url, self._token, self._ca, self._source = url, token, ca, source
        self._retry_for = retry_for
        self._open: dict[tuple[str, str], _Replayer] = {}

    def send(self, rows: list[Rejected]) -> list[str]:
        """Send one chunk; return the status of each record."""
        key = self._source or _source(rows[0]), rows[0].tag
        if key not in self._open:
            self._open[key] = _Replayer(self._url, self._token, self._ca, *key, self._retry_for)
        return [str(item["status"]) for item in self._open[key].post(b"".join(map(_line, rows)))]

    def close(self) -> None:
        for connection in self._open.values():
            connection.close()


def _replay(
    store: RejectedStore, rows: Iterator[Rejected], target: _Target, total: int
) -> _Summary:
    from rich.console import Console
    from rich.progress import Progress

    summary = _Summary()
    started = time.monotonic()
    with Progress(
        console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()
    ) as progress:
        task = progress.add_task("replaying", total=total)
        try:
            for _, group in groupby(rows, key=_chunk):
                chunk = list(group)
                sendable = [row for row in chunk if row.record is not None]
                summary.skipped += len(chunk) - len(sendable)
                for part in _parts(sendable):
                    _settle(store, part, target.send(part), summary)
                    progress.advance(task, len(part))
        finally:
            target.close()
            summary.seconds = round(time.monotonic() - started, 3)
    return summary


def _settle(
    store: RejectedStore, rows: list[Rejected], statuses: list[str], summary: _Summary
) -> None:
    if len(rows) != len(statuses):
        raise ActivityCenterError(f"{len(statuses)} answers to {len(rows)} records")
    for status in statuses:
        if status == "accepted":
            summary.accepted += 1
        elif status == "ignored":
            summary.ignored += 1
        else:
            summary.rejected += 1  # it has a new entry now
    store.mark_replayed([row.id for row in rows])


def _chunk(row: Rejected) -> tuple[int, str, str, str, bool]:
    """What arrived together: equal records of one chunk are events of their own."""
    return row.received, row.sender, row.source, row.tag, row.reason in _AT_DELIVERY


def _parts(rows: list[Rejected]) -> Iterator[list[Rejected]]:
    """Split a large chunk, never between equal records."""
    part: list[Rejected] = []
    size = 0
    for record, equal in groupby(sorted(rows, key=_bytes), key=_bytes):
        same = list(equal)
        if part and (len(part) >= _PART_RECORDS or size + len(record) > _PART_BYTES):
            yield part
            part, size = [], 0
        part += same
        size += len(record) * len(same)
    if part:
        yield part


def _bytes(row: Rejected) -> bytes:
    return row.record or b""


def _source(row: Rejected) -> str:
    return "native" if row.reason in _AT_DELIVERY else row.source


def _line(row: Rejected) -> bytes:
    """Return the record in its envelope."""
    moment = "null" if row.time is None else str(row.time)
    return f'{{"time":{moment},"record":{_record(row)}}}\n'.encode()


def _record(row: Rejected) -> str:
    """Return the record as one line; of a normalized one, without what senders cannot set."""
    text = (row.record or b"").decode("utf-8", "replace")
    if row.reason not in _AT_DELIVERY:
        return text
    from activity_center.vocabulary import fields

    document = json.loads(text)
    for field in fields().values():
        if field.reserved:
            *parents, last = field.name.split(".")
            inner = document
            for name in parents:
                inner = inner.get(name, {}) if isinstance(inner, dict) else {}
            if isinstance(inner, dict):
                inner.pop(last, None)
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def _to_replay(
    store: RejectedStore, ids: tuple[str, ...], which: dict[str, Any], reason: str | None
) -> Iterator[Rejected]:
    if ids:
        yield from sorted((find_one(store, id_) for id_ in ids), key=_chunk)
        return
    # Not what this replay itself makes the collector reject.
    for row in store.select(**which, newest=store.newest()):
        if row.reason != _NOT_BY_ITSELF or reason == _NOT_BY_ITSELF:
            yield row
