"""Whom a provider recognized, before it is known what they may."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Final, Protocol

from flask import Request

from sidecar_api import reader
from sidecar_api.failures import Unauthenticated

MAX_NAME: Final = 256
"""Characters of a name, an address or any other word about a person."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Somebody whom a provider recognized.

    Attributes:
        provider: who recognized them.
        name: what the provider calls them.
        person: id of the person, where the credential belongs to one of the configuration.
        login, full_name, email: what the provider knows besides.
        organizations: organization -> roles, from claims.
        platform_roles: from claims.
        token: name of the API token used.
        proof: ties a session to the API token or the provider that it was begun with.
        ambient: see :class:`~sidecar_api.reader.Reader`.
        session: id of the session, empty without one.
        mfa: whether a second factor was used; ``None``: the provider does not say.
    """

    provider: reader.Provider
    name: str
    person: str | None = None
    login: str = ""
    full_name: str = ""
    email: str = ""
    organizations: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    platform_roles: tuple[str, ...] = ()
    token: str = ""
    proof: str = field(default="", repr=False)
    ambient: bool = False
    session: str = field(default="", repr=False)
    mfa: bool | None = None

    @property
    def owner(self) -> str:
        """Whose sessions are counted together."""
        return f"{self.provider}\0{self.person or self.name}"

    def to_json(self) -> str:
        """Return what a session keeps."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str, *, session: str) -> Subject:
        """Return the subject of a session: browsers send its cookie by themselves."""
        kept = cls(**json.loads(text))
        organizations = {name: tuple(roles) for name, roles in kept.organizations.items()}
        return replace(
            kept,
            organizations=organizations,
            platform_roles=tuple(kept.platform_roles),
            ambient=True,
            session=session,
        )


class Provider(Protocol):
    """One way of knowing who asks."""

    def recognize(self, request: Request) -> Subject | None:
        """Return who asks.

        Returns:
            ``None``: the request has no credential of this kind, or one that is for others.

        Raises:
            Unauthenticated: it has one, and it is wrong.
            Unavailable: who would know does not answer.
        """


def is_name(text: object) -> bool:
    """Whether something can be the name of a person: one line of printable text."""
    return isinstance(text, str) and 0 < len(text) <= MAX_NAME and text.isprintable()


def refused() -> Unauthenticated:
    """The one answer to every wrong credential: which part is wrong is not said."""
    return Unauthenticated(
        "The credential is not accepted.",
        hint="It may be wrong, expired or withdrawn: sign in again, or ask for a new one.",
    )
