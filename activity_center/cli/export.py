"""``activity-center export``: check a file that was exported from the record."""

from __future__ import annotations

import json
from typing import IO, Any

import click


@click.group("export", no_args_is_help=True)
def command() -> None:
    """Check a file that was exported from the record.

    \b
    Examples:
      activity-center export verify activities-all-20261124T130231Z.csv
      curl -fsS "$ADDRESS" | activity-center export verify -
    """


@command.command("verify")
@click.argument("file", type=click.File("rb"))
@click.option("--json", "as_json", is_flag=True, help="The verdict as JSON.")
def verify(file: IO[bytes], as_json: bool) -> int:
    """Tell whether FILE (- for standard input; also .gz) is a whole export, unchanged.

    Exit code 0: to the last byte; 1: it was cut off or altered.

    \b
    Examples:
      activity-center export verify activities-all-20261124T130231Z.csv
      activity-center export verify --json - < activities.ndjson
    """
    from sidecar_api.export.verify import verify as look

    verdict = look(file)
    if as_json:
        said = {"whole": verdict.whole, "reason": verdict.reason, "manifest": verdict.manifest}
        click.echo(json.dumps(said))
    elif verdict.whole and verdict.manifest is not None:
        told = verdict.manifest
        asked = " ".join(f"{name}={value}" for name, value in told["filter"]) or "no filter"
        click.echo(
            f"whole: {_counted(told)} as {told['format']}, {asked}\n"
            f"  from {told['first'] or '-'} to {told['last'] or '-'}, as of {told['as_of']}\n"
            f"  SHA-256 of the {told['bytes']} bytes before the manifest: {told['sha256']}"
        )
    else:
        click.echo(f"not whole: {verdict.reason}\n  hint: {verdict.hint}", err=True)
    return 0 if verdict.whole else 1


def _counted(manifest: dict[str, Any]) -> str:
    """What is counted, by its name."""
    one, many = ("proposal", "proposals") if manifest.get("what") else ("activity", "activities")
    return f"{manifest['count']} {one if manifest['count'] == 1 else many}"
