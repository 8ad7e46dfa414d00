"""The clauses that find the entries of chains in OpenSearch, by stage as an entry is read.

What the collector stores names its stage. Older entries and those of other writers may say it
by the outcome of a decision or by their action alone, and count just so
(:func:`activity_center.agents.stage.stage_of`).
"""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from typing import Final

from activity_center.agents.stage import DECISIONS, OUTCOMES, RUNS, STAGES, stage_of
from activity_center.clauses import Clause, all_of, any_of
from activity_center.vocabulary import actions

ID: Final = "activity.proposal.id"
CALL: Final = "gen_ai.tool.call.id"
STAGE: Final = "activity.proposal.stage"
OUTCOME: Final = "activity.decision.outcome"
ORGANIZATION: Final = "organization.id"
PROVEN: Final = "activity.approver.authenticated"
_ACTION: Final = "event.action"
_EDITED: Final = "agent.proposal.edited"


def _has(field: str) -> Clause:
    return {"exists": {"field": field}}


AGENT: Final[Clause] = {"term": {"activity.lens": "agent"}}
NAMED: Final[Clause] = all_of(AGENT, _has(ID))
"""Entries that name their proposal."""
CALLED: Final[Clause] = {"bool": {"filter": [AGENT, _has(CALL)], "must_not": [_has(ID)]}}
"""Entries that know the call of a tool alone."""


@cache
def stage(name: str) -> Clause:
    """Return the clause of entries of a stage, or of the outcome ``edited``.

    Args:
        name: of :data:`~activity_center.agents.stage.STAGES`, or ``edited``.
    """
    if name == "edited":
        by_action = {
            "bool": {"filter": [{"term": {_ACTION: _EDITED}}], "must_not": [_has(OUTCOME)]}
        }
        return all_of(stage("approved"), any_of({"term": {OUTCOME: name}}, by_action))
    told: Clause = {"term": {STAGE: name}}
    made: list[Clause] = [told]
    if name in DECISIONS:
        # The outcome is the more exact word.
        outcomes = [one for one, meant in OUTCOMES.items() if meant == name]
        others = [one for one in STAGES if one not in DECISIONS]
        made = [
            {"bool": {"filter": [told], "must_not": [_has(OUTCOME)]}},
            {
                "bool": {
                    "filter": [{"terms": {OUTCOME: outcomes}}],
                    "must_not": [{"terms": {STAGE: others}}],
                }
            },
        ]
    found = _by_action()
    if name in found:
        made.append(_silent(found[name], failed=False))
    if name == "failed":
        made.append(_silent(found["completed"], failed=True))
    return any_of(*made)


@cache
def staged() -> Clause:
    """Return the clause of entries that have a stage: they make a chain."""
    named = [one for several in _by_action().values() for one in several]
    return any_of(_has(STAGE), _has(OUTCOME), {"terms": {_ACTION: named}})


@cache
def gone_on() -> Clause:
    """Return the clause of entries that end a proposal's waiting, whoever sent them.

    It ran, or an authenticated approver decided. What others claim may end it too:
    :func:`activity_center.agents.has_gone_on` says when.
    """
    ran, decided = ([stage(one) for one in STAGES if one in kind] for kind in (RUNS, DECISIONS))
    return any_of(*ran, all_of(any_of(*decided), {"term": {PROVEN: True}}))


def _silent(named: list[str], *, failed: bool) -> Clause:
    """Entries whose action alone tells."""
    failure: Clause = {"term": {"event.outcome": "failure"}}
    clauses: list[Clause] = [{"terms": {_ACTION: named}}]
    refused = [_has(STAGE), _has(OUTCOME)]
    if failed:
        clauses.append(failure)
    elif "agent.proposal.completed" in named:
        refused.append(failure)
    return {"bool": {"filter": clauses, "must_not": refused}}


@cache
def _by_action() -> dict[str, list[str]]:
    """Stage -> actions of the catalogue that mean it."""
    made = defaultdict(list)
    for name in actions():
        if found := stage_of({"action": name}, {}):
            made[found].append(name)
    return dict(made)
