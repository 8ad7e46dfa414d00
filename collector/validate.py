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


class Finding(NamedTuple):
    """Why a document is invalid: words and JSON pointer."""

    detail: str
    path: str


class Validator:
    """The event's schema, compiled once."""

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

    def explain(self, document: dict[str, Any]) -> Finding:
        """Return the finding that tells most; call it only for an invalid document."""
        error = best_match(self._words.iter_errors(document))
        if error is None:  # the two differ on rare points, pinned in tests/collector/test_validate
            fast = next(self._fast.iter_errors(document), None)
            if fast is None:
                return Finding("the document breaks the schema", "")
            # Its words would quote the value, which can be a secret.
            kind = type(fast.kind).__name__.removeprefix("ValidationErrorKind_")
            return Finding(f"breaks the rule {kind}"[:MAX_DETAIL], _pointer(fast.instance_path))
        return Finding(_wording(error), _pointer(list(error.absolute_path)))


def _without_receivers(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a document to which the receiver's values are still to be added."""
    ours = schema["properties"]["activity"]
    ours["required"] = [name for name in ours["required"] if name not in RECEIVERS]
    schema["required"] = [name for name in schema["required"] if name != "ecs"]
    return schema


def _wording(error: Any) -> str:
    """Tell the rule, not the value: a value can be long, or a secret."""
    rule, want = error.validator, error.validator_value
    got = type(error.instance).__name__
    words = {
        "type": f"is {got}, must be {want}",
        "enum": f"must be one of {want}",
        "const": f"must be {want!r}",
        "maxLength": f"is longer than {want} characters",
        "pattern": f"must match {want}",
        "format": f"is no valid {want}",
        "required": str(error.message),
        "additionalProperties": "has a field that the schema does not know",
    }
    return str(words.get(str(rule), f"breaks the rule {rule}"))[:MAX_DETAIL]


def _pointer(path: list[Any]) -> str:
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)
