"""Finding proposals whose time is over and that nobody has decided.

A proposal is due when both its time is over and it has arrived; when that is,
:func:`activity_center.agents.deadline_of` says, as it does wherever a decision is allowed or
judged. What became due since the last look is asked for, with an overlap: entries are searchable
a moment after they are written, and a collector may deliver late. Looking twice does no harm,
since what is expired is decided.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from activity_center.agents import (
    Chain,
    Policies,
    Policy,
    deadline_of,
    has_gone_on,
    read_chains,
)
from activity_center.agents.entry import first_proposed
from activity_center.agents.stored import AGENT, CALL, ID, ORGANIZATION, gone_on, stage, staged
from activity_center.answers import whole
from activity_center.clauses import Clause, all_of, any_of
from activity_center.errors import ClusterError
from activity_center.processes.reading import MILLI, part, text
from activity_center.setup.cluster import NOT_FOUND, ask
from activity_center.streams import LENS_PATTERNS, STATE_INDEX

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

GRACE: Final = 60_000
"""Milliseconds that a decision may be on its way after the proposal's time is over."""
OVERLAP: Final = 600_000
"""Milliseconds that each look goes back."""
PAGE: Final = 500
SENDER: Final = "expiry"
"""The sender of the entries that are written here."""
CURSOR: Final = f"/{STATE_INDEX}/_doc/expiry-cursor"
_AGENT: Final = next(pattern for pattern in LENS_PATTERNS if "agent" in pattern)
_EXPIRES: Final = "activity.proposal.expires_at"
_SECOND: Final = 1000
_READ: Final = (
    *("@timestamp", "event", "organization", "trace", "gen_ai"),
    *(
        f"activity.{name}"
        for name in (
            *("approver", "case", "decision", "impact", "initiator", "lens", "origin", "policy"),
            *("policy_at_receipt", "proposal", "resource", "retention", "sender"),
        )
    ),
)
_LONG: Final = (
    *("gen_ai.tool.call.arguments", "gen_ai.tool.call.result"),
    "gen_ai.response.finish_reasons",
    *("activity.approver.roles", "activity.decision.reason", "activity.proposal.rationale"),
)
"""What may be long of it. A page is fetched at once, and an event may have a megabyte."""

Hit = dict[str, Any]
Subject = tuple[str, str]
"""(organization id or empty, proposal id; ``call:`` and the call's id where it has none)."""


@dataclass(frozen=True, slots=True)
class Overdue:
    """A proposal whose time is over.

    Attributes:
        hit: its entry.
        deadline: when its time was over, microseconds since 1970.
        policy: that the proposal is under.
    """

    hit: Hit
    deadline: int
    policy: Policy


def cursor(client: OpenSearch, policies: Policies) -> int:
    """Return up to when proposals were looked for by these policies, Unix time in ms; 0: never.

    Raises:
        ClusterError: no answer, a missing right, or the state index is not there.
    """
    answer = ask(client, "GET", CURSOR, allow=(NOT_FOUND,))
    if "found" not in answer.body:
        # A write would make it, and not as ``install`` does.
        raise ClusterError(
            f"there is no {STATE_INDEX}", hint="activity-center install --config FILE"
        )
    if not answer.body["found"]:
        return 0
    data = answer.body["_source"]["data"]
    # With other policies the time of what was looked at may be over earlier than it seemed.
    return int(data["until"]) if data.get("policies") == _digest(policies) else 0


def move(client: OpenSearch, policies: Policies, until: int) -> None:
    """Keep the cursor."""
    data = {"until": until, "policies": _digest(policies)}
    ask(client, "PUT", CURSOR, body={"kind": "cursor", "name": "expiry", "data": data})


def _digest(policies: Policies) -> str:
    """What tells policies apart that give proposals other times."""
    told = [
        {
            "policy": [one.id, one.version, one.within_s],
            "applies": [sorted(one.impact), one.tools, sorted(one.organizations)],
        }
        for one in policies.all
    ]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def subject(source: dict[str, Any]) -> Subject:
    """Return what tells a proposal from others."""
    proposal = text(part(source, "activity", "proposal"), "id")
    call = text(part(source, "gen_ai", "tool", "call"), "id")
    return text(part(source, "organization"), "id"), proposal or f"call:{call}"


