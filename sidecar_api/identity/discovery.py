"""Where an OpenID provider has its endpoints (OpenID Connect Discovery 1.0)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from activity_center.address import is_safe
from activity_center.errors import ConfigError
from sidecar_api.failures import Failure, Unavailable
from sidecar_api.identity.fetching import Fetcher
from sidecar_api.identity.jwks import Jwks

MAX_AGE: Final = 3600.0
"""Seconds after which the document is read again."""
MIN_INTERVAL: Final = 5.0
"""Seconds between two attempts while the provider does not answer."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """What is used of the document (section 3).

    Attributes:
        userinfo, end_session: empty: the provider has none.
        jwks: keys of its ID tokens.
        basic: the client's secret goes into ``Authorization``, else into the form.
        names_itself: answers carry the parameter ``iss`` (RFC 9207).
    """

    authorization: str
    token: str
    userinfo: str
    end_session: str
    jwks: Jwks
    basic: bool
    names_itself: bool


class Discovery:
    """The endpoints of one issuer: read when first wanted, kept for :data:`MAX_AGE`.

    While the provider does not answer, those known last go on to count.

    Args:
        issuer: as configured; the document must name exactly this one.
        ca: see :class:`~sidecar_api.identity.fetching.Fetcher`.
        clock: seconds that only grow.
    """

    def __init__(
        self, issuer: str, ca: str = "", *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.fetcher: Final = Fetcher(ca)
        self._issuer, self._ca, self._clock = issuer, ca, clock
        self._lock = threading.Lock()
        self._known: Endpoints | None = None
        self._failure: Failure | None = None
        self._jwks: tuple[str, Jwks] | None = None
        self._read = self._tried = float("-inf")

    def endpoints(self) -> Endpoints:
        """Return the endpoints.

        Raises:
            Unavailable: the provider gives no document, or one that cannot be used.
        """
        with self._lock:
            now = self._clock()
            fresh = self._known is not None and now - self._read < MAX_AGE
            if not fresh and now - self._tried >= MIN_INTERVAL:
                self._tried = now
                try:
                    self._known, self._failure = self._fetch(), None
                    self._read = now
                except Failure as wrong:
                    self._failure = wrong
            if self._known is None:
                raise self._failure or self._unusable("has not answered yet")
            return self._known

    def known(self) -> Endpoints | None:
        """Return them if they are known already; the provider is not asked."""
        return self._known

    def _fetch(self) -> Endpoints:
        address = self._issuer.rstrip("/") + "/.well-known/openid-configuration"
        status, document = self.fetcher.ask(address)
        if status != 200:
            raise self._unusable(f"answers {status} to {address}")
        if document.get("issuer") != self._issuer:  # section 4.3
            raise self._unusable("calls itself by another issuer than identity.oidc.issuer")
        methods = document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        return Endpoints(
            authorization=self._address(document, "authorization_endpoint"),
            token=self._address(document, "token_endpoint"),
            userinfo=self._address(document, "userinfo_endpoint", needed=False),
            end_session=self._address(document, "end_session_endpoint", needed=False),
            jwks=self._keys(self._address(document, "jwks_uri")),
            basic=isinstance(methods, list) and "client_secret_basic" in methods,
            names_itself=document.get("authorization_response_iss_parameter_supported") is True,
        )

    def _address(self, document: dict[str, Any], name: str, *, needed: bool = True) -> str:
        found = document.get(name)
        if found is None and not needed:
            return ""
        if not isinstance(found, str) or not is_safe(found):
            raise self._unusable(f"names no https address as {name}")
        return found

    def _keys(self, address: str) -> Jwks:
        if self._jwks is None or self._jwks[0] != address:  # else: keep what it knows
            try:
                self._jwks = address, Jwks(address, self._ca)
            except ConfigError as wrong:
                raise self._unusable("has a key set that cannot be read") from wrong
        return self._jwks[1]

    def _unusable(self, what: str) -> Unavailable:
        return Unavailable(
            f"The identity provider {self._issuer} {what}.",
            retry_after=int(MIN_INTERVAL),
            hint="The operator should check identity.oidc in the configuration.",
        )
