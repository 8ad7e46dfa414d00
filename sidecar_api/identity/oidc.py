"""Sign-in of people: OpenID Connect, authorization code flow with PKCE.

::

    /oidc/login ──302 state, nonce, challenge──→ provider ──302 code, state──→ /oidc/callback
      cookie: state, nonce, verifier, next         (a person signs in)           │ code + verifier
                                                                                 ↓
                                                             ID token → Subject → session

Sources: OpenID Connect Core 1.0 section 3.1, RFC 7636 (PKCE, S256 alone), RFC 9207 (``iss``),
RFC 9700 (best current practice). Nothing that a provider or a person sends is logged.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import quote_plus, urlencode

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import GuestProtocol
from joserfc.jws import JWSRegistry

from activity_center.address import binds_loopback
from activity_center.config_sidecar import Oidc, SidecarConfig
from activity_center.errors import ConfigError
from sidecar_api.cursors import Sealer
from sidecar_api.failures import BadRequest, Failure, Unauthenticated, Unavailable
from sidecar_api.identity.claims import subject_of
from sidecar_api.identity.discovery import Discovery, Endpoints
from sidecar_api.identity.jwks import Key
from sidecar_api.identity.jwt import LEEWAY
from sidecar_api.identity.store import Store
from sidecar_api.identity.subject import Subject
from sidecar_api.origin import own_origin

LIFETIME: Final = 600
"""Seconds that a person has for signing in at the provider."""
CALLBACK: Final = "/oidc/callback"
MAX_CODE: Final = 4096
MAX_NEXT: Final = 2048

_AGAIN: Final = "Sign in again; it takes one attempt in one browser, within ten minutes."
_ERROR_CODE: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")


@dataclass(frozen=True, slots=True)
class Departure:
    """The way to the provider: where to go, and what the browser keeps meanwhile."""

    url: str
    cookie: str


@dataclass(frozen=True, slots=True)
class Arrival:
    """A person who came back: who it is, and where they wanted to go."""

    subject: Subject
    next: str


class SignIn:
    """Sign-in with one provider.

    Args:
        oidc: the section ``identity.oidc``.
        sidecar: for the sidecar's own address.
        secret: the sidecar's own key, seals the cookie.
        store: remembers which attempts are used up.
        clock: seconds since 1970.

    Raises:
        ConfigError: ``ca`` cannot be used, or the address that people come back to is not known.
    """

    def __init__(
        self,
        oidc: Oidc,
        sidecar: SidecarConfig,
        *,
        secret: bytes,
        store: Store,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not sidecar.public_url and not binds_loopback(sidecar.bind):
            raise ConfigError(
                "sign-in needs the address that people use",
                where="sidecar.public_url",
                hint=f"such as https://audit.example.org; register it with {CALLBACK} at the "
                "provider",
            )
        self._oidc = oidc
        claims = oidc.claims
        named = (
            f"session of {oidc.issuer} {oidc.client_id} "
            f"{claims.subject} {claims.organizations} {claims.platform_roles}"
        )
        self._proof = hashlib.sha256(named.encode()).hexdigest()
        self._own = own_origin(sidecar)
        self._sealer = Sealer(secret, "oidc", "cookie")
        self._store = store
        self._clock = clock
        self._discovery = Discovery(oidc.issuer, oidc.ca)

    def start(self, next_page: str) -> Departure:
        """Send a person to the provider.

        Args:
            next_page: where they want to go afterwards, see :func:`local`.

        Raises:
            Unavailable: the provider does not answer.
        """
        endpoints = self._discovery.endpoints()
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        challenge = hashlib.sha256(verifier.encode()).digest()
        query = urlencode(
            {
                "response_type": "code",
                "client_id": self._oidc.client_id,
                "redirect_uri": self._own + CALLBACK,
                "scope": " ".join(self._oidc.scopes),
                "state": state,
                "nonce": nonce,
                "code_challenge": base64.urlsafe_b64encode(challenge).decode().rstrip("="),
                "code_challenge_method": "S256",
            }
        )
        kept = [state, nonce, verifier, local(next_page), int(self._clock()) + LIFETIME]
        mark = "&" if "?" in endpoints.authorization else "?"
        return Departure(f"{endpoints.authorization}{mark}{query}", self._sealer.seal(kept))

    def finish(self, answer: Mapping[str, str], cookie: str) -> Arrival:
        """Take the provider's answer.

        Args:
            answer: the query of the callback.
            cookie: what :meth:`start` left in the browser.

        Raises:
            Unauthenticated: the answer does not belong to this browser's attempt, is used up,
                or the provider did not let the person in.
            Unavailable: the provider does not answer, or not as it must.
        """
        state, nonce, verifier, next_page, until = self._kept(cookie)
        if not hmac.compare_digest(answer.get("state", "").encode("utf-8", "replace"), state):
            raise Unauthenticated("The answer belongs to another sign-in.", hint=_AGAIN)
        endpoints = self._discovery.endpoints()
        issuer = answer.get("iss")
        if issuer != self._oidc.issuer and (issuer is not None or endpoints.names_itself):
            raise Unauthenticated("The answer is from another identity provider.", hint=_AGAIN)
        self._spend(state, until)
        if "error" in answer:
            raise _refused(answer["error"])
        code = answer.get("code", "")
        if not 0 < len(code) <= MAX_CODE:
            raise Unauthenticated("The identity provider sent no code.", hint=_AGAIN)
        tokens = self._exchange(endpoints, code, verifier)
        claims = self._verify(tokens.get("id_token"), endpoints, nonce)
        claims = self._complete(claims, tokens, endpoints)
        subject = subject_of(claims, self._oidc.claims, "oidc")
        return Arrival(replace(subject, proof=self._proof), next_page)

    def holds(self, subject: Subject) -> bool:
        """Whether a session was begun with this provider, and the same claims counted."""
        return hmac.compare_digest(subject.proof, self._proof)

    def sign_out_url(self) -> str | None:
        """Return where the provider's own session ends (RP-Initiated Logout 1.0), if it has that.

        ``None`` too while the provider has not been asked for anything yet.
        """
        endpoints = self._discovery.known()
        if endpoints is None or not endpoints.end_session:
            return None
        query = urlencode(
            {
                "client_id": self._oidc.client_id,
                "post_logout_redirect_uri": f"{self._own}/login",
            }
        )
        return f"{endpoints.end_session}{'&' if '?' in endpoints.end_session else '?'}{query}"

    def _kept(self, cookie: str) -> tuple[bytes, str, str, str, int]:
        try:
            state, nonce, verifier, next_page, until = self._sealer.open(cookie)
        except BadRequest:
            until = 0
        if until < self._clock():
            raise Unauthenticated(
                "This browser has no sign-in under way, or it took too long.", hint=_AGAIN
            )
        return state.encode(), nonce, verifier, next_page, until

    def _spend(self, state: bytes, until: int) -> None:
        """Use up an attempt: it counts once, in all worker processes together."""
        self._store.run("DELETE FROM spent WHERE until < ?", (self._clock(),))
        mark = hashlib.sha256(state).hexdigest()
        if not self._store.run(
            "INSERT INTO spent VALUES (?, ?) ON CONFLICT DO NOTHING RETURNING id", (mark, until)
        ):
            raise Unauthenticated("This sign-in has been used already.", hint=_AGAIN)

    def _exchange(self, endpoints: Endpoints, code: str, verifier: str) -> dict[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._own + CALLBACK,
            "code_verifier": verifier,
        }
        headers = {}
        if self._oidc.client_secret and endpoints.basic:  # RFC 6749 section 2.3.1
            login = f"{quote_plus(self._oidc.client_id)}:{quote_plus(self._oidc.client_secret)}"
            headers["Authorization"] = f"Basic {base64.b64encode(login.encode()).decode()}"
        else:
            form["client_id"] = self._oidc.client_id
            if self._oidc.client_secret:
                form["client_secret"] = self._oidc.client_secret
        status, tokens = self._discovery.fetcher.ask(endpoints.token, form=form, headers=headers)
        if status == 200:
            return tokens
        error = tokens.get("error")
        if error == "invalid_grant":
            raise Unauthenticated("The identity provider's code is used up.", hint=_AGAIN)
        raise Unavailable(
            f"The identity provider refuses the sidecar ({_code(error) or status}).",
            hint="The operator should check client_id, client_secret and the redirect address "
            f"{self._own}{CALLBACK} at the provider.",
        )

    def _verify(self, token: Any, endpoints: Endpoints, nonce: str) -> dict[str, Any]:
        """Return the claims of a genuine ID token (OpenID Connect Core, section 3.1.3.7)."""

        def key(guest: GuestProtocol) -> Key:
            kid = guest.headers().get("kid")
            return endpoints.jwks.find(kid if isinstance(kid, str) else None)

        client = self._oidc.client_id
        rules = jwt.JWTClaimsRegistry(
            now=lambda: int(self._clock()),
            leeway=LEEWAY,
            iss={"essential": True, "value": self._oidc.issuer},
            sub={"essential": True},
            aud={"essential": True, "value": client},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        algorithms = list(self._oidc.algorithms)
        # An unknown header is no error (RFC 7515 section 4); one that must be understood is.
        registry = JWSRegistry(algorithms=algorithms, strict_check_header=False)
        try:
            if not isinstance(token, str):
                raise JoseError("there is no ID token")
            claims: dict[str, Any] = jwt.decode(token, key, algorithms, registry=registry).claims
            rules.validate(claims)
            several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
            if claims.get("azp", None if several else client) != client:
                raise JoseError("it was issued to another client")
        except (JoseError, Unauthenticated, ValueError, TypeError, RecursionError) as wrong:
            raise Unauthenticated(
                "The identity provider's token cannot be accepted "
                f"({getattr(wrong, 'error', '') or type(wrong).__name__}).",
                hint="Sign in again; if it stays, the operator should check identity.oidc: "
                "issuer, client_id and algorithms.",
            ) from wrong
        return claims

    def _complete(
        self, claims: dict[str, Any], tokens: Mapping[str, Any], endpoints: Endpoints
    ) -> dict[str, Any]:
        """Add what the provider says at its UserInfo endpoint alone (section 5.3)."""
        names = self._oidc.claims
        wanted = {name for name in (names.subject, names.name, names.full_name, names.email,
                                    names.organizations, names.platform_roles) if name}  # fmt: skip
        access = tokens.get("access_token")
        if wanted <= claims.keys() or not endpoints.userinfo or not isinstance(access, str):
            return claims
        status, more = self._discovery.fetcher.ask(
            endpoints.userinfo, headers={"Authorization": f"Bearer {access}"}
        )
        if status != 200:
            raise Unavailable(
                f"The identity provider does not say who signed in (it answers {status}).",
                hint="Sign in again; if it stays, the operator should look at the provider.",
            )
        if more.get("sub") != claims["sub"]:  # section 5.3.2
            raise Unauthenticated("The identity provider names two persons.", hint=_AGAIN)
        return {**more, **claims}


def local(page: str) -> str:
    """Return ``page`` if it is a path of this sidecar, else ``/``.

    Everything that a browser could read as another host is none: ``//evil``, ``/\\evil``,
    ``https:evil``, and control characters, which browsers leave out of addresses.
    """
    safe = (
        len(page) <= MAX_NEXT
        and page.startswith("/")
        and not page.startswith(("//", "/\\"))
        and "\\" not in page
        and all(" " < letter < "\x7f" for letter in page)
    )
    return page if safe else "/"


def _code(error: Any) -> str:
    """An error's code, if it looks like one."""
    return error if isinstance(error, str) and _ERROR_CODE.fullmatch(error) else ""


def _refused(error: str) -> Failure:
    """The failure for an error that the provider sent (RFC 6749 section 4.1.2.1)."""
    if error in ("server_error", "temporarily_unavailable"):
        return Unavailable("The identity provider cannot sign anybody in now.", retry_after=30)
    if error == "access_denied":
        return Unauthenticated(
            "The identity provider did not let you in, or the sign-in was cancelled.",
            hint="Sign in again, or ask its administrators for access.",
        )
    return Unauthenticated(
        f"The identity provider refused the sign-in ({_code(error) or 'no known reason'}).",
        hint="Sign in again; if it stays, the operator should check identity.oidc.",
    )
