"""``activity-center dashboards``: the saved objects of OpenSearch Dashboards."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from activity_center.dashboards import PAGE

if TYPE_CHECKING:
    from activity_center.dashboards.remote import Dashboards

_PAGE: Final = click.option(
    "--page-url",
    default=PAGE,
    show_default=True,
    help="Address of the Activity Center page, which links lead to.",
)
_TENANT: Final = click.option(
    "--tenant", default="global", show_default=True, help="Tenant of the security plugin."
)


@click.group("dashboards", no_args_is_help=True)
def command() -> None:
    """Index patterns, searches, queries and dashboards for OpenSearch Dashboards.

    The server is OPENSEARCH_DASHBOARDS_URL, with the login of OPENSEARCH_USERNAME and
    OPENSEARCH_PASSWORD, or OPENSEARCH_API_TOKEN; OPENSEARCH_CA. An address that ends in
    /w/ID is a workspace's.

    \b
    Examples:
      activity-center dashboards import
      activity-center dashboards export --output activity-center.ndjson
      activity-center dashboards diff
    """


@command.command("export")
@click.option(
    "--output",
    "-o",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write there instead of to standard output.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON array instead of NDJSON.")
@_PAGE
def export(output: Path | None, as_json: bool, page_url: str) -> None:
    """Write all objects as one NDJSON file, also for Dashboards' own import screen.

    In Dashboards: Dashboards Management, Saved objects, Import, "Automatically overwrite".

    \b
    Examples:
      activity-center dashboards export --output activity-center.ndjson
      activity-center dashboards export --page-url https://audit.example > all.ndjson

    Exit codes: 0 done, 1 failed, 2 wrong use.
    """
    from activity_center.dashboards import encode, ndjson, objects
    from activity_center.dashboards.bundle import page_address

    page = page_address(page_url)
    made = [encode(one, page) for one in objects()]
    text = json.dumps(made, ensure_ascii=False) + "\n" if as_json else ndjson(made)
    if output is None:
        click.echo(text, nl=False)
        return
    output.write_text(text, encoding="utf-8")
    click.echo(f"{output}: {len(made)} objects", err=True)


@command.command("diff")
@click.option("--json", "as_json", is_flag=True, help='One object: {"objects": [...]}.')
@_PAGE
@_TENANT
def diff(as_json: bool, page_url: str, tenant: str) -> None:
    """Tell which of our objects are missing or were changed in Dashboards.

    \b
    Examples:
      activity-center dashboards diff
      activity-center dashboards diff --json | jq '.objects[] | select(.state != "same")'

    Exit codes: 0 all is as shipped, 1 failed, 2 something is missing or changed.
    """
    from activity_center.dashboards import objects
    from activity_center.dashboards.bundle import page_address
    from activity_center.dashboards.sync import compare

    told = compare(_server(tenant), objects(), page_address(page_url))
    counts = Counter(one.state for one in told)
    if as_json:
        click.echo(json.dumps({"objects": [one.as_json() for one in told]}, ensure_ascii=False))
    else:
        for one in told:
            if one.state != "same":
                sign = {"missing": "+", "changed": "~"}[one.state]
                click.echo(
                    f"{sign} {one.type:<14} {one.id}  {', '.join(one.differences[:6])}".rstrip()
                )
        words = ", ".join(f"{number} {state}" for state, number in sorted(counts.items()))
        click.echo(f"{len(told)} objects: {words}.")
    sys.exit(0 if set(counts) <= {"same"} else 2)


@command.command("import")
@click.option("--json", "as_json", is_flag=True, help='One object: {"created": 1, "replaced": 2}.')
@_PAGE
@_TENANT
def import_(as_json: bool, page_url: str, tenant: str) -> None:
    """Import all objects; those of ours that are there are replaced, copies are kept.

    \b
    Examples:
      OPENSEARCH_DASHBOARDS_URL=http://127.0.0.1:5601 activity-center dashboards import
      activity-center dashboards import --page-url https://audit.example

    Exit codes: 0 done, 1 failed or refused, 2 wrong use.
    """
    from activity_center.dashboards.bundle import page_address

    told = import_into(_server(tenant), page_address(page_url))
    if as_json:
        click.echo(json.dumps(told))
        return
    click.echo(f"{told['created']} objects created, {told['replaced']} replaced.")


def import_into(server: Dashboards, page: str) -> dict[str, Any]:
    """Import everything; return what ``--json`` shows."""
    from activity_center.dashboards import objects
    from activity_center.dashboards.sync import import_all

    done = import_all(server, objects(), page)
    return {"created": done.created, "replaced": done.replaced}


def after_install(page: str | None) -> str:
    """Import where ``OPENSEARCH_DASHBOARDS_URL`` says so; return one line for ``install``.

    Args:
        page: address of the page from the configuration, if it says one.
    """
    from activity_center.dashboards.remote import VARIABLE, Dashboards, dashboards_from_environment

    server = dashboards_from_environment()
    if server is None:
        return (
            f"dashboards: set {VARIABLE} and install again, or: activity-center dashboards export "
            "--output activity-center.ndjson, and import that file in Dashboards Management, "
            "Saved objects"
        )
    told = import_into(Dashboards(server), page or PAGE)
    return f"dashboards: {told['created']} objects created, {told['replaced']} replaced"


def _server(tenant: str) -> Dashboards:
    from activity_center.dashboards.remote import VARIABLE, Dashboards, dashboards_from_environment
    from activity_center.errors import ConfigError

    server = dashboards_from_environment()
    if server is None:
        raise ConfigError(
            "is not set",
            where=VARIABLE,
            hint="the address of OpenSearch Dashboards, such as http://127.0.0.1:5601; without "
            "one: activity-center dashboards export",
        )
    return Dashboards(server, tenant)
