"""Checks of the vocabulary's data files: shape by JSON Schema, then what they say together."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from activity_center.vocabulary import load, ocsf
from activity_center.vocabulary.files import Place, lines, read
from activity_center.vocabulary.models import Action, Field

_SCHEMAS: Final = {"rejected.yml": "fields.schema.json", "alerts.yml": "fields.schema.json"}

# Which event.type ECS expects with which event.category (ECS 8.17, "Expected event types").
EXPECTED_TYPES: Final[dict[str, frozenset[str]]] = {
    category: frozenset(types.split())
    for category, types in {
        "api": "access admin allowed change creation deletion denied end info start user",
        "authentication": "start end info",
        "configuration": "access change creation deletion info",
        "database": "access change info error",
        "driver": "change end info start",
        "email": "info",
        "file": "access change creation deletion info",
        "host": "access change end info start",
        "iam": "admin change creation deletion group info user",
        "intrusion_detection": "allowed denied info",
        "library": "start",
        "malware": "info",
        "network": "access allowed connection denied end info protocol start",
        "package": "access change deletion info installation start",
        "process": "access change end info start",
        "registry": "access change creation deletion",
        "session": "start end info",
        "threat": "indicator",
        "vulnerability": "info",
        "web": "access error info",
    }.items()
}


def schema_findings(path: Path) -> list[str]:
    """Return what breaks the JSON Schema of a data file, as ``file:line: path: words``.

    The schema is the one of this package, also for a file that stands elsewhere.

    Raises:
        VocabularyError: the file cannot be read or is not YAML.
    """
    document = read(path).document
    known, twice = lines(path)
    name = _SCHEMAS.get(path.name, path.with_suffix(".schema.json").name)
    schema = json.loads((load.FOLDER / name).read_text(encoding="utf-8"))
    found = [f"{path}:{line}: {words}" for line, words in twice]
    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    for error in sorted(validator.iter_errors(document), key=lambda one: list(map(str, one.path))):
        deepest = (best_match(error.context) or error) if error.context else error
        place = tuple(deepest.absolute_path)
        if "propertyNames" in deepest.absolute_schema_path:  # the name itself is wrong
            place += (deepest.instance,)
        found.append(f"{path}:{_line(known, place)}: {_shown(place)}: {deepest.message}")
    return found


def contradictions(folder: Path) -> list[str]:
    """Return what the data files say against each other, as ``file:line: path: words``."""
    return [
        *_fields(folder, "fields.yml"),
        *_fields(folder, "rejected.yml"),
        *_fields(folder, "alerts.yml"),
        *_actions(folder),
        *_closed_lists(folder),
        *ocsf.contradictions(folder),
    ]


def _fields(folder: Path, file: str) -> Iterator[str]:
    path = folder / file
    known, _ = lines(path)
    seen: dict[str, tuple[Field, str]] = {}
    for number, group in enumerate(load.field_groups(folder, file)):
        for field in group.fields:
            where = _where(path, known, ("groups", number, "fields", field.name))
            if field.name in seen:
                yield f"{where} stands in two groups"
            seen[field.name] = field, where
            for words in _example(field):
                yield f"{where} {words}"
    for name, (_, where) in seen.items():
        parent = name.rpartition(".")[0]
        while parent:
            if parent in seen and seen[parent][0].type != "object_array":
                yield f"{where} stands below {parent}, which is a value"
            parent = parent.rpartition(".")[0]


def _example(field: Field) -> Iterator[str]:
    """What is wrong with the example of a field: it must be a value that the field takes."""
    examples = field.example if field.many else [field.example]
    if not isinstance(examples, list):
        yield "the example of a field with many values is a list"
        return
    wanted: dict[str, tuple[type, ...]] = {
        "long": (int,),
        "double": (int, float),
        "boolean": (bool,),
        "geo_point": (dict,),
        "flat_object": (dict,),
        "object_disabled": (dict,),
        "object_array": (dict,),
    }
    for example in examples:
        if not isinstance(example, wanted.get(field.type, (str,))):
            yield f"the example {example!r} is no {field.type}"
        elif field.values is not None and example not in field.values:
            yield f"the example {example!r} is not in the closed list"
        elif field.pattern is not None and not re.fullmatch(field.pattern, str(example)):
            yield f"the example {example!r} does not match the pattern"


def _actions(folder: Path) -> Iterator[str]:
    path = folder / "actions.yml"
    known, _ = lines(path)
    seen: set[str] = set()
    for number, group in enumerate(read(path).document["groups"]):
        for name, entry in group["actions"].items():
            where = _where(path, known, ("groups", number, "actions", name))
            if name in seen:
                yield f"{where} stands in two groups"
            seen.add(name)
            whole = {**group.get("defaults", {}), **entry}
            missing = [key for key in ("type", "category", "resource_type") if key not in whole]
            if missing:
                yield f"{where} has no {', '.join(missing)}, and neither have the group's defaults"
                return
            for words in _action(folder, load.action(name, whole, load.verbs(folder))):
                yield f"{where} {words}"


def _action(folder: Path, action: Action) -> Iterator[str]:
    if action.verb not in load.verbs(folder):
        yield f"no verb is named {action.verb!r}"
    classes = load.retention_classes(folder)
    if action.retention_class is not None and action.retention_class not in classes:
        yield f"no retention class is named {action.retention_class!r}"
    expected = frozenset().union(*(EXPECTED_TYPES[one] for one in action.category))
    for event_type in action.event_type:
        if event_type not in expected:
            yield (
                f"ECS expects no event.type {event_type!r} with the category"
                f" {', '.join(action.category)}"
            )
    if action.name.startswith("agent.") and action.lens != "agent":
        yield "an action under agent. belongs to the agent lens"


def _closed_lists(folder: Path) -> Iterator[str]:
    """The closed list of ``activity.retention.class`` is that of retention.yml."""
    path = folder / "fields.yml"
    field = load.fields(folder).get("activity.retention.class")
    classes = tuple(load.retention_classes(folder))
    if field is not None and set(field.values or ()) != set(classes):
        known, _ = lines(path)
        line = next((at for place, at in known.items() if place[-1:] == (field.name,)), 1)
        yield (
            f"{path}:{line}: {field.name}: the values are not the classes of retention.yml"
            f" ({', '.join(classes)})"
        )


def _where(path: Path, known: dict[Place, int], place: Place) -> str:
    return f"{path}:{_line(known, place)}: {place[-1]}:"


def _line(known: dict[Place, int], place: Place) -> int:
    while place and place not in known:
        place = place[:-1]
    return known.get(place, 1)


def _shown(place: Place) -> str:
    return ".".join(map(str, place)) or "(top)"
