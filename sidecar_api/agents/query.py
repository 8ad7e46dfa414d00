"""The clauses and buckets of a search for chains: a closed set, as :mod:`sidecar_api.search`.

A chain is named by its proposal; where a program knows none, by the call of the tool. Its entries
come in any order, so what a list is limited to is asked of each chain as a whole: a filter counts
the entries of a chain that fulfil it, and the chain fits when there is one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from activity_center.agents.chain import LEVELS
from activity_center.agents.policy import UNRATED
from activity_center.agents.stored import CALL, ID, ORGANIZATION, stage
from activity_center.clauses import Clause, all_of, any_of
from sidecar_api.moments import written
from sidecar_api.search.clauses import choice, contains
from sidecar_api.search.filters import BY_NAME

DEEPEST: Final = 10_000
"""Chains that a list reaches, the newest ones that the reader sees."""
STATES: Final = (
    "proposed",
    "approved",
    "edited",
    "denied",
    "expired",
    "cancelled",
    "executing",
    "completed",
    "failed",
)
IMPACTS: Final = (*LEVELS, UNRATED)
RESULTS: Final = ("completed", "failed", "denied", "expired")
ORIGINS: Final = ("ui", "api", "cli", "agent", "system")
_LEVEL: Final = "activity.impact.level"
RATED: Final = "rated"
"""The bucket of a chain's entries that tell an impact."""
_PERSON: Final = ("id", "name", "full_name", "email")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list is limited to; empty: not by that.

    Attributes:
        states: of :data:`STATES`; any of them.
        impacts: of :data:`IMPACTS`; a chain is unrated where no entry of it tells one.
        results, sources, actions: any of them.
        organization: its id; ``NONE``: of none.
        agents, tools: any of them; an agent by id or name.
        approver, initiator: id, login name, full name or e-mail address.
        target: id, or a part of the name, of what it is about or what that belongs to.
        start: proposed then or later.
        end: proposed before.
        verdicts: see :mod:`activity_center.agents`; any of them. Not of entries: chains are
            judged for it.
    """

    states: tuple[str, ...] = ()
    impacts: tuple[str, ...] = ()
    results: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    organization: str = ""
    approver: str = ""
    initiator: str = ""
    target: str = ""
    start: datetime | None = None
    end: datetime | None = None
    verdicts: tuple[str, ...] = ()

    def filters(self) -> dict[str, Clause]:
        """Clauses of each of which one entry of a chain must fulfil one."""
        made: dict[str, Clause] = {}
        exact = {
            "impact": (self.impacts, _LEVEL),
            "source": (self.sources, "activity.origin"),
            "action": (self.actions, "event.action"),
            "tool": (self.tools, "gen_ai.tool.name"),
        }
        for name, (values, field) in exact.items():
            if values:
                made[name] = {"terms": {field: list(values)}}
        if self.agents:
            fields = ("gen_ai.agent.id", "gen_ai.agent.name")
            made["agent"] = any_of(*({"terms": {field: list(self.agents)}} for field in fields))
        if self.results:
            made["result"] = any_of(*(choice(BY_NAME["result"], one) for one in self.results))
        if self.approver:
            made["approver"] = _person("activity.approver", self.approver)
        if self.initiator:
            made["initiator"] = _person("activity.initiator", self.initiator)
        if self.target:
            made["target"] = _target(self.target)
        return made


def _person(prefix: str, value: str) -> Clause:
    return any_of(*({"term": {f"{prefix}.{name}": value}} for name in _PERSON))


def _target(value: str) -> Clause:
    made: list[Clause] = []
    for prefix in ("activity.resource", "activity.resource.parent"):
        made += [{"term": {f"{prefix}.id": value}}, contains(f"{prefix}.name", value)]
    return any_of(*made)


_LATEST: Final[Clause] = {"max": {"field": "@timestamp"}}
RECEIVED: Final[dict[str, Clause]] = {"received": {"min": {"field": "event.ingested"}}}
"""When the first of several entries came in."""


def buckets(wall: Clause, wanted: Wanted, *, called: bool = False) -> Clause:
    """One bucket a chain, those first of which the reader sees the latest entries.

    None of which they see nothing, and one more than :data:`DEEPEST`: then there are more.

    Args:
        wall: the reader's clause for one entry.
        called: over entries that know a call alone, and not over those that name their proposal.
    """
    seen: list[Clause] = [wall]
    if wanted.end:
        seen.append({"range": {"@timestamp": {"lt": written(wanted.end)}}})
    inner: dict[str, Any] = {
        "seen": {"filter": all_of(*seen), "aggs": {"latest": _LATEST}},
        "begin": {"min": {"field": "@timestamp"}},
        "proposed": {
            "filter": stage("proposed"),
            "aggs": {**RECEIVED, "seen": {"filter": wall, "aggs": RECEIVED}},
        },
        "fitting": {
            "bucket_selector": {"buckets_path": {"n": "seen._count"}, "script": "params.n > 0"}
        },
    }
    if wanted.end:
        inner["all_seen"] = {"filter": wall}
    if UNRATED in wanted.impacts:
        inner[RATED] = {"filter": {"terms": {_LEVEL: list(LEVELS)}}}
    for name, clause in wanted.filters().items():
        inner[f"is_{name}"] = {"filter": clause}
    if wanted.states:
        # Each a bucket of its own: those of a "filters" count towards search.max_buckets.
        for one in STATES:
            inner[f"at_{one}"] = {"filter": stage(one), "aggs": {"latest": _LATEST}}
    terms = [{"field": ORGANIZATION, "missing": ""}, {"field": CALL if called else ID}]
    return {
        "multi_terms": {"terms": terms, "size": DEEPEST + 1, "order": {"seen>latest": "desc"}},
        "aggs": inner,
    }
