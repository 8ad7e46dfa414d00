"""``take: vocabulary``: keys that are fields of the vocabulary become those fields.

Walks the keys that a record has, never the fields that there are. Reserved fields
(a sender cannot set them) and unknown keys stay where they were, under ``metadata``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from activity_center.vocabulary import Field
from collector.mapping.runtime import place

LEAF: Final = 1
OPEN: Final = 2
"""A field whose content is free (``flat_object``): dotted keys may go into it."""
MAX_PARTS: Final = 16
"""A key with more dots than this is no field and stays as it is."""
_LEAVES: Final = object()
"""Key of a group of fields: the names in it that are fields themselves."""
_GROUPS: Final = object()
"""Key of a group of fields: group in it -> whether all of some names are fields there."""
_FREE: Final = frozenset({"flat_object", "object_disabled"})
_NOTHING: Final[dict[str, Any]] = {}
Tree = dict[Any, Any]


def tree_of(fields: Mapping[str, Field], never: Iterable[str]) -> Tree:
    """Return the fields that may be taken, nested; leaves are :data:`LEAF`, :data:`OPEN`.

    Args:
        never: names that the mapping's own rules set.
    """
    tree: Tree = {}
    barred = set(never)
    for name, field in fields.items():
        *parents, last = name.split(".")
        node: Any = tree
        for parent in parents:
            node = node.setdefault(parent, {})
            if not isinstance(node, dict):  # a member of an object_array: taken with it
                break
        else:
            if not field.reserved and name not in barred:
                node[last] = OPEN if field.type in _FREE else LEAF
    _note_leaves(tree)
    return tree


def _note_leaves(node: Tree) -> None:
    groups = {key: child for key, child in node.items() if isinstance(child, dict)}
    for child in groups.values():
        _note_leaves(child)
    node[_LEAVES] = frozenset(node.keys() - groups.keys())
    node[_GROUPS] = {key: child[_LEAVES].issuperset for key, child in groups.items()}


def take(tree: Tree, record: dict[Any, Any], out: dict[str, Any]) -> dict[Any, Any]:
    """Move fields of ``record`` to ``out``; return the rest in a new dict.

    ``record`` is not changed. ``null`` says nothing and is left out. A group that holds
    fields alone is handed on as it is, not copied.
    """
    if not out:
        taken, rest = split(tree, record)
        out.update(taken)
        return rest
    rest = {}
    dotted = False
    for key, value in record.items():
        node = tree.get(key)
        if type(node) is dict and type(value) is dict:
            if key in out:
                group = out[key] = out[key].copy()  # it may be the record's
                left = take(node, value, group)
            else:
                inner, left = split(node, value)
                if inner:
                    out[key] = inner
            if left:
                rest[key] = left
        elif node is None or type(node) is dict or key in out:
            if node is None or value is not None:
                rest[key] = value
                dotted = dotted or _is_dotted(key)
        elif value is not None:
            out[key] = value
    if dotted:
        _expand_all(tree, rest, out)
    return rest


def split(tree: Tree, group: dict[Any, Any]) -> tuple[dict[str, Any], dict[Any, Any]]:
    """Return the fields in ``group`` and the rest of it, both in new dicts."""
    taken = group.copy()
    rest: dict[Any, Any] = {}
    dotted = False
    leaves, groups = tree[_LEAVES], tree[_GROUPS]
    for key, value in group.items():
        # Mostly a key is a field, or a group that holds fields alone, none of them null.
        if type(value) is dict:
            all_fields = groups.get(key)
            if all_fields is None:
                if key in leaves:
                    continue
            elif (
                value and all_fields(value) and (all(value.values()) or None not in value.values())
            ):
                continue
        elif value is not None and key in leaves:
            continue
        node = tree.get(key)
        if type(value) is dict and node is not None:
            inner, left = split(node, value)
            if left:
                rest[key] = left
            if inner:
                taken[key] = inner
                continue
        elif node is None or value is not None:  # unknown, or no object where a group is due
            rest[key] = value
            dotted = dotted or (node is None and _is_dotted(key))
        del taken[key]
    if dotted:
        _expand_all(tree, rest, taken)
    return taken, rest


def _is_dotted(key: Any) -> bool:
    return type(key) is str and "." in key


def _expand_all(tree: Tree, rest: dict[Any, Any], out: dict[str, Any]) -> None:
    for key in [one for one in rest if _is_dotted(one)]:
        _expand(tree, key, rest, out)


def _expand(tree: Tree, key: str, rest: dict[Any, Any], out: dict[str, Any]) -> None:
    """Take ``{"event.action": x}`` as ``{"event": {"action": x}}``."""
    parts = key.split(".")
    if len(parts) > MAX_PARTS or "" in parts:
        return
    node: Any = tree
    for depth, part in enumerate(parts):
        node = node.get(part)
        if node is OPEN and depth + 1 < len(parts):
            _into_open(parts, depth, key, rest, out)
            return
        if type(node) is not dict:
            break
    if node is None:
        return
    nested = rest[key]
    if type(node) is dict and type(nested) is not dict:
        return
    for part in reversed(parts[1:]):
        nested = {part: nested}
    left: Any = take(tree, {parts[0]: nested}, out)
    for part in parts:
        left = left.get(part) if type(left) is dict else None
    if left is None:
        del rest[key]
    else:
        rest[key] = left


def _into_open(
    parts: list[str], depth: int, key: str, rest: dict[Any, Any], out: dict[str, Any]
) -> None:
    """Take ``{"activity.new_value.plan": x}`` into the free object that the field is."""
    group: Any = out
    for part in parts[:depth]:
        child = group.get(part)
        group[part] = child = {} if child is None else child.copy()  # it may be the record's
        group = child
    value = rest[key]
    for part in reversed(parts[depth + 1 :]):
        value = {part: value}
    name = parts[depth]
    there = group.get(name)
    if there is None:
        group[name] = value
    elif type(there) is dict:
        place(group, name, value)  # copies what is there: it belongs to the record
    else:
        return
    del rest[key]


def stamp(out: dict[str, Any], group: str, before: dict[str, Any], after: dict[str, Any]) -> None:
    """Set what the mapping says of itself in a group, which becomes a dict of its own.

    Args:
        before: where the record says nothing else.
        after: whatever the record says.
    """
    out[group] = {**before, **out.get(group, _NOTHING), **after}


def metadata_of(rest: dict[Any, Any], out: dict[str, Any]) -> None:
    """Put the rest under ``metadata``, beside what the sender put there itself."""
    given = out.get("metadata")
    if given is None:
        out["metadata"] = rest
    elif type(given) is dict:
        merged = given.copy()
        for key, value in rest.items():
            place(merged, key, value)
        out["metadata"] = merged
    else:
        place(rest, "metadata", given)
        out["metadata"] = rest
