"""``activity-center alerts run``: evaluating rules, all the time or once."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import click

from activity_center.cli.alerts_options import chosen_rules, config_option, read_config
from activity_center.cli.options import json_option, milliseconds, time_option
from activity_center.errors import ConfigError
from activity_center.tailing import printable

if TYPE_CHECKING:
    from activity_center.config import Config
    from activity_center.config_alerts import AlertsConfig

TRIES: Final = 4
"""Rounds of ``run --once`` in which a webhook that does not answer is tried."""


@click.command("run")
@click.argument("names", metavar="[RULE]...", nargs=-1)
@config_option
@click.option("--once", is_flag=True, help="Evaluate what is due now, then end.")
@click.option("--dry-run", is_flag=True, help="With --once: write nothing and tell nobody.")
@time_option("--at", text="With --dry-run: as of then.")
@json_option
def run(
    names: tuple[str, ...],
    config_file: str | None,
    once: bool,
    dry_run: bool,
    at: datetime | None,
    as_json: bool,
) -> None:
    """Evaluate rules: all the time, or once.

    Without --once it goes on until SIGTERM, as the collector does with alerts.enabled. The
    account is opensearch.maintain.

    \b
    Examples:
      activity-center alerts run --config activity-center.yml
      activity-center alerts run --once --config activity-center.yml
      activity-center alerts run mass-deletion --once --dry-run --at 2026-11-24T13:05:00Z

    Exit codes: 0 done, 1 a rule could not be evaluated or a webhook not be told.
    """
    if (dry_run and not once) or (at and not dry_run) or (names and not dry_run):
        raise click.UsageError("RULE and --at go with --dry-run, and that goes with --once")
    if as_json and not once:
        raise click.UsageError("--json goes with --once")
    config, alerts = read_config(config_file)
    if dry_run:
        _dry_run(config, alerts, names, milliseconds(at or datetime.now(UTC)), as_json)
    elif once:
        _once(config, alerts, as_json)
    else:
        _forever(config)


def _dry_run(
    config: Config | None, alerts: AlertsConfig, names: Sequence[str], now: int, as_json: bool
) -> None:
    from activity_center.connection import connect
    from collector.alerts.evaluate import Evaluator
    from collector.alerts.own_figures import own_figures

    figures = own_figures(config) if config else {}
    rows: list[dict[str, Any]] = []
    lacking: dict[str, Sequence[str]] = {}
    with closing(connect(config.maintainer if config else None)) as client:
        evaluator = Evaluator(client, alerts.hours)
        for rule in chosen_rules(alerts, names):
            if rule.kind == "figure" and rule.figure not in figures:
                continue  # no collector answers here, so there is nothing to say of one
            result = evaluator.evaluate(rule, now, figures)
            rows += [_row(one) for one in result.findings]
            if result.lacking:
                lacking[rule.name] = result.lacking
    _say(rows, lacking, as_json)


def _once(config: Config | None, alerts: AlertsConfig, as_json: bool) -> None:
    from activity_center import log_lines
    from activity_center.connection import connect
    from activity_center.errors import ClusterError
    from activity_center.setup.lease import Lease
    from activity_center.streams import STATE_INDEX
    from collector.alerts.loop import LEASE
    from collector.alerts.own_figures import own_figures
    from collector.alerts.rounds import Round, Rounds, rules_here

    log_lines.configure()  # to standard error: results alone go to standard output
    with closing(connect(config.maintainer if config else None)) as client:
        rounds = Rounds(client, alerts, rules_here(alerts))
        now = int(time.time() * 1000)
        figures = own_figures(config) if config else {}
        # No collector answers here: then nothing is known of one, and nothing is wrong.
        local = rounds.figures(now, figures) if figures else Round()
        lease = Lease(client, LEASE, index=STATE_INDEX, wait=0)
        try:
            with lease:
                done = rounds.once(now)
                for _ in range(TRIES - 1):
                    wait = rounds.messenger.pause()
                    if not wait:
                        break
                    time.sleep(min(wait, 30.0))
                    lease.check()
                    rounds.messenger.tell()
        except ClusterError as error:
            if not (error.where or "").endswith(f"/lease-{LEASE}"):
                raise
            click.echo("another one evaluates all the time, and tells webhooks", err=True)
            done = rounds.once(now, tell=False)
        untold = bool(rounds.messenger.pause())
    _say([_row(one) for one in (*local.alerts, *done.alerts)], done.lacking, as_json)
    failed = {**local.failed, **done.failed}
    for name, wrong in failed.items():
        click.echo(f"{name}: not evaluated: {wrong}", err=True)
    if untold:
        click.echo("a webhook could not be told; it is tried again", err=True)
    raise click.exceptions.Exit(1 if failed or untold else 0)


def _forever(config: Config | None) -> None:
    import signal
    import threading

    from activity_center import log_lines
    from activity_center.connection import connect
    from collector.alerts.loop import AlertLoop

    if config is None:
        raise ConfigError("needs --config", hint="or evaluate once: --once")
    log_lines.configure()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with closing(connect(config.maintainer)) as client:
        loop = AlertLoop(client, config)
        loop.start()
        stop.wait()
        loop.stop()


def _row(finding: Any) -> dict[str, Any]:
    from collector.alerts.finding import moment

    return {
        "rule": finding.rule.name,
        "severity": finding.rule.severity,
        "group": dict(finding.group),
        "count": finding.count,
        "distinct": finding.distinct,
        "from": moment(finding.start),
        "to": moment(finding.end),
        "events": list(finding.events),
        "message": finding.message,
    }


def _say(rows: list[dict[str, Any]], lacking: Mapping[str, Sequence[str]], as_json: bool) -> None:
    if as_json:
        document = {"alerts": rows, "lacking": {name: [*need] for name, need in lacking.items()}}
        click.echo(json.dumps(document, ensure_ascii=False, indent=1))
        return
    for row in rows:
        click.echo(printable(f"{row['severity']:<8} {row['rule']}: {row['message']}"))
    from collector.alerts.finding import nobody_sends

    for name, need in lacking.items():
        click.echo(f"{name}: can find nothing: {nobody_sends(need)}", err=True)
    if not rows:
        click.echo("nothing new")
