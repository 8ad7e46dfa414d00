"""The header ``Authorization``: one credential, of a known form and size, and whose token it is."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable
from typing import Final, TypeVar

from flask import Request

from sidecar_api.failures import Unauthenticated
from sidecar_api.identity.subject import refused

Holder = TypeVar("Holder")

MAX_CREDENTIAL: Final = 16 * 1024
"""Characters; a JWT with many groups has some thousand."""
_FORM: Final = re.compile(r"(?P<scheme>[A-Za-z]+) +(?P<value>[A-Za-z0-9._~+/-]+=*)")
"""Scheme and token68 (RFC 9110 section 11.2): Basic and Bearer alike."""

_BARE: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*")
"""A token alone, without its scheme."""


def credential(request: Request) -> tuple[str, str] | None:
    """Return the scheme in lower case (``basic`` or ``bearer``) and the credential.

    A header that stands twice reaches us joined by a comma, which no credential has.

    Returns:
        ``None``: there is no header.

    Raises:
        Unauthenticated: it is of another form, of another scheme, or too long.
    """
    header = request.environ.get("HTTP_AUTHORIZATION")
    if header is None:
        return None
    found = _FORM.fullmatch(header) if len(header) <= MAX_CREDENTIAL else None
    if found is None and _BARE.fullmatch(header[: MAX_CREDENTIAL + 1]):
        raise Unauthenticated(
            "The header Authorization has no scheme.",
            hint="Send: Authorization: Bearer, a space, and the token.",
        )
    if found is None or found["scheme"].lower() not in ("basic", "bearer"):
        raise refused()
    return found["scheme"].lower(), found["value"]


def bearer(request: Request) -> str | None:
    """Return the bearer token of a request (RFC 6750 section 2.1), if it has one."""
    found = credential(request)
    return found[1] if found and found[0] == "bearer" else None


def holder_of(token: str, known: Iterable[tuple[str, Holder]]) -> Holder | None:
    """Return whose token this is, in a time that says nothing of it.

    Args:
        known: SHA-256 of each token, in lower-case hexadecimal, and whose it is.
    """
    digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
    found = None
    for sha256, holder in known:  # to the end
        if hmac.compare_digest(sha256, digest):
            found = holder
    return found
