"""What is wrong with a set of saved objects: shape, references, fields, queries.

An import that succeeds proves little: Dashboards takes a chart over a field that cannot be
grouped and fails when it is drawn. So each field is looked up in the index templates, and
must be of a type that serves its use.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cache
from typing import Any, Final

from activity_center.assets import data_folder
from activity_center.dashboards import dql
from activity_center.dashboards.build import marker
from activity_center.dashboards.mapped import GROUPED, NUMBERS, Mapped, mapped
from activity_center.errors import VocabularyError
from activity_center.vocabulary import actions, fields

Json = dict[str, Any]

_NUMERIC: Final = frozenset({"avg", "sum", "percentiles"})


def check(objects: Sequence[Json]) -> list[str]:
    """Return every finding as ``type/id: what is wrong``; an empty list: all is well.

    Args:
        objects: in the form of the files in ``dashboards/objects/``.
    """
    shapes = [finding for one in objects for finding in _shape(one)]
    if shapes:
        return shapes  # the rest reads what the schemas promise
    found = list(_twice(objects))
    known = {(one["type"], one["id"]): one for one in objects}
    for one in objects:
        found += [f"{_name(one)}: {text}" for text in _references(one, known)]
    if found:
        return found
    for one in objects:
        found += [f"{_name(one)}: {text}" for text in _content(one, known)]
    return found


def _name(one: Mapping[str, Any]) -> str:
    return f"{one.get('type')}/{one.get('id')}"


@cache
def _schema(type_: str) -> Any:
    from jsonschema import Draft202012Validator

    file = data_folder("dashboards/schema") / f"{type_}.json"
    return Draft202012Validator(json.loads(file.read_text(encoding="utf-8")))


def _shape(one: Json) -> Iterator[str]:
    """The attributes that Dashboards maps, and no other ("mapping set to strict")."""
    wrong = None
    for wrong in _schema(one["type"]).iter_errors(one):
        place = "/".join(str(part) for part in wrong.absolute_path)
        yield f"{_name(one)}: {place or '(whole)'}: {wrong.message[:300]}"
    if wrong is None and not one["attributes"]["description"].endswith(marker(one["id"])):
        yield f"{_name(one)}: the description does not end with {marker(str(one['id']))}"


def _twice(objects: Sequence[Json]) -> Iterator[str]:
    for (type_, id_), times in Counter((one["type"], one["id"]) for one in objects).items():
        if times > 1:
            yield f"{type_}/{id_}: stands {times} times"
    titles = Counter((one["type"], one["attributes"]["title"]) for one in objects)
    for (type_, title), times in titles.items():
        # Dashboards asks before it keeps a second one of these; charts may share a question.
        if times > 1 and type_ != "visualization":
            yield f"{type_}: the title {title!r} stands {times} times"


def _used(one: Json) -> list[str]:
    """Names of the references that an object's attributes use."""
    attributes = one["attributes"]
    if one["type"] == "dashboard":
        return [panel["panelRefName"] for panel in attributes["panelsJSON"]]
    if one["type"] == "search":
        return [attributes["kibanaSavedObjectMeta"]["searchSourceJSON"]["indexRefName"]]
    return [attributes["savedSearchRefName"]] if "savedSearchRefName" in attributes else []


def _references(one: Json, known: Mapping[tuple[str, str], Json]) -> Iterator[str]:
    named = [reference["name"] for reference in one["references"]]
    used = _used(one)
    for name in sorted(set(used) - set(named)):
        yield f"uses the reference {name}, which is not there"
    for name in sorted(set(named) - set(used)):
        yield f"the reference {name} is not used"
    for reference in one["references"]:
        if (reference["type"], reference["id"]) not in known:
            yield f"refers to {reference['type']}/{reference['id']}, which does not exist"
    for name, times in Counter(named + used).items():
        if times > 2:
            yield f"the reference {name} stands more than once"


def pattern_of(one: Json, known: Mapping[tuple[str, str], Json]) -> str | None:
    """Return the title of the index pattern that an object searches, if any."""
    while one["type"] != "index-pattern":
        if not one["references"]:
            return None
        (reference,) = one["references"]
        one = known[(reference["type"], reference["id"])]
    title: str = one["attributes"]["title"]
    return title


def _content(one: Json, known: Mapping[tuple[str, str], Json]) -> Iterator[str]:
    if one["type"] == "dashboard":
        yield from _layout(one)
        return
    if one["type"] == "query":
        yield from _saved_query(one, known)
        return
    title = pattern_of(one, known)
    attributes = one["attributes"]
    if title is None:
        if attributes["visState"]["type"] != "markdown":
            yield "is linked to no saved search"
        return
    there = mapped(title)
    if one["type"] == "index-pattern":
        if not there:
            yield f"no index template makes a stream for {title}"
            return
        for name in [attributes["timeFieldName"], *attributes["fieldFormatMap"]]:
            if name not in there:
                yield f"the field {name} is not in the templates"
        return
    if not there:
        return  # told of the index pattern
    yield from _query(attributes["kibanaSavedObjectMeta"]["searchSourceJSON"]["query"], there)
    if one["type"] == "search":
        for name in attributes["columns"]:
            if name not in there:
                yield f"the column {name} is not in the templates"
        for name, _ in attributes["sort"]:
            yield from _grouped(name, there, "sorts by")
        return
    for aggregation in attributes["visState"]["aggs"]:
        yield from _aggregation(aggregation, there)


