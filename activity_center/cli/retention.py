"""``activity-center retention``: what is kept, until when, and carrying it out."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from activity_center.cli.options import coming_option
from activity_center.cli.retention_explain import explain
from activity_center.cli.retention_options import (
    config_option,
    connected,
    day,
    human_size,
    json_option,
    progress,
)
from activity_center.cli.retention_remove import remove_organization
from activity_center.cli.table import quantity, table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from activity_center.policies import Policy
    from collector.retention import Archive, Backing


@click.group()
def command() -> None:
    """Show what is kept until when, and carry it out.

    Each retention class has a policy (opensearch/policies): hot, warm, archive, deleted.
    Where OpenSearch has Index State Management (ISM), that carries the policies out;
    elsewhere "retention run" does, and the collector does it by itself.

    \b
    Examples:
      activity-center retention status
      activity-center retention simulate --at 2027-03-01
      activity-center retention doctor
    """


@command.command("run")
@click.option("--dry-run", is_flag=True, help="Only show what is due; exit 2 if anything is.")
@json_option
@config_option
def run_(dry_run: bool, as_json: bool, config_file: str | None) -> None:
    """Do what is due: roll over, merge, archive, delete.

    One run at a time, under a lease; killed in the middle, it is run again and goes on. What
    a policy archives is deleted only once a copy was restored and counted. Where Index State
    Management does the work, the copies that it made are counted, and an index whose copy
    lies is taken away from it.

    \b
    Examples:
      activity-center retention run --dry-run
      activity-center retention run --config activity-center.yml
      activity-center retention run --json | jq '.steps[] | select(.failed != "")'

    Exit codes: 0 done or nothing due, 1 a step failed, 2 a dry run found something due.
    """
    from rich.console import Console

    from activity_center.policies import policies
    from activity_center.setup import ism
    from collector.retention import agreed_now, archives, due_steps, guard, read_backing, run

    err = Console(stderr=True, highlight=False)
    with connected(config_file) as client:
        if ism.is_there(client):
            if not as_json:
                click.echo("Index State Management carries the policies out here.")
            if dry_run:
                _print_steps([], as_json, "due", by="ism")
                return
            with progress(err) as on_step:
                counted = guard(
                    client,
                    policies(),
                    retry=timedelta(),
                    on_index=lambda name, number, total: on_step(f"count {name}", number, total),
                    on_wait=lambda text: err.print(text, style="yellow", soft_wrap=True),
                )
            _print_steps([asdict(one) for one in counted.steps], as_json, "done", by="ism")
            sys.exit(1 if counted.failed else 0)
        if dry_run:
            now = agreed_now(client)
            due = due_steps(policies(), read_backing(client), archives(client), now)
            steps = [
                {
                    "index": one.name,
                    "tier": step.tier,
                    "action": step.action.kind if step.action else "",
                    "documents": one.documents,
                }
                for one, step in due
            ]
            _print_steps(steps, as_json, "due")
            sys.exit(2 if steps else 0)
        with progress(err) as on_step:
            outcome = run(
                client,
                policies(),
                on_step=lambda one, step, number, total: on_step(
                    f"{step.action.kind if step.action else ''} {one.name}", number, total
                ),
                on_wait=lambda text: err.print(text, style="yellow", soft_wrap=True),
            )
    _print_steps([asdict(one) for one in outcome.steps], as_json, "done")
    sys.exit(1 if outcome.failed else 0)


@command.command("status")
@json_option
@config_option
def status(as_json: bool, config_file: str | None) -> None:
    """List every backing index: class, age, size, tier, and the next step with its date.

    Into a pipe: a line of names, then one line an index, with tabs.

    \b
    Examples:
      activity-center retention status
      activity-center retention status --json | jq '.indices[] | select(.tier == "archive")'
    """
    from activity_center.policies import policies
    from collector.retention import archives, read_backing

    now = datetime.now(UTC)
    with connected(config_file) as client:
        rows = _rows(policies(), read_backing(client), archives(client), now)
    if as_json:
        click.echo(json.dumps({"indices": rows}))
        return
    table(
        ("index", "class", "age", "entries", "size", "tier", "next", "due", "deleted"),
        [
            (
                row["index"],
                row["class"] or "none",
                f"{row['age_days']} d",
                str(row["documents"]),
                human_size(row["bytes"]),
                row["tier"],
                row["next"] or "",
                row["due"] or "",
                row["deleted"] or ("" if row["deleted_by_age"] else "never"),
            )
            for row in rows
        ],
        whole=("age", "entries", "size", "tier", "next", "due", "deleted"),
        rather=("class", "size", "age", "entries", "deleted"),  # the name has the class too
    )


@command.command("simulate")
@coming_option("--at", required=True, text="The moment to look at.")
@json_option
@config_option
def simulate(at: datetime, as_json: bool, config_file: str | None) -> None:
    """Show what will have happened to what by a date, if every step succeeds.

    It changes nothing. An index that is written to counts as rolled over when its age is
    reached; size or number of entries may make that earlier.

    \b
    Examples:
      activity-center retention simulate --at +30d
      activity-center retention simulate --at 2033-01-01 --json | jq .tiers
    """
    from activity_center.policies import policies
    from collector.retention import archives, forecast, read_backing

    now, known_policies = datetime.now(UTC), policies()
    rows: list[dict[str, Any]] = []
    with connected(config_file) as client:
        known = archives(client)
        for one in read_backing(client):
            policy = known_policies.get(one.retention_class or "")
            if policy is None:
                continue
            step, done = forecast(policy, one, known.get(one.name), now, at)
            rows.append(
                {
                    "index": one.name,
                    "class": one.retention_class,
                    "documents": one.documents,
                    "tier": step.tier,
                    "steps": [
                        {"at": day(when), "tier": tier, "action": action.kind}
                        for when, tier, action in done
                    ],
                }
            )
    tiers: Counter[str] = Counter()
    for row in rows:
        tiers[row["tier"]] += row["documents"]
    if as_json:
        click.echo(json.dumps({"at": day(at), "tiers": tiers, "indices": rows}))
        return
    tier = f"tier on {day(at)}"
    table(
        ("index", "entries", tier, "until then"),
        [
            (
                row["index"],
                str(row["documents"]),
                row["tier"],
                ", ".join(f"{s['at']} {s['action']}" for s in row["steps"]),
            )
            for row in rows
        ],
        whole=("entries", tier),
    )
    click.echo(", ".join(f"{tiers[one]} entries {one}" for one in sorted(tiers)) or "no entries")


@command.command("doctor")
@json_option
@config_option
def doctor(as_json: bool, config_file: str | None) -> None:
    """Name every index that will not go the way its class promises.

    Unmanaged, on an old version of its policy, failed, late, or due to be deleted on another
    day; repositories that cannot be used, and removals that were not finished. It changes
    nothing; "activity-center doctor" asks the same.

    \b
    Examples:
      activity-center retention doctor
      activity-center retention doctor --json | jq -r '.findings[].message'

    Exit codes: 0 nothing failed (warnings are allowed), 1 something did.
    """
    from activity_center.policies import policies
    from collector.retention import check_retention

    with connected(config_file) as client:
        findings = list(check_retention(client, policies(), datetime.now(UTC)))
    failed = sum(one.level == "fail" for one in findings)
    if as_json:
        document = {"findings": [one.as_json() for one in findings], "ok": not failed}
        click.echo(json.dumps(document))
    else:
        for one in findings:
            click.echo(f"{one.level:<4}  {one.message}")
            if one.advice:
                click.echo(f"      → {one.advice}")
    sys.exit(1 if failed else 0)


def _rows(
    policies: Mapping[str, Policy],
    backing: Sequence[Backing],
    known: Mapping[str, Archive],
    now: datetime,
) -> list[dict[str, Any]]:
    from collector.retention import deletion, next_step

    rows = []
    for one in backing:
        policy = policies.get(one.retention_class or "")
        archive = known.get(one.name)
        step = next_step(policy, one, archive, now) if policy else None
        current = archive if archive and archive.uuid == one.uuid else None
        rows.append(
            {
                "index": one.name,
                "stream": one.stream,
                "class": one.retention_class,
                "organization": one.organization,
                "age_days": (now - one.created).days,
                "documents": one.documents,
                "bytes": one.size,
                "tier": step.tier if step else "unmanaged",
                "next": step.action.kind if step and step.action else None,
                "due": day(step.due) or None if step else None,
                "deleted": (day(deletion(policy, one)) or None) if policy else None,
                "deleted_by_age": policy is None or policy.keeps is not None,
                "archived": current.proven[:10] if current and current.proven else None,
                "complete": one.complete,
            }
        )
    return rows


def _print_steps(
    steps: list[dict[str, Any]], as_json: bool, word: str, by: str = "activity-center"
) -> None:
    if as_json:
        click.echo(json.dumps({"steps": steps, "by": by}))
        return
    for one in steps:
        failed = one.get("failed")
        line = f"{one['action']:<13} {one['index']} ({one['tier']}, {one['documents']} entries)"
        click.echo(f"failed: {line}: {failed}" if failed else line)
    click.echo(f"{quantity(len(steps), 'step')} {word}." if steps else "Nothing is due.")


command.add_command(remove_organization)
command.add_command(explain)
