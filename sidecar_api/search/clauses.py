"""Query clauses of the filters: a closed set, in which a client's text is only ever a term's
value or a wildcard pattern with all that has a meaning escaped.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Final

from activity_center.clauses import Clause, all_of, any_of
from activity_center.vocabulary import actions
from activity_center.vocabulary import fields as vocabulary_fields
from sidecar_api.search.filters import NONE, TEXT_FIELDS, Filter

ORGANIZATION: Final = "organization.id"

PROCESS_ENDS: Final = tuple(
    action.name
    for action in actions().values()
    if action.lens == "process"
    and action.resource_type == "process"
    and {"start", "end"} & set(action.event_type)
)
"""Start and end of a process, or of one of its attempts; not of its steps."""

TRAIL: Final[Clause] = any_of(
    {"terms": {"activity.lens": ["audit", "agent"]}},
    all_of({"term": {"activity.lens": "process"}}, {"terms": {"event.action": list(PROCESS_ENDS)}}),
)
"""Which documents the log consists of: all of audit and agents, start and end of processes."""

_GRAMS: Final = 3
"""From here on the ``wildcard`` sub-field is the faster one, below the keyword."""


def build(one: Filter, values: Sequence[str]) -> Clause:
    """Return the clause of a filter whose values have been checked."""
    if one.kind == "text":
        return all_of(*(_word(word) for word in values[0].split()))
    if one.kind == "contains":
        return action_contains(values[0])
    if one.computed:
        return any_of(*(choice(one, value) for value in values))
    exact = [value for value in values if value != NONE]
    made: list[Clause] = []
    if exact and one.part:
        made += [contains(name, value) for name in one.fields for value in exact]
    elif exact:
        made += [{"terms": {name: exact}} for name in one.fields]
    if NONE in values:
        made.append(lacks(one.fields))
    return any_of(*made)


def choice(one: Filter, value: str) -> Clause:
    """Return the clause of one value of a computed filter."""
    if one.name == "result":
        return _result(value)
    known = actions().values()
    if one.name == "critical":
        critical: Clause = {"terms": {"event.action": [a.name for a in known if a.critical]}}
        return critical if value == "true" else without(critical)
    if value == NONE:
        return without({"terms": {"event.action": [a.name for a in known]}})
    return {"terms": {"event.action": [a.name for a in known if a.verb == value]}}


def without(clause: Clause) -> Clause:
    """Return the clause's opposite."""
    return {"bool": {"must_not": [clause]}}


def lacks(names: Sequence[str]) -> Clause:
    """Return the clause of entries that have none of the fields."""
    return {"bool": {"must_not": [{"exists": {"field": name}} for name in names]}}


def in_organization(organization: str) -> Clause:
    """Return the clause of entries of an organization; empty, or :data:`NONE`: of none."""
    named = organization not in ("", NONE)
    return {"term": {ORGANIZATION: organization}} if named else lacks([ORGANIZATION])


def in_any(organizations: Collection[str]) -> Clause:
    """Return the clause of entries of one of several organizations; empty: of none."""
    named = sorted(one for one in set(organizations) if one)
    made: list[Clause] = [{"terms": {ORGANIZATION: named}}] if named else []
    return any_of(*made, *([lacks([ORGANIZATION])] if "" in organizations else []))


def action_contains(text: str) -> Clause:
    """Return the clause of actions whose name or label has ``text`` in it, in any case.

    On the keyword: a log has few distinct actions, so its terms are looked through in no time
    and nothing has to be remembered of them from request to request.
    """
    return any_of(contains("event.action", text), *_labelled(text))


def contains(name: str, text: str) -> Clause:
    """Return the clause of values that have ``text`` in them, in any case."""
    search = vocabulary_fields()[name].search
    field = name
    if "substring" in search and (
        len(text) >= _GRAMS if "caseless" in search else not text.isascii()
    ):
        field = f"{name}.substring"
    caseless = field != name or "caseless" in search
    pattern = f"*{escaped(lower(text) if caseless else text)}*"
    # case_insensitive knows ASCII alone: where the field itself ignores case it is not needed.
    return {"wildcard": {field: {"value": pattern, "case_insensitive": not caseless}}}


def pattern_length(body: Clause) -> int:
    """Return how long all patterns of a search are together, or those of a part of one."""
    length, left = 0, [body]
    while left:  # every search comes through here, with a thousand values in its ``terms``
        for name, part in left.pop().items():
            if name == "wildcard":
                length += sum(len(one["value"]) for one in part.values())
            elif isinstance(part, dict) and name != "terms":
                left.append(part)
            elif isinstance(part, list):
                left += (one for one in part if isinstance(one, dict))
    return length


def broader(query: Clause) -> Clause:
    """Return a query without those of its filters that have patterns: it finds no less.

    For questions about what was found already: they need not look for it again, which is costly
    (:mod:`sidecar_api.search.turns`). A reader's wall has no pattern, and stays.
    """
    filters = query.get("bool", {}).get("filter")
    if not isinstance(filters, list):
        return query
    kept = [one for one in filters if not pattern_length(one)]
    return {"bool": {**query["bool"], "filter": kept}}


def escaped(text: str) -> str:
    """Escape what has a meaning in a wildcard pattern."""
    return "".join(f"\\{char}" if char in "\\*?" else char for char in text)


def lower(text: str) -> str:
    """Return ``text`` in lower case as Lucene's filter makes it: character by character.

    Python's own looks at neighbours (a final sigma) and makes two characters of one (İ).
    """
    return "".join(char.lower()[0] for char in text)


@lru_cache(maxsize=1024)
def matching_labels(text: str) -> tuple[str, ...]:
    """Return the catalogue's actions whose label has ``text`` in it.

    Text with a colon is looked for in the label as it stands beside the type: "Workspace: Deploy".
    """
    wanted = text.casefold()
    return tuple(
        action.name
        for action in actions().values()
        if wanted in action.label.casefold()
        or (":" in wanted and wanted in f"{action.type}: {action.label}".casefold())
    )


def _labelled(text: str) -> list[Clause]:
    found = matching_labels(text)
    return [{"terms": {"event.action": list(found)}}] if found else []


def _word(word: str) -> Clause:
    return any_of(
        contains("event.action", word),
        *_labelled(word),
        *(contains(name, word) for name in TEXT_FIELDS),
    )


def _result(value: str) -> Clause:
    """How an entry ended: what it says itself, else its stage, else denied, else its outcome."""
    silent = [{"exists": {"field": "activity.result"}}]
    unstaged = [*silent, {"exists": {"field": "activity.proposal.stage"}}]
    denied: Clause = {"term": {"event.type": "denied"}}
    if value == NONE:
        return without(
            any_of(*(_result(one) for one in ("completed", "failed", "denied", "expired")))
        )
    made: list[Clause] = [
        {"term": {"activity.result": value}},
        {"bool": {"filter": [{"term": {"activity.proposal.stage": value}}], "must_not": silent}},
    ]
    if value == "denied":
        made.append({"bool": {"filter": [denied], "must_not": unstaged}})
    outcome = {"completed": "success", "failed": "failure"}.get(value)
    if outcome:
        made.append(
            {
                "bool": {
                    "filter": [{"term": {"event.outcome": outcome}}],
                    "must_not": [*unstaged, denied],
                }
            }
        )
    return any_of(*made)
