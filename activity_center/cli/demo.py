"""``activity-center demo``: bring everything up, play a month of activity, show it."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import click

from activity_center.cli import program

if TYPE_CHECKING:
    from opensearchpy import OpenSearch
    from rich.console import Console

    from activity_center.config import Cluster
    from activity_center.demo.check import Expected, Summary
    from activity_center.demo.play import Player
    from activity_center.demo.stack import Stack
    from activity_center.demo.workload import Event

SENDERS: Final = ("platform", "agents", "kubernetes", "search")
_FIND_SECONDS: Final = 90.0
PLANS: Final = ("enterprise", "team", "permanent")
VIEWS: Final[tuple[dict[str, Any], ...]] = (
    {},
    {"members_see": "organization"},
    {"withhold": {"billing_owner": ["agent"]}},
)
"""Of each organization, in turn: how long it keeps what, and who sees more or less of it."""
SHOWN: Final = 4
COLUMNS: Final = {
    "time (UTC)": 12,
    "organization": 14,
    "who": 16,
    "action": 26,
    "on what": 24,
    "outcome": 7,
}
"""Column -> cells."""
NARROWEST: Final = {"organization": 6, "who": 8, "on what": 10}
"""Columns that give way on a narrow terminal, in this order, and to which width."""
LENS_TITLES: Final = {"audit": "Audit trail", "agent": "AI activity", "process": "Processes"}


@click.command(name="demo")
@click.option("--check", is_flag=True, help="Play, verify that all is found exactly once, end.")
@click.option("--json", "as_json", is_flag=True, help="With --check: the summary as one object.")
@click.option("--seed", default=1, show_default=True, help="Another seed gives other activity.")
@click.option("--days", default=30, show_default=True, type=click.IntRange(1, 365))
@click.option("--yes", is_flag=True, help="Do not ask before writing to your own cluster.")
def command(check: bool, as_json: bool, seed: int, days: int, yes: bool) -> None:
    """Bring up OpenSearch, a collector and the page, and play activity of three organizations.

    Downloads a real OpenSearch once, starts it, sets it up, starts the collector, and
    sends a month of activity over Fluent Forward and HTTP; then it prints the address of the
    audit trail's page, and new activity trickles in until Ctrl-C. Beside that some records
    are sent to be refused, and the alert rules look at the month. With OPENSEARCH_URL your own
    cluster is used, after asking. Beside a demo that runs it does nothing: another one needs a
    second folder, with ACTIVITY_CENTER_STATE.

    \b
    Folders (for root), and the variables that name others:
      ~/.cache/activity-center        (/var/cache/activity-center)  ACTIVITY_CENTER_CACHE
      ~/.local/state/activity-center  (/var/lib/activity-center)    ACTIVITY_CENTER_STATE

    \b
    Examples:
      activity-center demo
      activity-center demo --check
      activity-center demo --check --json
      activity-center demo --seed 7 --days 90

    Exit codes: 0 done and, with --check, every event found exactly once; 1 not, or another
    demo runs; 2 wrong use.
    """
    if as_json and not check:
        raise click.UsageError("--json goes with --check: its summary is the object")
    from rich.console import Console

    from activity_center.cli.demo_running import AlreadyRunning, alone
    from activity_center.node.folders import state_folder

    _end_as_by_ctrl_c()
    err = Console(stderr=True, highlight=False, soft_wrap=True)
    own = _own_cluster(yes)
    started = False
    try:
        with alone(state_folder() / "demo"):
            try:
                cluster, started = (own, False) if own else _node(err)
                with closing(_ready(cluster, err)) as client:
                    good = _run(client, cluster, err, check, as_json, seed, days)
            finally:
                if check and started:
                    from activity_center import node

                    node.stop()
    except AlreadyRunning as other:
        if as_json:
            click.echo(json.dumps(other.as_dict()))
        raise
    sys.exit(0 if good else 1)


def _end_as_by_ctrl_c() -> None:
    """SIGTERM and a closed terminal drain the collector too; ``nohup`` stays in force."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, interrupt)


