"""``activity-center catalogue``: the actions that are known, and what each means."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from activity_center.vocabulary import Action

SEVERITIES: Final = ("informational", "low", "medium", "high", "critical")


@click.group()
def command() -> None:
    """List and explain the actions that the catalogue knows.

    An action that it does not know is kept like all others and marked
    activity.catalogued: false.

    \b
    Examples:
      activity-center catalogue list
      activity-center catalogue list --type Workspace
      activity-center catalogue list --lens agent --verb decide
      activity-center catalogue show server.resize_disk
      activity-center catalogue list --json | jq -r '.[] | select(.critical) | .name'
    """


@command.command("list")
@click.option("--type", "type_", help="Only actions of this type (any case), as in activity.type.")
@click.option(
    "--lens",
    type=click.Choice(["audit", "agent", "process"]),
    help="Only actions of this lens.",
)
@click.option("--verb", help="Only actions that people filter under this verb.")
@click.option("--json", "as_json", is_flag=True, help="One array of objects.")
def list_(type_: str | None, lens: str | None, verb: str | None, as_json: bool) -> None:
    """List the actions, in the order of the catalogue.

    \b
    Examples:
      activity-center catalogue list
      activity-center catalogue list --type servers --verb start-stop
      activity-center catalogue list --lens agent --json
    """
    from activity_center.vocabulary import actions, verbs

    known = actions().values()
    found = [
        action
        for action in known
        if (lens is None or action.lens == lens)
        and (type_ is None or action.type.lower() == type_.lower())
        and (verb is None or verb.lower() in (action.verb, verbs()[action.verb].label.lower()))
    ]
    if type_ is not None and not any(one.type.lower() == type_.lower() for one in known):
        _unknown("type", type_, sorted({one.type for one in known}))
    labels = {one.label.lower() for one in verbs().values()}
    if verb is not None and verb.lower() not in {*verbs(), *labels}:
        _unknown("verb", verb, list(verbs()))
    if as_json:
        click.echo(json.dumps([as_object(one) for one in found], ensure_ascii=False, indent=1))
        return
    _table(found)
    click.echo(f"\n{len(found)} of {len(known)} actions.", err=True)


@command.command()
@click.argument("action")
@click.option("--json", "as_json", is_flag=True, help="One object.")
def show(action: str, as_json: bool) -> None:
    """Show what the catalogue says of ACTION.

    \b
    Examples:
      activity-center catalogue show server.create
      activity-center catalogue show agent.restartService --json

    Exit codes: 0 known, 1 not in the catalogue.
    """
    from activity_center.vocabulary import actions, verbs

    found = actions().get(action)
    if found is None:
        near = nearest(action, actions())
        if as_json:
            click.echo(json.dumps({"name": action, "catalogued": False, "near": near}))
        else:
            click.echo(
                f"{action} is not in the catalogue. Such an action is kept like all others"
                " and marked activity.catalogued: false."
            )
            if near:
                click.echo("Near names: " + ", ".join(near))
        sys.exit(1)
    if as_json:
        click.echo(json.dumps(as_object(found), ensure_ascii=False, indent=1))
        return
    severity = SEVERITIES[found.severity] + (", told at once" if found.critical else "")
    rows = [
        ("Label", f"{found.type}: {found.label}"),
        ("Verb", f"{verbs()[found.verb].label} ({found.verb})"),
        ("Resource", found.resource_type),
        ("Lens", found.lens),
        ("ECS kind", found.kind),
        ("ECS category", ", ".join(found.category)),
        ("ECS type", ", ".join(found.event_type)),
        ("Severity", f"{found.severity} ({severity})"),
        ("Kept", found.retention_class or "as the organization's plan says"),
    ]
    if found.outcome or found.result:
        rows.append(("Means", ", ".join(one for one in (found.outcome, found.result) if one)))
    if found.personal:
        rows.append(("Personal", "a security event of one's own account"))
    click.echo(found.name)
    click.echo(f"{found.description}.\n")
    for name, value in rows:
        click.echo(f"  {name:<13} {value}")


def as_object(action: Action) -> dict[str, Any]:
    """One action as printed with ``--json``."""
    return {**dataclasses.asdict(action), "catalogued": True}


def nearest(action: str, known: Iterable[str], count: int = 5) -> list[str]:
    """Return the names most like ``action``: written alike, or the same last word."""
    import difflib

    by_lower = {name.lower(): name for name in known}
    wanted = action.lower()
    near = difflib.get_close_matches(wanted, by_lower, n=count, cutoff=0.6)
    inside = [name for name in by_lower if len(wanted) > 2 and wanted in name]
    last = wanted.rpartition(".")[2]
    same = [name for name in by_lower if len(last) > 4 and name.rpartition(".")[2] == last]
    return [by_lower[name] for name in dict.fromkeys([*near, *inside, *same])][:count]


def _unknown(what: str, value: str, known: list[str]) -> None:
    raise click.BadParameter(f"no {what} is named {value!r}; known: {', '.join(known)}")


def _table(found: list[Action]) -> None:
    """Aligned columns; a pipe gets the same text as a terminal."""
    columns: tuple[tuple[str, Callable[[Action], str]], ...] = (
        ("ACTION", lambda one: one.name),
        ("TYPE", lambda one: one.type),
        ("LABEL", lambda one: one.label),
        ("VERB", lambda one: one.verb),
        ("LENS", lambda one: one.lens),
        ("SEVERITY", lambda one: SEVERITIES[one.severity] + ("!" if one.critical else "")),
        ("KEPT", lambda one: one.retention_class or "-"),
    )
    rows = [tuple(name for name, _ in columns)]
    rows += [tuple(value(one) for _, value in columns) for one in found]
    widths = [max(len(row[index]) for row in rows) for index in range(len(columns))]
    for row in rows:
        line = "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        click.echo(line.rstrip())
