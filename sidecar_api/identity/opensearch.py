"""Logins of OpenSearch Security: OpenSearch itself says whether one is right, and whose it is.

It is asked with the caller's credential alone (``GET /_plugins/_security/authinfo``). Searches
run under the sidecar's own account: a login here says who asks, not what OpenSearch lets them
read.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from flask import Request
from opensearchpy import OpenSearch
from opensearchpy.exceptions import (
    AuthenticationException,
    AuthorizationException,
    OpenSearchException,
)

from activity_center.address import is_loopback
from activity_center.config import Cluster
from activity_center.connection import connect, resolve
from activity_center.errors import ConfigError
from sidecar_api.failures import Unavailable
from sidecar_api.identity.bearer import credential
from sidecar_api.identity.subject import Subject, is_name, refused

LIFETIME: Final = 30.0
"""Seconds that an answer counts: so long a withdrawn login may go on."""
MAX_KEPT: Final = 1000
TIMEOUT: Final = 5
ANONYMOUS: Final = "opendistro_security_anonymous"
"""Whom OpenSearch takes everybody for where its anonymous access is on."""


class OpenSearchLogins:
    """Logins of one cluster.

    Args:
        cluster: its address and authority; a login in it is not used.
        clock: seconds that only grow.

    Raises:
        ConfigError: a password would travel without TLS to another machine.
        NodeError: see :func:`~activity_center.connection.resolve`.
    """

    def __init__(self, cluster: Cluster, *, clock: Callable[[], float] = time.monotonic) -> None:
        found = resolve(cluster)
        address = Cluster(url=found.url, ca=found.ca)
        self._client: OpenSearch = connect(address, timeout=TIMEOUT)
        parts = urlsplit(found.url)
        if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
            raise ConfigError(
                "passwords would travel without TLS",
                where="identity.opensearch",
                hint="give sidecar.opensearch an https address",
            )
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._kept: OrderedDict[bytes, tuple[float, str]] = OrderedDict()

    def recognize(
        self, request: Request, before_asking: Callable[[], None] = lambda: None
    ) -> Subject | None:
        """See :class:`~sidecar_api.identity.subject.Provider`.

        Args:
            request: the request.
            before_asking: called unless the login was found right a moment ago.
        """
        found = credential(request)
        if found is None:
            return None
        scheme, value = found
        header = f"{scheme.capitalize()} {value}"
        key = hmac.digest(self._key, header.encode(), hashlib.sha256)
        name = self._remembered(key)
        if name is None:
            before_asking()
            name = self._ask(header)
        with self._lock:
            self._kept.setdefault(key, (self._clock() + LIFETIME, name))
            while len(self._kept) > MAX_KEPT:
                self._kept.popitem(last=False)
        return Subject("opensearch", name, login=name)

    def _remembered(self, key: bytes) -> str | None:
        with self._lock:
            until, name = self._kept.get(key, (0.0, ""))
            if name and self._clock() >= until:
                del self._kept[key]
                return None
            return name or None

    def _ask(self, header: str) -> str:
        try:
            answer = self._client.transport.perform_request(
                "GET", "/_plugins/_security/authinfo", headers={"Authorization": header}
            )
        except (AuthenticationException, AuthorizationException):
            raise refused() from None
        except OpenSearchException as wrong:
            raise Unavailable(
                f"OpenSearch does not say whose login this is ({type(wrong).__name__}).",
                hint="Try again; if it stays, the operator should see whether OpenSearch "
                "runs and has its security on.",
            ) from None
        name = answer.get("user_name") if isinstance(answer, dict) else None
        if not is_name(name) or name == ANONYMOUS:
            raise refused()
        return str(name)
