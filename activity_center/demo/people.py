"""Who may look at the demo: the people of its three organizations, and the platform's own."""

from __future__ import annotations

from typing import Any, Final

from activity_center.demo.workload.cast import STAFF, organizations
from activity_center.demo.workload.dice import Dice

ADMINISTRATOR: Final = STAFF.id
"""Whom the demo's page takes you for at first: she sees every organization."""


def people() -> list[dict[str, Any]]:
    """Return the entries of ``identity.people``."""
    found = [{**STAFF.brief(), "platform_roles": ["platform_admin"]}]
    # Ids, names and roles do not depend on the dice.
    for organization in organizations(Dice("demo"), 3):
        found += [
            {**person.brief(), "organizations": {organization.id: person.role}}
            for person in organization.people
        ]
    return found


def names() -> dict[str, str]:
    """Return organization id -> name."""
    return {one.id: one.name for one in organizations(Dice("demo"), 3)}