def overdue(client: OpenSearch, policies: Policies, since: int, now: int) -> Iterator[Overdue]:
    """Yield the proposals that became due and that nobody has decided, each once.

    Args:
        since: what was due by then has been looked at; Unix time in ms, as ``now``.

    Raises:
        ClusterError: no answer, or one that is not whole.
    """
    seen: set[Subject] = set()
    for hits in _pages(client, all_of(AGENT, stage("proposed"), _due(policies, since, now))):
        named = [hit for hit in hits if subject(hit["_source"])[1] != "call:"]
        new = {subject(hit["_source"]): hit for hit in named}
        new = {key: hit for key, hit in new.items() if key not in seen}
        seen |= new.keys()
        decided = set(_decided(client, sorted({id_ for _, id_ in new})))
        left = {key: hit for key, hit in new.items() if key not in decided}
        for key, (chain, hit) in sorted(_proposed(client, left).items()):
            policy = policies.of(chain)
            deadline = deadline_of(chain, policy)
            if key not in left or has_gone_on(chain, policy) or _is_written(chain):
                continue
            if deadline is not None and deadline <= (now - GRACE) * MILLI:
                yield Overdue(hit, deadline, policy)


def _is_written(chain: Chain) -> bool:
    return any(one.stage == "expired" and one.producer[0] == SENDER for one in chain.entries)


def _due(policies: Policies, since: int, now: int) -> Clause:
    """Proposals that may have become due: by their own time, or so long after they were made."""
    waits = sorted({one.within_s * _SECOND for one in policies.all if one.within_s is not None})
    times = [(_EXPIRES, 0), *(("@timestamp", wait) for wait in waits)]
    over, lately = now - GRACE, since - GRACE - OVERLAP
    late = any_of(*(_between(field, None, over - wait) for field, wait in times))
    return any_of(
        *(_between(field, lately - wait, over - wait) for field, wait in times),
        all_of(_between("event.ingested", since - OVERLAP, None), late),
    )


def _between(field: str, after: int | None, until: int | None) -> Clause:
    ends = {"gt": after, "lte": until}
    given = {name: end for name, end in ends.items() if end is not None}
    return {"range": {field: {**given, "format": "epoch_millis"}}}


def _proposed(client: OpenSearch, hits: dict[Subject, Hit]) -> dict[Subject, tuple[Chain, Hit]]:
    """The chains of proposals, with the entry that proposed first.

    A proposal may be told several times, in several ways: what counts is said of all of it.
    """
    if not hits:
        return {}
    ids = {text(part(one["_source"], "activity", "proposal"), "id") for one in hits.values()}
    calls = {_call(one) for one in hits.values()}
    wanted = any_of({"terms": {ID: sorted(ids - {""})}}, {"terms": {CALL: sorted(calls - {""})}})
    found = [one for page in _pages(client, all_of(AGENT, staged(), wanted)) for one in page]
    entries = {id(hit["_source"]): hit for hit in found}
    made: dict[Subject, tuple[Chain, Hit]] = {}
    for chain in read_chains(hit["_source"] for hit in found):
        first = first_proposed(chain.entries)
        if first is not None:
            made[first.organization, chain.id] = chain, entries[id(first.source)]
    return made


def _call(hit: Hit) -> str:
    return text(part(hit["_source"], "gen_ai", "tool", "call"), "id")


def _pages(client: OpenSearch, query: Clause) -> Iterator[list[Hit]]:
    """Yield the entries that fulfil a clause, in order, a page at a time."""
    body: dict[str, Any] = {
        "size": PAGE,
        "track_total_hits": False,
        "_source": {"includes": list(_READ), "excludes": list(_LONG)},
        "sort": [{"@timestamp": "asc"}, {"event.id": "asc"}, {"event.hash": "asc"}],
        "query": query,
    }
    while True:
        hits = _search(client, body)["hits"]["hits"]
        yield hits
        if len(hits) < PAGE:
            return
        body["search_after"] = hits[-1]["sort"]


def _decided(client: OpenSearch, ids: Sequence[str]) -> Iterator[Subject]:
    """Yield those of these proposals of which one entry alone tells that they have gone on."""
    if not ids:
        return
    written = all_of(stage("expired"), {"term": {"activity.sender": SENDER}})
    query = all_of(AGENT, {"terms": {ID: list(ids)}}, any_of(gone_on(), written))
    sources = [
        {"organization": {"terms": {"field": ORGANIZATION, "missing_bucket": True}}},
        {"id": {"terms": {"field": ID}}},
    ]
    composite: dict[str, Any] = {"size": 2 * PAGE, "sources": sources}
    while True:
        body = {
            "size": 0,
            "query": query,
            "aggs": {"chains": {"composite": composite}},
        }
        chains = _search(client, body)["aggregations"]["chains"]
        for one in chains["buckets"]:
            yield one["key"]["organization"] or "", one["key"]["id"]
        if "after_key" not in chains:
            return
        composite["after"] = chains["after_key"]


def _search(client: OpenSearch, body: dict[str, Any]) -> dict[str, Any]:
    answer = ask(
        client,
        "POST",
        f"/{_AGENT}/_search",
        params={"allow_partial_search_results": "false", "ignore_unavailable": "true"},
        body=body,
    ).body
    return whole(answer, _AGENT)
