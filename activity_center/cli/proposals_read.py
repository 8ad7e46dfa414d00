"""What the commands of ``activity-center proposals`` share: options, and reading chains."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import click

from activity_center.cli.options import config_file_option, milliseconds, time_option

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

    from activity_center.agents import Chain, Judgement, Policies
    from activity_center.config import Config

MOST: Final = 100_000
"""Entries that are read; a longer period is refused, since a part of it would mislead."""
NONE: Final = "-"
"""In the place of an organization: what has none. The API takes it too."""
MOST_BYTES: Final = 1024 * 1024 * 1024
"""What they may weigh."""
_PAGE: Final = 1000
_IDS: Final = 500
_AGENT: Final = "activity-agent-*"

config_option = config_file_option("the cluster, and approval policies of your own")


def period(function: Any) -> Any:
    """``--from``, ``--to`` and ``--organization``, as every verb over a period has them."""
    options = (
        time_option(
            "--from",
            "since",
            default="7d",
            show_default=True,
            text="Chains that began then or later.",
        ),
        time_option("--to", "until", text="Chains that began by then."),
        click.option("--organization", metavar="ID", help="Only this one; -: of none."),
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

    def chains(
        self, since: datetime, until: datetime | None, organization: str | None
    ) -> list[Chain]:
        """Return the chains that began in a period, in order.

        Args:
            organization: id of the only one that is looked at; ``-``: of none.

        Raises:
            ClusterError: OpenSearch cannot be asked, or only in part.
            ActivityCenterError: there are more entries than are read.
        """
        from activity_center.agents import read_chains
        from activity_center.processes.reading import MILLI

        first, last = milliseconds(since), milliseconds(until or self.now)
        begun = {"range": {"@timestamp": {"gte": first, "format": "epoch_millis"}}}
        own = _of(organization)
        entries = self._entries([begun, *own])
        # What began before is whole only with its beginning, and a call may be claimed by then.
        chains = read_chains(entries.values())
        unsure = [chain for chain in chains if chain.proposal is None or _is_by_call(chain)]
        for clause in _named(unsure):
            entries |= self._entries([clause, *own])
        found = read_chains(entries.values())
        return [one for one in found if first * MILLI <= one.begun <= (last + 1) * MILLI]

    def chain(self, id_: str, organization: str | None) -> list[Chain]:
        """Return the chains with an id: one an organization, ``-``: that of none."""
        from activity_center.agents import read_chains
        from activity_center.agents.stored import CALL, ID

        call = id_.removeprefix("call:")
        entries = self._entries([{"term": {ID: id_}} if call == id_ else {"term": {CALL: call}}])
        calls = sorted({chain.tool["call_id"] for chain in read_chains(entries.values())} - {None})
        if calls:
            entries |= self._entries([{"terms": {CALL: calls[:_IDS]}}])
        found = [one for one in read_chains(entries.values()) if one.id == id_]
        return [one for one in found if organization in (None, one.organization["id"] or NONE)]

    def _entries(self, clauses: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """Every entry of a chain that the clauses find, by its document's id."""
        from activity_center.agents.stored import CALLED, NAMED
        from activity_center.clauses import all_of, any_of
        from activity_center.errors import ActivityCenterError
        from activity_center.weights import NO_SOURCES, batches, weight

        body: dict[str, Any] = {
            "size": _PAGE,
            "track_total_hits": False,
            "query": all_of(any_of(NAMED, CALLED), *clauses),
            "sort": [{"@timestamp": "asc"}, {"event.id": "asc"}, {"event.hash": "asc"}],
        }
        found: dict[str, dict[str, Any]] = {}
        room = MOST_BYTES
        while True:
            hits = _search(self.client, {**body, **NO_SOURCES})
            room -= sum(map(weight, hits))
            if len(found) + len(hits) > MOST or room < 0:
                raise ActivityCenterError(
                    f"there are more than {MOST} entries, or more than {MOST_BYTES // 1024**2} MiB",
                    hint="choose a shorter period: --from",
                )
            for batch in batches(hits):
                found |= _sources(self.client, body["query"], batch)
            if len(hits) < _PAGE:
                return found
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


def _of(organization: str | None) -> list[dict[str, Any]]:
    """The clauses of entries of an organization; ``None``: of each."""
    if organization is None:
        return []
    if organization == NONE:
        return [{"bool": {"must_not": [{"exists": {"field": "organization.id"}}]}}]
    return [{"term": {"organization.id": organization}}]


def _is_by_call(chain: Chain) -> bool:
    """Whether an entry joined a chain by its call alone."""
    return any(not one.proposal for one in chain.entries)


def _named(chains: Iterable[Chain]) -> Iterator[dict[str, Any]]:
    """Clauses for all entries of some chains."""
    from activity_center.agents.stored import CALL, ID

    chains = list(chains)
    proposals = sorted({one.id for one in chains if not one.id.startswith("call:")})
    calls = sorted({str(one.tool["call_id"]) for one in chains if one.tool["call_id"]})
    for field, ids in ((ID, proposals), (CALL, calls)):
        for place in range(0, len(ids), _IDS):
            yield {"terms": {field: ids[place : place + _IDS]}}


def _sources(
    client: OpenSearch, query: dict[str, Any], hits: Sequence[dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """The entries of hits that were found without, by their documents' ids."""
    from activity_center.clauses import all_of

    ids = {"ids": {"values": [hit["_id"] for hit in hits]}}
    # The same id may stand in two generations of a stream.
    found = _search(client, {"size": 2 * len(hits), "query": all_of(query, ids)})
    return {f"{hit['_index']}/{hit['_id']}": hit["_source"] for hit in found}


def _search(client: OpenSearch, body: dict[str, Any]) -> list[dict[str, Any]]:
    from activity_center.answers import whole
    from activity_center.setup.cluster import ask

    path = f"/{_AGENT}/_search"
    params = {"allow_partial_search_results": "false", "ignore_unavailable": "true"}
    answer = whole(ask(client, "POST", path, params=params, body=body).body, _AGENT)
    hits: list[dict[str, Any]] = answer["hits"]["hits"]
    return hits
