"""The clauses and buckets of a search for processes: a closed set, as :mod:`sidecar_api.search`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from activity_center.clauses import Clause, all_of, any_of
from activity_center.processes import AUDITED, BEGINS, ENDED_BY, Key
from sidecar_api.moments import written
from sidecar_api.search.clauses import (
    ORGANIZATION,
    PROCESS_ENDS,
    contains,
    in_organization,
    without,
)

Position = list[Any]
"""The ``sort`` of a hit of :func:`entries_of`: time in ms since 1970, sequence, id."""
STATES: Final = ("pending", "running", "done", "failed", "cancelled", "stalled")
DEEPEST: Final = 10_000
"""Processes that a list reaches, those that began last."""
RECEIVED: Final = [{"event.ingested": {"order": "asc", "unmapped_type": "date"}}]
"""The order in which a collector received entries."""
MARKS: Final = (*PROCESS_ENDS, "process.stalled")
"""Entries that a list looks at: what begins and ends an attempt, and that it fell silent."""
_PERSON: Final = ("id", "name", "full_name", "email")
ID: Final = "activity.process.id"
ATTEMPT: Final = "activity.process.attempt"
_PEOPLE: Final = ("user", "activity.initiator")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list is limited to; empty: not by that.

    Attributes:
        states: of :data:`STATES`; any of them.
        channels: any of them.
        organization: its id; ``NONE``: of none.
        server, cloud_account, target, initiator: id, or a part of the name.
        start: something of it began or ended then or later.
        end: something of it began or ended before.
        text: words, each of which occurs in its name, its target or its server, its people or its
            id.
    """

    states: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    organization: str = ""
    server: str = ""
    cloud_account: str = ""
    target: str = ""
    initiator: str = ""
    start: datetime | None = None
    end: datetime | None = None
    text: str = ""

    def clauses(self) -> list[Clause]:
        """Clauses that entries of a process must fulfil."""
        made: list[Clause] = []
        if self.channels:
            made.append({"terms": {"activity.process.channel": list(self.channels)}})
        if self.organization:
            made.append(in_organization(self.organization))
        if self.server:
            made.append(_server(self.server))
        if self.cloud_account:
            made.append(_named("cloud.account", self.cloud_account))
        if self.target:
            made.append(_named("activity.resource", self.target))
        if self.initiator:
            made.append(any_of(*(_person(one, self.initiator) for one in _PEOPLE)))
        if self.start:
            made.append({"range": {"@timestamp": {"gte": written(self.start)}}})
        made += (_word(word) for word in self.text.split())
        return made


def buckets(wanted: Wanted) -> Clause:
    """One bucket a process; those of other states are left out.

    In the order in which their latest attempts began, the last one first. Whose beginning is not
    among the entries, such as one that ran before ``start`` already, comes behind those.
    """
    newest: Clause = {"max": {"field": "@timestamp"}}
    ordered: Clause = {
        "start": {"filter": _action(*BEGINS), "aggs": {"newest": newest}},
        "newest": newest,
    }
    inner: dict[str, Any] = ordered
    prefix, script, paths = "", [], {}
    if wanted.end:
        limit: Clause = {"range": {"@timestamp": {"lt": written(wanted.end)}}}
        inner = {"within": {"filter": limit, "aggs": ordered}}
        prefix = "within>"
        paths["within"] = "within._count"
        script.append("params.within > 0")
    if wanted.states:
        inner["any"] = _latest_attempt()
        paths["any"] = "any"
        for name, clause in _STAGES.items():
            inner[name] = {"filter": clause, "aggs": {"attempt": _latest_attempt()}}
            paths[name] = f"{name}>attempt"
        script.append(f"({' || '.join(_SCRIPTS[one] for one in wanted.states)})")
    if script:
        inner["fitting"] = {
            "bucket_selector": {
                "buckets_path": paths,
                "script": " && ".join(script),
                "gap_policy": "insert_zeros",
            }
        }
    terms = [{"field": ORGANIZATION, "missing": ""}, {"field": ID}]
    return {
        "multi_terms": {
            "terms": terms,
            "size": DEEPEST,
            "order": [{f"{prefix}start>newest": "desc"}, {f"{prefix}newest": "desc"}],
        },
        "aggs": inner,
    }


