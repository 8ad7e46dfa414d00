"""The people of ``activity-center.yml`` and of its ``people_file``, and the roles they can have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from activity_center.config_sidecar import Membership, Person, Role
from activity_center.config_words import Place
from activity_center.errors import ConfigError
from activity_center.vocabulary import permissions

if TYPE_CHECKING:
    from activity_center.config_file import Findings

PLATFORM_ADMIN: Final = "platform_admin"
"""The built-in role of the platform; every other role belongs to an organization."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A person and where they stand.

    Attributes:
        place: in the file of ``findings``.
        findings: those of the file that names the person.
    """

    person: Person
    place: Place
    findings: Findings


def read_people(
    identity: Mapping[str, Any], findings: Findings, environment: Mapping[str, str]
) -> list[Entry]:
    """Return the persons of ``identity.people`` and of the file ``identity.people_file``.

    Args:
        identity: the section.
        findings: of the main file; it also gets what is wrong with the other one.
        environment: for ``${ENV}``.
    """
    from activity_center.config_file import read_list

    found = [
        Entry(_person(section), ("identity", "people", index), findings)
        for index, section in enumerate(identity.get("people", ()))
    ]
    if "people_file" in identity:
        beside = findings.beside(identity["people_file"])
        try:
            sections = read_list(Path(identity["people_file"]), environment, beside, "people")
        except ConfigError as wrong:
            findings.add(("identity", "people_file"), str(wrong).replace("\n", "\n  "))
            return found
        if beside.within(()):  # What follows from it is not reported beside it.
            findings.mark(("identity", "people_file"))
        found += [
            Entry(_person(section), (index,), beside) for index, section in enumerate(sections)
        ]
    return found


def builtin_roles() -> Mapping[str, Role]:
    """The roles of ``permissions.yml``, ``platform_admin`` among them, by name."""
    granted: dict[str, set[str]] = {}
    for permission in permissions().values():
        for role in permission.roles:
            granted.setdefault(role, set()).add(permission.name)
    return {role: Role(role, frozenset(names)) for role, names in granted.items()}


def roles(section: Mapping[str, Any]) -> Mapping[str, Role]:
    """The built-in roles and those of the section ``roles``, by name."""
    own = {
        name: Role(name, frozenset(one["permissions"]), one.get("description", ""))
        for name, one in section.items()
    }
    return {**builtin_roles(), **own}


def names_of(person: Person) -> frozenset[str]:
    """Everything that a provider may call this person: id, name, e-mail and ``subjects``.

    The names are as :func:`fold` leaves them.
    """
    names = {person.id, person.name, person.email, *person.subjects}
    return frozenset(fold(name) for name in names if name)


def fold(name: str) -> str:
    """A name as names are compared: e-mail addresses in lower case, all else as it is."""
    return name.lower() if "@" in name else name


def _person(section: Mapping[str, Any]) -> Person:
    return Person(
        id=section["id"],
        name=section.get("name", ""),
        full_name=section.get("full_name", ""),
        email=section.get("email", ""),
        subjects=frozenset(section.get("subjects", ())),
        platform_roles=frozenset(section.get("platform_roles", ())),
        memberships=tuple(
            membership
            for organization, held in section.get("organizations", {}).items()
            for membership in _memberships(organization, held)
        ),
    )


def _memberships(organization: str, held: Any) -> Iterator[Membership]:
    """``admin``, or a list of ``admin`` and ``{role: auditor, workspaces: [...]}``."""
    for one in [held] if isinstance(held, str) else held:
        if isinstance(one, str):
            yield Membership(organization, one)
        else:
            yield Membership(
                organization,
                one["role"],
                frozenset(one["workspaces"]) if "workspaces" in one else None,
                frozenset(one["resources"]) if "resources" in one else None,
            )
