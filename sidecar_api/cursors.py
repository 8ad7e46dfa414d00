"""Sealed tokens that a client holds for us: cursors, positions of a stream, places in an export.

``base64url(nonce || AES-256-GCM(JSON))``. A place in the log tells how much others write, so it
is not to be read. The key is derived from the process's secret with a label, so that a token of
one purpose is none of another; what the token is bound to (reader, filters, what the reader may
see) is the associated data, and not in it. A token that somebody made up, changed, or had under
other filters or another name is refused, and not told apart.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sidecar_api.failures import BadRequest

if TYPE_CHECKING:
    from sidecar_api.access import Scope

MAX_LENGTH: Final = 7000
"""Longest token, in characters: the fullest place in the live tail with the longest id has 6,600;
a header may have 8,190."""
_NONCE: Final = 12
"""Bytes; drawn anew for each token (NIST SP 800-38D, section 8.2.2)."""


class Sealer:
    """Seals and opens the tokens of one purpose.

    Args:
        secret: at least 32 bytes; see :class:`sidecar_api.services.Services`.
        purpose: label of the key (``cursor``, ``stream``, ``export``).
        parameter: name of the parameter or header that carries the token, for the error.
    """

    def __init__(self, secret: bytes, purpose: str, parameter: str) -> None:
        label = f"activity-center/{purpose}/2".encode()
        self._cipher = AESGCM(hmac.digest(secret, label, hashlib.sha256))
        self._parameter = parameter

    def seal(self, value: Any, binding: bytes = b"") -> str:
        """Return the token of a JSON-able ``value``.

        Args:
            binding: what it is bound to, see :func:`binding`.
        """
        text = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
        nonce = os.urandom(_NONCE)
        return _encode(nonce + self._cipher.encrypt(nonce, text, binding))

    def open(self, token: str, binding: bytes = b"") -> Any:
        """Return the value of a token of ours.

        Raises:
            BadRequest: it is none, or is bound to something else.
        """
        if len(token) <= MAX_LENGTH:
            try:
                raw = _decode(token)
                return json.loads(self._cipher.decrypt(raw[:_NONCE], raw[_NONCE:], binding))
            except (ValueError, InvalidTag):
                pass
        raise BadRequest(
            f"{self._parameter} is none of ours, or belongs to other filters or another reader.",
            parameter=self._parameter,
            hint=f"Take it from an answer as it is, or leave {self._parameter} out.",
        )


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
    """Return the bytes; the one spelling of them alone.

    Raises:
        ValueError: it is no base64url, or another spelling.
    """
    raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if _encode(raw) != text:
        raise ValueError("another spelling")
    return raw
