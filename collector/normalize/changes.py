"""What changed: states wrapped for storage, and the list of modified fields.

A ``flat_object`` refuses a bare scalar or list, so such a state is stored as
``{"value": ...}``; readers unwrap it. ``activity.changes[]`` holds strings: the
value itself, or its JSON text where it is not a string.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

MAX_LEAVES: Final = 500
"""Above this many changed leaves the difference is told by top-level fields only."""
_ABSENT: Final = object()


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
    found: list[tuple[str, Any, Any]] = []
    if not _compare(old, new, "", found):
        found = [
            (key, old.get(key, _ABSENT), new.get(key, _ABSENT))
            for key in sorted({*old, *new}, key=str)
            if old.get(key, _ABSENT) != new.get(key, _ABSENT)
        ]
    return [_entry(*one) for one in found]


def _compare(
    old: dict[str, Any], new: dict[str, Any], prefix: str, found: list[tuple[str, Any, Any]]
) -> bool:
    """Collect differing leaves into ``found``; false once there are too many."""
    for key in sorted({*old, *new}, key=str):
        before, after = old.get(key, _ABSENT), new.get(key, _ABSENT)
        if before is after or (type(before) is type(after) and before == after):
            continue
        name = f"{prefix}{key}"
        if type(before) is dict and type(after) is dict:
            if not _compare(before, after, name + ".", found):
                return False
        else:
            found.append((name, before, after))
            if len(found) > MAX_LEAVES:
                return False
    return True


def _entry(name: str, before: Any, after: Any) -> dict[str, str]:
    entry = {"field": name}
    if before is not _ABSENT:
        entry["old"] = _text(before)
    if after is not _ABSENT:
        entry["new"] = _text(after)
    return entry


def _text(value: Any) -> str:
    return (
        value if type(value) is str else orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    )
