"""Requests that a browser makes without its person's will: cross-site request forgery.

A credential that browsers send by themselves (a cookie, a proxy's headers, development) proves
nothing about who made the request. So what changes something must come from our own page (Fetch
Metadata, ``Origin``) and carry a token that only our own page can read. What only reads must not
come from another site's page either, by a link to the API included: its answer would be kept from
that page, but an export, and every refusal, is recorded in the person's name. Requests with a
token of the API in ``Authorization`` need none of this.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from flask import Request

from activity_center.config_sidecar import SidecarConfig
from sidecar_api.failures import CrossSite
from sidecar_api.origin import is_own
from sidecar_api.reader import Reader

HEADER: Final = "X-CSRF-Token"
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110 section 9.2.1)."""


def token(reader: Reader, secret: bytes) -> str:
    """Return the token of a session, or of a reader whose credential has none.

    Args:
        reader: who asks.
        secret: the sidecar's own key, ``Identity.secret``.
    """
    kind, name = ("session", reader.session) if reader.session else ("reader", reader.id)
    message = f"csrf\0{kind}\0{name}".encode()
    return hmac.new(secret, message, hashlib.sha256).hexdigest()


def check(
    request: Request, reader: Reader | None, *, secret: bytes, sidecar: SidecarConfig
) -> None:
    """Refuse a request that may have been made by another site.

    Args:
        request: of an operation of the API.
        reader: who asks; nobody: signing in, which must come from our page too (a forged
            sign-in would have people work in another's name).
        secret: see :func:`token`.
        sidecar: for its own address.

    Raises:
        CrossSite: it comes from elsewhere, or without the right token.
    """
    if reader is not None and not reader.ambient:
        return
    site = request.headers.get("Sec-Fetch-Site")
    if request.method in SAFE:
        # Programs and old browsers say nothing; "none" is an address that somebody typed.
        if reader is not None and site not in (None, "same-origin", "none"):
            raise _foreign()
        return
    origin = request.headers.get("Origin")
    if site is not None:
        foreign = site != "same-origin"
    else:  # an old browser, or http: browsers send Fetch Metadata to trustworthy origins alone
        foreign = origin is not None and not is_own(origin, request, sidecar)
    if foreign:
        raise _foreign()
    if reader is None:
        return
    given = request.headers.get(HEADER, "").encode("utf-8", "replace")
    if not hmac.compare_digest(given, token(reader, secret).encode()):
        raise CrossSite(
            f"The header {HEADER} is missing or does not belong to this session.",
            hint="Reload the page; programs read csrf from /api/v1/me, or use an API token.",
        )


def _foreign() -> CrossSite:
    return CrossSite(
        "The request comes from another site.",
        hint="Use the sidecar's own page; a proxy before it needs sidecar.public_url.",
    )
