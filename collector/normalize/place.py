"""What does not fit its field moves to ``activity.overflow``, whole and marked.

Called only for documents that the schema refuses, that are large, or that have many
brackets: OpenSearch would refuse the document, or worse (objects nested about 550 deep
in a ``flat_object`` end its JVM). Nothing is cut: ``activity.overflow`` is stored and
not indexed, ``activity.overflow_fields`` names what is there.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Any, Final

import orjson

from activity_center.vocabulary import Field, fields
from collector.normalize.refused import Refused
from collector.normalize.timestamps import parse

MAX_DEPTH: Final = 100
"""Deeper events are refused unless the deep part can be kept as text."""
MAX_FLAT_DEPTH: Final = 20
"""Objects deeper than this inside a ``flat_object`` are kept as JSON text in the overflow."""
MAX_FLAT_LEAF: Final = 32_766
"""Lucene's longest term, bytes; a leaf counts ``2·(field+1) + path + 1 + value``."""
_LONG: Final = 2**63
MAX_ITEMS: Final = 1000
"""Longest list in a field (the schema's ``maxItems``)."""
BEGINNINGS: Final = frozenset({"gen_ai.tool.name"})
"""Texts whose beginning stays in the field when they are too long: approval policies go by it, and
a name that is only long enough must not be about no policy."""


class Placer:
    """Fits documents to the fields of the vocabulary."""

    def __init__(self) -> None:
        self._tree: dict[str, Any] = {}
        self._members: dict[str, dict[str, Field]] = {}
        for name, one in fields().items():
            node = self._tree
            *parents, last = name.split(".")
            for parent in parents:
                child = node.setdefault(parent, {})
                if isinstance(child, Field):  # a member of an object_array
                    self._members.setdefault(child.name, {})[last] = one
                    break
                node = child
            else:
                node.setdefault(last, one)

    def fit(self, document: dict[str, Any]) -> None:
        """Move every value that does not fit its field to the overflow, in place.

        Raises:
            Refused: ``activity`` is no object.
        """
        moved: dict[str, Any] = {}
        self._group(document, self._tree, "", moved)
        ours = document.get("activity")
        if not moved:
            return
        if type(ours) is not dict:
            raise Refused("invalid", "activity is not an object", "/activity")
        overflow = ours.get("overflow")
        ours["overflow"] = {**(overflow if type(overflow) is dict else {}), **moved}
        named = ours.get("overflow_fields")
        known = named if type(named) is list else []
        ours["overflow_fields"] = [*known, *(name[:1024] for name in moved if name not in known)]

    def _group(
        self, group: dict[str, Any], tree: dict[str, Any], prefix: str, moved: dict[str, Any]
    ) -> None:
        for key in list(group):
            value = group[key]
            name = f"{prefix}{key}"
            node = tree.get(key)
            if isinstance(node, dict):
                if type(value) is dict:
                    inner = group[key] = value.copy()  # the original may be the record's
                    self._group(inner, node, name + ".", moved)
                elif value is not None:
                    moved[name] = _text_if_deep(group.pop(key))
                else:
                    del group[key]
            elif node is None:
                moved[name] = _text_if_deep(group.pop(key))
            elif node.type == "flat_object":
                self._flat(group, key, name, moved)
            elif node.type == "object_disabled" and type(value) is dict:
                group[key] = {one: _text_if_deep(child) for one, child in value.items()}
            elif node.type == "object_disabled":
                if group.pop(key) is not None:
                    moved[name] = _text_if_deep(value)
            elif node.type == "object_array":
                self._objects(group, key, name, moved)
            else:
                fitted = fit_leaf(node, value)
                if fitted is None:
                    if value is not None:
                        moved[name] = _text_if_deep(value)
                    if name in BEGINNINGS and type(value) is str:
                        group[key] = value[: node.max_length]
                    else:
                        del group[key]
                else:
                    group[key] = fitted

    def _objects(self, group: dict[str, Any], key: str, name: str, moved: dict[str, Any]) -> None:
        """A list of plain objects whose members are fields of their own."""
        value = group[key]
        members = self._members.get(name, {})
        fits = (
            type(value) is list
            and len(value) <= MAX_ITEMS
            and all(
                type(one) is dict
                and all(
                    m in members and fit_leaf(members[m], v) is not None for m, v in one.items()
                )
                for one in value
            )
        )
        if not fits:
            moved[name] = _text_if_deep(group.pop(key))

    def _flat(self, group: dict[str, Any], key: str, name: str, moved: dict[str, Any]) -> None:
        value = group[key]
        if type(value) is not dict:
            del group[key]
            if value is not None:
                moved[name] = _text_if_deep(value)
            return
        room = MAX_FLAT_LEAF - 2 * (len(name.encode()) + 1) - 1
        group[key] = _flat_object(value, name, "", room, moved, 0)


