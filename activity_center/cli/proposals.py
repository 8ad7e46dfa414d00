"""``activity-center proposals``: what AI agents proposed, who decided, and what then ran."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from activity_center.cli.options import json_option
from activity_center.cli.proposals_read import NONE, config_option, period, reading

if TYPE_CHECKING:
    from activity_center.agents import Chain, Judgement

STATES: Final = (
    *("proposed", "approved", "edited", "denied", "expired", "cancelled"),
    *("executing", "completed", "failed"),
)
"""As the API has them."""


@click.group("proposals")
def command() -> None:
    """Judge what AI agents proposed, who decided, and what then ran.

    Reads OpenSearch, as tail does, and judges each chain of entries by the approval policies:
    the shipped ones, or with --config those of approval_policies.

    \b
    Examples:
      activity-center proposals verdicts --from 30d
      activity-center proposals list --verdict parameters_drifted
      activity-center proposals show prp_71
      activity-center proposals replay --policies stricter.yml --from 30d

    Exit codes: 0 done, 1 OpenSearch cannot be asked or there is no such proposal, 2 wrong use.
    """


@command.command("list")
@config_option
@period
@click.option("--state", multiple=True, type=click.Choice(STATES), help="How far it has come.")
@click.option(
    "--impact", multiple=True, type=click.Choice(["safe", "caution", "destructive", "unrated"])
)
@click.option(
    "--verdict", multiple=True, metavar="KEY", help="Also beside a graver one; see verdicts."
)
@click.option("--violations", is_flag=True, help="Only what the policies do not allow.")
@click.option("--agent", metavar="WHO", help="Id or name of the agent.")
@click.option("--tool", metavar="NAME", help="Name of the tool.")
@click.option("--approver", metavar="WHO", help="Who decided: id, name or e-mail address.")
@click.option("--initiator", metavar="WHO", help="Who asked the agent: id, name or e-mail.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, metavar="N")
@json_option
def list_(
    config_file: str | None,
    since: datetime,
    until: datetime | None,
    organization: str | None,
    violations: bool,
    limit: int,
    as_json: bool,
    **filters: Any,
) -> None:
    """List proposals with their verdicts, newest first.

    \b
    Examples:
      activity-center proposals list --violations --from 30d
      activity-center proposals list --impact destructive --approver mira@northwind.example
      activity-center proposals list --json | jq -r '.[] | [.id, .judgement.verdict] | @tsv'
    """
    from activity_center.cli.proposals_show import fits, table

    _known(filters["verdict"])
    source = reading(config_file)
    found = [(chain, source.judge(chain)) for chain in source.chains(since, until, organization)]
    found = [
        (chain, said)
        for chain, said in reversed(found)
        if fits(chain, said, **filters) and (said.verdict.violation or not violations)
    ]
    if as_json:
        click.echo(json.dumps([_whole(*one) for one in found[:limit]]))
        return
    _print(table(found[:limit]))
    more = "" if len(found) <= limit else f", of {len(found)}; see --limit"
    click.echo(f"{min(limit, len(found))} proposals{more}", err=True)


@command.command("show")
@click.argument("id_", metavar="ID")
@config_option
@click.option("--organization", metavar="ID", help="Where several have this id; -: of none.")
@json_option
def show(id_: str, config_file: str | None, organization: str | None, as_json: bool) -> None:
    """Show one chain: verdict, proposal, decisions, executions.

    \b
    Examples:
      activity-center proposals show prp_71
      activity-center proposals show call:call_7 --json
    """
    from activity_center.cli.proposals_show import lines
    from activity_center.errors import ActivityCenterError

    source = reading(config_file)
    found = source.chain(id_, organization)
    if not found:
        raise ActivityCenterError(
            f"there is no proposal {id_!r}", hint="activity-center proposals list"
        )
    if len(found) > 1:
        ids = ", ".join(sorted(one.organization["id"] or NONE for one in found))
        raise ActivityCenterError(
            f"{len(found)} organizations have one of this id: {ids}", hint="--organization ID"
        )
    said = source.judge(found[0])
    if as_json:
        click.echo(json.dumps(_whole(found[0], said)))
        return
    for line in lines(found[0], said):
        click.echo(line)


@command.command("verdicts")
@config_option
@period
@json_option
def verdicts_(
    config_file: str | None,
    since: datetime,
    until: datetime | None,
    organization: str | None,
    as_json: bool,
) -> None:
    """Count the verdicts of a period, and say what each means.

    \b
    Examples:
      activity-center proposals verdicts --from 30d
      activity-center proposals verdicts --json | jq 'map(select(.violation and .count > 0))'
    """
    from activity_center.agents import verdicts

    source = reading(config_file)
    counted = Counter(
        source.judge(chain).verdict.key for chain in source.chains(since, until, organization)
    )
    if as_json:
        rows = [
            {
                "verdict": one.key,
                "label": one.label,
                "violation": one.violation,
                "count": counted[one.key],
                "explanation": one.explanation,
                "what_to_do": one.what_to_do,
            }
            for one in verdicts().values()
        ]
        click.echo(json.dumps(rows))
        return
    for one in verdicts().values():
        mark = "!" if one.violation else " "
        click.echo(f"{counted[one.key]:>7} {mark} {one.key}: {one.label}. {one.explanation}")


@command.command("oversight")
@config_option
@period
@json_option
def oversight_(
    config_file: str | None,
    since: datetime,
    until: datetime | None,
    organization: str | None,
    as_json: bool,
) -> None:
    """Measure how people decide, per approver and impact.

    \b
    Examples:
      activity-center proposals oversight --from 30d
      activity-center proposals oversight --json | jq 'map(select(.approval_rate > 0.95))'
    """
    from activity_center.agents.oversight import oversight
    from activity_center.cli.proposals_show import oversight_table

    source = reading(config_file)
    rows = oversight(source.chains(since, until, organization))
    if as_json:
        click.echo(json.dumps([one.as_dict() for one in rows]))
        return
    _print(oversight_table(rows))


@command.command("replay")
@config_option
@period
@click.option(
    "--policies",
    "file",
    required=True,
    type=click.Path(dir_okay=False),
    help="YAML file with a list of approval policies; the shipped ones stand behind them.",
)
@json_option
def replay_(
    config_file: str | None,
    since: datetime,
    until: datetime | None,
    organization: str | None,
    file: str,
    as_json: bool,
) -> None:
    """Judge past proposals by changed policies, and list each verdict that would differ.

    Of each chain the gravest verdict, before and after, and with + and - what else would be
    found or not any more. Nothing is changed. Verdicts of today go by the policy that applied at
    the time.

    \b
    Examples:
      activity-center proposals replay --policies stricter.yml --from 30d
    """
    from activity_center.agents.replay import replay
    from activity_center.cli.proposals_show import change

    changed = _policies(file, config_file)
    source = reading(config_file)
    chains = source.chains(since, until, organization)
    found = list(replay(chains, source.policies, changed, now=source.now))
    if as_json:
        click.echo(json.dumps([one.as_dict() for one in found]))
        return
    for one in found:
        click.echo(change(one))
    click.echo(f"{len(found)} of {len(chains)} proposals would be judged differently", err=True)


def _policies(file: str, config_file: str | None) -> Any:
    """Return the policies of a file; roles are the configuration's."""
    import os

    from activity_center import config as configuration
    from activity_center.agents.policy import made
    from activity_center.config_agents import policies_of
    from activity_center.config_file import Findings

    roles = configuration.load(config_file).roles if config_file else None
    findings = Findings(file)
    entries = policies_of(Path(file), findings, os.environ)
    return made(findings.check(entries), roles)


def _known(keys: tuple[str, ...]) -> None:
    from activity_center.agents import verdicts
    from activity_center.config_words import meant

    for key in keys:
        if key not in verdicts():
            raise click.BadParameter(
                f"no verdict is named {key!r}{meant(key, verdicts())}", param_hint="--verdict"
            )


def _whole(chain: Chain, said: Judgement) -> dict[str, Any]:
    return {**chain.as_dict(), "judgement": said.as_dict()}


def _print(table: Any) -> None:
    import sys

    from rich.console import Console

    wide = None if sys.stdout.isatty() else 160
    Console(highlight=False, markup=False, emoji=False, width=wide).print(table)
