"""The reference tables of the documentation, as Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from activity_center.vocabulary import (
    Action,
    Field,
    action_groups,
    actions,
    alert_fields,
    field_groups,
    fields,
    permissions,
    rejected_fields,
    retention_classes,
    verbs,
)

_SEVERITIES = ("informational", "low", "medium", "high", "critical")


def pages() -> dict[str, str]:
    """Return the pages: name without suffix -> Markdown."""
    return {
        "fields": _fields(),
        "actions": _actions(),
        "retention": _retention(),
        "permissions": _permissions(),
    }


def _page(title: str, source: str, parts: Iterable[str]) -> str:
    note = (
        f"<!-- Generated from activity_center/vocabulary/{source} by"
        " `activity-center generate`. Do not edit. -->"
    )
    return "\n\n".join([note, f"# {title}", *parts]) + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _code(text: str) -> str:
    return f"`{text}`"


def _fields() -> str:
    parts = [
        f"An activity has up to {len(fields())} fields. Names follow the Elastic Common Schema"
        " and, under `gen_ai` and `mcp`, OpenTelemetry; what no standard has is under `activity`."
        " Everything that a source mapping does not place is kept in `metadata`.",
        "Marks: **required** stands in every activity; **reserved** is set by the collector, never"
        " by a sender; **list** is always a list; **any case** is found in any case, with facets in"
        " the original spelling under `.original`; **substring** has a fast search inside the value"
        " under `.substring`.",
        "Longer text than the stated length, and values of the wrong shape, move whole to"
        " `activity.overflow`. Keywords beyond 8191 characters are stored, not indexed.",
    ]
    for group in field_groups():
        parts += [f"## {group.title}", _field_table(group.fields)]
    parts += [
        "## Rejected records",
        "Documents of the stream `activity-rejected`.",
        _field_table(rejected_fields().values()),
        "## Alerts",
        "Documents of the stream `activity-alerts`.",
        _field_table(alert_fields().values()),
    ]
    return _page("Fields", "fields.yml", parts)


def _field_table(known: Iterable[Field]) -> str:
    head = ("Field", "Type", "Meaning", "Marks", "Example")
    rows = (
        (
            _code(field.name),
            _type(field),
            field.description + _values(field.values),
            ", ".join(_marks(field)),
            _code(json.dumps(field.example, ensure_ascii=False)),
        )
        for field in known
    )
    return _table(head, rows)


def _type(field: Field) -> str:
    names = {"object_disabled": "object, not indexed", "object_array": "objects"}
    return names.get(field.type, field.type)


def _values(values: tuple[str, ...] | None) -> str:
    return ": " + ", ".join(_code(value) for value in values) if values else ""


def _marks(field: Field) -> list[str]:
    marks = [
        name
        for name, holds in (
            ("required", field.required),
            ("reserved", field.reserved),
            ("list", field.many),
            ("any case", "caseless" in field.search),
            ("substring", "substring" in field.search),
            ("not searchable", not field.indexed),
        )
        if holds
    ]
    if field.max_length is not None and field.values is None:
        marks.append(f"up to {field.max_length} characters")
    return marks


def _actions() -> str:
    parts = [
        f"The catalogue knows {len(actions())} actions. An action that it does not know is kept"
        " like all others and marked `activity.catalogued: false`.",
        "`activity-center catalogue list` and `activity-center catalogue show ACTION` tell the"
        " same in a terminal.",
        "## Verbs",
        "What people filter actions by.",
        _table(
            ("Verb", "Name", "ECS types", "Meaning"),
            (
                (_code(verb.name), verb.label, _codes(verb.event_type), verb.description)
                for verb in verbs().values()
            ),
        ),
    ]
    for group in action_groups():
        parts += [f"## {group.title}", _action_table(group.actions)]
    return _page("Actions", "actions.yml", parts)


def _action_table(known: Iterable[Action]) -> str:
    head = ("Action", "Type", "Label", "Verb", "Resource", "Lens", "ECS", "Severity", "Meaning")
    rows = (
        (
            _code(action.name),
            action.type,
            action.label,
            action.verb,
            _code(action.resource_type),
            action.lens,
            _codes(action.category) + " / " + _codes(action.event_type),
            _SEVERITIES[action.severity] + (", told at once" if action.critical else ""),
            action.description + _kept(action),
        )
        for action in known
    )
    return _table(head, rows)


def _codes(values: Iterable[str]) -> str:
    return " ".join(_code(value) for value in values)


def _kept(action: Action) -> str:
    return f" (kept as `{action.retention_class}`)" if action.retention_class else ""


def _retention() -> str:
    parts = [
        "The class of an activity is the legal class of its action if it has one; else the class"
        " of the organization's plan; else the installation's default, `permanent`.",
        _table(
            ("Class", "Kept for", "By law", "Meaning"),
            (
                (
                    _code(one.name),
                    "ever" if one.days is None else f"{one.days} days",
                    "yes" if one.legal else "no",
                    one.description,
                )
                for one in retention_classes().values()
            ),
        ),
        "## Actions with a legal class",
        _table(
            ("Action", "Class", "Meaning"),
            (
                (_code(action.name), _code(action.retention_class), action.description)
                for action in actions().values()
                if action.retention_class
            ),
        ),
    ]
    return _page("Retention classes", "retention.yml", parts)


def _permissions() -> str:
    parts = [
        "Without any permission, everyone reads what they did themselves, in every organization.",
        _table(
            ("Permission", "Reaches", "Opens", "Roles that have it by default"),
            (
                (_code(one.name), one.scope, one.description, _codes(one.roles))
                for one in permissions().values()
            ),
        ),
    ]
    return _page("Permissions", "permissions.yml", parts)
