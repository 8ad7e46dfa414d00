"""Sign-in of people with a certified OpenID provider, over its own pages."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient

from activity_center.config import Cluster, CollectorConfig, Config
from activity_center.config_sidecar import (
    Claims,
    IdentityConfig,
    Membership,
    Oidc,
    Person,
    SidecarConfig,
)
from activity_center.errors import ConfigError
from sidecar_api.app import create_app
from sidecar_api.failures import Unauthenticated
from sidecar_api.identity import jwks
from sidecar_api.identity.oidc import LIFETIME, SignIn
from sidecar_api.identity.store import Store
from tests.sidecar_api.identity.oidc_provider import (
    CLIENT_SECRET,
    SIDECAR,
    Certified,
    sign_in_at,
    signing_key,
)

PEOPLE = {"ada": Person("ada", full_name="Ada Lovelace", memberships=(Membership("o1", "admin"),))}
SECRET = bytes(32)


@pytest.fixture(scope="module")
def provider():
    made = Certified(signing_key("first"))
    yield made
    made.close()


def configured(issuer: str, folder: Path, **oidc) -> Config:
    return Config(
        path="",
        opensearch=Cluster(url="http://127.0.0.1:1"),
        maintain=None,
        collector=CollectorConfig(),
        senders=(),
        organizations={},
        plans={},
        identity=IdentityConfig(
            people=PEOPLE,
            oidc=Oidc(issuer, "activity-center", oidc.pop("client_secret", CLIENT_SECRET), **oidc),
        ),
        sidecar=SidecarConfig(data_dir=str(folder / "data")),
    )


@pytest.fixture
def app(provider, tmp_path) -> Flask:
    return create_app(configured(provider.issuer, tmp_path))


@pytest.fixture
def client(app) -> FlaskClient:
    return browser(app)


def browser(app: Flask) -> FlaskClient:
    made = app.test_client()
    made.environ_base["HTTP_HOST"] = "127.0.0.1:8600"
    return made


def depart(client: FlaskClient, next_page: str = "/audit") -> str:
    answer = client.get("/oidc/login", query_string={"next": next_page})
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"]


def sign_in(client: FlaskClient, name: str = "ada", next_page: str = "/audit"):
    """The whole way: there, through the provider's pages, and back."""
    query = sign_in_at(depart(client, next_page), name)
    return client.get("/oidc/callback", query_string=query)


def test_signs_in(client):
    """A person signs in at the provider, and is known with the roles of the configuration."""
    assert client.get("/api/v1/me").status_code == 401
    answer = sign_in(client, next_page="/audit?action=server.create&range=7d")
    assert (answer.status_code, answer.headers["Location"]) == (
        303,
        "/audit?action=server.create&range=7d",
    )
    me = client.get("/api/v1/me").json
    assert me["reader"]["id"] == "ada"
    assert me["reader"]["provider"] == "oidc"
    assert me["reader"]["full_name"] == "Ada Lovelace"
    assert [one["id"] for one in me["organizations"]] == ["o1"]


def test_somebody_unknown_has_no_rights(client):
    """Whom the configuration does not know may sign in, and sees what they did themselves.

    Their names come from the provider's UserInfo endpoint.
    """
    sign_in(client, "grace")
    me = client.get("/api/v1/me").json
    assert me["organizations"] == []
    assert me["reader"]["full_name"] == "grace of the provider"
    assert me["reader"]["name"] == "grace"
    assert me["reader"]["email"] == "grace@example.org"


def test_asks_as_it_should(client, provider):
    """The request has PKCE with S256, fresh state and nonce, and the registered address."""
    first, second = (parse_qs(urlsplit(depart(client)).query) for _ in range(2))
    assert first["code_challenge_method"] == ["S256"]
    assert first["response_type"] == ["code"]
    assert first["redirect_uri"] == [f"{SIDECAR}/oidc/callback"]
    for name in ("state", "nonce", "code_challenge"):
        assert len(first[name][0]) == 43
        assert first[name] != second[name]


def test_cookie_of_the_way(client):
    """What the browser keeps meanwhile lives ten minutes, and is gone afterwards."""
    answer = client.get("/oidc/login")
    [line] = answer.headers.getlist("Set-Cookie")
    for part in ("activity_oidc=", "HttpOnly", "SameSite=Lax", "Path=/", f"Max-Age={LIFETIME}"):
        assert part in line
    sign_in(client)
    assert client.get_cookie("activity_oidc") is None


