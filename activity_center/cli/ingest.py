"""``activity-center ingest``: read activities from a file or standard input."""

from __future__ import annotations

import gzip
import json
import shlex
import sys
import time
import zlib
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

import click

from activity_center.cli import program
from activity_center.cli.options import config_file_option
from activity_center.cli.sending import CollectorClient, collector_url
from activity_center.errors import ActivityCenterError, ClusterError

if TYPE_CHECKING:
    import io
    from collections.abc import Callable

    from collector.receive.files import Post

_SHOWN: Final = 20
_REPORTED: Final = 100
_AGAIN: Final = "what has an id or a time is stored once"


@dataclass
class Summary:
    """What became of the lines; all but ``seconds`` and ``rejections`` are counts.

    Attributes:
        lines: lines that are not blank.
        last_line: number of the last line that was settled.
        bytes: of the lines sent.
        rejections: the first 100: line, reason, detail.
    """

    lines: int = 0
    last_line: int = 0
    accepted: int = 0
    rejected: int = 0
    ignored: int = 0
    bytes: int = 0
    seconds: float = 0.0
    rejections: list[dict[str, Any]] = field(default_factory=list)

    def reject(self, line: int, reason: str, detail: str) -> None:
        """Count a line that was refused, and say so."""
        self.rejected += 1
        if len(self.rejections) < _REPORTED:
            self.rejections.append({"line": line, "reason": reason, "detail": detail})
        if self.rejected <= _SHOWN:
            click.echo(f"line {line}: {reason}: {detail}", err=True)
        elif self.rejected == _SHOWN + 1:
            click.echo("further rejected lines are only counted", err=True)


def _send(
    stream: io.BufferedReader,
    collector: CollectorClient,
    summary: Summary,
    advance: Callable[[], None],
) -> None:
    from collector.receive.files import Unsent, opened, posts, read_lines

    try:
        for one in posts(read_lines(opened(stream))):
            if isinstance(one, Unsent):
                summary.lines += 1
                summary.reject(one.number, one.reason, one.detail)
                summary.last_line = max(summary.last_line, one.number)
            else:
                _count(one, collector.post(one.body()), summary)
                summary.last_line = max(summary.last_line, *one.numbers)
            advance()
    except (EOFError, gzip.BadGzipFile, zlib.error) as wrong:
        raise ActivityCenterError(
            f"the gzip file is damaged after line {summary.last_line}: {wrong}",
            hint=f"what came before was sent; mend the file and run it again: {_AGAIN}",
        ) from wrong


def _count(post: Post, items: list[dict[str, Any]], summary: Summary) -> None:
    if len(items) != len(post.lines):
        raise ClusterError(f"{len(items)} answers to {len(post.lines)} lines")
    for number, line, item in zip(post.numbers, post.lines, items, strict=True):
        if not number:  # a copy of an earlier line
            continue
        summary.lines += 1
        summary.bytes += len(line)
        if item["status"] == "accepted":
            summary.accepted += 1
        elif item["status"] == "ignored":
            summary.ignored += 1
        else:
            summary.reject(number, item.get("reason", "invalid"), item.get("detail", ""))


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option("--source", required=True, help="The source mapping; see activity-center sources.")
@config_file_option("the collector whose first HTTP listener is used")
@click.option("--url", help="Address of the collector instead, such as https://host:9880.")
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
    default=300.0,
    show_default=True,
    help="Seconds to go on when the collector is full or away.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")
def command(
    file: str,
    source: str,
    config_file: str | None,
    url: str | None,
    token: str,
    ca: str,
    retry_for: float,
    as_json: bool,
) -> None:
    """Send a file, or standard input (-), to a running collector: one JSON object a line,
    plain or gzip.

    A line is counted as accepted when it is durable. The same file may be sent again, or
    after a break: a line whose record has an id or a time is stored once. Equal lines are
    events of their own, unless their records have an id or they are more than 100,000
    lines apart.

    Exit code: 0 every line is accepted or ignored by the mapping, 1 some were rejected or
    the collector could not be reached.

    \b
    Examples:
      activity-center ingest audit.log.gz --source kubernetes-audit --config activity-center.yml
      kubectl logs job/x | activity-center ingest - --source native --url https://collector:9880
    """
    if not token:
        raise click.UsageError("--token or ACTIVITY_CENTER_TOKEN is needed")
    collector = CollectorClient(collector_url(url, config_file), token, ca, source, retry_for)
    summary = Summary()
    started = time.monotonic()
    whole = False
    try:
        if file == "-":
            _with_progress(sys.stdin.buffer, None, collector, summary)
        else:
            from pathlib import Path

            with Path(file).open("rb") as stream:
                _with_progress(stream, Path(file).stat().st_size, collector, summary)
        whole = True
    finally:
        collector.close()
        summary.seconds = round(time.monotonic() - started, 3)
        _print(summary, as_json, config_file)
        if not whole:
            click.echo(f"stopped after line {summary.last_line}; run it again: {_AGAIN}", err=True)
    if summary.rejected:
        raise click.exceptions.Exit(1)


def _with_progress(
    stream: Any, size: int | None, collector: CollectorClient, summary: Summary
) -> None:
    """Send with a progress bar by bytes of the file, on a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()
    ) as progress:
        task = progress.add_task("sending", total=size)

        def advance() -> None:
            done = stream.tell() if size is not None else summary.bytes
            progress.update(task, completed=done, description=f"{summary.accepted} accepted")

        _send(stream, collector, summary, advance)


def _print(summary: Summary, as_json: bool, config_file: str | None) -> None:
    if as_json:
        click.echo(json.dumps(asdict(summary)))
        return
    click.echo(
        f"{summary.lines} lines: {summary.accepted} accepted, {summary.rejected} rejected, "
        f"{summary.ignored} ignored, in {summary.seconds:.1f} s"
    )
    if summary.rejected:
        # Without --config the collector's file is known only where the collector runs.
        where = shlex.quote(config_file) if config_file else "FILE  (the collector's)"
        click.echo(f"See them with: {program()} rejected list --config {where}", err=True)
