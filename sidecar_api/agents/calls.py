"""Which chain the entries join that know the call of a tool alone.

:func:`activity_center.agents.read_chains` says so, of the entries that were read. Here is what has
to be read for it, and what a list needs to know of chains before any is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from activity_center.agents.stage import DECISIONS
from activity_center.agents.stored import CALL, CALLED, ID, NAMED, ORGANIZATION, stage
from activity_center.clauses import Clause, all_of, any_of
from sidecar_api.agents.places import Key
from sidecar_api.agents.query import DEEPEST, RECEIVED
from sidecar_api.search import ask
from sidecar_api.search.clauses import in_any, in_organization

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

_SENDER: Final = "activity.sender"
_CLAIMS: Final = ("proposed", *sorted(DECISIONS))

Rows = dict[Key, list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class _Told:
    """What one sender says of a call.

    Attributes:
        claimed: when it first proposed or decided, in ms since 1970; infinite: never.
        received: when its first entry came in.
        proposal: that it names, or empty.
    """

    claimed: float
    received: float
    sender: str
    proposal: str


def beside(hits: Iterable[dict[str, Any]], keys: Sequence[Key]) -> list[Clause]:
    """Return the clauses of what else is said of the calls of these chains.

    That is what knows their calls alone, and what proposes them under another id: who claimed a
    call first is known only with all who did.

    Args:
        hits: their entries.
    """
    found: dict[str, set[str]] = {}
    for hit in hits:
        source = hit["_source"]
        if _at(source, "activity", "proposal", "id") and (
            call := _at(source, "gen_ai", "tool", "call", "id")
        ):
            found.setdefault(_at(source, "organization", "id"), set()).add(call)
    made: list[Clause] = []
    for organization, calls in sorted(found.items()):
        own = [key.id for key in keys if not key.called and key.organization == organization]
        asked = [in_organization(organization), {"terms": {CALL: sorted(calls)}}]
        made.append({"bool": {"filter": asked, "must_not": [{"terms": {ID: own}}]}})
    return made


def join(client: OpenSearch, rows: Rows) -> None:
    """Put what names a call alone to the proposals that its entries join.

    Args:
        rows: of a list, by chain; those of calls that join something are removed.
    """
    calls = [key for key in rows if key.called]
    if not calls:
        return
    wanted = all_of(
        {"terms": {CALL: sorted({key.id for key in calls})}},
        in_any({key.organization for key in calls}),
    )
    named = _told(client, all_of(NAMED, wanted), ID)
    if not named:
        return
    alone = _told(client, all_of(CALLED, wanted))
    for key in calls:
        stays = False
        for proposal in _joined(named.get(key, []), alone.get(key, [])):
            chain = rows.get(Key(key.organization, proposal or key.shown))
            if chain is not None:
                chain += rows[key]
            stays = stays or not proposal
        if not stays or Key(key.organization, key.shown) in rows:
            del rows[key]


def _joined(named: list[_Told], alone: list[_Told]) -> set[str]:
    """The proposals that entries of a call join; empty for those that join none."""
    claimed = [one for one in alone if one.claimed < float("inf")]
    first = min([*named, *claimed], key=lambda one: (one.claimed, one.received), default=None)
    found: set[str] = set()
    for sender in {one.sender for one in alone}:
        own = {one.proposal for one in named if one.sender == sender}
        if not own and first is not None and first.proposal:
            own = {one.proposal for one in named if one.sender == first.sender}
        found |= own or {""}
    return found


def _told(client: OpenSearch, query: Clause, *fields: str) -> dict[Key, list[_Told]]:
    """What each sender says of each call, by the call."""
    terms = [{"field": name, "missing": ""} for name in (ORGANIZATION, CALL, _SENDER, *fields)]
    each = {
        "multi_terms": {"terms": terms, "size": DEEPEST},
        "aggs": {
            **RECEIVED,
            "claims": {"filter": any_of(*map(stage, _CLAIMS)), "aggs": RECEIVED},
        },
    }
    body = {"size": 0, "track_total_hits": False, "query": query, "aggs": {"told": each}}
    made: dict[Key, list[_Told]] = {}
    for row in ask.search(client, body)["aggregations"]["told"]["buckets"]:
        organization, call, sender, *rest = row["key"]
        claimed, received = row["claims"]["received"]["value"], row["received"]["value"]
        told = _Told(
            float("inf") if claimed is None else claimed,
            received or 0.0,
            sender,
            rest[0] if rest else "",
        )
        made.setdefault(Key(organization, call, called=True), []).append(told)
    return made


def _at(source: Any, *path: str) -> str:
    for name in path:
        source = source.get(name) if isinstance(source, dict) else None
    return source if isinstance(source, str) else ""