def test_a_replayed_answer_is_refused(client, app):
    """State counts once: the same answer, with the same cookie, signs nobody in again."""
    url = depart(client)
    cookie = client.get_cookie("activity_oidc").value
    query = sign_in_at(url, "ada")
    assert client.get("/oidc/callback", query_string=query).status_code == 303
    thief = browser(app)
    thief.set_cookie("activity_oidc", cookie)
    answer = thief.get("/oidc/callback", query_string=query)
    assert answer.status_code == 401
    assert "used already" in answer.json["detail"]
    assert thief.get("/api/v1/me").status_code == 401


def test_an_answer_for_another_browser_is_refused(client, app):
    """Somebody else's answer, sent to a victim as a link, does not sign them in."""
    query = sign_in_at(depart(client), "mallory")
    victim = browser(app)
    assert victim.get("/oidc/callback", query_string=query).status_code == 401
    depart(victim)
    answer = victim.get("/oidc/callback", query_string=query)
    assert answer.status_code == 401
    assert "another sign-in" in answer.json["detail"]
    assert client.get("/oidc/callback", query_string=query).status_code == 303


@pytest.mark.parametrize("change", ["first", "last", "cut", "empty", "of another key"])
def test_a_tampered_cookie_is_refused(client, tmp_path, provider, change):
    """A cookie that we did not sign is nobody's attempt."""
    query = sign_in_at(depart(client), "ada")
    value = client.get_cookie("activity_oidc").value
    other = create_app(configured(provider.issuer, tmp_path / "other"))
    stranger = browser(other)
    depart(stranger)
    client.set_cookie(
        "activity_oidc",
        {
            "first": ("A" if value[0] != "A" else "B") + value[1:],
            "last": value[:-1] + ("A" if value[-1] != "A" else "Q"),
            "cut": value[:40],
            "empty": "",
            "of another key": stranger.get_cookie("activity_oidc").value,
        }[change],
    )
    answer = client.get("/oidc/callback", query_string=query)
    assert answer.status_code == 401
    assert "Sign in again" in answer.json["hint"]


def test_too_late(provider, tmp_path):
    """Ten minutes are over: the answer is refused."""
    now = [1_800_000_000.0]
    config = configured(provider.issuer, tmp_path)
    sign_in = SignIn(
        config.identity.oidc,
        config.sidecar,
        secret=SECRET,
        store=Store(tmp_path / "data"),
        clock=lambda: now[0],
    )
    departure = sign_in.start("/")
    now[0] += LIFETIME + 1
    state = parse_qs(urlsplit(departure.url).query)["state"][0]
    with pytest.raises(Unauthenticated, match="took too long"):
        sign_in.finish({"state": state, "code": "any"}, departure.cookie)


def test_a_code_that_is_made_up_is_refused(client):
    """The provider knows its codes."""
    query = sign_in_at(depart(client), "ada") | {"code": "made-up"}
    assert client.get("/oidc/callback", query_string=query).status_code == 401


def test_who_declines_is_told(client):
    """Cancelling at the provider ends with an answer that says so, and without a session."""
    query = sign_in_at(depart(client), "ada", refuse=True)
    assert query["error"] == "access_denied"
    answer = client.get("/oidc/callback", query_string=query)
    assert answer.status_code == 401
    assert "cancelled" in answer.json["detail"]
    page = client.get("/oidc/callback", query_string=query, headers={"Accept": "text/html"})
    assert page.mimetype == "text/html"
    assert 'href="/login"' in page.text


def test_goes_on_here_alone(client):
    """Whatever page is wanted, the sign-in ends on this sidecar."""
    assert sign_in(client, next_page="//evil.example").headers["Location"] == "/"


def test_sign_in_starts_a_new_session(client):
    """Signing in again ends the session before it, whoever's it was."""
    sign_in(client, "grace")
    before = client.get_cookie("activity_session").value
    sign_in(client, "ada")
    assert client.get_cookie("activity_session").value != before
    client.set_cookie("activity_session", before)
    assert client.get("/api/v1/me").status_code == 401


def test_another_provider_knows_others(client, tmp_path):
    """A session from a provider that is no longer configured ends: its names are not the new's."""
    sign_in(client)
    later = browser(create_app(configured("http://127.0.0.1:1", tmp_path)))
    later.set_cookie("activity_session", client.get_cookie("activity_session").value)
    assert later.get("/api/v1/me").status_code == 401


