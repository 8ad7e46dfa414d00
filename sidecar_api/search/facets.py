"""Facets: which values occur, and how often.

A facet's counts ignore its own filter and hold all others, so that a second value can be
chosen. Every aggregation stands below the reader's wall and the query; none is ``global``,
none asks for empty buckets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from activity_center.clauses import any_of
from activity_center.vocabulary import actions
from activity_center.vocabulary import fields as vocabulary_fields
from sidecar_api.failures import BadRequest
from sidecar_api.search import clauses
from sidecar_api.search.filters import BY_NAME, LONGEST_VALUE, NONE, Filter

MOST: Final = 50
"""Values of a facet; the rest is counted together."""
_PER_SHARD: Final = 500
"""Where an index of the log has more distinct values than this, those shown are counted again."""
NONE_LABEL: Final = "None"
OTHER_LABEL: Final = "Other values"
_LABELS: Final[Mapping[str, tuple[str, ...]]] = {
    "user.id": ("user.full_name", "user.name", "user.email"),
    "gen_ai.agent.id": ("gen_ai.agent.name",),
    "organization.id": ("organization.name",),
    "activity.initiator.id": (
        "activity.initiator.full_name",
        "activity.initiator.name",
        "activity.initiator.email",
    ),
    "activity.approver.id": (
        "activity.approver.full_name",
        "activity.approver.name",
        "activity.approver.email",
    ),
}
"""Fields whose commonest value beside an id is its label."""
_PEOPLE: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = {
    "actor": (("user.id", "user.name"), ("gen_ai.agent.id", "gen_ai.agent.name")),
    "initiator": (("activity.initiator.id", "activity.initiator.name"),),
    "approver": (("activity.approver.id", "activity.approver.name"),),
}
"""Facets of people and agents: by id, and those without one by name."""


def narrowing(text: str | None) -> str:
    """Return the text that narrows a facet; empty: none.

    Raises:
        BadRequest: it is too long.
    """
    text = (text or "").strip()
    if len(text) > LONGEST_VALUE:
        raise BadRequest(f"At most {LONGEST_VALUE} characters.", parameter="contains")
    return text


def aggregation(name: str, held: list[dict[str, Any]], contains: str) -> dict[str, Any]:
    """Return the aggregation of a facet.

    Args:
        held: clauses of the other filters that the query itself does not hold.
        contains: typed text that narrows the values.
    """
    one = BY_NAME[name]
    if one.computed:
        values = [*one.choices, *([NONE] if one.repeats else [])]
        inner: dict[str, Any] = {value: {"filter": clauses.choice(one, value)} for value in values}
    else:
        inner = {}
        for names in _PEOPLE.get(name, (one.fields,)):
            for depth, field in enumerate(names):
                unnamed = [clauses.lacks(names[:depth])] if depth else []
                narrowed = [_narrowed(one, field, contains)] if contains else []
                inner[field] = {
                    "filter": {"bool": {"filter": [*unnamed, *narrowed]}},
                    "aggs": {"values": _terms(field)},
                }
        if not contains:
            inner[NONE] = {"filter": clauses.lacks(one.fields)}
    return {"filter": {"bool": {"filter": held}}, "aggs": inner}


def result(name: str, answer: dict[str, Any], contains: str) -> list[dict[str, Any]]:
    """Return the values of a facet from its aggregation's answer.

    Each is ``{"value", "count", "label"}``, the most frequent first. At the end may stand
    ``-`` for entries without a value, and ``null`` with the count of all further values.
    """
    one = BY_NAME[name]
    if one.computed:
        labels = {**one.choices, NONE: NONE_LABEL}
        wanted = contains.casefold()
        found = [
            _value(value, answer[value]["doc_count"], label)
            for value, label in labels.items()
            if value in answer
            and answer[value]["doc_count"]
            and (wanted in label.casefold() or wanted in value.casefold())
        ]
        return sorted(found, key=lambda made: (made["value"] == NONE, -made["count"]))
    label = _labeller(one)
    values, rest = [], 0
    for names in _PEOPLE.get(name, (one.fields,)):
        for field in names:
            part = answer[field]["values"]
            values += [label(field, bucket) for bucket in part["buckets"]]
            rest += part["sum_other_doc_count"]
    values.sort(key=lambda made: (-made["count"], made["value"]))
    rest += sum(made["count"] for made in values[MOST:])
    values = values[:MOST]
    if NONE in answer and answer[NONE]["doc_count"]:
        values.append(_value(NONE, answer[NONE]["doc_count"], NONE_LABEL))
    if rest:
        values.append(_value(None, rest, OTHER_LABEL))
    return values


def recount(name: str, asked: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any] | None:
    """Return the aggregation that counts the values found one by one, or ``None``.

    A ``terms`` aggregation misses what an index does not have among its most frequent values
    (``doc_count_error_upper_bound``): such counts are too low.

    Args:
        asked: the facet's aggregation.
        answer: its answer.
    """
    inner: dict[str, Any] = {}
    for field, part in _doubtful(name, answer):
        each = {
            str(number): {"term": {field: bucket["key"]}}
            for number, bucket in enumerate(part["buckets"])
        }
        exact = {"exact": {"filters": {"filters": each}}}
        inner[field] = {**asked["aggs"][field], "aggs": exact}
    return {**asked, "aggs": inner} if inner else None


def correct(name: str, answer: dict[str, Any], exact: dict[str, Any]) -> None:
    """Put the counts of :func:`recount` into the answer of a facet."""
    for field, part in _doubtful(name, answer):
        for number, bucket in enumerate(part["buckets"]):
            count = exact[field]["exact"]["buckets"][str(number)]["doc_count"]
            part["sum_other_doc_count"] -= count - bucket["doc_count"]
            bucket["doc_count"] = count


def _doubtful(name: str, answer: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the fields of a facet, and their values, that are perhaps counted too low."""
    for names in () if BY_NAME[name].computed else _PEOPLE.get(name, (BY_NAME[name].fields,)):
        for field in names:
            part = answer[field]["values"]
            if part["doc_count_error_upper_bound"] and part["buckets"]:
                yield field, part


