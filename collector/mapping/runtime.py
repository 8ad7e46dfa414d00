"""What generated functions call: small, total functions. None of them raises.

Records come from strangers: a value can be of any type, and keys can be empty, hold dots
or be no text at all.
"""

from __future__ import annotations

import math
from typing import Any, Final

MATCH_LIMIT: Final = 1 << 14
"""Texts longer than this many characters are not matched against patterns."""
NUMBERS: Final = frozenset({int, float})
SCALARS: Final = frozenset({str, int, float, bool, type(None)})
CONTAINERS: Final = frozenset({dict, list})
REDACTED: Final = "[redacted]"
GONE: Final = object()
ANY: Final = object()
"""The step ``*`` of a removal: every key of an object and every element of a list."""


def text(value: Any) -> str | None:
    """Return a scalar as text, ``None`` for anything else."""
    kind = type(value)
    if kind is str:
        return str(value)
    if kind is bool:
        return "true" if value else "false"
    if kind is int:
        return str(value) if -(2**63) <= value < 2**64 else None
    if kind is float and math.isfinite(value):
        return repr(value)
    return None


def fresh(value: Any) -> Any:
    """Return ``value`` with containers of its own, at any depth (without recursion)."""
    kind = type(value)
    if kind is not dict and kind is not list:
        return value
    top = value.copy()
    stack = [top]
    while stack:
        one = stack.pop()
        pairs = one.items() if type(one) is dict else enumerate(one)
        for key, child in list(pairs):
            kind = type(child)
            if kind is dict or kind is list:
                one[key] = copied = child.copy()
                stack.append(copied)
    return top


def among(value: Any, wanted: frozenset[Any]) -> bool:
    """Whether a scalar is one of ``wanted``, keeping 1, 1.0 and true apart."""
    kind = type(value)
    if kind not in SCALARS:
        return False
    return (kind is bool, value) in wanted


def same(value: Any, other: Any) -> bool:
    """Whether two scalars are the same, keeping 1 and true apart."""
    if type(value) not in SCALARS or (type(value) is bool) is not (type(other) is bool):
        return False
    return bool(value == other)


def contains(value: Any, wanted: Any) -> bool:
    """Whether a text holds a text, or a list holds a scalar."""
    if type(value) is str:
        return type(wanted) is str and wanted in value
    if type(value) is list:
        truth = type(wanted) is bool
        return any(
            type(one) in SCALARS and (type(one) is bool) is truth and one == wanted for one in value
        )
    return False


def found(patterns: tuple[Any, ...], value: Any) -> bool:
    """Whether one of the patterns is found in a text."""
    if type(value) is not str or len(value) > MATCH_LIMIT:
        return False
    try:
        return any(pattern.search(value) is not None for pattern in patterns)
    except UnicodeEncodeError:  # a lone surrogate
        return False


def groups(patterns: tuple[Any, ...], single: bool, value: Any) -> Any:
    """Return the named groups of the first pattern found: as text if ``single``, else object."""
    if type(value) is not str or len(value) > MATCH_LIMIT:
        return None
    try:
        for pattern in patterns:
            match = pattern.search(value)
            if match is not None:
                named = {name: part for name, part in match.groupdict().items() if part is not None}
                if single:
                    return next(iter(named.values()), None)
                return named or None
    except UnicodeEncodeError:
        return None
    return None


def looked_up(table: dict[str, Any], value: Any) -> Any:
    """Return the table's value for a scalar, ``None`` where it has none."""
    key = text(value)
    return None if key is None else table.get(key)


def element(value: Any, index: int) -> Any:
    """Return ``value[index]`` of a list, else ``None``."""
    if type(value) is list and -len(value) <= index < len(value):
        return value[index]
    return None


def untaken(items: list[Any], taken: bytearray) -> list[Any]:
    """Return the elements that no activity was made of."""
    return [one for one, flag in zip(items, taken, strict=True) if not flag]


def place(target: dict[Any, Any], key: Any, value: Any) -> None:
    """Put ``value`` under ``key`` without losing what is there."""
    if key not in target:
        target[key] = value
        return
    there = target[key]
    if type(there) is dict and type(value) is dict:
        stack = [(there.copy(), value)]
        target[key] = stack[0][0]
        while stack:
            into, more = stack.pop()
            for name, child in more.items():
                if name not in into:
                    into[name] = child
                elif type(into[name]) is dict and type(child) is dict:
                    into[name] = into[name].copy()
                    stack.append((into[name], child))
                else:
                    into[_free(into, name)] = child
        return
    target[_free(target, key)] = value


def put(target: dict[Any, Any], key: str, value: Any) -> None:
    """Put ``value`` under ``key``; what is there moves beside it."""
    if key in target:
        target[_free(target, key)] = target[key]
    target[key] = value


def _free(target: dict[Any, Any], key: Any) -> str:
    number = 2
    while f"{key}~{number}" in target:
        number += 1
    return f"{key}~{number}"


def spread(made: list[Any], start: int, key: str, rest: Any) -> None:
    """Give what is left of an outer element to the activities made inside it."""
    if rest:
        for _, left in made[start:]:
            left[key] = fresh(rest)


def finish(made: list[Any], rest: dict[Any, Any], key: str) -> list[dict[str, Any]]:
    """Give each activity its ``metadata``: what is left of the record and of its element."""
    for activity, left in made:
        meta = fresh(rest)
        for name, value in left.items():
            if value is not None and value != {}:
                place(meta, name, value)
        if meta:
            activity[key] = meta
    return [activity for activity, _ in made]


def pruned(value: Any, steps: tuple[Any, ...], new: Any) -> Any:
    """Return ``value`` with the places under ``steps`` removed, or replaced by ``new``.

    Copies what it changes and nothing else.
    """
    inner = value
    for step in steps:  # mostly there is nothing to do
        if type(step) is not str:
            break
        if type(inner) is not dict or step not in inner:
            return value
        inner = inner[step]
    return _pruned(value, steps, new, 0)


def _pruned(value: Any, steps: tuple[Any, ...], new: Any, at: int) -> Any:
    step = steps[at]
    kind = type(value)
    if kind is dict:
        keys = list(value) if step is ANY else [step] if type(step) is str and step in value else []
    elif kind is list:
        size = len(value)
        if step is ANY:
            keys = list(range(size))
        else:
            keys = [step % size] if type(step) is int and -size <= step < size else []
    else:
        return value
    result = value
    last = at + 1 == len(steps)
    for key in reversed(keys):  # from the end, so that positions in a list stay right
        child = value[key]
        made = new if last else _pruned(child, steps, new, at + 1)
        if made is child:
            continue
        if result is value:
            result = value.copy()
        if made is GONE:
            del result[key]
        else:
            result[key] = made
    return result
