"""Cases: one story of an agent's action, told by entries of all kinds.

A case is what has its id: proposal, decision, execution, the process that it started, and what
the trail says of it. Where an entry does not know the case's id, its proposal joins it, or the
call of the tool, or the trace.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from activity_center.agents.stored import CALL, CALLED, ID, NAMED, ORGANIZATION
from activity_center.clauses import Clause, all_of, any_of
from sidecar_api.agents.places import Key
from sidecar_api.search import ask, present, sized
from sidecar_api.search.clauses import TRAIL, in_organization, without

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

    from sidecar_api.access import Scope
    from sidecar_api.agents.chains import Read

CASE: Final = "activity.case.id"
TRACE: Final = "trace.id"
PROCESS: Final = "activity.process.id"
MOST: Final = 1000
"""Entries of a case: its first ones."""
MOST_NAMES: Final = 500
"""Proposals, calls, processes and traces of a case that are looked at: its first ones."""


@dataclass(frozen=True, slots=True)
class Case:
    """What a reader sees of a case.

    Attributes:
        entries: activities in order.
        named: what was proposed in it, whether or not the reader sees each.
        called: chains that it may have beside them: by the call of a tool that its entries know.
        processes: ids of those that it names.
        cut: of which parts there is more: entries, proposals, processes.
    """

    id: str
    organization: str
    entries: list[dict[str, Any]]
    named: frozenset[Key]
    called: frozenset[Key]
    processes: list[str]
    cut: frozenset[str]

    def has(self, read: Read) -> bool:
        """Whether a chain is of it: it has its name from it, or an entry of the chain names it."""
        return read.key in self.named or any(one.case == self.id for one in read.chain.entries)


@dataclass(frozen=True, slots=True)
class _Names:
    """Values of a field.

    Attributes:
        whole: these are all.
    """

    values: list[str]
    whole: bool


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
        return sorted(row["key"] for row in found["organizations"]["buckets"]) if found else []

    def read(self, scope: Scope, id_: str, organization: str) -> Case:
        """Return a case as the reader sees it."""
        here = in_organization(organization)
        seen = all_of(here, scope.query(), TRAIL)
        own: Clause = {"term": {CASE: id_}}
        ids, calls, traces = self._names(all_of(seen, own), ID, CALL, TRACE)
        alone, named = self._by_call(seen, own, calls)
        told = [own, *_of_chains(ids, calls)]
        # What runs may tell of its call and its process without naming the case.
        calls, processes = self._names(all_of(seen, any_of(*told)), CALL, PROCESS)
        joins = [own, *_of_chains(ids, calls)]
        if processes.values:
            joins.append({"terms": {PROCESS: processes.values}})
        if traces.values:
            joins.append(all_of({"terms": {TRACE: traces.values}}, _of_no_case()))
        body = {
            "size": MOST,
            "track_total_hits": False,
            "query": all_of(here, scope.query(), TRAIL, any_of(*joins)),
            "sort": [
                {"@timestamp": "asc"},
                *(
                    {name: {"order": "asc", "missing": "_first", "unmapped_type": kind}}
                    for name, kind in (("event.sequence", "long"), ("event.id", "keyword"))
                ),
            ],
        }
        hits = sized.search(self._client, body)["hits"]["hits"]
        parts = {
            "entries": len(hits) < MOST
            and all(one.whole for one in (ids, calls, traces, processes)),
            "proposals": all(one.whole for one in (ids, alone, named)),
            "processes": processes.whole,
        }
        return Case(
            id_,
            organization,
            [present.activity(hit) for hit in hits],
            frozenset(Key(organization, one) for one in ids.values),
            frozenset(
                {Key(organization, one, called=True) for one in alone.values}
                | {Key(organization, one) for one in named.values}
            ),
            _processes(processes.values, hits),
            frozenset(name for name, whole in parts.items() if not whole),
        )

    def _by_call(self, seen: Clause, own: Clause, calls: _Names) -> tuple[_Names, _Names]:
        """The calls that entries of a case know alone, and the proposals that name these."""
        alone = named = _Names([], whole=True)
        if calls.values:
            (alone,) = self._names(all_of(seen, own, CALLED), CALL)
        if alone.values:
            wanted: Clause = {"terms": {CALL: alone.values}}
            (named,) = self._names(all_of(seen, NAMED, wanted), ID)
        return alone, named

    def _names(self, query: Clause, *fields: str) -> list[_Names]:
        """Return the values of each field in what a query finds, those of its first entries."""
        terms = {
            one: {
                "terms": {"field": one, "size": MOST_NAMES, "order": {"first": "asc"}},
                "aggs": {"first": {"min": {"field": "@timestamp"}}},
            }
            for one in fields
        }
        found = self._counted(query, terms)
        if not found:
            return [_Names([], whole=True) for _ in fields]
        return [
            _Names(
                [row["key"] for row in found[one]["buckets"]],
                whole=not found[one]["sum_other_doc_count"],
            )
            for one in fields
        ]

    def _counted(self, query: Clause, aggregations: dict[str, Clause]) -> dict[str, Any]:
        body = {"size": 0, "track_total_hits": False, "query": query, "aggs": aggregations}
        return ask.search(self._client, body).get("aggregations") or {}


def _of_chains(ids: _Names, calls: _Names) -> list[Clause]:
    """Clauses of entries that name a proposal, or a call alone.

    What names the call and another proposal is of that one; what names another case is of that:
    ids of calls are made anew by each program, and ``call_0`` is one of many.
    """
    made: list[Clause] = []
    if ids.values:
        made.append({"terms": {ID: ids.values}})
    if calls.values:
        unnamed = without({"exists": {"field": ID}})
        made.append(all_of({"terms": {CALL: calls.values}}, unnamed, _of_no_case()))
    return made


def _of_no_case() -> Clause:
    return without({"exists": {"field": CASE}})


def _processes(known: list[str], hits: Iterable[dict[str, Any]]) -> list[str]:
    made = dict.fromkeys(known)
    for hit in hits:
        ours = hit["_source"].get("activity", {})
        id_ = ours.get("process", {}).get("id") if isinstance(ours, dict) else None
        if isinstance(id_, str):
            made[id_] = None
    return [*made]
