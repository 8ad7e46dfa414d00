"""``activity-center openapi``: print the description of the API."""

from __future__ import annotations

import click


@click.command(name="openapi")
def command() -> None:
    """Print the API's OpenAPI 3.1 document as JSON.

    The sidecar serves the same at /api/openapi.json, and a page to read at /api.

    \b
    Examples:
      activity-center openapi > openapi.json
    """
    import json

    from sidecar_api.openapi.document import document
    from sidecar_api.routes import described

    click.echo(json.dumps(document(described()), indent=2))
