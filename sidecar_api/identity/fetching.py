"""Questions to an identity provider: JSON over HTTPS, bounded, without redirects."""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import urllib3

from activity_center.address import is_safe
from activity_center.errors import ConfigError
from sidecar_api.failures import Unavailable

TIMEOUT: Final = 5.0
"""Seconds to connect, and seconds for each read."""
MAX_ANSWER: Final = 256 * 1024
"""Bytes of an answer; a key set or a discovery document has a few thousand."""
_HEADERS: Final = (
    {"Accept": "application/json"},
    {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"},
)
"""Without a form, and with one."""


class Fetcher:
    """Connections to one provider.

    Args:
        ca: PEM file of the authority that signed its certificate; empty: the system's.

    Raises:
        ConfigError: ``ca`` cannot be used.
    """

    def __init__(self, ca: str = "") -> None:
        try:
            context = ssl.create_default_context(cafile=ca or None)
        except (OSError, ssl.SSLError) as wrong:
            raise ConfigError(
                f"cannot be used as a certificate authority: {wrong}",
                where=ca,
                hint="identity.oidc.ca and identity.jwt[].ca name a PEM file",
            ) from wrong
        self._pool = urllib3.PoolManager(
            ssl_context=context,
            retries=False,
            timeout=urllib3.Timeout(connect=TIMEOUT, read=TIMEOUT),
        )

    def ask(
        self,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, dict[str, Any]]:
        """Return status and JSON object of the answer; POST when there is a ``form``.

        Raises:
            Unavailable: no answer, one that is too long, or one that is no JSON object. The
                text holds the address, never what was sent.
        """
        if not is_safe(url):
            raise Unavailable(
                f"The identity provider's address {_shown(url)} is not https.",
                hint="Keys and sign-ins go over TLS alone; ask the operator to correct it.",
            )
        try:
            answer = self._pool.request(
                "GET" if form is None else "POST",
                url,
                body=urlencode(form) if form is not None else None,
                headers={**_HEADERS[form is not None], **(headers or {})},
                redirect=False,
                preload_content=False,
            )
            try:
                body = answer.read(MAX_ANSWER + 1, decode_content=True)
                rest = len(body) > MAX_ANSWER
            finally:
                answer.close()  # asked rarely: no connection is kept
        except (urllib3.exceptions.HTTPError, OSError) as wrong:
            raise Unavailable(
                f"The identity provider at {_shown(url)} gives no answer ({type(wrong).__name__}).",
                retry_after=10,
                hint="Try again; if it stays, the operator should look at the provider.",
            ) from wrong
        value: Any = None
        if not rest:
            try:
                value = json.loads(body)
            except (ValueError, RecursionError):
                value = None
        if not isinstance(value, dict):
            raise Unavailable(
                f"The identity provider at {_shown(url)} answered {answer.status} without "
                "a JSON object.",
                hint="The operator should check the issuer's address.",
            )
        return answer.status, value


def _shown(url: str) -> str:
    """The address without login and query, cut."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "(no address)"
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"[:200]