@pytest.mark.parametrize("claim", ["organizations", "platform_roles"])
def test_other_claims_end_sessions(client, provider, tmp_path, claim):
    """Roles from a claim that no longer counts do not live on in a session, nor the other way."""
    sign_in(client)
    claims = Claims(**{claim: "roles"})
    later = browser(create_app(configured(provider.issuer, tmp_path, claims=claims)))
    later.set_cookie("activity_session", client.get_cookie("activity_session").value)
    assert later.get("/api/v1/me").status_code == 401
    assert client.get("/api/v1/me").status_code == 200


def test_signs_out(client):
    """Signing out ends the session here, and says where the provider's own is ended."""
    sign_in(client)
    token = client.get("/api/v1/me").json["csrf"]
    cookie = client.get_cookie("activity_session").value
    assert client.delete("/api/v1/session").status_code == 403
    answer = client.delete("/api/v1/session", headers={"X-CSRF-Token": token})
    assert answer.status_code == 200
    ending = requests.get(answer.json["next"])
    assert ending.status_code == 200, ending.text  # it asks whether to sign out there too
    client.set_cookie("activity_session", cookie)
    assert client.get("/api/v1/me").status_code == 401


def test_keys_are_rotated(tmp_path, monkeypatch):
    """A provider with a new key is followed without a restart of the sidecar."""
    monkeypatch.setattr(jwks, "MIN_INTERVAL", 1.0)
    old = Certified(signing_key("old"))
    client = browser(create_app(configured(old.issuer, tmp_path)))
    try:
        assert sign_in(client).status_code == 303
    finally:
        old.close()
    new = Certified(signing_key("new"), port=old.port)
    try:
        answer = sign_in(client)
        until = time.monotonic() + 60  # keys are asked for again after some seconds, not at once
        while answer.status_code != 303 and time.monotonic() < until:
            time.sleep(0.1)
            answer = sign_in(client)
        assert answer.status_code == 303
    finally:
        new.close()


def test_claims_may_stand_in_the_token(tmp_path):
    """A provider that puts everything into the ID token is understood too."""
    provider = Certified(signing_key("first"), idTokenClaims=True)
    try:
        client = browser(create_app(configured(provider.issuer, tmp_path)))
        sign_in(client, "grace")
        assert client.get("/api/v1/me").json["reader"]["full_name"] == "grace of the provider"
    finally:
        provider.close()


def test_a_wrong_secret_is_the_operators_matter(provider, tmp_path):
    """A sidecar that the provider refuses says what to check, and not its secret."""
    config = configured(provider.issuer, tmp_path, client_secret="wrong-secret-value")
    answer = sign_in(browser(create_app(config)))
    assert answer.status_code == 503
    assert "invalid_client" in answer.json["detail"]
    assert "client_secret" in answer.json["hint"]
    assert "wrong-secret-value" not in answer.text


def test_a_provider_that_is_away(tmp_path):
    """Without an answer of the provider signing in is unavailable, and the rest goes on."""
    client = browser(create_app(configured("http://127.0.0.1:1", tmp_path)))
    answer = client.get("/oidc/login")
    assert answer.status_code == 503
    assert "http://127.0.0.1:1/" in answer.json["detail"]
    methods = client.get("/api/v1/me").json["sign_in"]
    assert methods == [{"kind": "oidc", "label": "single sign-on", "href": "/oidc/login"}]


def test_people_must_find_back(tmp_path):
    """A sidecar beyond loopback needs the address that the provider sends people back to."""
    config = configured("https://id.example.org", tmp_path)
    everywhere = replace(config, sidecar=replace(config.sidecar, bind="0.0.0.0:8600"))
    with pytest.raises(ConfigError, match="public_url"):
        create_app(everywhere)


def test_another_claim_names_the_person(provider, tmp_path):
    """The configuration may choose the claim by which a person is known."""
    config = configured(provider.issuer, tmp_path, claims=Claims(subject="preferred_username"))
    client = browser(create_app(config))
    assert sign_in(client).status_code == 303
    assert client.get("/api/v1/me").json["reader"]["id"] == "ada"


@pytest.mark.parametrize(("name", "status"), [("ada", 303), ("unverified", 401)])
def test_an_address_counts_if_it_is_verified(provider, tmp_path, name, status):
    """Who is known by e-mail must own the address: at some providers everybody may set one."""
    config = configured(provider.issuer, tmp_path, claims=Claims(subject="email"))
    assert sign_in(browser(create_app(config)), name).status_code == status
