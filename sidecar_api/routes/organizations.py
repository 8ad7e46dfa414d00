"""Organizations: those that a reader has to do with, and the trail of one."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from sidecar_api import asking
from sidecar_api.conditional import json_answer
from sidecar_api.failures import Forbidden, NotFound
from sidecar_api.openapi import operation
from sidecar_api.routes.activities import LIST, listed
from sidecar_api.search import Filters
from sidecar_api.services import services

blueprint = Blueprint("organizations", __name__, url_prefix="/api/v1")


@blueprint.get("/organizations")
@operation(
    "List organizations",
    description="Those in which the reader has a role; for platform administrators, all known.",
    answer="Organizations",
)
def organizations() -> Response:
    """Organizations, with the reader's roles and permissions there."""
    return json_answer({"organizations": visible()})


@blueprint.get("/organizations/<organization>/activity-logs")
@operation(
    "List an organization's activities",
    parameters=LIST,
    filters=True,
    answer="ActivityPage",
    failures=[Forbidden, NotFound],
    permission="org:audit",
)
def activity_logs(organization: str) -> Response:
    """A page of the organization's trail."""
    Filters.parse({"organization": [organization]})  # its form, before anything is looked up
    known, scope = services().config.organizations, asking.scope()
    strange = scope.everything and known and organization not in known
    if strange and not services().search.recent(scope, organization, 1):
        raise NotFound(
            "There is no such organization.", hint="GET /api/v1/organizations lists those known."
        )
    return listed({"organization": organization})


def visible() -> list[dict[str, Any]]:
    """Return the organizations that the reader has to do with, as the API describes them."""
    scope = asking.scope()
    known = services().config.organizations
    watched = {part.organization for part in scope.watching}
    names = set(scope.reader.grants) | (set(known) if scope.everything else set())
    return [
        {
            "id": one,
            "name": (known[one].name if one in known else "") or one,
            "roles": sorted({grant.role for grant in scope.reader.grants.get(one, ())}),
            "permissions": sorted(scope.permissions(one)),
            "lenses": sorted(scope.lenses(one)),
            "trail": scope.everything or one in scope.organizations,
            "processes": scope.everything or one in watched,
        }
        for one in sorted(names)
    ]
