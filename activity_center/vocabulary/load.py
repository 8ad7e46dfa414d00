"""From the vocabulary's data files to frozen values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from activity_center.errors import VocabularyError
from activity_center.vocabulary.files import FILES, read
from activity_center.vocabulary.models import (
    DEFAULT_LENGTH,
    Action,
    ActionGroup,
    Field,
    FieldGroup,
    Permission,
    RetentionClass,
    Verb,
)

FOLDER: Final = Path(__file__).parent
EVENT_SCHEMA_FILE: Final = FOLDER / "event.schema.json"
_TEXT: Final = frozenset({"keyword", "match_only_text"})


@cache
def field_groups(folder: Path = FOLDER, file: str = "fields.yml") -> tuple[FieldGroup, ...]:
    """Return the fields by group, in the order of the file.

    Raises:
        VocabularyError: the file cannot be read.
    """
    return tuple(
        FieldGroup(
            name=group["name"],
            title=group["title"],
            fields=tuple(
                _field(name, entry, group["name"]) for name, entry in group["fields"].items()
            ),
        )
        for group in read(folder / file).document["groups"]
    )


@cache
def fields(folder: Path = FOLDER) -> Mapping[str, Field]:
    """Return every field of a stored activity by its dotted name."""
    return MappingProxyType(
        {field.name: field for group in field_groups(folder) for field in group.fields}
    )


@cache
def rejected_fields(folder: Path = FOLDER) -> Mapping[str, Field]:
    """Return every field of a document in the stream of rejected records."""
    groups = field_groups(folder, "rejected.yml")
    return MappingProxyType({field.name: field for group in groups for field in group.fields})


@cache
def alert_fields(folder: Path = FOLDER) -> Mapping[str, Field]:
    """Return every field of a document in the stream of alerts."""
    groups = field_groups(folder, "alerts.yml")
    return MappingProxyType({field.name: field for group in groups for field in group.fields})


@cache
def verbs(folder: Path = FOLDER) -> Mapping[str, Verb]:
    """Return the groups of actions that people filter together, by name."""
    return MappingProxyType(
        {
            name: Verb(
                name=name,
                label=entry["label"],
                event_type=tuple(entry["event_type"]),
                severity=entry.get("severity", 1),
                description=entry["description"],
            )
            for name, entry in read(folder / "actions.yml").document["verbs"].items()
        }
    )


@cache
def action_groups(folder: Path = FOLDER) -> tuple[ActionGroup, ...]:
    """Return the catalogue by area, in the order of ``actions.yml``."""
    known = verbs(folder)
    return tuple(
        ActionGroup(
            area=group["area"],
            title=group["title"],
            actions=tuple(
                action(name, {**group.get("defaults", {}), **entry}, known)
                for name, entry in group["actions"].items()
            ),
        )
        for group in read(folder / "actions.yml").document["groups"]
    )


@cache
def actions(folder: Path = FOLDER) -> Mapping[str, Action]:
    """Return the action catalogue: ``event.action`` -> what we know of it."""
    return MappingProxyType(
        {action.name: action for group in action_groups(folder) for action in group.actions}
    )


@cache
def retention_classes(folder: Path = FOLDER) -> Mapping[str, RetentionClass]:
    """Return the retention classes by name."""
    return MappingProxyType(
        {
            name: RetentionClass(name=name, **entry)
            for name, entry in read(folder / "retention.yml").document["classes"].items()
        }
    )


@cache
def permissions(folder: Path = FOLDER) -> Mapping[str, Permission]:
    """Return the permissions by name."""
    return MappingProxyType(
        {
            name: Permission(
                name=name,
                scope=entry["scope"],
                roles=tuple(entry["roles"]),
                description=entry["description"],
            )
            for name, entry in read(folder / "permissions.yml").document["permissions"].items()
        }
    )


@cache
def _event_schema_text() -> str:
    return EVENT_SCHEMA_FILE.read_text(encoding="utf-8")


def event_schema() -> dict[str, Any]:
    """Return the JSON Schema 2020-12 of a stored activity; the caller owns the copy.

    Compile it with formats on, or addresses and dates go unchecked::

        jsonschema_rs.Draft202012Validator(event_schema(), validate_formats=True)

    Raises:
        VocabularyError: the generated file is missing.
    """
    try:
        schema: dict[str, Any] = json.loads(_event_schema_text())
    except OSError as wrong:
        raise VocabularyError(
            f"cannot read it: {wrong.strerror}",
            where=str(EVENT_SCHEMA_FILE),
            hint="activity-center generate",
        ) from wrong
    return schema


def check(folder: Path = FOLDER) -> None:
    """Check the data files against their schemas and against each other.

    Raises:
        VocabularyError: every finding, each with ``file:line: path``.
    """
    from activity_center.vocabulary import ocsf
    from activity_center.vocabulary.checks import contradictions, schema_findings

    read.cache_clear()
    for cached in (field_groups, fields, rejected_fields, alert_fields):
        cached.cache_clear()
    for known in (verbs, action_groups, actions):
        known.cache_clear()
    for other in (retention_classes, permissions, ocsf.version, ocsf.kinds, ocsf._kind):
        other.cache_clear()
    found = [finding for name in FILES for finding in schema_findings(folder / name)]
    # Only files that have the right shape can be compared with each other.
    found = found or contradictions(folder)
    if found:
        count = f"{len(found)} finding{'s' if len(found) > 1 else ''}"
        raise VocabularyError("\n  ".join([count, *found]), where=str(folder))


def _field(name: str, entry: Mapping[str, Any], group: str) -> Field:
    length = entry.get("length", DEFAULT_LENGTH if entry["type"] in _TEXT else None)
    values = entry.get("values")
    return Field(
        name=name,
        type=entry["type"],
        group=group,
        description=entry["description"],
        example=entry["example"],
        reserved=entry.get("reserved", False),
        many=entry.get("many", False),
        required=entry.get("required", False),
        values=tuple(values) if values is not None else None,
        pattern=entry.get("pattern"),
        max_length=length,
        minimum=entry.get("least"),
        search=tuple(entry.get("search", ())),
        indexed=entry.get("indexed", True),
    )


def action(name: str, entry: Mapping[str, Any], known: Mapping[str, Verb]) -> Action:
    """Return the action of a catalogue entry that has its group's defaults in it."""
    verb = known.get(entry["verb"])
    return Action(
        name=name,
        label=entry["label"],
        type=entry["type"],
        category=tuple(entry["category"]),
        event_type=tuple(entry.get("event_type", verb.event_type if verb else ())),
        kind=entry.get("kind", "event"),
        resource_type=entry["resource_type"],
        lens=entry.get("lens", "audit"),
        retention_class=entry.get("retention_class"),
        severity=entry.get("severity", verb.severity if verb else 0),
        critical=entry.get("critical", False),
        personal=entry.get("personal", False),
        outcome=entry.get("outcome"),
        result=entry.get("result"),
        verb=entry["verb"],
        description=entry["description"],
    )