def _latest_attempt() -> Clause:
    return {"max": {"field": ATTEMPT, "missing": 1}}


def _action(*names: str) -> Clause:
    return {"terms": {"event.action": list(names)}}


_STAGES: Final[dict[str, Clause]] = {
    "begun": {
        "bool": {
            "filter": [_action(*BEGINS)],
            "must_not": [
                {"term": {"activity.process.state": "pending"}},
                {
                    "bool": {
                        "filter": [_action("process.retried")],
                        "must_not": [{"exists": {"field": "activity.process.state"}}],
                    }
                },
            ],
        }
    },
    "ended": _action(*ENDED_BY.values(), "process.cleaned_up"),
    "cleaned": _action("process.cleaned_up"),
    "silent": _action("process.stalled"),
    **{state: _action(action) for state, action in ENDED_BY.items()},
}
"""What the latest attempt of is compared: what only entries of that kind tell."""
_SCRIPTS: Final = {
    "done": "params.done == params.any",
    "failed": "(params.failed == params.any || (params.cleaned == params.any"
    " && params.done < params.any && params.cancelled < params.any))",
    "cancelled": "params.cancelled == params.any",
    "running": "(params.ended < params.any && params.begun == params.any)",
    "pending": "(params.ended < params.any && params.begun < params.any)",
    "stalled": "(params.ended < params.any && params.silent == params.any)",
}


def of_process(id_: str) -> Clause:
    """All entries of one process, those in the audit lens too."""
    lens: Clause = {"term": {"activity.lens": "process"}}
    return all_of({"term": {ID: id_}}, any_of(lens, _action(*AUDITED)))


def entries_of(
    key: Key,
    *clauses: Clause,
    size: int,
    after: Position | None = None,
    reverse: bool = False,
) -> dict[str, Any]:
    """Return the body of a search for entries of one process, in the order of their times."""
    order = "desc" if reverse else "asc"
    sort: list[Any] = [{"@timestamp": {"order": order}}]
    missing = "_last" if reverse else "_first"
    sort += [
        {name: {"order": order, "missing": missing, "unmapped_type": kind}}
        for name, kind in (("event.sequence", "long"), ("event.id", "keyword"))
    ]
    body = {
        "size": size,
        "track_total_hits": False,
        "query": all_of(of_process(key[1]), in_organization(key[0]), *clauses),
        "sort": sort,
    }
    return body if after is None else {**body, "search_after": after}


def of_attempt(number: int) -> Clause:
    """Return the clause of entries of one attempt; what names none is of the first."""
    clause: Clause = {"term": {ATTEMPT: number}}
    return clause if number != 1 else any_of(clause, without({"exists": {"field": ATTEMPT}}))


def _named(prefix: str, value: str) -> Clause:
    return any_of({"term": {f"{prefix}.id": value}}, contains(f"{prefix}.name", value))


def _person(prefix: str, value: str) -> Clause:
    return any_of(*({"term": {f"{prefix}.{name}": value}} for name in _PERSON))


def _server(value: str) -> Clause:
    """A server as target, as what holds it, or as the host."""
    made = [_named("host", value)]
    for prefix in ("activity.resource", "activity.resource.parent"):
        made.append(all_of({"term": {f"{prefix}.type": "server"}}, _named(prefix, value)))
    return any_of(*made)


def _word(word: str) -> Clause:
    names = ["activity.process.name", "activity.resource.name", "host.name"]
    names += [f"{one}.{name}" for one in _PEOPLE for name in ("name", "full_name", "email")]
    return any_of({"term": {ID: word}}, *(contains(name, word) for name in names))
