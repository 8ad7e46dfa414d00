"""Bearer tokens that an issuer signs (RFC 7519, RFC 8725, RFC 9068).

What a token says of itself decides only which of the configured issuers checks it: keys,
algorithms, audience and claims are then the configuration's.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from flask import Request
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import GuestProtocol
from joserfc.jws import JWSRegistry

from activity_center.config_sidecar import JwtIssuer
from sidecar_api.failures import Unauthenticated
from sidecar_api.identity.bearer import bearer
from sidecar_api.identity.claims import subject_of
from sidecar_api.identity.jwks import Jwks, Key
from sidecar_api.identity.subject import Subject, refused

LEEWAY: Final = 30
"""Seconds by which the issuer's clock may differ."""
_SHAPE: Final = re.compile(r"[\w-]+\.([\w-]+)\.[\w-]*", re.ASCII)
_TYPES: Final = frozenset({"jwt", "at+jwt", "application/at+jwt"})
"""Others (logout+jwt, secevent+jwt, ...) are no tokens of access (RFC 8725 section 3.11)."""


class Jwt:
    """The issuers of ``identity.jwt``.

    Args:
        issuers: from the configuration.
        clock: seconds since 1970.

    Raises:
        ConfigError: the keys of one cannot be had by their address or file, or its ``ca``
            cannot be used.
    """

    def __init__(
        self,
        issuers: Sequence[JwtIssuer],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._issuers = {
            one.issuer: (one, Jwks(one.jwks_url or one.jwks_file, one.ca)) for one in issuers
        }
        self._clock = clock

    def recognize(self, request: Request) -> Subject | None:
        """See :class:`~sidecar_api.identity.subject.Provider`; another issuer's is ``None``."""
        value = bearer(request)
        issuer = _issuer(value) if value else None
        if value is None or issuer not in self._issuers:
            return None
        section, keys = self._issuers[issuer]
        return subject_of(self._verify(value, section, keys), section.claims, "jwt")

    def _verify(self, value: str, issuer: JwtIssuer, keys: Jwks) -> dict[str, Any]:
        """Return the claims of a token that this issuer made for us and that is valid now."""

        def key(guest: GuestProtocol) -> Key:
            header = guest.headers()
            kind, kid = header.get("typ", "jwt"), header.get("kid")
            # Headers that change the meaning of a token (crit, b64) are none of ours.
            if "crit" in header or not isinstance(kind, str) or kind.lower() not in _TYPES:
                raise refused()
            return keys.find(kid)

        rules = jwt.JWTClaimsRegistry(
            now=lambda: int(self._clock()),
            leeway=LEEWAY,
            iss={"essential": True, "value": issuer.issuer},
            aud={"essential": True, "value": issuer.audience},
            exp={"essential": True},
        )
        algorithms = list(issuer.algorithms)
        # An unknown header is no error (RFC 7515 section 4).
        registry = JWSRegistry(algorithms=algorithms, strict_check_header=False)
        try:
            claims: dict[str, Any] = jwt.decode(value, key, algorithms, registry=registry).claims
            rules.validate(claims)
        except (JoseError, Unauthenticated, ValueError, TypeError, RecursionError) as wrong:
            raise refused() from wrong
        return claims


def _issuer(value: str) -> str | None:
    """Return the issuer that a token names, unproven; ``None``: it is no JWT."""
    shape = _SHAPE.fullmatch(value)
    if shape is None:
        return None
    body = shape[1]
    try:
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return None
    issuer = claims.get("iss") if isinstance(claims, dict) else None
    return issuer if isinstance(issuer, str) else None
