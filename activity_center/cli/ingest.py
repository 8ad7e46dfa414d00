"""``activity-center ingest``: read activities from a file or standard input."""

from __future__ import annotations

import gzip
import json
import sys
import time
import zlib
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

import click

from activity_center.errors import ActivityCenterError, ClusterError, ConfigError

if TYPE_CHECKING:
    import io
    from collections.abc import Callable
    from http.client import HTTPConnection

    from collector.receive.files import Post

_TIMEOUT: Final = 60.0
_LONGEST_WAIT: Final = 10.0
_SHOWN: Final = 20
_REPORTED: Final = 100
_AGAIN: Final = (429, 502, 503, 504)


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


class _Collector:
    """A running collector, over one kept-alive connection."""

    def __init__(self, url: str, token: str, ca: str, source: str, retry_for: float) -> None:
        self._url = urlsplit(url)
        self._token = token
        self._ca = ca
        self._path = f"/v1/activities?source={quote(source)}"
        self._retry_for = retry_for
        self._connection: HTTPConnection | None = None
        self._check()

    def _check(self) -> None:
        from activity_center.config import is_loopback

        url = self._url
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ConfigError("not http://host:port or https://host:port", where=url.geturl())
        if url.scheme == "http" and not is_loopback(f"{url.hostname}:0"):
            raise ConfigError(
                "the token would travel unencrypted", where=url.geturl(), hint="use https://"
            )

    def _connect(self) -> HTTPConnection:
        import http.client
        import ssl

        host, port = self._url.hostname or "", self._url.port
        if self._url.scheme == "http":
            return http.client.HTTPConnection(host, port or 80, timeout=_TIMEOUT)
        try:
            context = ssl.create_default_context(cafile=self._ca or None)
        except OSError as wrong:
            raise ConfigError(f"cannot read the CA: {wrong.strerror}", where=self._ca) from wrong
        return http.client.HTTPSConnection(host, port or 443, timeout=_TIMEOUT, context=context)

    def post(self, body: bytes) -> list[dict[str, Any]]:
        """Send NDJSON until the collector answers that it is durable.

        Returns:
            What became of each line.

        Raises:
            ClusterError: it refuses, or does not answer for ``retry_for`` seconds.
        """
        packed = gzip.compress(body, 1)
        deadline = time.monotonic() + self._retry_for
        pause = 0.25
        while True:
            wrong, wait = "", None
            try:
                status, retry_after, answer = self._request(packed)
                if status == 200:
                    items: list[dict[str, Any]] = json.loads(answer)["items"]
                    return items
                if status not in _AGAIN:
                    raise self._refused(status, answer)
                wrong, wait = f"HTTP {status}", retry_after
            except (OSError, ValueError, KeyError) as failed:
                self.close()
                wrong = _words(failed)
            pause = min(_LONGEST_WAIT, 2 * pause)
            wait = pause if wait is None else min(_LONGEST_WAIT, wait)
            if time.monotonic() + wait > deadline:
                raise ClusterError(
                    f"not taken for {self._retry_for:.0f} s: {wrong}",
                    where=self._url.geturl(),
                    hint="is the collector running, and OpenSearch behind it?",
                )
            time.sleep(wait)

    def _request(self, packed: bytes) -> tuple[int, float | None, bytes]:
        from http.client import HTTPException

        headers = {
            "Authorization": f"Bearer {self._token}",
            "Content-Type": "application/x-ndjson",
            "Content-Encoding": "gzip",
        }
        if self._connection is None:
            self._connection = self._connect()
        try:
            self._connection.request("POST", self._path, packed, headers)
            response = self._connection.getresponse()
            answer = response.read()
        except HTTPException as wrong:  # a connection that the other side has closed
            raise OSError(f"no HTTP answer: {type(wrong).__name__}") from wrong
        after = response.getheader("Retry-After", "")
        if response.will_close:
            self.close()
        return response.status, float(after) if after.isdigit() else None, answer

    def _refused(self, status: int, answer: bytes) -> ClusterError:
        try:
            problem = json.loads(answer)
            detail, hint = str(problem["detail"]), problem.get("hint")
        except (ValueError, KeyError, TypeError):
            detail, hint = "not the answer of a collector", "see collector.http in the config"
        return ClusterError(f"HTTP {status}: {detail}", where=self._url.geturl(), hint=hint)

    def close(self) -> None:
        """Close the connection; the next request opens one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _words(failed: Exception) -> str:
    if isinstance(failed, OSError):
        return failed.strerror or str(failed) or type(failed).__name__
    return "the answer is not readable"


def _address(url: str | None, config_file: str | None) -> str:
    """Return the collector's URL: given, or the first HTTP listener of the configuration."""
    if url:
        return url
    if not config_file:
        raise click.UsageError("--config FILE or --url URL is needed: where is the collector?")
    from activity_center.config import load

    listeners = load(config_file).collector.http
    if not listeners:
        raise ConfigError(
            "there is no HTTP listener to send to",
            where=config_file,
            hint="add one under collector.http, or give --url",
        )
    host, _, port = listeners[0].bind.rpartition(":")
    host = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)
    return f"{'https' if listeners[0].tls else 'http'}://{host}:{port}"


def _send(
    stream: io.BufferedReader,
    collector: _Collector,
    summary: Summary,
    advance: Callable[[], None],
) -> None:
    from collector.receive.files import Refused, opened, posts, read_lines

    try:
        for one in posts(read_lines(opened(stream))):
            if isinstance(one, Refused):
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
            hint="what came before was sent; mend the file and run it again: nothing doubles",
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
@click.option(
    "--config",
    "config_file",
    type=click.Path(exists=True, dir_okay=False),
    help="Configuration of the collector; its first HTTP listener is used.",
)
@click.option("--url", help="Address of the collector instead, such as https://host:9880.")
@click.option(
    "--token",
    envvar="ACTIVITY_CENTER_TOKEN",
    required=True,
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
    after a break: nothing is stored twice. Equal lines are events of their own, unless
    their records have an id or they are more than 100,000 lines apart.

    Exit code: 0 every line is accepted or ignored by the mapping, 1 some were rejected or
    the collector could not be reached.

    \b
    Examples:
      activity-center ingest audit.log.gz --source kubernetes-audit --config activity-center.yml
      kubectl logs job/x | activity-center ingest - --source native --url https://collector:9880
    """
    collector = _Collector(_address(url, config_file), token, ca, source, retry_for)
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
        _print(summary, as_json)
        if not whole:
            click.echo(
                f"stopped after line {summary.last_line}; run it again, nothing doubles", err=True
            )
    if summary.rejected:
        raise click.exceptions.Exit(1)


def _with_progress(stream: Any, size: int | None, collector: _Collector, summary: Summary) -> None:
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


def _print(summary: Summary, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(asdict(summary)))
        return
    click.echo(
        f"{summary.lines} lines: {summary.accepted} accepted, {summary.rejected} rejected, "
        f"{summary.ignored} ignored, in {summary.seconds:.1f} s"
    )
    if summary.rejected:
        click.echo("See them with: activity-center rejected list", err=True)