def _value(value: str | None, count: int, label: str) -> dict[str, Any]:
    return {"value": value, "count": count, "label": label}


def _terms(field: str) -> dict[str, Any]:
    made: dict[str, Any] = {
        "terms": {
            "field": field,
            "size": MOST,
            "shard_size": _PER_SHARD,
            "min_doc_count": 1,
            "collect_mode": "breadth_first",
        }
    }
    spelled = _LABELS.get(field, (field,) if _original(field) else ())
    if spelled:
        made["aggs"] = {
            name: {"terms": {"field": f"{name}.original", "size": 1, "min_doc_count": 1}}
            for name in spelled
        }
    return made


def _original(field: str) -> bool:
    return "original" in vocabulary_fields()[field].search


def _labeller(one: Filter) -> Callable[[str, dict[str, Any]], dict[str, Any]]:
    def value(field: str, bucket: dict[str, Any]) -> dict[str, Any]:
        key, count = str(bucket["key"]), bucket["doc_count"]
        if field in _LABELS:
            return _value(key, count, _spelled(_LABELS[field], bucket) or key)
        if _original(field):
            shown = _spelled((field,), bucket) or key
            return _value(shown, count, shown)
        if one.name == "action":
            known = actions().get(key)
            return _value(key, count, known.label if known else key)
        return _value(key, count, one.choices.get(key, key))

    return value


def _spelled(names: Sequence[str], bucket: dict[str, Any]) -> str:
    for name in names:
        for found in bucket[name]["buckets"]:
            if found["key"]:
                return str(found["key"])
    return ""


def _narrowed(one: Filter, field: str, text: str) -> dict[str, Any]:
    """Return the clause of entries whose value, or its label, has the text in it."""
    if one.name == "action":
        return clauses.action_contains(text)
    if one.choices:
        wanted = text.casefold()
        fitting = [
            value
            for value, label in one.choices.items()
            if wanted in label.casefold() or wanted in value.casefold()
        ]
        return {"terms": {field: fitting}}
    return any_of(*(clauses.contains(name, text) for name in (field, *_LABELS.get(field, ()))))
