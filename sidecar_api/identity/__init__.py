"""Who asks: one facade over all ways of knowing it.

::

    request ─→ headers of a proxy ──────────────────┐
            ─→ Authorization: API token, JWT, login ─┼─ one Subject ─→ people ─→ Reader
            ─→ cookie of a session ─────────────────┘
            ─→ none of them: development

A request has one kind of credential at most; two are refused, since it would not be clear whose
deed it is. A wrong one is refused too: nobody falls back to another kind.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sidecar_api.failures import BadRequest
from sidecar_api.identity import secret
from sidecar_api.identity.bearer import credential
from sidecar_api.identity.development import Development
from sidecar_api.identity.jwt import Jwt
from sidecar_api.identity.oidc import SignIn
from sidecar_api.identity.opensearch import OpenSearchLogins
from sidecar_api.identity.people import People
from sidecar_api.identity.proxy import Proxy
from sidecar_api.identity.senders import Senders
from sidecar_api.identity.sessions import Sessions
from sidecar_api.identity.store import Store
from sidecar_api.identity.subject import Provider, Subject, refused
from sidecar_api.identity.tokens import Tokens
from sidecar_api.origin import is_secure

if TYPE_CHECKING:
    from flask import Request

    from activity_center.config import Config, SenderConfig
    from sidecar_api.reader import Reader

__all__ = ["Identity", "Provider", "Subject"]

MAX_PEOPLE: Final = 100
"""People whom the sign-in page offers in development mode."""


class Identity:
    """All ways of one configuration.

    Args:
        config: the whole file; nothing is kept of it but its values, so a new configuration
            needs a new ``Identity``.

    Attributes:
        secret: 32 bytes, the same in all workers and after a restart. Use it with a label.
        sessions: of those who signed in.
        sign_in: OpenID Connect, if it is configured.

    Raises:
        ConfigError: files or authorities that the section names cannot be used.
        NodeError: OpenSearch is to be asked for logins and there is none.
    """

    def __init__(self, config: Config) -> None:
        section, sidecar = config.identity, config.sidecar
        folder = Path(sidecar.data_dir)
        self.secret = secret.load(folder)
        self._config = section
        self._organizations = config.organizations
        self._people = People(config)
        self._tokens = Tokens(section.tokens)
        self._senders = Senders(config.senders)
        self._development = Development(section.development, sidecar)
        self._proxy = Proxy(section.proxy) if section.proxy else None
        self._bearers: list[Provider] = [self._tokens, Jwt(section.jwt)]
        self._logins = OpenSearchLogins(config.searcher) if section.opensearch else None
        store = Store(folder)
        self.sessions = Sessions(store, section.sessions, secure=is_secure(sidecar))
        self.sign_in = (
            SignIn(section.oidc, sidecar, secret=self.secret, store=store) if section.oidc else None
        )

    def authenticate(
        self,
        request: Request,
        before_asking: Callable[[], None] = lambda: None,
        *,
        use: bool = True,
    ) -> Reader | None:
        """Return who asks.

        Args:
            request: the request.
            before_asking: called before OpenSearch is asked whether a login is right; what it
                raises goes on.
            use: whether the request is use of its session, see
                :meth:`~sidecar_api.identity.sessions.Sessions.recognize`.

        Returns:
            ``None``: nobody; there is no credential, or a session that is over.

        Raises:
            Unauthenticated: a credential is wrong.
            BadRequest: there are two kinds of credential.
            Unavailable: who would know does not answer.
        """
        found = {
            "the header Authorization": self._authorized(request, before_asking),
            "the headers of a proxy": self._proxy.recognize(request) if self._proxy else None,
            "the cookie of a session": self._session(request, use=use),
        }
        kinds = [kind for kind, subject in found.items() if subject]
        if len(kinds) > 1:
            raise BadRequest(
                f"There are two credentials: {' and '.join(kinds)}.",
                parameter="Authorization",
                hint="Send one of them; a session ends when its cookie is cleared.",
            )
        subject = found[kinds[0]] if kinds else self._development.recognize(request)
        reader = self._people.reader(subject) if subject else None
        if reader is None and subject and not subject.session:
            raise refused()
        return reader

    def sender(self, request: Request) -> SenderConfig | None:
        """Return the sender whose token a request carries; see :class:`Senders`.

        Raises:
            Unauthenticated: the header ``Authorization`` is of another form.
        """
        return self._senders.recognize(request)

    def token(self, value: str) -> Subject:
        """Return the subject of an API token that somebody signs in with.

        Raises:
            Unauthenticated: it is none, or has expired.
        """
        subject = self._tokens.find(value)
        if subject is None or self._people.reader(subject) is None:
            raise refused()
        return subject

    def choose(self, request: Request, person: str) -> Subject:
        """Return the subject of a person whom somebody chooses in development mode.

        Raises:
            Unauthenticated: the mode is off, or there is no such person.
        """
        subject = self._development.choose(request, person)
        if self._people.reader(subject) is None:
            raise refused()
        return subject

    def methods(self) -> list[dict[str, Any]]:
        """Return the ways to sign in on the page, the best first."""
        ways: list[dict[str, Any]] = []
        if self._config.oidc:
            ways.append({"kind": "oidc", "label": self._config.oidc.label, "href": "/oidc/login"})
        if self._config.development:
            people = [*self._config.people.values()][:MAX_PEOPLE]
            shown = [
                {
                    "id": one.id,
                    "name": one.name,
                    "full_name": one.full_name,
                    "roles": [
                        *({"role": of} for of in sorted(one.platform_roles)),
                        *(
                            {"role": of.role, "organization": self._organization(of.organization)}
                            for of in one.memberships
                        ),
                    ],
                }
                for one in people
            ]
            ways.append({"kind": "development", "people": shown})
        if self._config.tokens:
            ways.append({"kind": "token"})
        return ways

    def _organization(self, id_: str) -> str:
        """The name of an organization, else its id."""
        known = self._organizations.get(id_)
        return (known.name if known else "") or id_

    def _authorized(self, request: Request, before_asking: Callable[[], None]) -> Subject | None:
        """An API token, else a JWT of an issuer of ours, else what OpenSearch knows."""
        if credential(request) is None:
            return None
        for provider in self._bearers:
            subject = provider.recognize(request)
            if subject is not None:
                return subject
        if self._logins is not None:
            return self._logins.recognize(request, before_asking)
        raise refused()

    def _session(self, request: Request, *, use: bool) -> Subject | None:
        """A session counts as long as the way that it was begun by is still there."""
        subject = self.sessions.recognize(request, use=use)
        if subject is None:
            return None
        still = {
            "token": lambda: self._tokens.holds(subject),
            "oidc": lambda: self.sign_in is not None and self.sign_in.holds(subject),
            "development": lambda: self._development.covers(request),
        }.get(subject.provider)
        return subject if still is not None and still() else None
