"""Chains out of their stored entries: lists of them, and one of them.

A list asks OpenSearch for ids first, one bucket a chain, and what it is limited to is asked of
each chain as a whole (:mod:`sidecar_api.agents.query`). Then the entries of the chains of one
page are read (:mod:`activity_center.agents`). A chain is shown whole or not at all: the verdict
on half of it would be wrong, and would tell of the other half. Who sees its proposal, the one that
came in first, sees the chain; one without a proposal only who sees each of its entries.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from activity_center.agents import Chain, read_chain, read_chains
from activity_center.agents.decision import MOST_ROLES
from activity_center.agents.entry import CALL_OF
from activity_center.agents.stored import (
    AGENT,
    CALL,
    CALLED,
    ID,
    NAMED,
    ORGANIZATION,
    stage,
    staged,
)
from activity_center.clauses import Clause, all_of, any_of
from activity_center.processes.reading import part, texts
from sidecar_api.agents import calls
from sidecar_api.agents.places import Key, Place
from sidecar_api.agents.query import DEEPEST, RATED, RECEIVED, STATES, Wanted, buckets
from sidecar_api.search import ask, page, sized
from sidecar_api.search.clauses import in_any, in_organization

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

    from sidecar_api.access import Scope

MOST_ENTRIES: Final = 10_000
"""Entries that are read at once; of one chain: its first ones, and as many that have a stage."""
MOST_BYTES: Final = 64 * 1024 * 1024
"""What the entries that are read at once may weigh; of one chain as with their number."""
AT_ONCE: Final = 100
"""Chains that are read at once."""
_RUNS: Final = ("executing", "completed", "failed")
_DECISIONS: Final = ("approved", "denied", "cancelled")
_ROLES: Final = "activity.approver.roles"
"""Part of the verdict, also in a list."""

Hit = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Read:
    """A chain that was read.

    Attributes:
        hits: its entries, as OpenSearch has them.
        whole: these are all of them.
        lean: what may be long was left out of large ones.
        cut: entries that have a stage are not among them, so nothing can be said of it.
    """

    key: Key
    chain: Chain
    hits: list[Hit] = field(repr=False)
    whole: bool = True
    lean: bool = False
    cut: bool = False

    def having(self, entry: dict[str, Any] | None) -> Read:
        """Return it with an entry that cannot be searched for yet."""
        if entry is None:
            return self
        sources = [one.source for one in self.chain.entries]
        return replace(self, chain=read_chain([*sources, entry]))


class Chains:
    """Questions about stored chains, each within the scope of a reader.

    Every method raises as :func:`sidecar_api.search.ask.search` does.

    Args:
        client: of the sidecar's own account.
        most: see :data:`MOST_ENTRIES`.
    """

    def __init__(self, client: OpenSearch, most: int = MOST_ENTRIES) -> None:
        self._client = client
        self._most = most

    def places(self, scope: Scope, wanted: Wanted, as_of: datetime) -> tuple[list[Place], bool]:
        """Return the chains that a reader sees and a list is limited to, newest first.

        States are those of the entries' stages and times; what is folded of them may differ.

        Returns:
            And whether there are more: see :data:`~sidecar_api.agents.query.DEEPEST`.
        """
        clauses = [page.ingested_by(as_of)]
        if wanted.organization:
            clauses.append(in_organization(wanted.organization))
        return self._places(scope, wanted, clauses)

    def keys(self, scope: Scope, id_: str, organization: str | None = None) -> list[Key]:
        """Return the chains with an id that the reader sees, one an organization."""
        named: Clause = {"term": {ID: id_}}
        call = id_.removeprefix(CALL_OF)
        clause = named if call == id_ else any_of(named, {"term": {CALL: call}})
        clauses = [clause]
        if organization is not None:
            clauses.append(in_organization(organization))
        found, _ = self._places(scope, Wanted(), clauses)
        return sorted(one.key for one in found if one.key.shown == id_)

    def among(self, scope: Scope, organization: str, keys: Collection[Key]) -> list[Key]:
        """Return those of these chains of one organization that the reader sees.

        A call that joins a proposal is no chain of its own, and not among them.
        """
        ids = sorted(key.id for key in keys if not key.called)
        called = sorted(key.id for key in keys if key.called)
        wanted: list[Clause] = [
            {"terms": {field: some}} for field, some in ((ID, ids), (CALL, called)) if some
        ]
        if not wanted:
            return []
        clauses = [in_organization(organization), any_of(*wanted)]
        found, _ = self._places(scope, Wanted(), clauses)
        return [one.key for one in found if one.key in keys]

    def owned(self, id_: str, sender: str) -> list[Key]:
        """Return the chains with an id whose proposals a sender delivered, all of them."""
        body = {
            "size": 0,
            "track_total_hits": False,
            "query": all_of(NAMED, {"term": {ID: id_}}),
            "aggs": {"chains": buckets({"term": {"activity.sender": sender}}, Wanted())},
        }
        found = ask.search(self._client, body).get("aggregations")
        rows = found["chains"]["buckets"] if found else []
        return sorted(_key(row, called=False) for row in rows if _seen([row], whole=False))

    def read(
        self, keys: Sequence[Key], as_of: datetime | None = None, *, lean: bool = False
    ) -> list[Read]:
        """Return chains with their entries, in this order; one that is gone is left out.

        Args:
            as_of: without what came in later.
            lean: without what may be long of large entries.
        """
        if not keys:
            return []
        wanted = any_of(
            *(_entries_of(organization, several) for organization, several in _by(keys))
        )
        hits, whole = self._hits(wanted, as_of, lean=lean)
        joined, rest = list[Hit](), True
        if whole and (beside := calls.beside(hits, keys)):
            joined, rest = self._hits(any_of(*beside), as_of, lean=lean)
        if whole and rest:
            return _made(keys, _each([*hits, *joined]))
        if len(keys) > 1:
            half = len(keys) // 2
            parts = (keys[:half], keys[half:])
            return [one for part in parts for one in self.read(part, as_of, lean=lean)]
        # One chain of so many entries: whoever may send can hide a run behind empty ones, so
        # those that have a stage are read apart from them.
        told, kept = self._hits(all_of(wanted, staged()), as_of, lean=lean)
        if beside := calls.beside([*told, *hits], keys):
            named, enough = self._hits(all_of(any_of(*beside), staged()), as_of, lean=lean)
            told, kept = [*told, *named], kept and enough
        found = _made(keys, _each([*told, *hits, *joined]))
        return [replace(one, whole=False, cut=not kept) for one in found]

    def walk(
        self, keys: Iterable[Key], as_of: datetime | None = None, *, lean: bool = True
    ) -> Iterator[Read]:
        """Yield chains of any number, read in parts."""
        waiting: list[Key] = []
        for key in keys:
            waiting.append(key)
            if len(waiting) == AT_ONCE:
                yield from self.read(waiting, as_of, lean=lean)
                waiting = []
        yield from self.read(waiting, as_of, lean=lean)

    def _places(
        self, scope: Scope, wanted: Wanted, clauses: list[Clause]
    ) -> tuple[list[Place], bool]:
        wall = scope.query()
        where = [AGENT, *clauses]
        known = {*scope.organizations, *scope.reader.grants}
        if not scope.everything:
            # All of these organizations, or what the reader sees would pass for the whole chain.
            where.append(any_of(wall, {"terms": {ORGANIZATION: sorted(known)}}))
        called = all_of(CALLED, staged())
        body = {
            "size": 0,
            "track_total_hits": False,
            "query": all_of(*where),
            "aggs": {
                "named": {"filter": NAMED, "aggs": {"chains": buckets(wall, wanted)}},
                "called": {
                    "filter": called,
                    "aggs": {"chains": buckets(wall, wanted, called=True)},
                },
            },
        }
        found = ask.search(self._client, body).get("aggregations")
        if not found:
            return [], False
        rows = {
            _key(row, called=called): [{**row, "field": CALL if called else ID}]
            for name, called in (("named", False), ("called", True))
            for row in found[name]["chains"]["buckets"]
        }
        calls.join(self._client, rows)
        if not scope.everything:
            self._complete([one for key, one in rows.items() if key.organization not in known])
        made = [
            Place(_begun(several), key)
            for key, several in rows.items()
            if _seen(several, whole=scope.everything or key.organization in known)
        ]
        fitting = [one for one in made if _fits(rows[one.key], one.begun, wanted)]
        # What is beyond the buckets may be others': only one more of the reader's own tells.
        full = any(len(found[name]["chains"]["buckets"]) > DEEPEST for name in ("named", "called"))
        ordered = sorted(fitting, key=lambda one: one.order)
        return ordered[:DEEPEST], full or len(ordered) > DEEPEST

    def _complete(self, several: list[list[dict[str, Any]]]) -> None:
        """Look when the proposals came in of chains of which only the reader's own were counted."""
        # Else whoever names somebody as the initiator, beside another's proposal, opened that.
        rows = [row for rows in several for row in rows if row["proposed"]["doc_count"]]
        for name, only in ((ID, NAMED), (CALL, CALLED)):
            mine = {tuple(row["key"]): row for row in rows if row["field"] == name}
            if not mine:
                continue
            ids = sorted({id_ for _, id_ in mine})
            here = in_any({organization for organization, _ in mine})
            terms = [{"field": ORGANIZATION, "missing": ""}, {"field": name}]
            query = all_of(only, stage("proposed"), {"terms": {name: ids}}, here)
            each = {"multi_terms": {"terms": terms, "size": DEEPEST}, "aggs": RECEIVED}
            body = {"size": 0, "track_total_hits": False, "query": query, "aggs": {"all": each}}
            for one in ask.search(self._client, body)["aggregations"]["all"]["buckets"]:
                if row := mine.get(tuple(one["key"])):
                    row["proposed"]["received"] = one["received"]

    def _hits(
        self, wanted: Clause, as_of: datetime | None, *, lean: bool
    ) -> tuple[list[Hit], bool]:
        clauses = [AGENT, wanted]
        if as_of is not None:
            clauses.append(page.ingested_by(as_of))
        sort: list[Any] = [{"@timestamp": "asc"}]
        sort += [
            {name: {"order": "asc", "missing": "_first", "unmapped_type": kind}}
            for name, kind in (("event.sequence", "long"), ("event.id", "keyword"))
        ]
        body = {
            "size": self._most,
            "track_total_hits": False,
            "query": all_of(*clauses),
            "sort": sort,
        }
        found = ask.search(self._client, sized.without_sources(body))["hits"]["hits"]
        some = sized.within(found, MOST_BYTES, lean=lean)
        batches = sized.filled(self._client, body, some, lean=lean, also=[_ROLES])
        hits = [_short(hit) for batch in batches for hit in batch]
        return hits, len(some) == len(found) < self._most