def _own_cluster(yes: bool) -> Cluster | None:
    """The user's own cluster, if they named one and want the demo there."""
    from activity_center.connection import cluster_from_environment

    own = cluster_from_environment()
    if own is None or yes:
        return own
    question = f"Play the demo into your own cluster {own.url}?"
    if not (sys.stdin.isatty() and click.confirm(question, err=True)):
        raise click.UsageError(f"OPENSEARCH_URL names {own.url}; --yes plays the demo into it")
    return own


def _node(err: Console) -> tuple[Cluster, bool]:
    """The embedded node, and whether it was started for this."""
    from activity_center import node

    running = node.status() is not None
    with node.terminal_progress(err) as progress:
        info = node.start(progress=progress)
    err.print(f"OpenSearch {info.version}  {info.url}  (log: {info.log_file})")
    return info.cluster, not running


def _ready(cluster: Cluster, err: Console) -> OpenSearch:
    """A client of the cluster, set up."""
    from activity_center.connection import connect
    from activity_center.setup import desired_state, install, look, refuse

    client = connect(cluster)
    desired = desired_state(None)
    plan = look(client, desired)
    refuse(plan)
    if plan.drift:
        install(client, desired)
    err.print("Set up        templates and data streams")
    return client


def _run(
    client: OpenSearch,
    cluster: Cluster,
    err: Console,
    check: bool,
    as_json: bool,
    seed: int,
    days: int,
) -> bool:
    from activity_center.cli.demo_beside import SENDER, fill
    from activity_center.cli.demo_remains import store
    from activity_center.demo.check import Summary
    from activity_center.demo.play import Player
    from activity_center.demo.stack import Stack
    from activity_center.demo.workload import remains, until
    from activity_center.node.folders import state_folder

    now = datetime.now(UTC)
    events = until(seed, now, days)
    names = {event.record["organization"]["id"] for event in events if event.source == "native"}
    organizations = {
        name: {"plan": PLANS[n % 3], **VIEWS[n % 3]} for n, name in enumerate(sorted(names))
    }
    senders = SENDERS if check else (*SENDERS, SENDER)
    stack = Stack(state_folder() / "demo", cluster, organizations, senders)
    player = Player(stack)
    try:
        stack.start()
        err.print(f"Collector     {stack.url}  Forward 127.0.0.1:{stack.forward_port}")
        store(client, remains(seed, now))
        began = time.monotonic()
        with _bar(err, len(events)) as advance:
            player.play(events, advance)
            expected = _expected(events, player.played.answered)
            found, extra = expected.wait(client, _FIND_SECONDS, stack.delivered)
        seconds = round(time.monotonic() - began, 1)
        missing = len(expected) - found
        summary = Summary(len(expected), found, missing, extra, stack.rejected(), seconds)
        _report(summary, as_json, err)
        if not check:
            stack.start_page()
            fill(stack, now - timedelta(days=days), err)
            _show(client, stack, seed, player, err)
        return summary.good
    finally:
        player.close()
        stack.stop()


def _expected(events: list[Event], answered: list[str]) -> Expected:
    """What the mappings keep of the events: event ids, and document ids for those without."""
    from activity_center.demo.check import Expected
    from collector.mapping import load_all

    sources = load_all()
    ids = []
    for event in events:
        mapped = sources[event.source].map(event.record, event.tag, None)
        if not isinstance(mapped, str):
            ids += [one["event"]["id"] for one in mapped if "id" in one["event"]]
    return Expected(ids, answered)


def _report(summary: Summary, as_json: bool, err: Console) -> None:
    if as_json:
        click.echo(json.dumps(summary.as_dict()))
        return
    verdict = "each exactly once" if summary.good else "NOT each exactly once"
    err.print(
        f"Played        {summary.sent} activities in {summary.seconds} s: {summary.found} found,"
        f" {summary.missing} missing, {summary.duplicates} duplicates,"
        f" {summary.rejected} rejected ({verdict})"
    )


