"""The event's JSON Schema (2020-12), from the fields of the vocabulary.

It is compiled by ``jsonschema_rs`` on the accept path, so it says little per value:
type, length, closed lists. Objects that hold declared fields are closed at every
level: what a source mapping did not place belongs in ``metadata``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from activity_center.generate.tree import Tree, tree
from activity_center.vocabulary import Field

SCHEMA_ID: Final = "https://activity-center.invalid/schema/event/1"
"""Identity of the schema; the reserved top-level domain says that it is no address."""

MAX_ITEMS: Final = 1000
"""Longest list in a field that holds several values."""

DATE_PATTERN: Final = (
    "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-5][0-9]([.][0-9]{1,9})?"
    "(Z|[+-](0[0-9]|1[0-7]):[0-5][0-9])$"
)
"""RFC 3339 less what OpenSearch refuses: lower case, leap seconds, offsets from 18 h on."""

_INT64: Final = 2**63


def event_schema(fields: Iterable[Field], title: str = "Activity") -> dict[str, Any]:
    """Return the schema of a document made of ``fields``."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": title,
        **_object(tree(fields)),
    }


def _object(node: Tree) -> dict[str, Any]:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {
            name: _object(child) if child.field is None else _value(child.field, child)
            for name, child in node.children.items()
        },
        "additionalProperties": False,
    }
    required = [name for name, child in node.children.items() if child.required]
    if required:
        schema["required"] = required
    return schema


def _value(field: Field, node: Tree) -> dict[str, Any]:
    one = _object(Tree(None, node.children)) if field.type == "object_array" else _single(field)
    return {"type": "array", "maxItems": MAX_ITEMS, "items": one} if field.many else one


def _single(field: Field) -> dict[str, Any]:
    if field.values is not None:
        return {"enum": list(field.values)}
    if field.type in ("flat_object", "object_disabled"):
        return {"type": "object"}
    if field.type == "boolean":
        return {"type": "boolean"}
    if field.type in ("long", "double"):
        return _number(field)
    if field.type == "date":
        return {"type": "string", "format": "date-time", "pattern": DATE_PATTERN}
    if field.type == "ip":
        return {
            "type": "string",
            "maxLength": 45,
            "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}],
        }
    if field.type == "geo_point":
        return {
            "type": "object",
            "properties": {
                "lat": {"type": "number", "minimum": -90, "maximum": 90},
                "lon": {"type": "number", "minimum": -180, "maximum": 180},
            },
            "required": ["lat", "lon"],
            "additionalProperties": False,
        }
    text: dict[str, Any] = {"type": "string"}
    if field.max_length is not None:
        text["maxLength"] = field.max_length
    if field.pattern is not None:
        text["pattern"] = f"^{field.pattern}$"
    return text


def _number(field: Field) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "integer" if field.type == "long" else "number"}
    if field.minimum is not None:
        schema["minimum"] = field.minimum
    elif field.type == "long":
        schema["minimum"] = -_INT64
    if field.type == "long":
        schema["maximum"] = _INT64 - 1
    return schema
