"""From the claims of a genuine token to a subject (OpenID Connect Core, section 5.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from activity_center.config_sidecar import Claims
from activity_center.streams import ORGANIZATION_ID
from sidecar_api.identity.subject import MAX_NAME, Subject, is_name, refused

MAX_ORGANIZATIONS: Final = 1000
MAX_ROLES: Final = 50
"""Roles in one organization, and roles of the platform."""
EMAIL: Final = "email"
VERIFIED: Final = "email_verified"


def subject_of(
    claims: Mapping[str, Any], names: Claims, provider: Literal["jwt", "oidc"]
) -> Subject:
    """Return whom claims are about. Nothing but the subject has to be there.

    Args:
        claims: of a token whose signature, issuer, audience and times are checked.
        names: which claim says what.
        provider: who checked it.

    Raises:
        Unauthenticated: they name nobody; or by an e-mail address that the issuer has not
            verified, which at some issuers everybody may set.
    """
    # An empty name is no claim, even where a token has one of that name.
    claims = {name: value for name, value in claims.items() if name}
    name = claims.get(names.subject)
    if not is_name(name):
        raise refused()
    if names.subject == EMAIL and claims.get(VERIFIED) is not True:
        raise refused()
    return Subject(
        provider,
        str(name),
        login=_text(claims.get(names.name)),
        full_name=_text(claims.get(names.full_name)),
        email=_text(claims.get(names.email)),
        organizations=_organizations(claims.get(names.organizations)),
        platform_roles=_roles(claims.get(names.platform_roles)),
        mfa=_second_factor(claims.get("amr")),
    )


def _second_factor(methods: Any) -> bool | None:
    """Whether a second factor was used (``amr``: OpenID Connect Core, section 2; RFC 8176)."""
    return "mfa" in methods if isinstance(methods, list) else None


def _text(value: Any) -> str:
    """For display: cut, and without what does not print."""
    if not isinstance(value, str):
        return ""
    return "".join(letter for letter in value[:MAX_NAME] if letter.isprintable())


def _organizations(value: Any) -> dict[str, tuple[str, ...]]:
    if not isinstance(value, dict):
        return {}
    return {
        organization: _roles(held)
        for organization, held in [*value.items()][:MAX_ORGANIZATIONS]
        if ORGANIZATION_ID.fullmatch(organization)
    }


def _roles(value: Any) -> tuple[str, ...]:
    roles = [value] if isinstance(value, str) else value
    if not isinstance(roles, list):
        return ()
    return tuple(role for role in roles[:MAX_ROLES] if is_name(role))
