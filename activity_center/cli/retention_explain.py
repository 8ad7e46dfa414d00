"""``activity-center retention explain``: why an index, or an entry, is kept until when."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from activity_center.cli.retention_options import config_option, connected, day, json_option

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

    from collector.retention import Backing

_FAR = datetime(9999, 1, 1, tzinfo=UTC)


@click.command("explain")
@click.argument("what", metavar="INDEX|ACTIVITY_ID")
@json_option
@config_option
def explain(what: str, as_json: bool, config_file: str | None) -> None:
    """Say of an index, or of the entry with an id, what its policy does to it, and when.

    \b
    Examples:
      activity-center retention explain .ds-activity-audit-standard-90d-000003
      activity-center retention explain 0Zk5mF1bT3uQeXw2aYcR8dNvLsHj --json
    """
    from activity_center.errors import ClusterError
    from activity_center.policies import policies
    from activity_center.vocabulary import retention_classes
    from collector.retention import archives, deletion, forecast, next_step, read_backing

    now = datetime.now(UTC)
    with connected(config_file) as client:
        backing = {one.name: one for one in read_backing(client)}
        names = [what] if what in backing else _indices_of(client, what)
        found = [backing[name] for name in names if name in backing]
        known = archives(client)
    if not found:
        raise ClusterError(
            f"no index of ours and no entry has the id {what!r}",
            hint="activity-center retention status lists the indices; an older entry may be "
            "archived: activity-center archive list",
        )
    answers: list[dict[str, Any]] = []
    for one in found:
        policy = policies().get(one.retention_class or "")
        if policy is None:
            answers.append({"index": one.name, "class": None, "policy": None})
            continue
        archive = known.get(one.name)
        step = next_step(policy, one, archive, now)
        _, coming = forecast(policy, one, archive, now, _FAR)
        answers.append(
            {
                "index": one.name,
                "class": one.retention_class,
                "description": retention_classes()[policy.retention_class].description,
                "policy": f"{policy.id} version {policy.version}",
                "created": day(one.created),
                "rolled_over": day(one.rolled) or None,
                "documents": one.documents,
                "tier": step.tier,
                "coming": [
                    {"at": day(when), "tier": tier, "action": action.kind}
                    for when, tier, action in coming
                ],
                "deleted": day(deletion(policy, one)) or None,
                "archive": asdict(archive) if archive and archive.uuid == one.uuid else None,
            }
        )
    if as_json:
        click.echo(json.dumps({"indices": answers}))
        return
    for answer in answers:
        _print(answer, backing[str(answer["index"])])


def _print(answer: dict[str, Any], one: Backing) -> None:
    click.echo(answer["index"])
    if answer["policy"] is None:
        click.echo("  unmanaged: its stream's name has none of our retention classes")
        return
    click.echo(f"  class    {answer['class']}: {answer['description']}")
    click.echo(f"  policy   {answer['policy']}")
    since = f", rolled over {answer['rolled_over']}" if answer["rolled_over"] else ""
    click.echo(f"  created  {answer['created']}{since}; {one.documents} entries")
    click.echo(f"  tier     {answer['tier']}")
    for step in answer["coming"]:
        click.echo(f"  {step['at']}  {step['action']} ({step['tier']})")
    click.echo(f"  deleted  {answer['deleted'] or 'never'}")
    archive = answer["archive"]
    if archive:
        proof = archive["proven"][:10]
        state = f"counted {proof}" if proof else f"not proven: {archive['problem'] or 'begun'}"
        click.echo(f"  archive  {archive['snapshot']} in {archive['repository']}, {state}")


def _indices_of(client: OpenSearch, id_: str) -> list[str]:
    """The indices that hold an entry with this ``_id`` or ``event.id``."""
    from activity_center.answers import whole
    from activity_center.setup.cluster import ask
    from activity_center.streams import LENS_PATTERNS

    path = f"/{','.join(LENS_PATTERNS)}/_search"
    either = [{"ids": {"values": [id_]}}, {"term": {"event.id": id_}}]
    body = ask(
        client,
        "POST",
        path,
        params={"allow_partial_search_results": "false"},
        body={"size": 20, "_source": False, "query": {"bool": {"should": either}}},
    ).body
    whole(body, path)
    return sorted({str(hit["_index"]) for hit in body["hits"]["hits"]})
