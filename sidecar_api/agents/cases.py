"""Cases: one story of an agent's action, told by entries of all kinds.

A case is what has its id: proposal, decision, execution, the process that it started, and what
the trail says of it. Where an entry does not know the case's id, its proposal joins it, or the
call of the tool, or the trace.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from activity_center.agents.stored import CALL, ID, ORGANIZATION, Clause, all_of
from sidecar_api.agents.places import Key
from sidecar_api.search import ask, present, sized
from sidecar_api.search.clauses import TRAIL, any_of, in_organization, without

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

    from sidecar_api.access import Scope

CASE: Final = "activity.case.id"
TRACE: Final = "trace.id"
PROCESS: Final = "activity.process.id"
MOST: Final = 1000
"""Entries of a case: its first ones."""
MOST_NAMES: Final = 100
"""Proposals, processes and traces of a case."""


@dataclass(frozen=True, slots=True)
class Case:
    """What a reader sees of a case.

    Attributes:
        entries: activities in order.
        chains: what was proposed in it, whether or not the reader sees each.
        processes: ids of those that it names.
        whole: these are all entries.
    """

    organization: str
    entries: list[dict[str, Any]]
    chains: list[Key] = field(default_factory=list)
    processes: list[str] = field(default_factory=list)
    whole: bool = True


class Cases:
    """Questions about cases; raises as :func:`sidecar_api.search.ask.search` does.

    Args:
        client: of the sidecar's own account.
    """

    def __init__(self, client: OpenSearch) -> None:
        self._client = client

    def organizations(self, scope: Scope, id_: str, organization: str | None) -> list[str]:
        """Return the organizations in which the reader sees something of a case."""
        clauses = [scope.query(), TRAIL, {"term": {CASE: id_}}]
        if organization is not None:
            clauses.append(in_organization(organization))
        terms = {"terms": {"field": ORGANIZATION, "missing": "", "size": 10}}
        found = self._counted(all_of(*clauses), {"organizations": terms})
        return sorted(row["key"] for row in found.get("organizations", ()))

    def read(self, scope: Scope, id_: str, organization: str) -> Case:
        """Return a case as the reader sees it."""
        here = in_organization(organization)
        seen = all_of(here, scope.query(), TRAIL)
        own: Clause = {"term": {CASE: id_}}
        ids, calls, traces = self._names(all_of(seen, own), ID, CALL, TRACE)
        told = [own, *_of_chains(ids, calls)]
        # What runs may tell of its call and its process without naming the case.
        calls, processes = self._names(all_of(seen, any_of(told)), CALL, PROCESS)
        joins = [own, *_of_chains(ids, calls)]
        if processes:
            joins.append({"terms": {PROCESS: processes}})
        if traces:
            # An entry of another case is of that one, whatever its trace.
            joins.append(all_of({"terms": {TRACE: traces}}, without({"exists": {"field": CASE}})))
        body = {
            "size": MOST,
            "track_total_hits": False,
            "query": all_of(here, scope.query(), TRAIL, any_of(joins)),
            "sort": [
                {"@timestamp": "asc"},
                *(
                    {name: {"order": "asc", "missing": "_first", "unmapped_type": kind}}
                    for name, kind in (("event.sequence", "long"), ("event.id", "keyword"))
                ),
            ],
        }
        hits = sized.search(self._client, body)["hits"]["hits"]
        return Case(
            organization,
            [present.activity(hit) for hit in hits],
            [Key(organization, one) for one in ids],
            _processes(processes, hits),
            len(hits) < MOST,
        )

    def _names(self, query: Clause, *fields: str) -> list[list[str]]:
        """Return the values of each field in what a query finds."""
        terms = {one: {"terms": {"field": one, "size": MOST_NAMES}} for one in fields}
        found = self._counted(query, terms)
        return [[row["key"] for row in found.get(one, ())] for one in fields]

    def _counted(self, query: Clause, aggregations: dict[str, Clause]) -> dict[str, Any]:
        body = {"size": 0, "track_total_hits": False, "query": query, "aggs": aggregations}
        found = ask.search(self._client, body).get("aggregations") or {}
        return {name: one["buckets"] for name, one in found.items()}


def _of_chains(ids: list[str], calls: list[str]) -> list[Clause]:
    """Clauses of entries that name a proposal, or a call and no proposal: it may be another's."""
    made: list[Clause] = []
    if ids:
        made.append({"terms": {ID: ids}})
    if calls:
        made.append(all_of({"terms": {CALL: calls}}, without({"exists": {"field": ID}})))
    return made


def _processes(known: list[str], hits: Iterable[dict[str, Any]]) -> list[str]:
    made = dict.fromkeys(known)
    for hit in hits:
        ours = hit["_source"].get("activity", {})
        id_ = ours.get("process", {}).get("id") if isinstance(ours, dict) else None
        if isinstance(id_, str):
            made[id_] = None
    return [*made]
