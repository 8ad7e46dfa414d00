"""What changed: states wrapped for storage, and the list of modified fields.

A ``flat_object`` refuses a bare scalar or list, so such a state is stored as
``{"value": ...}``; readers unwrap it. ``activity.changes[]`` holds strings: the
value itself, or its JSON text where it is not a string.
"""

from __future__ import annotations

from operator import itemgetter
from typing import Any, Final

import orjson

MAX_LEAVES: Final = 500
"""Above this many changed leaves the difference is told by top-level fields only."""
_ABSENT: Final = object()
_OPTIONS: Final = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS
_FIRST: Final = itemgetter(0)
_FIELD: Final = itemgetter("field")


def wrap(state: Any) -> dict[str, Any]:
    """Return the state as an object: unchanged, or ``{"value": state}``."""
    return state if type(state) is dict else {"value": state}


def unwrap(state: Any) -> Any:
    """Undo :func:`wrap`."""
    if type(state) is dict and len(state) == 1 and "value" in state:
        return state["value"]
    return state


def difference(old: dict[str, Any], new: dict[str, Any]) -> list[dict[str, str]]:
    """Return ``[{"field", "old", "new"}]`` for two (wrapped) states, in field order.

    Nested objects are compared leaf by leaf under dotted names; lists as a whole. A
    value that is missing on one side is missing from its entry.
    """
    found: list[dict[str, str]] = []
    if old.keys() == new.keys():  # mostly, and with a few plain values
        for key, before in old.items():
            after = new[key]
            kind = type(after)
            if after is before or (kind is type(before) and before == after):
                continue
            if kind is dict or type(key) is not str or len(found) == MAX_LEAVES:
                break
            found.append(
                {
                    "field": key,
                    "old": before if type(before) is str else _json(before),
                    "new": after if kind is str else _json(after),
                }
            )
        else:
            if len(found) > 1:
                found.sort(key=_FIELD)
            return found
        found = []
    if not _compare(old, new, "", found):
        found = [_entry(*one) for one in _changed(old, new)]
    return found


def _changed(old: dict[str, Any], new: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """Return (key, before, after) of what differs, in the order of the keys."""
    if old.keys() == new.keys():
        changed = [
            (str(key), before, after)
            for key, before in old.items()
            if (after := new[key]) is not before
            and (before != after or type(before) is not type(after))
        ]
    else:
        changed = []
        for key in {**old, **new}:
            before, after = old.get(key, _ABSENT), new.get(key, _ABSENT)
            if before is not after and (type(before) is not type(after) or before != after):
                changed.append((str(key), before, after))
    if len(changed) > 1:
        changed.sort(key=_FIRST)
    return changed


def _compare(
    old: dict[str, Any], new: dict[str, Any], prefix: str, found: list[dict[str, str]]
) -> bool:
    """Collect entries of differing leaves into ``found``; false once there are too many."""
    for key, before, after in _changed(old, new):
        if type(before) is dict and type(after) is dict:
            if not _compare(before, after, f"{prefix}{key}.", found):
                return False
        else:
            found.append(_entry(prefix + key, before, after))
            if len(found) > MAX_LEAVES:
                return False
    return True


def _entry(name: str, before: Any, after: Any) -> dict[str, str]:
    entry = {"field": name}
    if before is not _ABSENT:
        entry["old"] = before if type(before) is str else _json(before)
    if after is not _ABSENT:
        entry["new"] = after if type(after) is str else _json(after)
    return entry


def _json(value: Any) -> str:
    if type(value) is bool:
        return "true" if value else "false"
    try:
        return orjson.dumps(value, option=_OPTIONS).decode()
    except TypeError:  # the state holds it too, and is refused for it with its path
        return type(value).__name__
