"""Finding proposals whose time is over and that nobody has decided.

A proposal is due when both it has expired and it has arrived. What became due since the last
look is asked for, with an overlap: entries are searchable a moment after they are written, and a
collector may deliver late. Looking twice does no harm, since what is expired is decided.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from activity_center.errors import ClusterError, IncompleteAnswer
from activity_center.processes.reading import part, text
from activity_center.setup.cluster import NOT_FOUND, ask
from activity_center.streams import LENS_PATTERNS, STATE_INDEX

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

GRACE: Final = 60_000
"""Milliseconds that a decision may be on its way after the proposal's time is over."""
OVERLAP: Final = 600_000
"""Milliseconds that each look goes back."""
PAGE: Final = 500
CURSOR: Final = f"/{STATE_INDEX}/_doc/expiry-cursor"
_AGENT: Final = next(pattern for pattern in LENS_PATTERNS if "agent" in pattern)
_DECIDED: Final = (
    *("approved", "denied", "cancelled", "expired"),
    *("executing", "completed", "failed"),
)
_EXPIRES: Final = "activity.proposal.expires_at"
_PROPOSAL: Final = "activity.proposal.id"
_CALL: Final = "gen_ai.tool.call.id"
_STAGE: Final = "activity.proposal.stage"

Hit = dict[str, Any]
Subject = tuple[str, str]
"""(organization id or empty, proposal id; ``call:`` and the call's id where it has none)."""


def cursor(client: OpenSearch) -> int:
    """Return up to when proposals were looked for, Unix time in ms; 0: never.

    Raises:
        ClusterError: no answer, a missing right, or the state index is not there.
    """
    answer = ask(client, "GET", CURSOR, allow=(NOT_FOUND,))
    if "found" not in answer.body:
        # A write would make it, and not as ``install`` does.
        raise ClusterError(f"there is no {STATE_INDEX}", hint="activity-center install")
    return int(answer.body["_source"]["data"]["until"]) if answer.body["found"] else 0


def move(client: OpenSearch, until: int) -> None:
    """Keep the cursor."""
    ask(client, "PUT", CURSOR, body={"kind": "cursor", "name": "expiry", "data": {"until": until}})


def subject(source: dict[str, Any]) -> Subject:
    """Return what tells a proposal from others."""
    proposal = text(part(source, "activity", "proposal"), "id")
    call = text(part(source, "gen_ai", "tool", "call"), "id")
    return text(part(source, "organization"), "id"), proposal or f"call:{call}"


def overdue(client: OpenSearch, since: int, now: int) -> Iterator[Hit]:
    """Yield the proposals that became due and that nobody has decided, each once.

    Args:
        since: what was due by then has been looked at; Unix time in ms, as ``now``.

    Raises:
        ClusterError: no answer, or one that is not whole.
    """
    late = {"format": "epoch_millis", "gt": since - OVERLAP}
    body: dict[str, Any] = {
        "size": PAGE,
        "track_total_hits": False,
        "_source": {"excludes": ["gen_ai.tool.call.arguments", "activity.overflow"]},
        "sort": [{_EXPIRES: "asc"}, {"event.id": "asc"}, {"event.hash": "asc"}],
        "query": {
            "bool": {
                "filter": [
                    {"term": {"activity.lens": "agent"}},
                    {"term": {_STAGE: "proposed"}},
                    {"range": {_EXPIRES: {"lte": now - GRACE, "format": "epoch_millis"}}},
                ],
                "should": [
                    {"range": {_EXPIRES: {**late, "gt": since - GRACE - OVERLAP}}},
                    {"range": {"event.ingested": late}},
                ],
                "minimum_should_match": 1,
            }
        },
    }
    seen: set[Subject] = set()
    while True:
        hits = _search(client, body)["hits"]["hits"]
        named = [hit for hit in hits if subject(hit["_source"])[1] != "call:"]
        new = {subject(hit["_source"]): hit for hit in reversed(named)}
        new = {key: hit for key, hit in new.items() if key not in seen}
        seen |= new.keys()
        decided = _decided(client, list(new.values()))
        yield from (hit for key, hit in sorted(new.items()) if key not in decided)
        if len(hits) < PAGE:
            return
        body["search_after"] = hits[-1]["sort"]


def _decided(client: OpenSearch, hits: Sequence[Hit]) -> set[Subject]:
    """Which of these proposals have gone on, by their own id or by that of their call."""
    if not hits:
        return set()
    calls: dict[tuple[str, str], set[Subject]] = {}
    for hit in hits:
        call = text(part(hit["_source"], "gen_ai", "tool", "call"), "id")
        key = subject(hit["_source"])
        if call:
            calls.setdefault((key[0], call), set()).add(key)
    ids = sorted({subject(hit["_source"])[1] for hit in hits})
    found = set(_stages(client, _PROPOSAL, ids, named=True))
    for one in _stages(client, _CALL, sorted({call for _, call in calls}), named=False):
        found |= calls.get(one, set())
    return found


def _stages(
    client: OpenSearch, field: str, ids: Sequence[str], *, named: bool
) -> Iterator[Subject]:
    """Yield (organization, id) of those ids that have an entry of a later stage.

    Args:
        named: entries that name their proposal, or those that do not.
    """
    if not ids:
        return
    name = {"exists": {"field": _PROPOSAL}}
    asked = [
        {"term": {"activity.lens": "agent"}},
        {"terms": {field: list(ids)}},
        {"terms": {_STAGE: list(_DECIDED)}},
    ]
    query: dict[str, Any] = (
        {"filter": [*asked, name]}
        if named
        else {
            "filter": asked,
            "must_not": [name],
        }
    )
    sources = [
        {"organization": {"terms": {"field": "organization.id", "missing_bucket": True}}},
        {"id": {"terms": {"field": field}}},
    ]
    composite: dict[str, Any] = {"size": 2 * PAGE, "sources": sources}
    while True:
        body = {
            "size": 0,
            "query": {"bool": query},
            "aggs": {"chains": {"composite": composite}},
        }
        chains = _search(client, body)["aggregations"]["chains"]
        for one in chains["buckets"]:
            yield one["key"]["organization"] or "", one["key"]["id"]
        if "after_key" not in chains:
            return
        composite["after"] = chains["after_key"]


def _search(client: OpenSearch, body: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = ask(
        client,
        "POST",
        f"/{_AGENT}/_search",
        params={"allow_partial_search_results": "false", "ignore_unavailable": "true"},
        body=body,
    ).body
    shards = answer["_shards"]
    if answer["timed_out"] or shards["failed"] or shards["successful"] != shards["total"]:
        raise IncompleteAnswer(
            f"{shards['successful']} of {shards['total']} shards answered", where=_AGENT
        )
    return answer
