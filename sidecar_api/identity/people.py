"""From a subject to a reader: the people of the configuration and their roles.

This is done for each request, so a role or a person that the configuration no longer has counts
at once, whatever sessions there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from activity_center.config_people import PLATFORM_ADMIN, fold, names_of
from sidecar_api.identity.subject import Subject
from sidecar_api.reader import Grant, Reader

if TYPE_CHECKING:
    from activity_center.config import Config
    from activity_center.config_sidecar import Person


class People:
    """Those whom a configuration names."""

    def __init__(self, config: Config) -> None:
        self._by_id = config.identity.people
        self._by_name = {
            name: person for person in self._by_id.values() for name in names_of(person)
        }
        self._roles = config.roles.keys() - {PLATFORM_ADMIN}

    def reader(self, subject: Subject) -> Reader | None:
        """Return who that is, with their roles.

        Somebody whom no entry names has the roles that an issuer's claims give. Their id is the
        subject where an issuer of ours vouches for it, and marked as foreign where it is a mere
        login name: "admin" of another system is nobody here.

        Returns:
            ``None``: the credential belongs to a person who is no longer there.
        """
        person = self._person(subject)
        if person is None and subject.person is not None:
            return None
        vouched = subject.provider in ("jwt", "oidc")
        stranger = subject.name if vouched else f"{subject.provider}:{subject.name}"
        platform = frozenset(subject.platform_roles) & {PLATFORM_ADMIN}
        return Reader(
            id=person.id if person else stranger,
            name=(person.name if person else "") or subject.login or subject.name,
            full_name=(person.full_name if person else "") or subject.full_name,
            email=(person.email if person else "") or subject.email,
            platform_roles=platform | (person.platform_roles if person else frozenset()),
            grants=self._grants(subject, person),
            provider=subject.provider,
            ambient=subject.ambient,
            session=subject.session,
            token=subject.token,
            mfa=subject.mfa,
        )

    def _person(self, subject: Subject) -> Person | None:
        if subject.person is not None:
            return self._by_id.get(subject.person)
        return self._by_name.get(fold(subject.name))

    def _grants(self, subject: Subject, person: Person | None) -> dict[str, tuple[Grant, ...]]:
        held: dict[str, list[Grant]] = {}
        for membership in person.memberships if person else ():
            held.setdefault(membership.organization, []).append(
                Grant(membership.role, membership.workspaces, membership.resources)
            )
        for organization, roles in subject.organizations.items():
            held.setdefault(organization, []).extend(
                Grant(role) for role in roles if role in self._roles
            )
        return {organization: tuple(grants) for organization, grants in held.items() if grants}
