"""What the commands of ``activity-center proposals`` share: options, and reading chains."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import click

from activity_center.cli.tail import Since

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

    from activity_center.agents import Chain, Judgement, Policies
    from activity_center.config import Config

MOST: Final = 100_000
"""Entries that are read; a longer period is refused, since a part of it would mislead."""
_PAGE: Final = 1000
_IDS: Final = 500
_AGENT: Final = "activity-agent-*"

config_option = click.option(
    "--config",
    "config_file",
    type=click.Path(dir_okay=False),
    help="activity-center.yml: the cluster, and approval policies of your own.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Plain values for programs.")


def period(function: Any) -> Any:
    """``--from``, ``--to`` and ``--organization``, as every verb over a period has them."""
    options = (
        click.option(
            "--from",
            "since",
            type=Since(),
            default="7d",
            show_default=True,
            metavar="WHEN",
            help="Chains that began then or later: 7d ago, or an ISO 8601 time.",
        ),
        click.option(
            "--to", "until", type=Since(), metavar="WHEN", help="Chains that began by then."
        ),
        click.option("--organization", metavar="ID", help="Only this organization."),
    )
    for option in reversed(options):
        function = option(function)
    return function


@dataclass(frozen=True, slots=True)
class Reading:
    """Where chains are read, and by which policies they are judged."""

    client: OpenSearch
    policies: Policies
    now: datetime

    def judge(self, chain: Chain) -> Judgement:
        """Judge a chain as of now."""
        from activity_center.agents import judge
        from activity_center.agents.kept import kept_since

        return judge(chain, self.policies, now=self.now, kept_since=kept_since(chain, self.now))

    def chains(self, since: int, until: int | None, organization: str | None) -> list[Chain]:
        """Return the chains that began in a period (Unix time in ms), in order.

        Args:
            organization: id of the only one that is looked at.

        Raises:
            ClusterError: OpenSearch cannot be asked, or only in part.
            ActivityCenterError: there are more entries than are read.
        """
        from activity_center.agents import read_chains
        from activity_center.processes.reading import MILLI

        begun = {"range": {"@timestamp": {"gte": since, "format": "epoch_millis"}}}
        own = [] if organization is None else [{"term": {"organization.id": organization}}]
        entries = self._entries([begun, *own])
        # What began before is whole only with its beginning.
        chains = read_chains(entries.values())
        headless = [chain for chain in chains if chain.proposal is None]
        for clause in _named(headless):
            entries |= self._entries([clause, *own])
        last = until if until is not None else int(self.now.timestamp() * 1000)
        found = read_chains(entries.values())
        return [one for one in found if since * MILLI <= one.begun <= (last + 1) * MILLI]

    def chain(self, id_: str, organization: str | None) -> list[Chain]:
        """Return the chains with an id: one an organization."""
        from activity_center.agents import read_chains
        from activity_center.agents.stored import CALL, ID

        call = id_.removeprefix("call:")
        entries = self._entries([{"term": {ID: id_}} if call == id_ else {"term": {CALL: call}}])
        calls = sorted({chain.tool["call_id"] for chain in read_chains(entries.values())} - {None})
        if calls:
            entries |= self._entries([{"terms": {CALL: calls[:_IDS]}}])
        found = [one for one in read_chains(entries.values()) if one.id == id_]
        return [one for one in found if organization in (None, one.organization["id"])]

    def _entries(self, clauses: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """Every entry of a chain that the clauses find, by its document's id."""
        from activity_center.agents.stored import CALLED, NAMED, all_of, any_of
        from activity_center.errors import ActivityCenterError

        body: dict[str, Any] = {
            "size": _PAGE,
            "track_total_hits": False,
            "query": all_of(any_of(NAMED, CALLED), *clauses),
            "sort": [{"@timestamp": "asc"}, {"event.id": "asc"}, {"event.hash": "asc"}],
        }
        found: dict[str, dict[str, Any]] = {}
        while True:
            hits = _search(self.client, body)
            found |= {f"{hit['_index']}/{hit['_id']}": hit["_source"] for hit in hits}
            if len(hits) < _PAGE:
                return found
            if len(found) > MOST:
                raise ActivityCenterError(
                    f"there are more than {MOST} entries", hint="choose a shorter period: --from"
                )
            body["search_after"] = hits[-1]["sort"]


def reading(config_file: str | None) -> Reading:
    """Connect as the configuration says, or the environment.

    Raises:
        ConfigError, NodeError: see :func:`activity_center.connection.connect`.
    """
    from activity_center import config as configuration
    from activity_center.agents import shipped_policies
    from activity_center.connection import connect

    config: Config | None = configuration.load(config_file) if config_file else None
    client = connect(config.searcher) if config else connect()
    policies = config.approval_policies if config else shipped_policies()
    return Reading(client, policies, datetime.now(UTC))


def _named(chains: Iterable[Chain]) -> Iterator[dict[str, Any]]:
    """Clauses for all entries of some chains."""
    from activity_center.agents.stored import CALL, ID

    chains = list(chains)
    proposals = sorted({one.id for one in chains if not one.id.startswith("call:")})
    calls = sorted({str(one.tool["call_id"]) for one in chains if one.tool["call_id"]})
    for field, ids in ((ID, proposals), (CALL, calls)):
        for place in range(0, len(ids), _IDS):
            yield {"terms": {field: ids[place : place + _IDS]}}


def _search(client: OpenSearch, body: dict[str, Any]) -> list[dict[str, Any]]:
    from activity_center.errors import IncompleteAnswer
    from activity_center.setup.cluster import ask

    answer = ask(
        client,
        "POST",
        f"/{_AGENT}/_search",
        params={"allow_partial_search_results": "false", "ignore_unavailable": "true"},
        body=body,
    ).body
    shards = answer["_shards"]
    if answer["timed_out"] or shards["successful"] != shards["total"]:
        raise IncompleteAnswer(
            f"{shards['successful']} of {shards['total']} shards answered",
            hint="a shard may be recovering; see activity-center doctor",
        )
    hits: list[dict[str, Any]] = answer["hits"]["hits"]
    return hits
