"""Signed tokens that a client holds for us: cursors, positions of a stream, places in an export.

``base64url(JSON) "." base64url(HMAC-SHA-256)``. The key is derived from the process's secret
with a label, so that a token of one purpose is none of another; the signature also covers what
the token is bound to (reader, filters, what the reader may see), which is not in it. A token
that somebody made up, changed, or had under other filters or another name is refused, and not
told apart.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from sidecar_api.failures import BadRequest

if TYPE_CHECKING:
    from sidecar_api.access import Scope

MAX_LENGTH: Final = 4096
"""Longest token, in characters."""


class Signer:
    """Signs and opens the tokens of one purpose.

    Args:
        secret: at least 32 bytes; see :class:`sidecar_api.services.Services`.
        purpose: label of the key (``cursor``, ``stream``, ``export``).
        parameter: name of the parameter or header that carries the token, for the error.
    """

    def __init__(self, secret: bytes, purpose: str, parameter: str) -> None:
        label = f"activity-center/{purpose}/1".encode()
        self._key = hmac.digest(secret, label, hashlib.sha256)
        self._parameter = parameter

    def sign(self, value: Any, binding: bytes = b"") -> str:
        """Return the token of a JSON-able ``value``.

        Args:
            binding: what it is bound to, see :func:`binding`.
        """
        body = _encode(json.dumps(value, separators=(",", ":"), ensure_ascii=True).encode())
        return f"{body}.{_encode(self._tag(body, binding))}"

    def open(self, token: str, binding: bytes = b"") -> Any:
        """Return the value of a token of ours.

        Raises:
            BadRequest: it is none, or is bound to something else.
        """
        body, dot, tag = token.partition(".")
        # Letters beyond ASCII cannot be compared in constant time, and are never ours.
        if len(token) <= MAX_LENGTH and dot and token.isascii():
            expected = _encode(self._tag(body, binding))
            if hmac.compare_digest(expected, tag):
                return json.loads(_decode(body))
        raise BadRequest(
            f"{self._parameter} is none of ours, or belongs to other filters or another reader.",
            parameter=self._parameter,
            hint=f"Take it from an answer as it is, or leave {self._parameter} out.",
        )

    def _tag(self, body: str, binding: bytes) -> bytes:
        return hmac.digest(self._key, binding + b"\x00" + body.encode(), hashlib.sha256)


def binding(scope: Scope, filters: Sequence[tuple[str, str]], *further: str) -> bytes:
    """Return what a token of this reader, this scope and these filters is bound to.

    Args:
        filters: ``Filters.canonical()``.
        further: whatever else must be the same.
    """
    parts = [scope.reader.id, scope.query(), [list(one) for one in filters], list(further)]
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _decode(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as wrong:  # a body that we signed always decodes
        raise AssertionError("a signed token does not decode") from wrong