def _short(hit: Hit) -> Hit:
    """A hit, of a list with no more roles of an approver than are looked at."""
    approver = part(hit["_source"], "activity", "approver")
    if hit.get(sized.PARTIAL) and isinstance(approver, dict) and "roles" in approver:
        approver["roles"] = texts(approver, "roles", MOST_ROLES)
    return hit


def _by(keys: Iterable[Key]) -> list[tuple[str, list[Key]]]:
    found: dict[str, list[Key]] = {}
    for key in keys:
        found.setdefault(key.organization, []).append(key)
    return sorted(found.items())


def _entries_of(organization: str, keys: list[Key]) -> Clause:
    """Entries of one organization that name a chain of these, or its call."""
    made: list[Clause] = []
    proposals = [key.id for key in keys if not key.called]
    called = [key.id for key in keys if key.called]
    if proposals:
        made.append({"terms": {ID: proposals}})
    if called:
        made.append({"terms": {CALL: called}})  # also those that propose it: it may be theirs
    return all_of(in_organization(organization), any_of(*made))


def _each(hits: list[Hit]) -> list[Hit]:
    """Each document once."""
    return list({(hit["_index"], hit["_id"]): hit for hit in hits}.values())


def _made(keys: Sequence[Key], hits: list[Hit]) -> list[Read]:
    own = {id(hit["_source"]): hit for hit in hits}
    found: dict[Key, Read] = {}
    for chain in read_chains(hit["_source"] for hit in hits):
        organization = chain.entries[0].organization
        named = any(one.proposal for one in chain.entries)
        key = Key(organization, chain.id if named else chain.id.removeprefix(CALL_OF), not named)
        mine = [own[id(one.source)] for one in chain.entries]
        lean = any(hit.get(sized.PARTIAL) for hit in mine)
        found[key] = Read(key, chain, mine, lean=lean)
    return [found[key] for key in keys if key in found]


