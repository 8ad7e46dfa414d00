"""API tokens: compared by their SHA-256, all of them, in constant time."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from flask import Request

from activity_center.config_sidecar import ApiToken
from sidecar_api.identity.bearer import bearer, holder_of
from sidecar_api.identity.subject import Subject, refused


def _now() -> datetime:
    return datetime.now(UTC)


class Tokens:
    """The tokens of ``identity.tokens``.

    Args:
        tokens: from the configuration.
        clock: the time with its offset.
    """

    def __init__(self, tokens: Sequence[ApiToken], *, clock: Callable[[], datetime] = _now) -> None:
        self._tokens = tuple(tokens)
        self._clock = clock

    def recognize(self, request: Request) -> Subject | None:
        """See :class:`~sidecar_api.identity.subject.Provider`; a token of others is ``None``."""
        value = bearer(request)
        return self.find(value) if value else None

    def find(self, value: str) -> Subject | None:
        """Return whose token ``value`` is.

        Raises:
            Unauthenticated: it has expired.
        """
        found = holder_of(value, ((one.sha256, one) for one in self._tokens))
        if found is None:
            return None
        if self._is_over(found):
            raise refused()
        return Subject("token", found.name, found.person, token=found.name, proof=_proof(found))

    def holds(self, subject: Subject) -> bool:
        """Whether the token that a session was begun with still counts, and is the same."""
        return any(
            token.name == subject.token
            and token.person == subject.person
            and hmac.compare_digest(_proof(token), subject.proof)
            and not self._is_over(token)
            for token in self._tokens
        )

    def _is_over(self, token: ApiToken) -> bool:
        return token.expires is not None and self._clock() >= token.expires


def _proof(token: ApiToken) -> str:
    return hashlib.sha256(f"session of {token.sha256}".encode()).hexdigest()