def _aggregation(one: Json, there: Mapping[str, Mapped]) -> Iterator[str]:
    kind, params = one["type"], one["params"]
    labels = [case["label"] for case in params.get("filters", [])]
    if labels != sorted(labels):
        yield f"OpenSearch gives the cases in alphabetical order, and these stand so: {labels}"
    for case in params.get("filters", []):
        yield from _query(case["input"], there)
    if kind in ("count", "filters"):
        return
    name = params.get("field", "")
    if kind in ("terms", "cardinality"):
        yield from _grouped(name, there, f"{kind} over")
        if kind == "terms" and name in there and there[name].original:
            yield f"terms over {name} shows small letters only: take {name}.original"
        return
    if name not in there:
        yield f"{kind} over {name}, which is not in the templates"
        return
    type_ = there[name].type
    if kind == "date_histogram" and type_ != "date":
        yield f"date_histogram over {name}, which is {type_}, not date"
    elif kind in _NUMERIC and type_ not in NUMBERS:
        yield f"{kind} of {name}, which is {type_}, no number"
    elif kind == "max" and type_ not in NUMBERS | {"date"}:
        yield f"max of {name}, which is {type_}, neither number nor date"


def _grouped(name: str, there: Mapping[str, Mapped], what: str) -> Iterator[str]:
    if name not in there:
        below = [one for one in there.values() if name.startswith(f"{one.name}.")]
        if any(one.type == "flat_object" for one in below):
            yield f"{what} {name}, which is below a flat_object: it would be empty"
        else:
            yield f"{what} {name}, which is not in the templates"
    elif there[name].type not in GROUPED:
        yield f"{what} {name}, which is {there[name].type}: its values cannot be grouped or sorted"


def _saved_query(one: Json, known: Mapping[tuple[str, str], Json]) -> Iterator[str]:
    """A saved query names no index pattern: one of ours must have all its fields."""
    query = one["attributes"]["query"]
    titles = [
        each["attributes"]["title"]
        for (type_, _), each in known.items()
        if type_ == "index-pattern" and mapped(each["attributes"]["title"])
    ]
    findings = [list(_query(query, mapped(title))) for title in titles]
    if findings and not any(not each for each in findings):
        yield from min(findings, key=len)


def _query(query: Mapping[str, str], there: Mapping[str, Mapped]) -> Iterator[str]:
    if not query["query"]:
        return
    try:
        node = dql.parse(query["query"])
    except VocabularyError as wrong:
        yield wrong.message
        return
    for one in dql.terms(node):
        yield from _comparison(one, there)


def _comparison(one: dql.Is | dql.Range, there: Mapping[str, Mapped]) -> Iterator[str]:
    if _in_flat_object(one, there):
        return
    if one.field not in there:
        yield f"the query asks for the field {one.field}, which is not in the templates"
        return
    field = there[one.field]
    if not field.indexed:
        yield f"the query asks for {one.field}, which is not indexed: leave .original away"
    elif isinstance(one, dql.Range):
        if field.type not in NUMBERS | {"date", "ip"}:
            yield f"the query compares {one.field}, which is {field.type}, by < or >"
    elif field.type == "wildcard" and not one.exists:
        yield (
            f"the query asks for {one.field}, which is a wildcard field: Dashboards' query_string "
            "finds nothing there from four characters on"
        )
    elif not one.exists:
        yield from _value(one)


def _in_flat_object(one: dql.Is | dql.Range, there: Mapping[str, Mapped]) -> bool:
    """Whether it asks for one value below a flat_object, which templates do not list."""
    plain = isinstance(one, dql.Is) and not (one.exists or one.wildcard or one.phrase)
    flat = (name for name, known in there.items() if known.type == "flat_object")
    return plain and any(one.field.startswith(f"{name}.") for name in flat)


def _value(one: dql.Is) -> Iterator[str]:
    """A value of a closed list, and an action, must exist: a slip finds nothing for ever."""
    known = fields().get(one.field)
    values: Sequence[str] = tuple(known.values) if known and known.values else ()
    if one.field == "event.action" and one.value != "activity.rejected":
        values = tuple(actions())
    elif one.field == "rule.id":
        values = [file.stem for file in data_folder("opensearch/monitors/rules").glob("*.yml")]
    if values and not any(fnmatchcase(value, one.value) for value in values):
        yield f"the query asks for {one.field}: {one.value}, a value that it never has"


def _layout(one: Json) -> Iterator[str]:
    """Panels do not overlap and stay within the 48 columns."""
    taken: dict[tuple[int, int], str] = {}
    for panel in one["attributes"]["panelsJSON"]:
        grid = panel["gridData"]
        if grid["x"] + grid["w"] > 48:
            yield f"the panel {panel['title']!r} is wider than the page"
        for x in range(grid["x"], grid["x"] + grid["w"]):
            for y in range(grid["y"], grid["y"] + grid["h"]):
                other = taken.setdefault((x, y), panel["title"])
                if other != panel["title"]:
                    yield f"the panels {other!r} and {panel['title']!r} overlap"
                    return