def _key(row: dict[str, Any], *, called: bool) -> Key:
    organization, id_ = row["key"]
    return Key(organization, id_, called)


def _begun(rows: list[dict[str, Any]]) -> int:
    return int(min(row["begin"]["value"] for row in rows))


def _seen(rows: list[dict[str, Any]], *, whole: bool) -> bool:
    """Whether the reader sees the proposal of a chain; without any: each entry.

    It is the one that came in first: another sender's with its id hides nothing and opens nothing.

    Args:
        whole: all entries of the chain were counted, not those alone that the reader sees.
    """
    proposed = [row["proposed"] for row in rows if row["proposed"]["doc_count"]]
    if proposed:
        seen = [one["seen"] for one in proposed if one["seen"]["doc_count"]]
        return bool(seen) and _received(seen) == _received(proposed)
    return whole and all(
        row.get("all_seen", row["seen"])["doc_count"] == row["doc_count"] for row in rows
    )


def _received(groups: list[dict[str, Any]]) -> float:
    """When the first entry of these came in, in ms since 1970."""
    return min(one["received"]["value"] or 0.0 for one in groups)


def _fits(rows: list[dict[str, Any]], begun: int, wanted: Wanted) -> bool:
    if wanted.start and begun < wanted.start.timestamp() * 1000:
        return False
    if wanted.end and begun >= wanted.end.timestamp() * 1000:
        return False
    for name in rows[0]:
        if not name.startswith("is_") or any(row[name]["doc_count"] for row in rows):
            continue
        if name != "is_impact" or _is_rated(rows):
            return False
    return not wanted.states or _state(rows) in wanted.states


def _is_rated(rows: list[dict[str, Any]]) -> bool:
    """Whether a chain tells its impact, or none without one is wanted."""
    return any(row[RATED]["doc_count"] if RATED in row else True for row in rows)


def _state(rows: list[dict[str, Any]]) -> str:
    """How far a chain has come by the times of its stages; see ``Chain.state``."""
    latest: dict[str, float] = {}
    for row in rows:
        for name in STATES:
            at = row[f"at_{name}"]["latest"]["value"]
            if at is not None:
                latest[name] = max(latest.get(name, at), at)
    for several in (_RUNS, _DECISIONS):
        there = [name for name in several if name in latest]
        if there:
            last = max(there, key=lambda name: (latest[name], several.index(name)))
            edited = latest.get("edited") == latest[last]
            return "edited" if edited and several is _DECISIONS else last
    return "expired" if "expired" in latest else "proposed"
