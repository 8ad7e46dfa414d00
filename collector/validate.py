"""Validate a document against the event's JSON Schema.

``jsonschema_rs`` answers yes or no on the accept path (about 2 µs); only for what
fails ``jsonschema``, the reference, words the reason and the path.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import jsonschema_rs
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from activity_center.canonical import RECEIVERS
from activity_center.vocabulary import event_schema

MAX_DETAIL: Final = 300
FREE_LEVELS: Final = 8
"""Levels of objects and lists in a part with free content that need no closer look."""
_RESERVED: Final = {
    "activity": {*RECEIVERS, "claimed_timestamp", "decision", "overflow", "overflow_fields"},
    "event": {"hash", "ingested"},
}
"""What a sender may not set, as far as the collector sets it later or rarely."""


class Finding(NamedTuple):
    """Why a document is invalid: words and JSON pointer."""

    detail: str
    path: str


class Validator:
    """The event's schema, compiled once.

    Attributes:
        is_valid: whether the schema takes a document.
        is_plain: whether it also has nothing that needs a closer look: no empty groups, no
            values that only the collector may set, nothing deep in its free parts.
    """

    def __init__(self) -> None:
        schema = _without_receivers(event_schema())
        # The normalizer writes @timestamp: looking at its form again would cost 0.4 µs.
        own = {**schema["properties"], "@timestamp": {"type": "string"}}
        self._fast = jsonschema_rs.Draft202012Validator(
            {**schema, "properties": own}, validate_formats=True
        )
        self._words = Draft202012Validator(
            schema, format_checker=Draft202012Validator.FORMAT_CHECKER
        )
        self.is_valid = self._fast.is_valid
        self._plain = jsonschema_rs.Draft202012Validator(
            _plain({**schema, "properties": own}), validate_formats=True
        )
        self.is_plain = self._plain.is_valid

    def explain(self, document: dict[str, Any]) -> Finding:
        """Return the finding that tells most; call it only for an invalid document."""
        error = best_match(self._words.iter_errors(document))
        if error is None:  # the two differ on rare points, pinned in tests/collector/test_validate
            fast = next(self._fast.iter_errors(document), None)
            if fast is None:
                return Finding("the document breaks the schema", "")
            # Its own words would quote the value, which can be a secret, and differ from version
            # to version; where the rule stands in the schema does not.
            *_, rule = path = list(fast.schema_path)
            want: Any = self._words.schema
            for part in path:
                want = want[part]
            return Finding(_told(str(rule), want), _pointer(fast.instance_path))
        return Finding(_wording(error), _pointer(list(error.absolute_path)))


def _without_receivers(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a document to which the receiver's values are still to be added."""
    ours = schema["properties"]["activity"]
    ours["required"] = [name for name in ours["required"] if name not in RECEIVERS]
    schema["required"] = [name for name in schema["required"] if name != "ecs"]
    return schema


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of documents in which nothing is odd."""
    properties = {
        name: _plain_group(one) for name, one in schema["properties"].items() if name != "ecs"
    }
    for name, reserved in _RESERVED.items():
        own = properties[name]["properties"]
        kept = {key: one for key, one in own.items() if key not in reserved}
        properties[name] = {**properties[name], "properties": kept}
    return {**schema, "properties": properties, "$defs": _levels()}


def _plain_group(schema: dict[str, Any]) -> dict[str, Any]:
    if schema.get("type") != "object":
        return schema
    if "properties" not in schema:
        below = {"$ref": f"#/$defs/{FREE_LEVELS - 1}"}
        return {**schema, "additionalProperties": below}
    inner = {name: _plain_group(one) for name, one in schema["properties"].items()}
    return {**schema, "properties": inner, "minProperties": 1}


def _levels() -> dict[str, Any]:
    """Values of parts with free content, by the levels of objects and lists that they have."""
    levels: dict[str, Any] = {"0": {"type": ["string", "number", "boolean", "null"]}}
    for level in range(1, FREE_LEVELS):
        inner = {"$ref": f"#/$defs/{level - 1}"}
        levels[str(level)] = {"additionalProperties": inner, "items": inner}
    return levels


def _wording(error: Any) -> str:
    """Tell the rule, not the value: a value can be long, or a secret."""
    if error.validator == "type":
        got = type(error.instance).__name__
        return f"is {got}, must be {error.validator_value}"[:MAX_DETAIL]
    if error.validator == "required":
        return str(error.message)[:MAX_DETAIL]
    return _told(str(error.validator), error.validator_value)


def _told(rule: str, want: Any) -> str:
    """Tell a rule and what it wants."""
    words = {
        "enum": f"must be one of {want}",
        "const": f"must be {want!r}",
        "maxLength": f"is longer than {want} characters",
        "pattern": f"must match {want}",
        "format": f"is no valid {want}",
        "additionalProperties": "has a field that the schema does not know",
    }
    return words.get(rule, f"breaks the rule {rule}")[:MAX_DETAIL]


def _pointer(path: list[Any]) -> str:
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)
