"""``activity-center install``: plan and apply what the cluster needs."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Final

import click

from activity_center.cli.options import config_file_option

if TYPE_CHECKING:
    from rich.console import Console

    from activity_center.setup import Plan, Step
    from activity_center.setup.apply import OnStep

SYMBOLS: Final = {"create": "+", "change": "~", "leave": "=", "skip": "-", "refuse": "!"}
_COLOURS: Final = {"create": "green", "change": "yellow", "skip": "cyan", "refuse": "red"}
_DIFFERENCES_SHOWN: Final = 12


@click.command("install")
@click.option("--dry-run", is_flag=True, help="Only show the plan; exit 2 if it changes anything.")
@click.option("--json", "as_json", is_flag=True, help='One object: {"plan": [...], "applied": …}.')
@click.option("--yes", is_flag=True, help="Do not ask before existing objects are changed.")
@click.option("--adopt", is_flag=True, help="Take over objects that have our names, not our mark.")
@click.option("--all", "everything", is_flag=True, help="List also what is left as it is.")
@config_file_option("the cluster, organizations with streams of their own, alerts")
def command(
    dry_run: bool, as_json: bool, yes: bool, adopt: bool, everything: bool, config_file: str | None
) -> None:
    """Plan and apply what the cluster needs.

    Reads the cluster, prints what it would create (+), change (~), leave (=) or refuse (!),
    and applies it: templates, data streams, the state index, and roles where the security
    plugin runs. Running it again changes nothing. A changed template rolls its streams
    over; old documents stay searchable. It never downgrades.

    The cluster is OPENSEARCH_URL (with OPENSEARCH_USERNAME and OPENSEARCH_PASSWORD, or
    OPENSEARCH_API_TOKEN; OPENSEARCH_CA), else the one in --config, else the embedded node.
    With OPENSEARCH_DASHBOARDS_URL it also imports the dashboards; else it says how to.
    Monitors of the Alerting plugin are made and put right with --config alone, since it says
    whether the collector evaluates the rules; without it they are left as they are.

    \b
    Examples:
      activity-center install --dry-run
      activity-center install
      activity-center install --config activity-center.yml --yes
      activity-center install --dry-run --json | jq '.plan[] | select(.action != "leave")'

    Exit codes: 0 done or nothing to do, 1 failed or refused, 2 a dry run found drift.
    """
    from rich.console import Console

    from activity_center import config as configuration
    from activity_center.cli.dashboards import after_install
    from activity_center.connection import connect
    from activity_center.setup import desired_state, install, look, refuse
    from activity_center.setup.access import administrator

    config = configuration.load(config_file) if config_file else None
    desired = desired_state(config)
    page = config.sidecar.public_url if config else None
    out, err = Console(highlight=False), Console(stderr=True, highlight=False)
    with closing(connect(administrator(config))) as client:
        plan = look(client, desired, adopt=adopt)
        if not as_json:
            _show(out, plan, everything=everything)
        if as_json and (dry_run or plan.refused or not plan.drift):
            click.echo(_as_json(plan, applied=False))
        refuse(plan)
        if dry_run:
            sys.exit(2 if plan.drift else 0)
        if not plan.drift:
            err.print(after_install(page), soft_wrap=True)
            return
        if not (yes or as_json):
            _ask(plan)
        with _progress(err) as on_step:
            outcome = install(
                client,
                desired,
                adopt=adopt,
                on_step=on_step,
                on_wait=lambda text: err.print(text, style="yellow", soft_wrap=True),
            )
    for note in outcome.notes:
        err.print(f"note: {note}", style="yellow", soft_wrap=True)
    if as_json:
        click.echo(_as_json(outcome.plan, applied=True))
    err.print(after_install(page), soft_wrap=True)
    if as_json:
        return
    out.print("\n[green]The cluster is set up.[/green]")
    out.print("Next: activity-center doctor, then activity-center collect --config FILE")


def _as_json(plan: Plan, *, applied: bool) -> str:
    document = {"plan": [step.as_json() for step in plan.steps], "applied": applied}
    return json.dumps(document, ensure_ascii=False)


def _show(out: Console, plan: Plan, *, everything: bool) -> None:
    """One line a step, its differences below it, counts at the end."""
    from rich.markup import escape

    shown = [step for step in plan.steps if everything or step.action != "leave"]
    width = max((len(step.name) for step in shown), default=0)
    for step in shown:
        colour = _COLOURS.get(step.action, "dim")
        mark = f"[{colour}]{SYMBOLS[step.action]}[/{colour}]"
        line = f"{mark} {step.kind:<18}  {escape(step.name):<{width}}  {escape(step.reason)}"
        out.print(line.rstrip(), soft_wrap=True)
        for difference in _difference_lines(step):
            out.print(f"    [dim]{escape(difference)}[/dim]", soft_wrap=True)
    counts = Counter(str(step.action) for step in plan.steps)
    words = ", ".join(f"{counts[one]} to {one}" for one in SYMBOLS if counts[one])
    out.print(f"Plan: {words}." if plan.drift or plan.refused else f"Nothing to do ({words}).")


def _difference_lines(step: Step) -> Iterator[str]:
    for one in step.differences[:_DIFFERENCES_SHOWN]:
        yield f"{one.path}: {_short(one.there)} → {_short(one.wanted)}"
    more = len(step.differences) - _DIFFERENCES_SHOWN
    if more > 0:
        yield f"and {more} more (all with --json)"


def _short(value: Any) -> str:
    text = "absent" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _ask(plan: Plan) -> None:
    """In a terminal, before existing objects change; scripts are not asked."""
    changes = sum(step.action == "change" for step in plan.steps)
    if changes and sys.stdin.isatty() and sys.stdout.isatty():
        click.confirm(f"Change {changes} existing objects?", abort=True)


@contextmanager
def _progress(err: Console) -> Iterator[OnStep]:
    """A bar in a terminal, one line a step elsewhere."""
    if not err.is_terminal:

        def line(step: Step, number: int, total: int) -> None:
            symbol = SYMBOLS[step.action]
            err.print(f"{number}/{total} {symbol} {step.kind} {step.name}", soft_wrap=True)

        yield line
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (BarColumn(bar_width=30), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task("", total=None)

        def show(step: Step, number: int, total: int) -> None:
            bar.update(task, completed=number, total=total, description=f"{step.kind} {step.name}")

        yield show
