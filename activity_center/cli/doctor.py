"""``activity-center doctor``: check the cluster and say what to do."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from activity_center.cli.options import config_file_option

if TYPE_CHECKING:
    from collections.abc import Iterable

    from opensearchpy import OpenSearch
    from rich.console import Console

    from activity_center.config import Config
    from activity_center.setup import Finding
    from activity_center.setup.doctor import SpoolFolder

_MARKS: Final = {
    "ok": "[green]ok  [/green]",
    "warn": "[yellow]warn[/yellow]",
    "fail": "[red]fail[/red]",
}


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help='One object: {"findings": [...], "ok": …}.')
@config_file_option("its accounts, its data folder and its spools are checked too")
def command(as_json: bool, config_file: str | None) -> None:
    """Check the cluster and say what to do.

    Looks at version, plugins, health, clocks, disk watermarks, room for shards, templates,
    streams and rights; with --config also at the collector's own accounts, its data folder,
    the step bus and spools left behind. It changes nothing.

    The cluster is OPENSEARCH_URL (with OPENSEARCH_USERNAME and OPENSEARCH_PASSWORD, or
    OPENSEARCH_API_TOKEN; OPENSEARCH_CA), else the one in --config, else the embedded node.

    \b
    Examples:
      activity-center doctor
      activity-center doctor --config activity-center.yml
      activity-center doctor --json | jq '.findings[] | select(.level != "ok")'

    Exit codes: 0 nothing failed (warnings are allowed), 1 a check failed, 2 wrong use.
    """
    from rich.console import Console

    from activity_center import config as configuration

    config = configuration.load(config_file) if config_file else None
    found = _findings(config)
    findings = [*found] if as_json else [*_shown(Console(highlight=False), found)]
    levels = Counter(str(finding.level) for finding in findings)
    if as_json:
        document = {"findings": [one.as_json() for one in findings], "ok": not levels["fail"]}
        click.echo(json.dumps(document, ensure_ascii=False))
    else:
        click.echo(f"{levels['ok']} ok, {levels['warn']} warnings, {levels['fail']} failed.")
    sys.exit(1 if levels["fail"] else 0)


def _findings(config: Config | None) -> Iterator[Finding]:
    from activity_center.connection import connect
    from activity_center.setup import desired_state, diagnose
    from activity_center.setup.access import administrator
    from activity_center.setup.doctor import diagnose_machine

    with ExitStack() as stack:
        client = stack.enter_context(closing(connect(administrator(config))))
        delivery = maintenance = None
        if config is not None:
            delivery = stack.enter_context(closing(connect(config.opensearch)))
            if config.maintain is not None:
                maintenance = stack.enter_context(closing(connect(config.maintainer)))
        reached = False
        for finding in diagnose(
            client, desired_state(config), delivery=delivery, maintenance=maintenance
        ):
            reached = reached or finding.check != "version"
            yield finding
        if reached:
            yield from _retention(client)
    if config is not None:
        yield from diagnose_machine(config, _spools(Path(config.collector.data_dir)))


def _retention(client: OpenSearch) -> Iterator[Finding]:
    """What ``retention doctor`` finds; nothing without the collector's packages."""
    from activity_center.policies import policies
    from activity_center.setup.doctor.finding import run

    try:
        from collector.retention import check_retention
    except ModuleNotFoundError:
        return
    yield from run("retention", lambda: check_retention(client, policies(), datetime.now(UTC)))


def _shown(out: Console, findings: Iterable[Finding]) -> Iterator[Finding]:
    """Print each finding when it is there, its advice below it."""
    from rich.markup import escape

    for one in findings:
        out.print(f"{_MARKS[one.level]}  {one.check:<13} {escape(one.message)}", soft_wrap=True)
        if one.advice:
            out.print(f"{'':<19} → {escape(one.advice)}", soft_wrap=True)
        yield one


def _spools(data_dir: Path) -> list[SpoolFolder] | None:
    """The workers' folders below ``data_dir``; ``None`` without the collector's packages."""
    import fcntl

    from activity_center.setup.doctor import SpoolFolder

    try:
        from collector.spool import layout
    except ModuleNotFoundError:
        return None
    folders = []
    for path in sorted(data_dir.glob("*")) if data_dir.is_dir() else ():
        index = layout.worker_index(path)
        if index is None:
            continue
        sizes = [file.stat().st_size for file in path.rglob("*.segment")]
        owned = False
        try:
            with (path / layout.LOCK).open("rb") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    owned = True
        except OSError:
            owned = False
        folders.append(
            SpoolFolder(
                path=path,
                index=index,
                size=sum(sizes),
                undelivered=any(size > layout.SEGMENT_HEADER_BYTES for size in sizes),
                owned=owned,
            )
        )
    return folders