@contextmanager
def _bar(err: Console, total: int) -> Iterator[Callable[[int], None]]:
    """A progress bar on a terminal; nothing elsewhere."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("Playing"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TextColumn("activities"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task("", total=total)
        yield lambda number: bar.advance(task, number)


def _show(client: OpenSearch, stack: Stack, seed: int, player: Player, err: Console) -> None:
    """What came back out of OpenSearch, where to look, then live activity until Ctrl-C."""
    from rich.console import Console

    from activity_center.demo.live.stage import Stage
    from activity_center.demo.people import ADMINISTRATOR, people
    from activity_center.demo.workload import live
    from activity_center.private_file import write_private

    (full_name,) = (one["full_name"] for one in people() if one["id"] == ADMINISTRATOR)
    out = Console(highlight=False)
    if not out.is_terminal:
        out = Console(highlight=False, width=110)
    out.print()
    _latest(client, out)
    token = stack.folder / "token"
    write_private(token, stack.tokens[SENDERS[0]].encode())
    event = '{"event": {"action": "server.create", "outcome": "success"}, "user": {"name": "me"}}'
    name, config = _program(), shlex.quote(str(stack.config))
    out.print(
        f"\nOpen the audit trail:  {stack.page}\n"
        f"  Operations that run:  {stack.page}/processes\n"
        f"  What agents did:      {stack.page}/ai\n"
        f"  You are {full_name}, who sees everything;"
        f" sign out to be somebody else.\n"
        f"\nLook around while new activity trickles in (Ctrl-C ends):\n"
        f"  {name} tail --action login\n"
        f"  {name} catalogue list\n"
        f"  {name} doctor\n"
        f"  {name} processes watch --url {stack.page}"
        f" --token-file {shlex.quote(str(stack.reader_file))}\n"
        f"  {name} rejected list --config {config}\n"
        f"  curl {stack.url}/v1/activities -H 'Content-Type: application/json'"
        f' -H "Authorization: Bearer $(cat {shlex.quote(str(token))})"'
        f" -d '{event}'\n"
        f"  collector: {stack.config}, log {stack.collector.log}\n"
        f"  sidecar:   {stack.page}/api, log {stack.sidecar.log}\n"
        f"  metrics:   http://127.0.0.1:{stack.health_port}/metrics\n",
        soft_wrap=True,
        markup=False,
    )
    stage = Stage(stack.url, stack.page, stack.tokens[SENDERS[0]], stack.persons)
    try:
        with stage:
            for one in live(seed, datetime.now(UTC)):
                delay = (one.time - datetime.now(UTC)).total_seconds()
                if delay > 0:
                    time.sleep(delay)
                player.play([one], lambda number: None)
    except KeyboardInterrupt:
        with suppress(OSError):  # the terminal may be gone
            err.print(f"Stopping the collector and the page; OpenSearch stays up: {name} node stop")


def _latest(client: OpenSearch, out: Console) -> None:
    """The newest activities of each lens, as they came back out of OpenSearch."""
    from rich.markup import escape
    from rich.table import Table

    from activity_center.streams import LENSES

    table = Table(box=None, pad_edge=False, header_style="bold")
    # One cell between two columns; what is wider than the terminal takes from the side columns.
    short = max(0, sum(COLUMNS.values()) + len(COLUMNS) - 1 - out.width)
    for name, width in COLUMNS.items():
        least = NARROWEST.get(name, width)
        given = width - min(short, width - least)
        short -= width - given
        table.add_column(name, no_wrap=True, overflow="ellipsis", min_width=given, max_width=given)
    for lens in LENSES:
        body = {"size": SHOWN, "sort": [{"@timestamp": "desc"}, {"event.id": "desc"}]}
        table.add_row(f"[bold cyan]{LENS_TITLES[lens]}[/]")
        for hit in client.search(index=f"activity-{lens}-*", body=body)["hits"]["hits"]:
            table.add_row(*(escape(cell) for cell in _cells(hit["_source"])))
    out.print(table)


def _cells(source: dict[str, Any]) -> tuple[str, ...]:
    user, ours = source.get("user", {}), source.get("activity", {})
    resource = ours.get("resource", {})
    when = datetime.fromisoformat(source["@timestamp"])
    return (
        f"{when:%b %d %H:%M}",
        source.get("organization", {}).get("id", ""),
        user.get("full_name") or user.get("name") or ours.get("origin", ""),
        source["event"]["action"],
        resource.get("name") or resource.get("id") or resource.get("type", ""),
        source["event"]["outcome"],
    )


def _program() -> str:
    """The program as it finds this demo from another terminal, too."""
    state = os.environ.get("ACTIVITY_CENTER_STATE")
    return f"ACTIVITY_CENTER_STATE={shlex.quote(state)} {program()}" if state else program()
