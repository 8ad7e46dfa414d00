"""Build one event from what the caller says: pure, apart from clock and random id.

Field names are ECS's (https://www.elastic.co/docs/reference/ecs) and, where it has none,
ours under ``activity.*``. ``event.sequence`` starts at the Unix time in microseconds, so
that a program that restarts goes on above where it stopped.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from activity_center.emit.context import STATES, Fields, identified, merge, person
from activity_center.emit.plain import Plain

OMITTED: Final[Any] = type("Omitted", (), {"__repr__": lambda self: "OMITTED"})()
"""Stands for an argument that was not given, where ``None`` is a value of its own."""
MESSAGE_LENGTH: Final = 2_000
STACK_LENGTH: Final = 16_000
WHOLE_MESSAGE: Final = 100_000
WHOLE_STACK: Final = 200_000
"""Characters of the error of a process: the whole one, within what the record takes."""


def build(
    action: str,
    said: Mapping[str, Any],
    around: Fields,
    sequence: int,
) -> tuple[dict[str, Any], Plain]:
    """Return the event and the copying run that says what had to be replaced.

    Args:
        action: dotted, ``server.create``.
        said: the arguments of :meth:`Emitter.emit` by name, and further fields.
        around: context and defaults of the emitter, nested.
        sequence: ``event.sequence`` unless the caller gave one.
    """
    rest = dict(said)
    activity: dict[str, Any] = {}
    event: dict[str, Any] = {"action": action}
    above: dict[str, Any] = {}
    _take(rest, "outcome", event, "outcome")
    _take(rest, "reason", event, "reason")
    event["id"] = rest.pop("event_id", None) or uuid.uuid4().hex
    given = rest.pop("sequence", None)
    event["sequence"] = sequence if given is None else given
    when = rest.pop("timestamp", None)
    stamp, zone = _stamp(when)
    if zone:
        event["timezone"] = zone
    if (user := rest.pop("user", None)) is not None:
        above["user"] = person(user)
    if (organization := rest.pop("organization", None)) is not None:
        above["organization"] = identified(organization)
    if (resource := rest.pop("resource", None)) is not None:
        activity["resource"] = resource_group(resource)
    _take(rest, "origin", activity, "origin")
    for name, field in (("old", "old_value"), ("new", "new_value")):
        value = rest.pop(name, OMITTED)
        if value is not OMITTED:
            activity[field] = value
    if (metadata := rest.pop("metadata", None)) is not None:
        above["metadata"] = metadata
    above["event"] = event
    if activity:
        above["activity"] = activity
    fields = merge(around, _deep(nested(rest), above))
    run = Plain()
    result = {"@timestamp": stamp}
    result.update(run.copy(fields))
    if run.replaced:
        _note(result, run.replaced)
    return result, run


def _take(source: dict[str, Any], name: str, target: dict[str, Any], field: str) -> None:
    value = source.pop(name, None)
    if value is not None:
        target[field] = value


def _stamp(when: Any) -> tuple[Any, str | None]:
    """Return ``@timestamp`` with microseconds and offset, and ``event.timezone``.

    A ``datetime`` without zone is local time; a number is Unix time in seconds; a text
    goes as it is.
    """
    if isinstance(when, str):
        return when, None
    if isinstance(when, int | float) and not isinstance(when, bool):
        try:
            when = datetime.fromtimestamp(when, UTC)
        except (OverflowError, OSError, ValueError):
            return when, None  # the collector keeps a claimed time that is out of range
    moment = when if isinstance(when, datetime) else datetime.now(UTC).astimezone()
    if moment.tzinfo is None:
        moment = moment.astimezone()
    text = moment.isoformat(timespec="microseconds")
    return text, text[26:32]


def resource_group(value: Any) -> Any:
    """Return ``activity.resource``: a mapping, ``(type, id[, name])``, or an id alone."""
    if isinstance(value, Mapping):
        return value
    if isinstance(value, tuple) and 2 <= len(value) <= 3:
        return dict(zip(("type", "id", "name"), value, strict=False))
    return {"id": value}


def nested(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``{"source.ip": x}`` as ``{"source": {"ip": x}}``; other keys as they are."""
    result: dict[str, Any] = {}
    for name, value in fields.items():
        inner = value
        for part in reversed(name.split(".")[1:]):
            inner = {part: inner}
        head = name.partition(".")[0]
        result = _deep(result, {head: inner}) if head else {**result, name: value}
    return result


def _deep(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Merge what one and the same call says: leaf by leaf."""
    result = dict(below)
    for name, value in above.items():
        old = result.get(name)
        if isinstance(old, Mapping) and isinstance(value, Mapping) and name not in STATES:
            result[name] = _deep(old, value)
        else:
            result[name] = value
    return result


def _note(event: dict[str, Any], paths: list[str]) -> None:
    """List in ``metadata`` what a marked text stands for, bounded."""
    metadata = event.get("metadata")
    if not isinstance(metadata, dict):
        metadata = {} if metadata is None else {"value": metadata}
        event["metadata"] = metadata
    metadata["emitter_replaced"] = [path[:200] for path in paths[:20]]


def failure(
    error: BaseException, *, longest: int = MESSAGE_LENGTH, longest_stack: int = STACK_LENGTH
) -> dict[str, Any]:
    """Return the ``error`` group: type, message and stack, each bounded (in characters)."""
    import traceback

    try:
        message = str(error)
    except Exception as wrong:
        message = f"(its text raised {type(wrong).__name__})"
    stack = "".join(traceback.format_exception(error, limit=-50))
    if len(stack) > longest_stack:  # the last lines tell most
        stack = f"({len(stack) - longest_stack} characters left out)\n{stack[-longest_stack:]}"
    if len(message) > longest:
        message = f"{message[:longest]} ({len(message) - longest} more characters)"
    kind = type(error)
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    found = {"type": f"{module}{kind.__qualname__}", "message": message, "stack_trace": stack}
    code = getattr(error, "code", None)
    return {**found, "code": code[:256]} if isinstance(code, str) and code else found


def whole_failure(error: BaseException) -> dict[str, Any]:
    """Return the ``error`` group of a process, whose page shows the whole error."""
    try:
        return failure(error, longest=WHOLE_MESSAGE, longest_stack=WHOLE_STACK)
    except Exception as wrong:  # an exception whose own methods raise
        return {"type": type(error).__name__, "message": f"(unreadable: {type(wrong).__name__})"}
