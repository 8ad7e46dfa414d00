"""The public keys of an issuer (RFC 7517): cached, and fetched again when it rotates them."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import structlog
from joserfc import jwk
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from activity_center.address import is_safe
from activity_center.errors import ConfigError
from sidecar_api.failures import Failure, Unauthenticated, Unavailable
from sidecar_api.identity.fetching import MAX_ANSWER, Fetcher

Key = RSAKey | ECKey | OKPKey

MAX_AGE: Final = 600.0
"""Seconds after which the set is fetched again: a key that was withdrawn counts so long."""
MIN_INTERVAL: Final = 10.0
"""Seconds between two fetches, whatever keys are asked for: forged ``kid`` cost nothing."""
MAX_KEYS: Final = 100

_log = structlog.get_logger("sidecar")


class Jwks:
    """Keys that signatures of one issuer are checked with.

    A key that is not known is looked for again at the issuer, at most every
    :data:`MIN_INTERVAL`. While the issuer does not answer, the keys known last go on to count.
    Symmetric keys and keys for encryption are left out.

    Args:
        location: address of the key set, or path of its file.
        ca: PEM file of the authority of the issuer's certificate; empty: the system's.
        clock: seconds that only grow.

    Raises:
        ConfigError: the address is neither https nor on this machine, the file is not there
            or holds no keys, or ``ca`` cannot be used.
    """

    def __init__(
        self, location: str, ca: str = "", *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._location = location
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: tuple[tuple[str, Key], ...] = ()
        self._fetched = self._tried = float("-inf")
        self._fetcher: Fetcher | None = None
        if "://" in location:
            if not is_safe(location):
                raise ConfigError(
                    "the address of a key set must be https",
                    where=location,
                    hint="http is accepted for loopback addresses alone",
                )
            self._fetcher = Fetcher(ca)
        else:
            try:
                found = self._read()
            except (Failure, OSError) as wrong:
                raise ConfigError(f"no key set can be read: {wrong}", where=location) from wrong
            if not found:
                raise ConfigError("holds no public key for signatures", where=location)

    def find(self, kid: str | None) -> Key:
        """Return the key that a token names.

        Args:
            kid: the token's header ``kid``; without one the set must hold a single key.

        Raises:
            Unauthenticated: the issuer has no such key.
            Unavailable: the issuer's keys cannot be had, and none are known.
        """
        now = self._clock()
        key = self._known(kid)
        if (key is None or now - self._fetched > MAX_AGE) and now - self._tried > MIN_INTERVAL:
            with self._lock:
                if now - self._tried > MIN_INTERVAL:  # nobody else did meanwhile
                    self._tried = now
                    self._refresh(now)
            key = self._known(kid)
        if key is not None:
            return key
        if not self._keys:
            raise Unavailable(
                "The keys of the identity provider are not known now.",
                retry_after=int(MIN_INTERVAL),
                hint="Try again; if it stays, the operator should look at the provider.",
            )
        raise Unauthenticated(
            "The token is signed with a key that its issuer does not publish.",
            hint="Ask for a new token, or sign in again.",
        )

    def _known(self, kid: str | None) -> Key | None:
        fitting = [key for name, key in self._keys if kid is None or name == kid]
        return fitting[0] if len(fitting) == 1 else None

    def _refresh(self, now: float) -> None:
        try:
            self._keys = self._read()
            self._fetched = now
        except (Failure, OSError) as wrong:
            _log.warning("keys not fetched", location=self._location, error=str(wrong)[:300])

    def _read(self) -> tuple[tuple[str, Key], ...]:
        if self._fetcher is not None:
            status, document = self._fetcher.ask(self._location)
            if status != 200:
                raise Unavailable(f"{self._location} answered {status}.")
        else:
            with Path(self._location).open("rb") as file:
                text = file.read(MAX_ANSWER)
            try:
                document = json.loads(text)
            except (ValueError, RecursionError) as wrong:
                raise Unavailable("It is no JSON.") from wrong
        return parse(document)


def parse(document: Any) -> tuple[tuple[str, Key], ...]:
    """Return the public signature keys of a key set with their ids (RFC 7517 section 5).

    What is of an unknown kind is left out, as the RFC asks.
    """
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise Unavailable("It is no key set: the member keys is missing.")
    found: list[tuple[str, Key]] = []
    for entry in entries[:MAX_KEYS]:
        if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
            continue
        try:
            key = jwk.import_key(entry)
        except (JoseError, ValueError, TypeError, KeyError):
            continue
        if isinstance(key, RSAKey | ECKey | OKPKey):
            kid = entry.get("kid")
            found.append((kid if isinstance(kid, str) else "", key))
    return tuple(found)
