"""``activity-center archive``: what was archived, and bringing it back."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from activity_center.cli.options import time_option
from activity_center.cli.retention_options import (
    config_option,
    connected,
    day,
    json_option,
    progress,
)
from activity_center.cli.table import table

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

    from collector.retention import Snapshot

repository_option = click.option(
    "--repository",
    default="activity-center-archive",
    show_default=True,
    help="The snapshot repository.",
)
stream_option = click.option("--stream", help="Only this data stream, activity-audit-standard-90d.")
since_option = time_option("--since", text="Only entries from then on.")
until_option = time_option("--until", text="Only entries before then.")


@click.group()
def command() -> None:
    """List what was archived, and bring it back.

    Policies archive an index as a snapshot of its own before they delete it.

    \b
    Examples:
      activity-center archive list
      activity-center archive restore --stream activity-audit-standard-90d --since 2026-01-01
    """


@command.command("list")
@repository_option
@stream_option
@since_option
@until_option
@json_option
@config_option
def list_(
    repository: str,
    stream: str | None,
    since: datetime | None,
    until: datetime | None,
    as_json: bool,
    config_file: str | None,
) -> None:
    """List archived indices with their period, and whether they were counted.

    \b
    Examples:
      activity-center archive list
      activity-center archive list --since 2026-01-01 --until 2026-02-01 --json
    """
    from collector.retention import archives, covering

    with connected(config_file) as client:
        chosen = covering(_snapshots(client, repository), stream=stream, since=since, until=until)
        known = {one.snapshot: one for one in archives(client).values()}
    rows = []
    for one in chosen:
        proof = known.get(one.name)
        proven = proof.proven if proof else ""
        rows.append({**_as_object(one), "proven": proven or None})
    if as_json:
        click.echo(json.dumps({"archives": rows}))
        return
    if not rows:
        click.echo(f"nothing is archived in {repository}")
        return
    table(
        ("index", "from", "to", "entries", "archived", "counted"),
        [
            (
                one["index"],
                (one["first"] or "")[:10],
                (one["last"] or "")[:10],
                str(one["documents"] if one["documents"] is not None else "?"),
                one["begun"][:10],
                (one["proven"] or "no")[:10],
            )
            for one in rows
        ],
        whole=("from", "to", "entries", "archived", "counted"),
        rather=("archived",),
    )


@command.command("restore")
@click.argument("indices", metavar="[INDEX]...", nargs=-1)
@repository_option
@stream_option
@since_option
@until_option
@click.option("--dry-run", is_flag=True, help="Only show what would be restored.")
@json_option
@config_option
def restore(
    indices: tuple[str, ...],
    repository: str,
    stream: str | None,
    since: datetime | None,
    until: datetime | None,
    dry_run: bool,
    as_json: bool,
    config_file: str | None,
) -> None:
    """Bring archived entries back as indices that can be searched, named restored-...

    Either the indices named, or those that may hold entries of a period. Entries of removed
    organizations are deleted from the copy before it opens. The copies take no writes, and no
    policy deletes them: do that yourself when they have served.

    \b
    Examples:
      activity-center archive restore --stream activity-audit-standard-90d --since 2026-01-01
      activity-center archive restore .ds-activity-audit-standard-90d-000003
      activity-center archive restore --since 2026-01-01 --until 2026-02-01 --dry-run
    """
    from rich.console import Console

    from activity_center.errors import ClusterError
    from collector.retention import bring_back, covering

    if not (indices or stream or since or until):
        raise click.UsageError("say what: an INDEX, --stream, --since or --until")
    err = Console(stderr=True, highlight=False)
    with connected(config_file) as client:
        chosen = covering(_snapshots(client, repository), stream=stream, since=since, until=until)
        if indices:
            chosen = [one for one in chosen if one.index in indices]
            missing = sorted(set(indices) - {one.index for one in chosen})
            if missing:
                raise ClusterError(
                    f"not archived: {', '.join(missing)}",
                    where=repository,
                    hint="activity-center archive list shows what is",
                )
        if dry_run:
            rows = [_as_object(one) for one in chosen]
            text = "\n".join(one.index for one in chosen) or "nothing is archived of that"
            click.echo(json.dumps({"archives": rows}) if as_json else text)
            return
        with progress(err) as on_step:
            made = bring_back(
                client,
                repository,
                chosen,
                on_snapshot=lambda one, number, total: on_step(one.index, number, total),
                on_wait=lambda text: err.print(text, style="yellow", soft_wrap=True),
            )
    if as_json:
        click.echo(json.dumps({"restored": [asdict(one) for one in made]}))
        return
    for each in made:
        buried = f", {each.buried} of removed organizations left out" if each.buried else ""
        click.echo(f"{each.name}: {each.documents} entries{buried}")
    if not made:
        click.echo("nothing is archived of that")


def _snapshots(client: OpenSearch, repository: str) -> list[Snapshot]:
    """What is in the repository.

    Raises:
        ClusterError: there is no such repository, which is not the same as an empty one.
    """
    from activity_center.errors import ClusterError
    from activity_center.setup.cluster import NOT_FOUND, ask
    from collector.retention import snapshots

    found = snapshots(client, repository)
    path = f"/_snapshot/{repository}/_all"
    if not found and not ask(client, "GET", path, allow=(NOT_FOUND,)).ok:
        raise ClusterError(
            "there is no such snapshot repository, so nothing can have been archived in it",
            where=repository,
            hint="register it (docs/retention.md, The archive), or name another one: --repository",
        )
    return found


def _as_object(one: Snapshot) -> dict[str, Any]:
    return {
        "index": one.index,
        "snapshot": one.name,
        "state": one.state,
        "begun": day(one.begun),
        "first": one.first,
        "last": one.last,
        "documents": one.documents,
    }
