"""``activity-center generate``: files that follow from the vocabulary."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command("generate")
@click.option("--check", is_flag=True, help="Write nothing; exit 2 and name each stale file.")
@click.option("--json", "as_json", is_flag=True, help='One object: {"stale": [...]}.')
@click.option(
    "--root",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Checkout to write into. Default: the one that this package stands in.",
)
def command(check: bool, as_json: bool, root: Path | None) -> None:
    """Write what is generated from the vocabulary, for those who change it.

    The vocabulary's data files in activity_center/vocabulary/ are checked first. From them
    follow the index templates, the JSON Schema of the event and the reference tables of the
    documentation; the same vocabulary always gives the same bytes.

    \b
    Examples:
      activity-center generate
      activity-center generate --check
      activity-center generate --check --json | jq '.stale[]'

    Exit codes: 0 done or up to date, 1 the vocabulary is wrong, 2 --check found stale files.
    """
    import json

    from activity_center import generate

    where = root or generate.CHECKOUT
    stale = generate.stale(where) if check else generate.write(where)
    if as_json:
        click.echo(json.dumps({"stale": stale, "written": not check}))
    elif check:
        for path in stale:
            click.echo(f"stale: {path}", err=True)
        if stale:
            click.echo("run: activity-center generate", err=True)
    else:
        for path in stale:
            click.echo(f"{'wrote' if (where / path).exists() else 'removed'} {path}")
        if not stale:
            click.echo("Everything is up to date.")
    if check and stale:
        sys.exit(2)
