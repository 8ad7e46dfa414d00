"""Who may look at the demo: the people of its three organizations, and the platform's own."""

from __future__ import annotations

from typing import Any, Final

from activity_center.demo.workload.cast import STAFF, organizations
from activity_center.demo.workload.dice import Dice

ADMINISTRATOR: Final = STAFF.id
"""Whom the demo's page takes you for at first: she sees every organization, and may control
its operations."""


def people() -> list[dict[str, Any]]:
    """Return the entries of ``identity.people``."""
    everywhere = dict.fromkeys(names(), "admin")
    found: list[dict[str, Any]] = [
        {**STAFF.brief(), "platform_roles": ["platform_admin"], "organizations": everywhere}
    ]
    # Ids, names and roles do not depend on the dice.
    for organization in organizations(Dice("demo"), 3):
        found += [
            {**person.brief(), "organizations": {organization.id: person.role}}
            for person in organization.people
        ]
    return found


def controllers() -> dict[str, str]:
    """Return organization id -> id of somebody who looks after its operations."""
    return {one.id: one.with_roles("admin")[0].id for one in organizations(Dice("demo"), 3)}


def names() -> dict[str, str]:
    """Return organization id -> name."""
    return {one.id: one.name for one in organizations(Dice("demo"), 3)}
