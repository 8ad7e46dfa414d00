"""The rules: what a reader's roles open.

==================  ========================================================================
who                 sees
==================  ========================================================================
everyone            what they did themselves, in every organization, also in those they left;
                    of it, security events of their account for 90 days
``org:audit``       the organization's trail: audit, agent, begin and end of processes
any role, where     audit, begin and end of processes; neither the agent lens nor the security
members see it      events of other people's accounts
``process:view``    live processes of the organization; everyone: those that they began
``platform:audit``  everything, also entries without an organization
==================  ========================================================================

A role that an organization withholds a lens from does not open that lens; a role limited to
workspaces or resources opens what concerns those; several roles add up. A role or a
permission that is not known opens nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from activity_center.streams import ORGANIZATION_ID
from activity_center.vocabulary import permissions
from sidecar_api.access.scope import LENSES, Opening, Reach, Scope

if TYPE_CHECKING:
    from activity_center.config import Config
    from sidecar_api.reader import Grant, Reader

AUDITED: Final = LENSES
"""Lenses that ``org:audit`` opens."""
SHOWN_TO_MEMBERS: Final = frozenset({"audit", "process"})
"""Lenses that an organization with ``members_see: organization`` shows to every role."""


class Access:
    """The policy of one configuration.

    Args:
        config: its roles, and what each organization withholds or shows to its members.
    """

    def __init__(self, config: Config) -> None:
        reach = {name: one.scope for name, one in permissions().items()}
        self._of_role = {
            (name, scope): frozenset(one for one in role.permissions if reach.get(one) == scope)
            for name, role in config.roles.items()
            for scope in ("platform", "organization")
        }
        self._organizations = config.organizations

    def scope(self, reader: Reader) -> Scope:
        """What ``reader`` may see and do, as it follows from their roles at this moment.

        A role of an organization cannot reach the platform, whatever it lists.
        """
        nothing: frozenset[str] = frozenset()
        granted: dict[str, frozenset[str]] = {}
        openings: list[Opening] = []
        watching: list[Reach] = []
        controlling: list[Reach] = []
        approving: list[Reach] = []
        for organization, several in sorted(reader.grants.items()):
            held = [
                (grant, self._of_role[grant.role, "organization"])
                for grant in several
                if (grant.role, "organization") in self._of_role
            ]
            if not ORGANIZATION_ID.fullmatch(organization) or not held:
                continue
            granted[organization] = nothing.union(*(of for _, of in held))
            exporting = [grant for grant, of in held if "org:audit:export" in of]
            for grant, of in held:
                part = Reach(organization, grant.workspaces, grant.resources)
                withheld = self._withheld(organization, grant)
                if "process:view" in of and "process" not in withheld:
                    watching.append(part)
                if "process:control" in of:
                    controlling.append(part)
                if "agent:approve" in of:
                    approving.append(part)
                opening = self._opening(organization, grant, of, exporting)
                if opening is not None:
                    openings.append(opening)
        platform = (self._of_role.get((one, "platform"), nothing) for one in reader.platform_roles)
        return Scope(
            reader=reader,
            platform=nothing.union(*platform),
            granted=granted,
            openings=tuple(openings),
            watching=tuple(watching),
            controlling=tuple(controlling),
            approving=tuple(approving),
        )

    def _withheld(self, organization: str, grant: Grant) -> frozenset[str]:
        """The lenses that an organization keeps from a role."""
        known = self._organizations.get(organization)
        return frozenset() if known is None else known.withhold.get(grant.role, frozenset())

    def _opening(
        self,
        organization: str,
        grant: Grant,
        mine: frozenset[str],
        exporting: Iterable[Grant],
    ) -> Opening | None:
        """What one role opens of its organization's trail; ``None``: nothing.

        Args:
            mine: the role's permissions.
            exporting: the reader's roles there that may export.
        """
        known = self._organizations.get(organization)
        if "org:audit" in mine:
            lenses = AUDITED
        elif known is not None and known.members_see == "organization":
            lenses = SHOWN_TO_MEMBERS
        else:
            return None
        lenses -= self._withheld(organization, grant)
        if not lenses:
            return None
        return Opening(
            organization=organization,
            lenses=lenses,
            personal="org:audit" in mine,
            export=any(_reaches(one, grant) for one in exporting),
            workspaces=grant.workspaces,
            resources=grant.resources,
        )


def _reaches(wide: Grant, narrow: Grant) -> bool:
    """Whether the limits of one role lie within those of another."""
    if wide.workspaces is None and wide.resources is None:
        return True
    if narrow.workspaces is None and narrow.resources is None:
        return False
    nothing: frozenset[str] = frozenset()
    return (narrow.workspaces or nothing) <= (wide.workspaces or nothing) and (
        narrow.resources or nothing
    ) <= (wide.resources or nothing)
