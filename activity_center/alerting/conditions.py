"""The query language of alert rules, and what it is in OpenSearch's query DSL.

It is closed: no query string, no script and no body from a rule file reaches OpenSearch.
Every query is written out in the long form in which OpenSearch gives queries back, so that
an installed monitor can be compared with what we would install (``setup.monitors``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from activity_center.config_alerts import Hours
from activity_center.config_words import Place
from activity_center.vocabulary import Field, actions

Condition = Mapping[str, Any]
Query = dict[str, Any]

AGGREGATED: Final = frozenset({"keyword", "ip", "long", "boolean"})
"""Types of fields that can be grouped by; a ``flat_object`` has no buckets (OpenSearch 3.4)."""
_SEARCHED: Final = AGGREGATED | {"date", "double"}
_TEXT: Final = frozenset({"keyword", "flat_object"})
_NUMBERS: Final = frozenset({"long", "double"})

# Painless. Values come as parameters, so that a script is compiled once.
SAME: Final = (
    "def a = doc[params.a]; def b = doc[params.b]; "
    "return a.size() > 0 && b.size() > 0 && a.value == b.value"
)
OUTSIDE: Final = (
    "if (doc['@timestamp'].size() == 0) return false; "
    "ZonedDateTime t = ZonedDateTime.ofInstant("
    "Instant.ofEpochMilli(doc['@timestamp'].value.toInstant().toEpochMilli()), "
    "ZoneId.of(params.zone)); "
    "int minute = t.getHour() * 60 + t.getMinute(); "
    "return !params.days.contains(t.getDayOfWeek().getValue()) "
    "|| minute < params.start || minute >= params.end"
)


def compiled(conditions: Sequence[Condition], hours: Hours) -> list[Query]:
    """Return the filters of a list of conditions, which must all hold.

    Args:
        conditions: as the JSON Schema of rules accepts them.
        hours: what ``outside_hours`` is outside of.
    """
    return [_query(one, hours) for one in conditions]


def wrong_fields(
    conditions: Iterable[Condition], known: Mapping[str, Field], place: Place
) -> Iterator[tuple[Place, str]]:
    """Yield what is wrong with the fields that conditions name, in words, and where.

    Args:
        place: of the conditions.
    """
    for number, one in enumerate(conditions):
        yield from _wrong_condition(one, known, (*place, number))


def _wrong_condition(
    one: Condition, known: Mapping[str, Field], place: Place
) -> Iterator[tuple[Place, str]]:
    if "field" in one:
        yield from ((place, said) for said in _wrong(one["field"], one, known))
    for name in one.get("same", ()):
        yield from (((*place, "same"), said) for said in not_aggregated(name, known))
    for key in ("any", "all"):
        yield from wrong_fields(one.get(key, ()), known, (*place, key))
    if "not" in one:
        yield from _wrong_condition(one["not"], known, (*place, "not"))


def depth(conditions: Iterable[Condition]) -> int:
    """How deep conditions are nested; 1: none holds another."""
    return 1 + max((depth(nested) for one in conditions if (nested := _nested(one))), default=0)


def not_aggregated(name: str, known: Mapping[str, Field]) -> Iterator[str]:
    """Yield why a field cannot be grouped by or counted."""
    field = known.get(name)
    if field is None:
        yield f"{name}: no such field{_near(name, known)}"
    elif field.type not in AGGREGATED or not field.indexed:
        yield f"{name}: is of type {field.type} and cannot be grouped by or counted"


def field_of(name: str, known: Mapping[str, Field]) -> Field | None:
    """Return the field, or for a path inside a ``flat_object`` that object's field."""
    if name in known:
        return known[name]
    parent = name.rpartition(".")[0]
    while parent:
        if parent in known:
            return known[parent] if known[parent].type == "flat_object" else None
        parent = parent.rpartition(".")[0]
    return None


def _nested(one: Condition) -> list[Condition]:
    return [*one.get("any", ()), *one.get("all", ()), *([one["not"]] if "not" in one else [])]


def _wrong(name: str, one: Condition, known: Mapping[str, Field]) -> Iterator[str]:
    field = field_of(name, known)
    if field is None:
        yield f"{name}: no such field{_near(name, known)}"
        return
    if "exists" in one:
        return
    if field.type not in (_SEARCHED | {"flat_object"}) or not field.indexed:
        yield f"{name}: is of type {field.type} and cannot be compared"
    elif ("prefix" in one or "like" in one) and field.type not in _TEXT:
        yield f"{name}: is of type {field.type} and has no text to compare"
    elif ("at_least" in one or "below" in one) and field.type not in _NUMBERS:
        yield f"{name}: is of type {field.type} and no number"
    elif field.values is not None:
        values = one.get("any_of", [one["is"]] if "is" in one else [])
        for value in values:
            if value not in field.values:
                yield f"{name}: {value!r} is none of {', '.join(field.values)}"


def _near(name: str, known: Mapping[str, Field]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _query(one: Condition, hours: Hours) -> Query:
    if "field" in one:
        return _of_field(one["field"], one)
    if "same" in one:
        a, b = one["same"]
        return _script(SAME, {"a": a, "b": b})
    if "critical" in one:
        names = sorted(action.name for action in actions().values() if action.critical)
        return {"terms": {"event.action": names}}
    if "outside_hours" in one:
        return _script(OUTSIDE, hours.as_params())
    if "any" in one:
        return {"bool": {"should": compiled(one["any"], hours), "minimum_should_match": "1"}}
    if "all" in one:
        return {"bool": {"filter": compiled(one["all"], hours)}}
    return {"bool": {"must_not": [_query(one["not"], hours)]}}


def _of_field(name: str, one: Condition) -> Query:
    if "is" in one:
        return {"term": {name: {"value": one["is"]}}}
    if "any_of" in one:
        return {"terms": {name: list(one["any_of"])}}
    if "prefix" in one:
        return {"prefix": {name: {"value": one["prefix"]}}}
    if "like" in one:
        return {"wildcard": {name: {"wildcard": one["like"]}}}
    if "exists" in one:
        there: Query = {"exists": {"field": name}}
        return there if one["exists"] else {"bool": {"must_not": [there]}}
    low, high = one.get("at_least"), one.get("below")
    return {"range": {name: between(low, high)}}


def between(low: Any, high: Any) -> Query:
    """The bounds of a range: from ``low`` on, below ``high``; ``None`` is open."""
    return {"from": low, "to": high, "include_lower": True, "include_upper": False}


def _script(source: str, params: Mapping[str, Any]) -> Query:
    script = {"source": source, "lang": "painless", "params": dict(params)}
    return {"script": {"script": script}}
