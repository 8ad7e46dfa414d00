"""Who asks: what identity found out, and what access and recording go by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Provider = Literal["development", "token", "jwt", "oidc", "proxy", "opensearch"]


@dataclass(frozen=True, slots=True)
class Grant:
    """One role in one organization, perhaps for a part of it alone.

    Attributes:
        role: name of a built-in role or of one in the section ``roles``.
        workspaces: limits the role to activities of these workspaces; ``None``: no limit.
        resources: limits it to resources with these ids (``activity.resource.id`` or its
            parent's); ``None``: no limit. With both, one of them must fit.
    """

    role: str
    workspaces: frozenset[str] | None = None
    resources: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Reader:
    """A recognized person.

    Attributes:
        id: ``user.id`` of the platform; the key of "what one did oneself".
        name: login name.
        full_name: as people call them.
        email: empty when unknown.
        platform_roles: roles of the whole platform (``platform_admin``).
        grants: organization id -> the roles there.
        provider: who recognized them.
        ambient: the credential is one that a browser sends by itself (a cookie, a proxy's
            header, development): requests that change something need the CSRF token.
        session: id of the session (not the cookie), empty without one.
        token: name of the API token used, empty without one.
        mfa: whether they were recognized by a second factor too; ``None``: the provider does
            not say.
    """

    id: str
    name: str = ""
    full_name: str = ""
    email: str = ""
    platform_roles: frozenset[str] = frozenset()
    grants: Mapping[str, tuple[Grant, ...]] = field(default_factory=dict)
    provider: Provider = "development"
    ambient: bool = False
    session: str = field(default="", repr=False)
    token: str = ""
    mfa: bool | None = None