def _flat_object(
    value: dict[str, Any], field: str, path: str, room: int, moved: dict[str, Any], depth: int
) -> dict[str, Any]:
    """Return ``value`` with what a ``flat_object`` cannot take moved away."""
    kept = {}
    for key, child in value.items():
        where = f"{path}.{key}" if path else str(key)
        one = _flat_value(child, field, where, room, moved, depth + 1)
        if one is not _GONE:
            kept[key] = one
    return kept


_GONE: Final = object()


def _flat_value(
    child: Any, field: str, where: str, room: int, moved: dict[str, Any], depth: int
) -> Any:
    if isinstance(child, (dict, list)) and depth >= MAX_FLAT_DEPTH:
        moved[f"{field}.{where}"] = _deep(child)
        return _GONE
    if isinstance(child, dict):
        return _flat_object(child, field, where, room, moved, depth)
    if isinstance(child, list):
        if all(not isinstance(item, (dict, list)) for item in child) and all(
            _size(item) + len(where.encode()) <= room for item in child
        ):
            return child
        items = [
            _flat_value(item, field, f"{where}.{index}", room, moved, depth + 1)
            for index, item in enumerate(child)
        ]
        return [item for item in items if item is not _GONE]
    if _size(child) + len(where.encode("utf-8", "replace")) > room:
        moved[f"{field}.{where}"] = child
        return _GONE
    return child


def _size(value: Any) -> int:
    return len(value.encode("utf-8", "replace")) if isinstance(value, str) else 32


def _text_if_deep(value: Any) -> Any:
    """An unmapped object may be 1000 deep for OpenSearch; ours are at most 20."""
    if isinstance(value, (dict, list)) and depth_of(value, MAX_FLAT_DEPTH) > MAX_FLAT_DEPTH:
        return _deep(value)
    return value


def _deep(value: Any) -> str:
    """JSON text of a deep value.

    Raises:
        Refused: deeper than orjson writes (254 levels).
    """
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        raise Refused("too_deep", f"nested deeper than {MAX_DEPTH} levels") from None


def depth_of(value: Any, limit: int) -> int:
    """Return the nesting depth of ``value``, at most ``limit + 1``; never recurses."""
    depth, level = 0, [value]
    while level and depth <= limit:
        inner: list[Any] = []
        for one in level:
            if isinstance(one, dict):
                inner.extend(v for v in one.values() if isinstance(v, (dict, list)))
            elif isinstance(one, list):
                inner.extend(v for v in one if isinstance(v, (dict, list)))
        depth += 1
        level = inner
    return depth


def fit_leaf(field: Field, value: Any) -> Any:
    """Return the value as it is stored in the field, or ``None`` if it does not fit."""
    fit = _FITS[field.type]
    if type(value) is list:
        if len(value) > MAX_ITEMS:
            return None
        if not field.many and len(value) != 1:
            return None
        items = [fit(field, item) for item in value]
        if any(item is None for item in items):
            return None
        return items if field.many else items[0]
    fitted = fit(field, value)
    return [fitted] if field.many and fitted is not None else fitted


def _text(field: Field, value: Any) -> Any:
    if isinstance(value, bool):
        value = "true" if value else "false"
    elif isinstance(value, (int, float)):
        value = repr(value)
    if not isinstance(value, str) or len(value) > (field.max_length or 8191):
        return None
    if field.values is not None and value not in field.values:
        return None
    if field.pattern is not None and re.fullmatch(field.pattern, value) is None:
        return None
    return value


def _integer(field: Field, value: Any) -> Any:
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        digits = value.strip().removeprefix("-")
        if not (digits.isascii() and digits.isdigit() and len(digits) < 20):
            return None
        value = int(value)
    if isinstance(value, float):
        if not value.is_integer():
            return None
        value = int(value)
    least = -_LONG if field.minimum is None else field.minimum
    return value if isinstance(value, int) and least <= value < _LONG else None


def _number(field: Field, value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    too_small = field.minimum is not None and number < field.minimum
    return number if abs(number) < 1e300 and not too_small else None


def _truth(_field: Field, value: Any) -> Any:
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.lower())
    return value if isinstance(value, bool) else None


def _date(_field: Field, value: Any) -> Any:
    moment = parse(value)
    return moment.text if moment else None


def _address(_field: Field, value: Any) -> Any:
    if not isinstance(value, str) or "%" in value:
        return None
    try:
        return str(ipaddress.ip_address(value.strip()))
    except ValueError:
        return None


def _point(_field: Field, value: Any) -> Any:
    if not isinstance(value, dict) or set(value) != {"lat", "lon"}:
        return None
    lat, lon = (_number(_field, value[key]) for key in ("lat", "lon"))
    if lat is None or lon is None or abs(lat) > 90 or abs(lon) > 180:
        return None
    return {"lat": lat, "lon": lon}


_FITS: Final[dict[str, Callable[[Field, Any], Any]]] = {
    "keyword": _text,
    "wildcard": _text,
    "constant_keyword": _text,
    "match_only_text": _text,
    "text": _text,
    "long": _integer,
    "integer": _integer,
    "double": _number,
    "float": _number,
    "boolean": _truth,
    "date": _date,
    "ip": _address,
    "geo_point": _point,
}
