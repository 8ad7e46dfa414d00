"""Comparing what we want with what OpenSearch gives back, by meaning.

OpenSearch returns settings as strings in a tree, drops parameters that have their
default value, adds others, and orders as it likes. Everything here is a function over
values: both sides are brought to one canonical form, and only then compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

Canonical = dict[str, Any]

FIELD_DEFAULTS: Final[Mapping[str, frozenset[str]]] = {
    "boost": frozenset({"1", "1.0"}),
    "coerce": frozenset({"true"}),
    "doc_values": frozenset({"true"}),
    "eager_global_ordinals": frozenset({"false"}),
    "enabled": frozenset({"true"}),
    "format": frozenset(
        {
            "strict_date_optional_time||epoch_millis",
            "strict_date_time_no_millis||strict_date_optional_time||epoch_millis",
        }
    ),
    "ignore_above": frozenset({"2147483647"}),
    "ignore_malformed": frozenset({"false"}),
    "index": frozenset({"true"}),
    "store": frozenset({"false"}),
}
"""Mapping parameter -> values that OpenSearch leaves out when it returns a mapping."""

ROOT_DEFAULTS: Final[Mapping[str, Any]] = {
    "_source": {"enabled": "true"},
    "_routing": {"required": "false"},
    "_data_stream_timestamp": {"enabled": "true"},
    "date_detection": "true",
    "numeric_detection": "false",
}

SETTING_DEFAULTS: Final[Mapping[str, str]] = {"index.number_of_shards": "1"}

TEMPLATE_SETTINGS: Final = (
    "index.analysis.",
    "index.codec",
    "index.default_pipeline",
    "index.final_pipeline",
    "index.mapping.",
    "index.max_",
    "index.number_of_shards",
    "index.query.",
    "index.refresh_interval",
    "index.sort.",
)
"""Settings that only a template or a person sets: one more of them is a difference.

All others (creation date, blocks, routing, what policies note) come and go by
themselves, so only those that the template names are compared.
"""


class Difference(NamedTuple):
    """One place where cluster and desired state differ; ``None`` means absent."""

    path: str
    there: Any
    wanted: Any


def scalar(value: Any) -> str:
    """A setting or parameter as OpenSearch would write it: ``True`` is ``"true"``."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def canonical(value: Any) -> Any:
    """``value`` with every scalar as text; lists keep their order."""
    if isinstance(value, Mapping):
        return {str(key): canonical(child) for key, child in value.items()}
    if isinstance(value, (list, tuple)):
        return [canonical(child) for child in value]
    return None if value is None else scalar(value)


def flat_settings(settings: Mapping[str, Any]) -> Canonical:
    """``{"index": {"a": 1}}``, ``{"a": 1}`` and ``{"index.a": "1"}`` alike as the last."""
    return {
        name if name.startswith("index.") else f"index.{name}": value
        for name, value in _leaves(settings, "")
    }


