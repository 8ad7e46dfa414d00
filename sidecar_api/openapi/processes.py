"""The schemas of processes: those of the protocol (docs/process-stream.md), and of the history."""

from __future__ import annotations

import copy
import json
from functools import cache
from typing import Any, Final

from activity_center.processes import MESSAGES_SCHEMA

LONGEST_REASON: Final = 1000
"""Characters of why somebody asks something of a process."""
_NAMES: Final = {"process": "Process", "delta": "ProcessDelta"}
_WITHOUT: Final = ("steps", "output")
"""Members that a row of a list has not."""


def schemas() -> dict[str, dict[str, Any]]:
    """Return the schemas by name; each time anew."""
    return copy.deepcopy(_schemas())


@cache
def _schemas() -> dict[str, dict[str, Any]]:
    definitions = json.loads(MESSAGES_SCHEMA.read_text())["$defs"]
    made = {
        shown: _inlined(definitions[name], definitions) for name, shown in sorted(_NAMES.items())
    }
    whole = made["Process"]
    row = {
        **whole,
        "properties": {k: v for k, v in whole["properties"].items() if k not in _WITHOUT},
        "required": [name for name in whole["required"] if name not in _WITHOUT],
    }
    return {**made, "ProcessRow": row}


def _inlined(schema: Any, definitions: dict[str, Any]) -> Any:
    """Put definitions in the place of references; they do not refer to themselves."""
    if isinstance(schema, list):
        return [_inlined(one, definitions) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    return {name: _inlined(one, definitions) for name, one in schema.items()}
