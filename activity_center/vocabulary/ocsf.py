"""How actions stand in OCSF: the event class and the activity of each (``ocsf.yml``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

from activity_center.vocabulary.files import lines, read
from activity_center.vocabulary.load import FOLDER, actions, verbs

FILE: Final = "ocsf.yml"
OTHER: Final = ("api_activity", "Other")
"""Class and activity of what nothing else is known of."""


@dataclass(frozen=True, slots=True)
class OcsfKind:
    """What OCSF calls one kind of event.

    Attributes:
        class_key: OCSF's name of the class (``api_activity``).
        class_uid, class_name, category_uid, category_name: its numbers and captions.
        activity_id, activity_name: what was done, within the class.
    """

    class_key: str
    class_uid: int
    class_name: str
    category_uid: int
    category_name: str
    activity_id: int
    activity_name: str

    @property
    def type_uid(self) -> int:
        """``class_uid * 100 + activity_id``, as OCSF builds it."""
        return self.class_uid * 100 + self.activity_id


@cache
def version(folder: Path = FOLDER) -> str:
    """Return the version of OCSF that the mapping follows."""
    found: str = read(folder / FILE).document["version"]
    return found


@cache
def kinds(folder: Path = FOLDER) -> Mapping[str, OcsfKind]:
    """Return the kind of every action of the catalogue, by its name."""
    document = read(folder / FILE).document
    return MappingProxyType(
        {
            name: _kind(folder, *document["actions"].get(name, document["verbs"][action.verb]))
            for name, action in actions(folder).items()
        }
    )


def kind(action: str, event_types: Sequence[str] = (), folder: Path = FOLDER) -> OcsfKind:
    """Return the kind of an action.

    Args:
        action: value of ``event.action``.
        event_types: values of ``event.type``, for an action that the catalogue does not know.
    """
    found = kinds(folder).get(action)
    if found is not None:
        return found
    by_type = read(folder / FILE).document["types"]
    return _kind(folder, *next((by_type[one] for one in event_types if one in by_type), OTHER))


def contradictions(folder: Path) -> Iterator[str]:
    """Yield what ``ocsf.yml`` says against itself or the catalogue, as ``file:line: words``."""
    path = folder / FILE
    document = read(path).document
    known, _ = lines(path)
    names = {"verbs": verbs(folder), "actions": actions(folder), "types": document["types"]}
    for section, allowed in names.items():
        for name, (class_key, activity) in document[section].items():
            where = f"{path}:{known.get((section, name), 1)}: {section}.{name}:"
            if name not in allowed:
                yield f"{where} the catalogue has no such {section.removesuffix('s')}"
            if class_key not in document["classes"]:
                yield f"{where} no class is named {class_key!r}"
            elif activity not in document["classes"][class_key]["activities"]:
                yield f"{where} the class {class_key} has no activity {activity!r}"
    for name in sorted(set(names["verbs"]) - set(document["verbs"])):
        yield f"{path}:{known.get(('verbs',), 1)}: verbs: {name} is missing"


@cache
def _kind(folder: Path, class_key: str, activity: str) -> OcsfKind:
    found = read(folder / FILE).document["classes"][class_key]
    return OcsfKind(
        class_key=class_key,
        class_uid=found["uid"],
        class_name=found["name"],
        category_uid=found["category_uid"],
        category_name=found["category"],
        activity_id=found["activities"][activity],
        activity_name=activity,
    )
