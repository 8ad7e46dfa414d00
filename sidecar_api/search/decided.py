"""Who decided on what an AI agent ran, and when: found when read, since the entry of a run need
not know it, and what it does not say must not be written into it.

It is said by the rule of the verdict (:func:`activity_center.agents.verdicts.heard`), of what the
reader sees: asked is their own part of the log, behind the same wall as everything else, so one
who may not see the decision is not told of it. Proposals are told apart by organization and id.

No source is read, only values of fields: what somebody sent with a decision may be a megabyte.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from opensearchpy import OpenSearch

from activity_center.agents.decision import PERSON, RULES, Decision, decision_of
from activity_center.agents.entry import Entry, ordered
from activity_center.agents.runs import runs
from activity_center.agents.stage import RUNS
from activity_center.agents.stored import AGENT, ID, ORGANIZATION, PROVEN, stage
from activity_center.agents.verdicts import SKEW, heard
from activity_center.clauses import Clause, all_of, any_of
from activity_center.emit.event import nested
from activity_center.processes.reading import MILLI, text
from sidecar_api.search.ask import search
from sidecar_api.search.clauses import in_organization, lacks

_MOST: Final = 20
"""Entries looked at for a run: more than one alone since the sequence of a sender orders its
entries, not the clock."""
_SENDER: Final = ("activity.sender", "event.provider")
_READ: Final[Sequence[Any]] = (
    *({"field": name, "format": "strict_date_time"} for name in ("@timestamp", "event.ingested")),
    *("event.id", "event.hash", "event.sequence", "event.action", "event.outcome", ORGANIZATION),
    *(*_SENDER, ID, "activity.proposal.stage", "gen_ai.tool.call.id", PROVEN),
    *("activity.decision.outcome", "activity.decision.source", "activity.approver.id"),
    *(f"activity.approver.{name}.original" for name in PERSON if name != "id"),
)
"""Values that an entry is judged by here."""


@dataclass(frozen=True, slots=True)
class _Run:
    """A run that says nothing of its decision.

    Attributes:
        begun: as the verdict has it, microseconds since 1970.
    """

    entry: Entry
    begun: int


def join(client: OpenSearch, wall: Clause, activities: list[dict[str, Any]]) -> None:
    """Set ``activity.decided`` on runs of a proposal that say neither decision nor approver.

    It is the last decision that counted when the run began; without one nothing is set.

    Args:
        wall: the reader's clause.
        activities: a page; changed in place.
    """
    found = [(one, Entry.of(one)) for one in activities if _is_bare(one)]
    if not found:
        return
    line = _begun(client, wall, [entry for _, entry in found])
    for (one, _), made in zip(found, _decisions(client, wall, line), strict=True):
        if made is not None:
            one["activity"] = {**one["activity"], "decided": _shown(made)}


def _is_bare(one: Mapping[str, Any]) -> bool:
    entry = Entry.of(one)
    own = entry.ours
    agent = text(own, "lens") == "agent" and entry.stage in RUNS and bool(entry.proposal)
    return agent and not {"decision", "approver"} & {*own}


def _shown(made: Decision) -> dict[str, Any]:
    said = made.as_dict()
    who = {name: value for name, value in made.approver.items() if value}
    return {
        **{name: said[name] for name in ("at", "outcome", "source", "authenticated")},
        "approver": who or None,
    }


def _begun(client: OpenSearch, wall: Clause, line: list[Entry]) -> list[_Run]:
    """When each run began: a result has a beginning of its own where its sender tells of one."""
    asked = [
        all_of(_about(one), _by(one), _until(one.at), any_of(*_RUNS))
        if one.stage != "executing"
        else None
        for one in line
    ]
    newest = [{"@timestamp": "desc"}]
    return [
        _Run(one, _start([*before, one], one))
        for one, before in zip(line, _asked(client, wall, line, asked, newest), strict=True)
    ]


def _start(entries: Sequence[Entry], one: Entry) -> int:
    own = next(run for run in runs(ordered(entries)) if any(part.id == one.id for part in run))
    received = [part.received for part in own if part.received is not None]
    return min((*(part.at for part in own), *received))


def _by(one: Entry) -> Clause:
    """What the same sender tells, or without one the same program."""
    sender, provider = one.producer
    if sender:
        return {"term": {_SENDER[0]: sender}}
    program: Clause = {"term": {_SENDER[1]: provider}} if provider else lacks([_SENDER[1]])
    return all_of(lacks([_SENDER[0]]), program)


def _decisions(client: OpenSearch, wall: Clause, line: list[_Run]) -> Iterator[Decision | None]:
    """The decision on each run, or ``None``."""
    asked: list[Clause | None] = [
        all_of(
            _about(one.entry),
            any_of(
                all_of(stage("approved"), any_of(*_NAMED), _until(one.begun + SKEW)),
                all_of(any_of(stage("denied"), stage("cancelled")), _until(one.begun)),
            ),
        )
        for one in line
    ]
    # So those that count come first, however many are claimed.
    order: list[Clause] = [{PROVEN: {"order": "desc", "missing": "_last"}}, {"@timestamp": "desc"}]
    entries_of = _asked(client, wall, [one.entry for one in line], asked, order)
    for one, entries in zip(line, entries_of, strict=True):
        made = heard([decision_of(entry, None) for entry in ordered(entries)], one.begun)
        yield made[-1] if made else None


_RUNS: Final = [stage(one) for one in sorted(RUNS)]
_NAMED: Final[list[Clause]] = [
    {"terms": {"activity.decision.source": list(RULES)}},
    *({"range": {f"activity.approver.{name}": {"gt": ""}}} for name in PERSON),
]
"""What says who approved: see :attr:`activity_center.agents.decision.Decision.nameless`."""


def _about(one: Entry) -> Clause:
    """What is said of the same proposal."""
    return all_of(in_organization(one.organization), {"term": {ID: one.proposal}})


def _until(at: int) -> Clause:
    return {"range": {"@timestamp": {"lte": at // MILLI, "format": "epoch_millis"}}}


def _asked(
    client: OpenSearch,
    wall: Clause,
    line: Sequence[Entry],
    clauses: Sequence[Clause | None],
    order: list[Clause],
) -> list[list[Entry]]:
    """The first entries that fulfil each of these, all in one search; of none there are none.

    Args:
        line: runs of the proposals that they are about.
    """
    several = {str(place): one for place, one in enumerate(clauses) if one is not None}
    if not several:
        return [[] for _ in clauses]
    proposals = {(one.organization, one.proposal): _about(one) for one in line}
    hits = {"size": _MOST, "sort": order, "_source": False, "docvalue_fields": list(_READ)}
    answer = search(
        client,
        {
            "size": 0,
            "track_total_hits": False,
            "query": all_of(wall, AGENT, any_of(*proposals.values())),
            "aggs": {
                "each": {"filters": {"filters": several}, "aggs": {"hits": {"top_hits": hits}}}
            },
        },
    )
    found = answer.get("aggregations", {"each": {"buckets": {}}})["each"]["buckets"]
    return [
        [_entry(hit) for hit in found[str(place)]["hits"]["hits"]["hits"]]
        if str(place) in found
        else []
        for place in range(len(clauses))
    ]


def _entry(hit: Mapping[str, Any]) -> Entry:
    values = {
        name.removesuffix(".original"): one[0] for name, one in hit.get("fields", {}).items() if one
    }
    return Entry.of(nested(values))
