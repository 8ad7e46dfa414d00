"""Who one is, signing in and signing out.

``/oidc/*`` are addresses for browsers on their way to the identity provider and back, no
operations of the API.
"""

from __future__ import annotations

from typing import Any, Final

from flask import Blueprint, Response, redirect, request
from werkzeug import Response as AnyResponse

from sidecar_api import asking
from sidecar_api.conditional import json_answer
from sidecar_api.failures import BadRequest, CrossSite, NotFound, Unauthenticated
from sidecar_api.identity import csrf
from sidecar_api.identity.bearer import MAX_CREDENTIAL
from sidecar_api.identity.oidc import LIFETIME, SignIn
from sidecar_api.identity.subject import MAX_NAME, Subject
from sidecar_api.limits import before_asking, limits
from sidecar_api.openapi import operation
from sidecar_api.routes.organizations import visible
from sidecar_api.services import services

blueprint = Blueprint("session", __name__)

LOGIN: Final = "/login"


@blueprint.get("/api/v1/me")
@operation(
    "Read who you are",
    description="With the roles and permissions in each organization, and the value of the "
    "header X-CSRF-Token that requests with a cookie need when they change something.",
    answer="Me",
)
def me() -> Response:
    """The reader, what they may, and what the page needs to go on."""
    reader, rates = asking.reader(), services().config.sidecar.rate_limit
    # Whoever needs no credential may be somebody else by choosing.
    ways = services().identity.methods() if reader.provider == "development" else []
    return json_answer(
        {
            "reader": {
                "id": reader.id,
                "name": reader.name,
                "full_name": reader.full_name,
                "email": reader.email,
                "platform_roles": sorted(reader.platform_roles),
                "provider": reader.provider,
                "session": bool(reader.session),
            },
            "organizations": visible(),
            "csrf": csrf.token(reader, services().secret),
            "limits": {"requests": rates.requests, "exports": rates.exports},
            "sign_in": ways,
        }
    )


@blueprint.post("/api/v1/session")
@operation(
    "Sign in",
    description="Exchanges an API token for a session's cookie; in development mode, chooses a "
    "person.",
    body="SignIn",
    status=204,
    failures=[Unauthenticated, CrossSite],
    public=True,
)
def sign_in() -> Response:
    """A new session; the one that the browser had ends."""
    before_asking()
    response = Response(status=204)
    services().identity.sessions.begin(request, response, _subject())
    return response


@blueprint.delete("/api/v1/session")
@operation(
    "Sign out",
    description="Ends the session; its cookie is worth nothing afterwards, wherever it was "
    "copied to. The answer says where to go on: the provider's own sign-out, if there is one.",
    answer="SignedOut",
    failures=[CrossSite],
)
def sign_out() -> Response:
    """No session any more."""
    identity = services().identity
    away = None
    if identity.sign_in is not None and asking.reader().provider == "oidc":
        away = identity.sign_in.sign_out_url()
    response = json_answer({"next": away or LOGIN})
    identity.sessions.end(request, response)
    return response


@blueprint.get("/oidc/login")
def oidc_login() -> AnyResponse:
    """Send the browser to the identity provider."""
    limits().count(request, None)
    departure = _provider().start(request.args.get("next", ""))
    response = redirect(departure.url, 303)
    services().identity.sessions.set_cookie(response, _cookie(), departure.cookie, LIFETIME)
    return response


@blueprint.get("/oidc/callback")
def oidc_callback() -> AnyResponse:
    """Take the provider's answer, and go where the person wanted to."""
    limits().count(request, None)
    sessions = services().identity.sessions
    arrival = _provider().finish(request.args.to_dict(), request.cookies.get(_cookie(), ""))
    response = redirect(arrival.next, 303)
    sessions.begin(request, response, arrival.subject)
    sessions.set_cookie(response, _cookie(), "", 0)
    return response


def _provider() -> SignIn:
    found = services().identity.sign_in
    if found is None:
        raise NotFound("No identity provider is configured.", hint=f"See {LOGIN} for other ways.")
    return found


def _cookie() -> str:
    return services().identity.sessions.named("activity_oidc")


def _subject() -> Subject:
    """Whom the body of a sign-in names.

    Raises:
        BadRequest: it is of another form.
        Unauthenticated: its credential is wrong.
    """
    identity, body = services().identity, asking.json_body()
    if body.keys() == {"token"}:
        return identity.token(_text(body, "token", MAX_CREDENTIAL).strip())
    if body.keys() == {"development"}:
        return identity.choose(request, _text(body, "development", MAX_NAME))
    raise BadRequest(
        "The body must say how to sign in.",
        parameter="body",
        hint='Send {"token": "..."}, or {"development": "<id of a person>"}.',
    )


def _text(body: dict[str, Any], name: str, longest: int) -> str:
    value = body[name]
    if isinstance(value, str) and 0 < len(value) <= longest:
        return value
    raise BadRequest(f"{name} must be text of 1 to {longest} characters.", parameter=name)
