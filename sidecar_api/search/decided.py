"""Who decided on what an AI agent ran, and when: found when read, since the entry of a run need
not know it, and what it does not say must not be written into it.

Asked is the reader's own part of the log, behind the same wall as everything else: one who may
not see the decision is not told of it. Proposals are told apart by organization and id.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from opensearchpy import OpenSearch

from activity_center.agents.decision import Decision, counting, decision_of
from activity_center.agents.entry import Entry, ordered
from activity_center.agents.stage import DECISIONS, RUNS
from sidecar_api.search.ask import search
from sidecar_api.search.clauses import ORGANIZATION, TRAIL, any_of, in_organization

Key = tuple[str, str]
_PROPOSAL: Final = "activity.proposal.id"
_MOST: Final = 20
"""Decisions looked at for a proposal, those of authenticated approvers first, then the latest."""
_READ: Final = (
    *("@timestamp", "event", ORGANIZATION, _PROPOSAL, "activity.proposal.stage"),
    *("activity.sender", "activity.decision", "activity.approver"),
)


def join(client: OpenSearch, wall: dict[str, Any], activities: list[dict[str, Any]]) -> None:
    """Set ``activity.decided`` on runs of a proposal that say neither decision nor approver.

    It is the last decision before the run that counts
    (:func:`activity_center.agents.decision.counting`); without one nothing is set.

    Args:
        wall: the reader's clause.
        activities: a page; changed in place.
    """
    runs = [(one, entry) for one in activities if _is_bare(entry := Entry.of(one))]
    keys = {(entry.organization, entry.proposal) for _, entry in runs}
    found = _decisions(client, wall, keys) if keys else {}
    for one, entry in runs:
        before = [
            made
            for made in found.get((entry.organization, entry.proposal), ())
            if made.at <= entry.at
        ]
        if before:
            one["activity"] = {**one["activity"], "decided": _shown(before[-1])}


def _is_bare(entry: Entry) -> bool:
    own = entry.ours
    return entry.stage in RUNS and bool(entry.proposal) and not {"decision", "approver"} & {*own}


def _shown(made: Decision) -> dict[str, Any]:
    said = made.as_dict()
    who = {name: value for name, value in made.approver.items() if value}
    return {
        **{name: said[name] for name in ("at", "outcome", "source", "authenticated")},
        "approver": who or None,
    }


def _decisions(
    client: OpenSearch, wall: dict[str, Any], keys: set[Key]
) -> dict[Key, list[Decision]]:
    """Return the decisions that count, in order, by proposal."""
    by_proposal: dict[str, Any] = {
        "terms": {"field": _PROPOSAL, "size": len(keys)},
        "aggs": {"hits": {"top_hits": {"size": _MOST, "sort": _SORT, "_source": list(_READ)}}},
    }
    answer = search(
        client,
        {
            "size": 0,
            "track_total_hits": False,
            "query": {
                "bool": {
                    "filter": [
                        wall,
                        TRAIL,
                        {"terms": {"activity.proposal.stage": sorted(DECISIONS)}},
                        any_of([_exactly(key) for key in sorted(keys)]),
                    ]
                }
            },
            "aggs": {
                "organizations": {
                    "terms": {"field": ORGANIZATION, "size": len(keys), "missing": ""},
                    "aggs": {"proposals": by_proposal},
                }
            },
        },
    )
    return dict(_counted(answer.get("aggregations", {"organizations": {"buckets": []}})))


def _counted(found: dict[str, Any]) -> Iterator[tuple[Key, list[Decision]]]:
    for organization in found["organizations"]["buckets"]:
        for proposal in organization["proposals"]["buckets"]:
            hits = proposal["hits"]["hits"]["hits"]
            line = ordered(Entry.of(hit["_source"]) for hit in hits)
            yield (
                (organization["key"], proposal["key"]),
                counting([decision_of(one, None) for one in line if one.stage in DECISIONS]),
            )


_SORT: Final = [
    {"activity.approver.authenticated": {"order": "desc", "missing": "_last"}},
    {"@timestamp": {"order": "desc"}},
]


def _exactly(key: Key) -> dict[str, Any]:
    organization, proposal = key
    return {
        "bool": {
            "filter": [
                in_organization(organization),
                {"term": {_PROPOSAL: proposal}},
            ]
        }
    }
