"""``activity-center retention remove-organization``: an organization's entries, everywhere."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from activity_center.cli.retention_options import (
    config_option,
    connected,
    day,
    json_option,
    progress,
)

if TYPE_CHECKING:
    from collector.retention import Share


_ELSEWHERE = (
    "The step bus keeps steps of processes, and the spool of each collector up to 64 MiB of what "
    "was delivered, until newer entries take their place: that may be long. To end it sooner: "
    'docs/retention.md, "What the bus and the spools keep".'
)


@click.command("remove-organization")
@click.argument("organization", metavar="ID")
@click.option("--dry-run", is_flag=True, help="Only count what would be deleted and kept.")
@click.option("--yes", is_flag=True, help="Do not ask to type the id.")
@json_option
@config_option
def remove_organization(
    organization: str, dry_run: bool, yes: bool, as_json: bool, config_file: str | None
) -> None:
    """Delete every entry of an organization, in all streams, whatever its age.

    What the law keeps (billing) stays until it is due; the command says how much, and until
    when. Archives cannot be changed: a tombstone is kept, and applied to whatever is
    restored. The step bus and the collectors' spools are not touched; the command says so. Take
    the organization out of the configuration first. Killed in the middle, it is run again and
    goes on.

    \b
    Examples:
      activity-center retention remove-organization northwind --dry-run
      activity-center retention remove-organization northwind
      activity-center retention remove-organization northwind --yes --json
    """
    from rich.console import Console

    from activity_center.policies import policies
    from collector.retention import remove, shares

    err = Console(stderr=True, highlight=False)
    with connected(config_file) as client:
        found = shares(client, policies(), organization)
        if not as_json or dry_run:
            _show(found, organization, as_json=as_json)
        if dry_run:
            return
        if not yes:
            typed = click.prompt(f"This cannot be undone. Type {organization} to go on")
            if typed != organization:
                raise click.UsageError("the id was not typed: nothing was deleted")
        with progress(err) as on_step:
            stone = remove(
                client,
                policies(),
                organization,
                on_share=lambda one, number, total: on_step(one.backing.name, number, total),
                on_wait=lambda text: err.print(text, style="yellow", soft_wrap=True),
            )
    if as_json:
        document = {
            "organization": organization,
            "deleted": dict(stone.deleted),
            "kept": dict(stone.kept),
            "done": stone.done,
            "elsewhere": _ELSEWHERE,
        }
        click.echo(json.dumps(document))
        return
    click.echo(f"{sum(stone.deleted.values())} entries of {organization} were deleted.")
    if stone.kept:
        click.echo(f"{sum(stone.kept.values())} are kept by law until they are due.")
    click.echo(_ELSEWHERE)


def _show(found: list[Share], organization: str, *, as_json: bool) -> None:
    if as_json:
        rows = [
            {
                "index": one.backing.name,
                "documents": one.documents,
                "legal": one.legal,
                "until": day(one.until) or None,
            }
            for one in found
        ]
        click.echo(json.dumps({"organization": organization, "indices": rows}))
        return
    going = sum(one.documents for one in found if not one.legal)
    click.echo(f"{going} entries of {organization} to delete.")
    for one in found:
        if one.legal:
            click.echo(
                f"{one.documents} entries in {one.backing.name} are kept by law until "
                f"{day(one.until) or 'they are due'}."
            )