def _leaves(tree: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        here = f"{path}.{key}" if path else str(key)
        if isinstance(value, Mapping):
            yield from _leaves(value, here)
        elif value is not None:
            yield here, canonical(value)


def mapping(mappings: Mapping[str, Any]) -> Canonical:
    """A mapping in canonical form, without ``_meta`` and without what is default."""
    root = _object(mappings)
    root.pop("_meta", None)
    return {key: value for key, value in root.items() if ROOT_DEFAULTS.get(key) != value}


def _object(body: Mapping[str, Any]) -> Canonical:
    """A mapping's root, an object field or a leaf field."""
    result: Canonical = {}
    for key, value in body.items():
        if key in ("properties", "fields"):
            children = _children(value, dotted=key == "properties")
            if children:
                result[key] = children
        elif not (isinstance(value, (str, bool, int, float)) and _default(key, value)):
            result[key] = canonical(value)
    if result.get("type") == "object":
        del result["type"]
    return result


def _default(key: str, value: Any) -> bool:
    return scalar(value) in FIELD_DEFAULTS.get(key, ())


def _children(fields: Mapping[str, Any], *, dotted: bool) -> Canonical:
    """Fields by name; ``"a.b"`` is the field ``b`` of the object ``a``."""
    result: Canonical = {}
    for name, body in fields.items():
        child = _object(body)
        for part in reversed(name.split(".")[1:]) if dotted else ():
            child = {"properties": {part: child}}
        first = name.split(".")[0] if dotted else name
        result[first] = merge(result.get(first, {}), child)
    return result


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> Canonical:
    """Two canonical mappings as composition does it: ``above`` wins, objects are joined.

    A leaf field (one with a type) replaces what is below it as a whole.
    """
    result = dict(below)
    for key, value in above.items():
        there = result.get(key)
        if key == "dynamic_templates" and there:
            named = {next(iter(one)): one for one in [*there, *value]}
            result[key] = list(named.values())
        elif isinstance(there, Mapping) and isinstance(value, Mapping) and not _is_leaf(value):
            result[key] = merge(there, value)
        else:
            result[key] = value
    return result


def _is_leaf(body: Mapping[str, Any]) -> bool:
    """A field with a type; in a list of fields, ``type`` may be a field's name."""
    return isinstance(body.get("type"), str)


class Composed(NamedTuple):
    """What an index template and its components give a new index, canonical."""

    settings: Canonical
    mappings: Canonical


def compose(template: Mapping[str, Any], components: Mapping[str, Mapping[str, Any]]) -> Composed:
    """Join ``template`` and the components it names, in order; missing ones are left out."""
    settings: Canonical = {}
    mappings: Canonical = {}
    bodies = [components[name] for name in template.get("composed_of", ()) if name in components]
    for body in [*bodies, template]:
        part = body.get("template") or {}
        settings |= flat_settings(part.get("settings") or {})
        mappings = merge(mappings, mapping(part.get("mappings") or {}))
    return Composed(settings, mappings)


def template_body(body: Mapping[str, Any]) -> Canonical:
    """A component or index template in canonical form, ``_meta`` included."""
    part = body.get("template") or {}
    result: Canonical = {
        "settings": flat_settings(part.get("settings") or {}),
        "mappings": mapping(part.get("mappings") or {}),
        "mappings._meta": canonical((part.get("mappings") or {}).get("_meta")),
        "aliases": canonical(part.get("aliases") or {}),
        "index_patterns": sorted(_listed(body.get("index_patterns"))),
        "composed_of": _listed(body.get("composed_of")),
        "priority": canonical(body.get("priority")),
        "version": canonical(body.get("version")),
        "_meta": canonical(body.get("_meta")),
        "data_stream": None,
    }
    if "data_stream" in body:
        stamp = (body["data_stream"] or {}).get("timestamp_field", {}).get("name", "@timestamp")
        result["data_stream"] = {"timestamp_field": stamp}
    return {key: value for key, value in result.items() if value not in (None, {}, [])}


def role_body(body: Mapping[str, Any]) -> Canonical:
    """A role in canonical form: lists of rights have no order."""
    return {
        "description": str(body.get("description") or ""),
        "cluster_permissions": sorted(_listed(body.get("cluster_permissions"))),
        "index_permissions": sorted(
            (
                {
                    "index_patterns": sorted(_listed(one.get("index_patterns"))),
                    "allowed_actions": sorted(_listed(one.get("allowed_actions"))),
                    "dls": one.get("dls") or "",
                    "fls": sorted(_listed(one.get("fls"))),
                    "masked_fields": sorted(_listed(one.get("masked_fields"))),
                }
                for one in body.get("index_permissions") or ()
            ),
            key=str,
        ),
        "tenant_permissions": canonical(body.get("tenant_permissions") or []),
    }


def _listed(value: Any) -> list[str]:
    if value is None:
        return []
    return [str(one) for one in value] if isinstance(value, (list, tuple)) else [str(value)]


def index_differences(wanted: Composed, there: Composed) -> list[Difference]:
    """Where an index differs from what its template would give a new one today."""
    compared = {
        name: value
        for name, value in there.settings.items()
        if name in wanted.settings
        or (name.startswith(TEMPLATE_SETTINGS) and SETTING_DEFAULTS.get(name) != value)
    }
    ours = {
        name: value
        for name, value in wanted.settings.items()
        if name in compared or SETTING_DEFAULTS.get(name) != value
    }
    return [
        *differences({"mappings": there.mappings}, {"mappings": wanted.mappings}),
        *(
            Difference(f"settings.{name}", compared.get(name), ours.get(name))
            for name in sorted({*compared, *ours})
            if compared.get(name) != ours.get(name)
        ),
    ]


def differences(there: Any, wanted: Any, path: str = "") -> list[Difference]:
    """All places where two canonical values differ, by path."""
    if there == wanted:
        return []
    if not (isinstance(there, Mapping) and isinstance(wanted, Mapping)):
        return [Difference(path, there, wanted)]
    found: list[Difference] = []
    for key in _union(there, wanted):
        shown = path if key in ("properties",) else f"{path}.{key}" if path else key
        found += differences(there.get(key), wanted.get(key), shown)
    return found


def _union(one: Iterable[str], other: Iterable[str]) -> list[str]:
    return sorted({*one, *other})
