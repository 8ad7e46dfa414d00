"""What a finding of the JSON Schema says to a person: what must stand there, and "did you mean".

The forms come from the schema's own keyword ``x-form``. A value that may be a secret is never
repeated, and neither is a mapping or a list, which may hold one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Any, Final

from jsonschema.exceptions import ValidationError

Place = tuple[str | int, ...]
"""Where something stands in the document: keys and list indices from the top."""

SECRETS: Final = frozenset(
    {"password", "api_token", "shared_key", "token", "client_secret"}
    | {"secret", "routing_key", "webhook"}
)
"""Keys that must not hold plain text."""
_NOT_REPEATED: Final = SECRETS | {"token_sha256", "url"}
"""A token pasted in place of its digest, a password in an address."""
_LONGEST: Final = 100
"""Characters of a wrong value that are repeated."""
_KINDS: Final = {
    "object": "a mapping of keys to values",
    "array": "a list",
    "string": "text (in quotes where YAML would read a number or a date)",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
}


def findings(error: ValidationError) -> Iterator[tuple[Place, str]]:
    """Yield the place and the words of everything that one schema error found."""
    place: Place = tuple(error.absolute_path)
    instance: Any = error.instance
    value: Any = error.validator_value
    schema: dict[str, Any] = error.schema if isinstance(error.schema, dict) else {}
    if error.validator == "additionalProperties":
        known = schema.get("properties", {})
        for key in instance:
            if key not in known:
                yield (*place, key), f"no such key{meant(key, known)}"
    elif error.validator == "required":
        missing = [key for key in value if key not in instance]
        # The library reports each missing key of its own; its message names which.
        for key in missing:
            if error.message.startswith(repr(key)):
                yield place, f"{key!r} is missing"
    elif "propertyNames" in error.absolute_schema_path:
        form = schema.get("x-form", "of another form")
        yield (*place, instance), f"the name {instance!r} must be {form}"
    else:
        yield place, f"{_shown(error, place)}{_must(error, schema)}"


def meant(word: object, known: Iterable[str]) -> str:
    """``"; did you mean 'workers'?"``, or the names that are known, or ``""``."""
    names = sorted(known)
    close = get_close_matches(str(word), names, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f" (known: {', '.join(names)})" if names else ""


def _shown(error: ValidationError, place: Place) -> str:
    """The wrong value as a prefix, where it cannot be a secret."""
    name = next((part for part in reversed(place) if isinstance(part, str)), "")
    plain = error.validator != "type" or not {"object", "array"} & set(_types(error))
    if name in _NOT_REPEATED or not plain or isinstance(error.instance, (dict, list)):
        return ""
    shown = repr(error.instance)
    return f"{shown if len(shown) <= _LONGEST else shown[: _LONGEST - 3] + '...'}: "


def _types(error: ValidationError) -> list[str]:
    wanted: Any = error.validator_value
    return [wanted] if isinstance(wanted, str) else list(wanted)


def _must(error: ValidationError, schema: dict[str, Any]) -> str:
    value: Any = error.validator_value
    if error.validator == "enum":
        return f"must be one of the known values{meant(error.instance, value)}"
    if error.validator in {"minimum", "maximum"} and "x-form" not in schema:
        low, high = schema.get("minimum"), schema.get("maximum")
        return f"must be at least {low}" if high is None else f"must be from {low} to {high}"
    if "x-form" in schema:
        return f"must be {schema['x-form']}"
    if error.validator == "type":
        return f"must be {' or '.join(_KINDS[one] for one in _types(error))}"
    if error.validator in {"minLength", "minItems"}:
        what = "characters" if error.validator == "minLength" else "entries"
        return "must not be empty" if value == 1 else f"must have at least {value} {what}"
    if error.validator in {"maxLength", "maxItems"}:
        what = "characters" if error.validator == "maxLength" else "entries"
        return f"must have at most {value} {what}"
    if error.validator == "uniqueItems":
        return "must name each once"
    return f"does not satisfy {error.validator} of the schema"
