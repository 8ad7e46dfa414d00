"""The cluster setting ``action.auto_create_index``, read as OpenSearch reads it.

``true``, ``false``, or a list of patterns with ``+`` or ``-``: the first that matches a
name decides, and a name that none matches is not created.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Final

from activity_center.streams import ALERTS_STREAM, LENS_PATTERNS, REJECTED_STREAM, STATE_INDEX

OURS: Final = (*LENS_PATTERNS, REJECTED_STREAM, ALERTS_STREAM, STATE_INDEX)
"""Names that only ``install`` creates."""


def creates(value: str, name: str) -> bool:
    """Whether a write to the missing index ``name`` would create it."""
    if value.lower() in ("true", "false"):
        return value.lower() == "true"
    for part in _parts(value):
        if fnmatchcase(name, part.lstrip("+-")):
            return not part.startswith("-")
    return False


def forbidding(value: str, names: Iterable[str]) -> str:
    """``value``, or if it creates one of ``names``: the same with our patterns forbidden."""
    if not any(creates(value, name) for name in names):
        return value
    rest = ["+*"] if value.lower() == "true" else _parts(value)
    refusals = [f"-{pattern}" for pattern in OURS]
    return ",".join([*refusals, *(part for part in rest if part not in refusals)])


def _parts(value: str) -> list[str]:
    return [part.strip() for part in value.strip("[]").split(",") if part.strip()]
