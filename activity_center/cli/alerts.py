"""``activity-center alerts``: the rules, whether they work, and what they find."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import asdict

import click

from activity_center.cli.alerts_import import import_
from activity_center.cli.alerts_options import config_option, read_config, readable_rules
from activity_center.cli.alerts_run import run
from activity_center.cli.options import json_option
from activity_center.cli.table import quantity, table
from activity_center.errors import ConfigError


@click.group()
def command() -> None:
    """List, explain, test and run alert rules.

    Rules are files: opensearch/monitors/rules, and yours in alerts.rules_dir. With
    alerts.enabled the collector evaluates them all the time, writes alerts to the stream
    activity-alerts and tells webhooks. docs/alerts.md says what to do about each.

    \b
    Examples:
      activity-center alerts list
      activity-center alerts test
      activity-center alerts run --once --dry-run --at 2026-11-24T23:30:00Z
      activity-center alerts fired --config activity-center.yml
    """


@command.command("list")
@config_option
@json_option
def list_(config_file: str | None, as_json: bool) -> None:
    """List all rules: severity, who evaluates them, and what they need.

    Into a pipe: a line of names, then one line a rule, with tabs between name, severity, kind,
    on or off, who evaluates it (plugin: the Alerting plugin can too), needs and title. Rules of
    yours that cannot be read are named with what is wrong; the others are listed.

    \b
    Examples:
      activity-center alerts list
      activity-center alerts list --config activity-center.yml --json | jq '.[] | select(.on)'

    Exit codes: 0 done, 1 a file of yours is wrong, 2 wrong use.
    """
    from activity_center.alerting.monitors import compiles

    _, alerts = read_config(config_file)
    rules, wrong = readable_rules(alerts, ())
    rows = [
        {
            "name": rule.name,
            "severity": rule.severity,
            "kind": rule.kind,
            "on": rule.name not in alerts.without,
            "engine": "collector or plugin" if compiles(rule) else "collector",
            "needs": list(rule.needs),
            "title": rule.title,
        }
        for rule in rules
    ]
    if as_json:
        click.echo(json.dumps(rows, indent=1))
    else:
        names = ("name", "severity", "kind", "on", "engine", "needs", "title")
        table(
            names,
            [[_cell(row[name]) for name in names] for row in rows],
            whole=("name", "severity", "kind", "on", "engine"),
            rather=("kind", "needs", "engine"),
        )
    raise click.exceptions.Exit(1 if wrong else 0)


@command.command("show")
@click.argument("name", metavar="RULE")
@config_option
@click.option("--monitor", is_flag=True, help="The monitor of the Alerting plugin, as JSON.")
@json_option
def show(name: str, config_file: str | None, monitor: bool, as_json: bool) -> None:
    """Show one rule: what it asks, when it fires, and what to do then.

    \b
    Examples:
      activity-center alerts show mass-deletion
      activity-center alerts show mass-deletion --monitor
    """
    from activity_center.alerting import fires, words
    from activity_center.alerting import monitors as plugin

    _, alerts = read_config(config_file)
    ((rule,), _) = readable_rules(alerts, (name,))
    if monitor:
        if not plugin.compiles(rule):
            raise ConfigError(
                "the Alerting plugin cannot evaluate it; the collector does", where=rule.name
            )
        compiled = plugin.monitors([rule], alerts)[rule.name]
        click.echo(json.dumps(compiled, indent=2))
        return
    if as_json:
        click.echo(json.dumps(asdict(rule), indent=1))
        return
    lines = (
        ("rule", rule.name),
        ("title", rule.title),
        ("asks", rule.question),
        ("severity", rule.severity),
        ("kind", rule.kind),
        ("fires", f"when {fires(rule)}"),
        ("groups", ", ".join(rule.keys) or "none"),
        ("held back", f"{words(rule.throttle)} after it fired for a group"),
        ("needs", ", ".join(rule.needs) or "nothing special"),
        ("reference", rule.reference),
    )
    for label, value in lines:
        click.echo(f"{label:<10} {value}")
    for title, entries in (("False positives", rule.false_positives), ("What to do", rule.runbook)):
        click.echo(f"\n{title}:")
        for entry in entries:
            click.echo(f"  - {entry}")


@command.command("test")
@click.argument("names", metavar="[RULE]...", nargs=-1)
@config_option
@json_option
def test(names: tuple[str, ...], config_file: str | None, as_json: bool) -> None:
    """Replay the cases of rules on the cluster, in an index of their own.

    Each rule has samples that must fire and samples that must not. The index is removed
    afterwards; nothing else is touched and nobody is told.

    \b
    Examples:
      activity-center alerts test
      activity-center alerts test mass-deletion break-glass
      activity-center alerts test --json | jq '.[] | select(.right | not)'

    Exit codes: 0 all cases did what they should, 1 one did not, a file of yours is wrong, or
    the cluster failed.
    """
    from activity_center.connection import connect
    from activity_center.setup import desired_state
    from activity_center.setup.access import administrator
    from activity_center.setup.cluster import ask
    from collector.alerts.replay import replay

    config, alerts = read_config(config_file)
    rules, unread = readable_rules(alerts, names)
    outcomes = []
    with closing(connect(administrator(config))) as client:
        ask(client, "GET", "/")  # one that does not answer is told of as that
        for one in replay(client, desired_state(), rules):
            outcomes.append(one)
            if not as_json:
                mark = "ok " if one.right else "BAD"
                told = f"{len(one.messages)} of {one.case.fires} alerts"
                click.echo(f"{mark} {one.rule.name}: {one.case.name} ({told})")
    wrong = sum(not one.right for one in outcomes)
    if as_json:
        rows = [
            {
                "rule": one.rule.name,
                "case": one.case.name,
                "expected": one.case.fires,
                "messages": list(one.messages),
                "right": one.right,
            }
            for one in outcomes
        ]
        click.echo(json.dumps(rows, ensure_ascii=False, indent=1))
    else:
        cases, of = quantity(len(outcomes), "case"), quantity(len(rules), "rule")
        click.echo(f"{cases} of {of}, {wrong} wrong")
    raise click.exceptions.Exit(1 if wrong or unread else 0)


@command.command("fired")
@config_option
@click.option("--rule", default="", help="Only of this rule.")
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="At most so many."
)
@json_option
def fired(config_file: str | None, rule: str, limit: int, as_json: bool) -> None:
    """List the alerts that have fired, newest first.

    Into a pipe: a line of names, then one line an alert, with tabs.

    \b
    Examples:
      activity-center alerts fired --config activity-center.yml
      activity-center alerts fired --rule break-glass --json | jq '.[0].alert.events'
    """
    from activity_center.connection import connect
    from collector.alerts.store import AlertStore

    config, alerts = read_config(config_file)
    if rule:
        readable_rules(alerts, (rule,))
    with closing(connect(config.maintainer if config else None)) as client:
        found = AlertStore(client).newest(limit, rule)
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False, indent=1))
        return
    if not found:
        click.echo("no alert has fired")
        return
    table(
        ("time", "severity", "rule", "organization", "message"),
        [
            (
                f"{one['@timestamp'][:19]}Z",
                one["alert"]["severity"],
                one["rule"]["id"],
                one.get("organization", {}).get("id") or "-",
                one["message"],
            )
            for one in found
        ],
        whole=("time", "severity"),
    )


def _cell(value: str | bool | list[str]) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return value if isinstance(value, str) else ", ".join(value)


command.add_command(run)
command.add_command(import_)
