"""Who may decide on what an agent proposes: ``agent:approve`` in its organization, in its limits.

The platform's own role decides nothing; who has it decides by a role in the organization.
"""

from __future__ import annotations

from typing import Any

import pytest

from activity_center.agents import judge, read_chain, shipped_policies
from sidecar_api.access import Access
from sidecar_api.agents.decisions import roles_of
from sidecar_api.reader import Grant, Reader
from tests.sidecar_api.access.conftest import configuration
from tests.sidecar_api.agents.test_recorded import NOW, PROPOSED

PLATFORM = frozenset({"platform_admin"})
ROLES = {"releaser": ["agent:approve"], "watcher": ["org:audit", "process:control"]}
ACCESS = Access(configuration({"roles": ROLES, "organizations": {"northwind": {}}}))


def proposal(**ours: Any) -> dict[str, Any]:
    """What an agent proposes in an organization."""
    return {**PROPOSED, "activity": {**PROPOSED["activity"], **ours}}


def reader(*grants: Grant, platform: frozenset[str] = PLATFORM) -> Reader:
    """Somebody with roles in the organization."""
    return Reader("usr_p", platform_roles=platform, grants={"northwind": grants} if grants else {})


@pytest.mark.parametrize(
    ("grants", "may"),
    [
        ((), False),
        ((Grant("member"),), False),
        ((Grant("watcher"),), False),
        ((Grant("owner"),), True),
        ((Grant("releaser"),), True),
        ((Grant("admin", workspaces=frozenset({"lab"})),), True),
        ((Grant("admin", workspaces=frozenset({"shop"})),), False),
        ((Grant("admin", resources=frozenset({"srv_1"})),), True),
    ],
    ids=["platform", "member", "watcher", "owner", "own-role", "here", "elsewhere", "resource"],
)
@pytest.mark.parametrize("platform", [PLATFORM, frozenset()], ids=["of-platform", "of-nothing"])
def test_who_approves(grants: tuple[Grant, ...], may: bool, platform: frozenset[str]) -> None:
    """A role with the permission that reaches the proposal; the platform's adds nothing."""
    scope = ACCESS.scope(reader(*grants, platform=platform))
    assert scope.approves(proposal(workspace="lab")) is may


def test_a_role_of_the_organization_listed_as_the_platforms_decides_nothing() -> None:
    """Whatever permissions it has: they reach an organization from a role there alone."""
    scope = ACCESS.scope(reader(platform=frozenset({"releaser", "owner", "platform_admin"})))
    assert not scope.approves(proposal())


@pytest.mark.parametrize(
    ("grants", "verdict"),
    [((), "approver_lacked_permission"), ((Grant("owner"),), "approved")],
    ids=["platform", "owner"],
)
def test_how_the_record_is_judged(grants: tuple[Grant, ...], verdict: str) -> None:
    """An approval that was recorded with the platform's role alone had no permission."""
    approval = proposal(
        proposal={"id": "prp_1", "stage": "approved"},
        decision={"outcome": "approved", "source": "user", "wait_ms": 47_000},
        approver={
            "id": "usr_p",
            "roles": roles_of(reader(*grants), "northwind"),
            "authenticated": True,
        },
    )
    approval |= {"@timestamp": "2026-11-24T13:00:47.000Z", "event": {"id": "e2"}}
    said = judge(read_chain([PROPOSED, approval]), shipped_policies(), now=NOW)
    assert said.verdict.key == verdict
