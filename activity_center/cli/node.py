"""``activity-center node``: the embedded OpenSearch."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from activity_center.node import NodeInfo


def _name(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    from activity_center.errors import NodeError
    from activity_center.node.folders import node_folder

    try:
        node_folder(value)
    except NodeError as wrong:
        raise click.BadParameter(f"{wrong.message} ({wrong.hint})") from wrong
    return value


def _heap(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    from activity_center.errors import NodeError
    from activity_center.node.java import heap_bytes

    try:
        if value is not None:
            heap_bytes(value)
    except NodeError as wrong:
        raise click.BadParameter(f"{wrong.message} ({wrong.hint})") from wrong
    return value


_name_option = click.option(
    "--name", default="default", show_default=True, callback=_name, help="Which node."
)
_json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group()
def command() -> None:
    """Start and stop the embedded OpenSearch.

    It listens on this machine only. The first start downloads it (138 MB) and checks
    every file against the SHA-256 recorded in this package. Downloads are kept in the first
    of these folders, each node's data, logs and archive in the second.

    \b
    Folders (for root), and the variables that name others:
      ~/.cache/activity-center        (/var/cache/activity-center)  ACTIVITY_CENTER_CACHE
      ~/.local/state/activity-center  (/var/lib/activity-center)    ACTIVITY_CENTER_STATE

    \b
    Examples:
      activity-center node start
      activity-center node status
      activity-center node stop
      activity-center node wipe --yes
    """


@command.command()
@_name_option
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="HTTP port; 0: any free one. Default: the one it had, else 9200, else a free one.",
)
@click.option("--heap", callback=_heap, help="Size of the Java heap.  [default: 512m]")
@click.option(
    "--secure/--no-secure",
    default=None,
    help="With users, TLS and a random admin password.  [default: as before, else without]",
)
@_json_option
def start(
    name: str, port: int | None, heap: str | None, secure: bool | None, as_json: bool
) -> None:
    """Start a node and wait until it is ready.

    Options left out are as at the last start of this node.

    \b
    Examples:
      activity-center node start
      activity-center node start --secure --heap 2g
      activity-center node start --name second --port 0
      OPENSEARCH_JAVA_HOME=/usr/lib/jvm/java-21 activity-center node start
    """
    from activity_center import node
    from activity_center.connection import cluster_from_environment

    own = cluster_from_environment()
    if own is not None:
        _print_own_cluster(own.url, as_json)
        return
    running = node.status(name)
    with node.terminal_progress() as progress:
        info = node.start(name, secure=secure, port=port, heap=heap, progress=progress)
    if as_json:
        click.echo(json.dumps({**_facts(info), "already_running": running is not None}))
        return
    state = "is already running" if running else "is ready"
    click.echo(f"OpenSearch {info.version} {state}: {info.url}")
    _print_details(info)
    _print_next(info)


@command.command()
@_name_option
@_json_option
def stop(name: str, as_json: bool) -> None:
    """Stop a node; its data stays.

    \b
    Examples:
      activity-center node stop
      activity-center node stop --name second
    """
    from activity_center import node

    stopped = node.stop(name)
    if as_json:
        click.echo(json.dumps({"name": name, "stopped": stopped}))
    else:
        click.echo(f"The node {name} {'is stopped' if stopped else 'was not running'}.")


@command.command()
@_name_option
@_json_option
def status(name: str, as_json: bool) -> None:
    """Say whether a node runs; exit code 0 when it does, 1 when not.

    \b
    Examples:
      activity-center node status
      activity-center node status --json | jq -r .url
    """
    from activity_center import node

    info = node.status(name)
    if as_json:
        facts = {"name": name} if info is None else _facts(info)
        click.echo(json.dumps({**facts, "running": info is not None, "exists": node.exists(name)}))
    elif info is None:
        kept = "; its data is kept" if node.exists(name) else ""
        click.echo(f"The node {name} is not running{kept}.")
    else:
        click.echo(f"OpenSearch {info.version} is running: {info.url}")
        _print_details(info)
    if info is None:
        sys.exit(1)


@command.command()
@_name_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@_json_option
def wipe(name: str, yes: bool, as_json: bool) -> None:
    """Stop a node and remove it with all its data; downloads stay in the cache.

    \b
    Examples:
      activity-center node wipe
      activity-center node wipe --name second --yes
    """
    from activity_center import node
    from activity_center.node.folders import node_folder

    folder = node_folder(name).root
    if node.exists(name) and not yes:
        if not sys.stdin.isatty():
            raise click.UsageError(f"removing {folder} needs --yes when nobody can be asked")
        click.confirm(f"Remove the node {name} with all its data in {folder}?", abort=True)
    wiped = node.wipe(name)
    if as_json:
        click.echo(json.dumps({"name": name, "wiped": wiped}))
    else:
        click.echo(f"Removed {folder}." if wiped else f"There is no node {name}.")


def _print_own_cluster(url: str, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"url": url, "embedded": False}))
        return
    click.echo(f"OPENSEARCH_URL is set: {url} is used, and no embedded node is needed.")
    click.echo("Nothing was downloaded or started.")
    click.echo("Next: activity-center doctor")


def _facts(info: NodeInfo) -> dict[str, Any]:
    """What scripts get; the password stays in its file."""
    from activity_center.node.folders import node_folder

    facts: dict[str, Any] = {
        "name": info.name,
        "url": info.url,
        "version": info.version,
        "secure": info.secure,
        "pid": info.pid,
        "folder": info.folder,
        "log_file": info.log_file,
        "embedded": True,
    }
    if info.secure:
        facts["username"] = info.username
        facts["password_file"] = str(node_folder(info.name).admin_password)
        facts["ca"] = info.ca
    return facts


def _print_details(info: NodeInfo) -> None:
    facts = _facts(info)
    click.echo(f"  log       {info.log_file}")
    click.echo(f"  data      {info.folder}")
    click.echo(f"  process   {info.pid}")
    if info.secure:
        click.echo(f"  user      {info.username}, password in {facts['password_file']}")
        click.echo(f"  CA        {info.ca}")


def _print_next(info: NodeInfo) -> None:
    if info.name == "default":
        # The other commands find this node by themselves.
        click.echo("Next: activity-center install")
        return
    variables = f"OPENSEARCH_URL={info.url}"
    if info.secure:
        password_file = _facts(info)["password_file"]
        variables += (
            f" OPENSEARCH_CA={info.ca} OPENSEARCH_USERNAME={info.username}"
            f' OPENSEARCH_PASSWORD="$(cat {password_file})"'
        )
    click.echo(f"Next: {variables} activity-center install")
