"""Which fields an index pattern has, by the index templates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from typing import Any, Final

from activity_center.vocabulary import alert_fields, fields, rejected_fields

NUMBERS: Final = frozenset({"long", "integer", "double", "float"})
GROUPED: Final = frozenset({"keyword", "ip", "boolean", "date"}) | NUMBERS
"""Types whose values can be listed, counted and sorted. Text has none at hand, and a
``terms`` aggregation below a ``flat_object`` has no buckets and no error."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """One field of a mapping.

    Attributes:
        indexed: whether a query can find it.
        original: it is compared caselessly, and has its own spelling under ``.original``.
    """

    name: str
    type: str
    indexed: bool = True
    original: bool = False


@cache
def mapped(title: str) -> Mapping[str, Mapped]:
    """Return the fields of the streams that an index pattern's title names; none: no such.

    The templates are those that follow from the vocabulary as it is, not the files: a field
    that was just added counts before its template is written.
    """
    from activity_center.generate.templates import component_templates, index_templates

    components = component_templates(
        fields().values(), rejected_fields().values(), alert_fields().values()
    )
    found: dict[str, Mapped] = {}
    for template in index_templates().values():
        if not any(
            one == pattern or fnmatchcase(pattern, one)
            for one in title.split(",")
            for pattern in template["index_patterns"]
        ):
            continue
        for name in template["composed_of"]:
            properties = components[name]["template"].get("mappings", {}).get("properties", {})
            found |= {one.name: one for one in _fields(properties, "")}
    return found


def _fields(properties: Mapping[str, Any], above: str) -> Iterator[Mapped]:
    for key, one in properties.items():
        name = f"{above}{key}"
        if "properties" in one:
            yield from _fields(one["properties"], f"{name}.")
            continue
        if one.get("enabled") is False:
            continue
        below = one.get("fields", {})
        yield Mapped(name, one["type"], one.get("index", True), "original" in below)
        for part, sub in below.items():
            yield Mapped(f"{name}.{part}", sub["type"], sub.get("index", True))
