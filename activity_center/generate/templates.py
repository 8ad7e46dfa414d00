"""The index templates: two component templates and one index template per lens.

Mappings are explicit and ``dynamic`` is off, so that no sender can change a mapping.
There is no ``index.sort``: on OpenSearch 3.3 and 3.4 an index that has one cannot be
restored from a snapshot (OpenSearch issue 20073, mended in 3.5).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from activity_center.generate.tree import Tree, tree
from activity_center.streams import ALERTS_STREAM, LENSES, REJECTED_STREAM
from activity_center.vocabulary import TEMPLATE_VERSION, Field

OWNER: Final = "activity-center"
PRIORITY: Final = 500
LOWERCASE: Final = "lowercase"
"""A normalizer of OpenSearch's own: it knows Unicode, unlike ``case_insensitive`` in a query,
and needs no settings, without which a component template of mappings is refused."""

IGNORE_ABOVE: Final = 8191
"""Longest indexed value in characters: 8191 of up to four bytes fit Lucene's 32,766 bytes."""

DATE_FORMAT: Final = "strict_date_optional_time||epoch_millis"

DEFAULT_FIELDS: Final = (
    "message",
    "event.action",
    "activity.resource.name",
    "activity.resource.id",
    "user.name",
    "user.full_name",
    "user.email",
    "user.id",
    "gen_ai.tool.name",
    "error.message",
)
"""What a query without a field name looks at: without it, every field of the mapping."""

REJECTED_DEFAULT_FIELDS: Final = ("error.message", "rejected.record", "rejected.reason")

ALERTS_DEFAULT_FIELDS: Final = ("message", "rule.name", "alert.group")

_META: Final[dict[str, Any]] = {"owner": OWNER, "version": TEMPLATE_VERSION}


def component_templates(
    fields: Iterable[Field], rejected: Iterable[Field], alerts: Iterable[Field]
) -> dict[str, dict[str, Any]]:
    """Return the component templates by name."""
    return {
        "activity-settings": _component({"settings": {"index": _settings()}}),
        "activity-mappings": _component(
            {
                "settings": {"index": {"query": {"default_field": list(DEFAULT_FIELDS)}}},
                "mappings": mappings(fields),
            }
        ),
        "activity-rejected-mappings": _component(
            {
                "settings": {"index": {"query": {"default_field": list(REJECTED_DEFAULT_FIELDS)}}},
                "mappings": mappings(rejected),
            }
        ),
        "activity-alerts-mappings": _component(
            {
                "settings": {"index": {"query": {"default_field": list(ALERTS_DEFAULT_FIELDS)}}},
                "mappings": mappings(alerts),
            }
        ),
    }


def index_templates() -> dict[str, dict[str, Any]]:
    """Return the index templates by name: one per lens, for rejected records, for alerts."""
    lenses = {
        f"activity-{lens}": _index([f"activity-{lens}-*"], "activity-mappings") for lens in LENSES
    }
    return {
        **lenses,
        REJECTED_STREAM: _index([REJECTED_STREAM], "activity-rejected-mappings"),
        ALERTS_STREAM: _index([ALERTS_STREAM], "activity-alerts-mappings"),
    }


def mappings(fields: Iterable[Field]) -> dict[str, Any]:
    """Return the mapping of documents made of ``fields``."""
    return {
        "_meta": _META,
        "dynamic": False,
        "date_detection": False,
        "numeric_detection": False,
        "properties": _properties(tree(fields)),
    }


def _component(template: dict[str, Any]) -> dict[str, Any]:
    return {"_meta": _META, "version": TEMPLATE_VERSION, "template": template}


def _index(patterns: list[str], mapping: str) -> dict[str, Any]:
    return {
        "_meta": _META,
        "version": TEMPLATE_VERSION,
        "index_patterns": patterns,
        "data_stream": {},
        "priority": PRIORITY,
        "composed_of": ["activity-settings", mapping],
    }


def _settings() -> dict[str, Any]:
    return {
        "number_of_shards": 1,
        "auto_expand_replicas": "0-1",
        # Set, so that it also holds for an index that nobody searched for 30 s.
        "refresh_interval": "2s",
        "codec": "best_compression",
    }


def _properties(node: Tree) -> dict[str, Any]:
    return {
        name: {"properties": _properties(child)} if child.field is None else _mapping(child)
        for name, child in node.children.items()
    }


def _mapping(node: Tree) -> dict[str, Any]:
    field = node.field
    assert field is not None  # noqa: S101 - for the type checker; the caller has looked
    if field.type == "object_disabled":
        return {"type": "object", "enabled": False}
    if field.type == "object_array":
        return {"properties": _properties(Tree(None, node.children))}
    if field.type == "date":
        return {"type": "date", "format": DATE_FORMAT}
    if field.type == "keyword":
        return _keyword(field)
    return {"type": field.type}


def _keyword(field: Field) -> dict[str, Any]:
    mapping: dict[str, Any] = {"type": "keyword", "ignore_above": IGNORE_ABOVE}
    if not field.indexed:
        mapping |= {"index": False, "doc_values": False}
    if "caseless" in field.search:
        mapping["normalizer"] = LOWERCASE
    sub: dict[str, Any] = {}
    if "original" in field.search:
        # Values for facets and sorting only: what is searched is the field itself.
        sub["original"] = {"type": "keyword", "ignore_above": IGNORE_ABOVE, "index": False}
    if "substring" in field.search:
        sub["substring"] = {
            "type": "wildcard",
            "ignore_above": IGNORE_ABOVE,
            "normalizer": LOWERCASE,
        }
    if sub:
        mapping["fields"] = sub
    return mapping
