"""The people of these tests: each is their role, and their token is their name."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from activity_center.config import Cluster, CollectorConfig, Config
from activity_center.config_sidecar import (
    ApiToken,
    IdentityConfig,
    Membership,
    Person,
    SidecarConfig,
)

ROLES = {"olga": "owner", "mia": "member", "vera": "viewer"}


def people(organization: str, roles: Mapping[str, str]) -> dict[str, Person]:
    """An owner, a member and a viewer of the organization, and an administrator of all.

    Args:
        roles: further names and their roles, or other ones for these.
    """
    made = {
        name: Person(
            id=f"{name}_{organization}", name=name, memberships=(Membership(organization, role),)
        )
        for name, role in {**ROLES, **roles}.items()
    }
    made["root"] = Person(
        id=f"root_{organization}", name="root", platform_roles=frozenset({"platform_admin"})
    )
    return {one.id: one for one in made.values()}


def tokens(persons: Mapping[str, Person]) -> tuple[ApiToken, ...]:
    """A token of each."""
    return tuple(
        ApiToken(one.name, one.id, hashlib.sha256(one.name.encode()).hexdigest())
        for one in persons.values()
    )


def config_of(
    cluster: Cluster,
    organization: str,
    sidecar: SidecarConfig,
    roles: Mapping[str, str] | None = None,
) -> Config:
    """A configuration with these people.

    Args:
        roles: as for :func:`people`.
    """
    persons = people(organization, roles or {})
    return Config(
        path="",
        opensearch=cluster,
        maintain=None,
        collector=CollectorConfig(),
        senders=(),
        organizations={},
        plans={},
        identity=IdentityConfig(people=persons, tokens=tokens(persons)),
        sidecar=sidecar,
    )


def of(name: str) -> dict[str, str]:
    """Headers of a request by somebody."""
    return {"Authorization": f"Bearer {name}"}
