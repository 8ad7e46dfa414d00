"""Who one is, signing in and signing out, through the application."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from io import BytesIO

import pytest
from flask import g, request

from activity_center.config import Cluster, CollectorConfig, Config, Organization
from activity_center.config_sidecar import (
    ApiToken,
    IdentityConfig,
    Membership,
    Person,
    RateLimit,
    SidecarConfig,
)
from sidecar_api import asking
from sidecar_api.app import create_app
from sidecar_api.routes import stream
from sidecar_api.services import EXTENSION

TOKEN = "a-token-of-ada"
PEOPLE = {
    "ada": Person(
        "ada",
        name="ada",
        full_name="Ada Lovelace",
        email="ada@example.org",
        memberships=(Membership("o1", "admin"), Membership("o2", "member")),
    ),
    "grace": Person("grace", platform_roles=frozenset({"platform_admin"})),
}
SAME = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def config(tmp_path) -> Config:
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    return Config(
        path="",
        opensearch=Cluster(url="http://127.0.0.1:1"),
        maintain=None,
        collector=CollectorConfig(),
        senders=(),
        organizations={"o1": Organization("o1", name="The first")},
        plans={},
        identity=IdentityConfig(people=PEOPLE, tokens=(ApiToken("ci", "ada", digest),)),
        sidecar=SidecarConfig(data_dir=str(tmp_path / "data")),
    )


@pytest.fixture
def client(config):
    return browser(config)


@pytest.fixture
def developing(config):
    return browser(replace(config, identity=replace(config.identity, development="ada")))


def browser(config: Config):
    made = create_app(config).test_client()
    made.environ_base["HTTP_HOST"] = "127.0.0.1:8600"
    return made


def test_me(client):
    """Who asks is told who they are, what they may where, and the token for changing things."""
    assert client.post("/api/v1/session", json={"token": TOKEN}).status_code == 204
    answer = client.get("/api/v1/me")
    assert answer.headers["Cache-Control"] in ("no-store", "private, no-store")
    me = answer.json
    assert me["reader"] == {
        "id": "ada",
        "name": "ada",
        "full_name": "Ada Lovelace",
        "email": "ada@example.org",
        "platform_roles": [],
        "provider": "token",
        "session": True,
    }
    assert [(one["id"], one["name"], one["roles"]) for one in me["organizations"]] == [
        ("o1", "The first", ["admin"]),
        ("o2", "o2", ["member"]),
    ]
    assert "org:audit" in me["organizations"][0]["permissions"]
    assert "org:audit" not in me["organizations"][1]["permissions"]
    assert [one["trail"] for one in me["organizations"]] == [True, False]
    assert [one["lenses"] for one in me["organizations"]] == [["agent", "audit", "process"], []]
    assert [one["processes"] for one in me["organizations"]] == [True, True]
    assert len(me["csrf"]) == 64
    assert me["limits"] == {"requests": 600, "exports": 2}


@pytest.mark.parametrize(
    ("organization", "roles", "lenses"),
    [
        (
            Organization("o1", withhold={"admin": frozenset({"agent"})}),
            ["admin"],
            ["audit", "process"],
        ),
        (Organization("o1", withhold={"admin": frozenset({"agent"})}), ["admin", "owner"], None),
        (Organization("o1", members_see="organization"), ["member"], ["audit", "process"]),
        (Organization("o1"), ["member"], []),
    ],
    ids=["withheld", "withheld-from-one-role", "shown-to-members", "own-alone"],
)
def test_me_tells_which_lenses_are_open(config, organization, roles, lenses):
    """What a role does not open is told, so that a page can say what it does not show."""
    memberships = tuple(Membership("o1", role) for role in roles)
    ada = replace(PEOPLE["ada"], memberships=memberships)
    client = browser(
        replace(
            config,
            organizations={"o1": organization},
            identity=replace(config.identity, people={"ada": ada}),
        )
    )
    me = client.get("/api/v1/me", headers={"Authorization": f"Bearer {TOKEN}"}).json
    everything = ["agent", "audit", "process"]
    assert [one["lenses"] for one in me["organizations"]] == [
        everything if lenses is None else lenses
    ]


@pytest.mark.parametrize("withheld", [frozenset({"process"}), frozenset({"agent"})])
def test_me_tells_whether_processes_are_shown(config, withheld):
    """An organization keeps them from a role that has the permission."""
    kept = {"o1": Organization("o1", withhold={"admin": withheld})}
    client = browser(replace(config, organizations=kept))
    me = client.get("/api/v1/me", headers={"Authorization": f"Bearer {TOKEN}"}).json
    assert "process:view" in me["organizations"][0]["permissions"]
    assert me["organizations"][0]["processes"] == ("process" not in withheld)


def test_the_platform_opens_every_lens(developing):
    """A platform administrator is told of each organization that all of it is open."""
    developing.post("/api/v1/session", json={"development": "grace"})
    (one,) = developing.get("/api/v1/me").json["organizations"]
    assert (one["id"], one["lenses"]) == ("o1", ["agent", "audit", "process"])
    assert one["processes"] is True


def test_a_token_without_a_cookie(client):
    """A program sends its token and needs neither cookie nor CSRF token."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    answer = client.get("/api/v1/me", headers=headers)
    assert answer.json["reader"]["session"] is False
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    ("sidecar", "name", "secure"),
    [
        ({}, "activity_session", False),
        ({"public_url": "https://127.0.0.1"}, "__Host-activity_session", True),
    ],
)
def test_cookie(config, sidecar, name, secure):
    """Over TLS, also at a proxy, the cookie is bound to the host and to TLS."""
    client = browser(replace(config, sidecar=replace(config.sidecar, **sidecar)))
    [cookie] = client.post("/api/v1/session", json={"token": TOKEN}).headers.getlist("Set-Cookie")
    assert cookie.startswith(f"{name}=")
    assert ("Secure" in cookie) is secure
    for flag in ("HttpOnly", "SameSite=Lax", "Path=/"):
        assert flag in cookie
    assert "Domain" not in cookie


def test_choosing_a_person(developing):
    """In development mode one is the configured person, or whom one chooses."""
    assert developing.get("/api/v1/me").json["reader"]["id"] == "ada"
    assert developing.post("/api/v1/session", json={"development": "grace"}).status_code == 204
    me = developing.get("/api/v1/me").json
    assert (me["reader"]["id"], me["reader"]["platform_roles"]) == ("grace", ["platform_admin"])
    assert developing.post("/api/v1/session", json={"development": "nobody"}).status_code == 401


def test_development_says_whom_one_may_be(client, developing):
    """Somebody in development mode is offered the others; somebody with a credential is not."""
    (way, *_) = developing.get("/api/v1/me").json["sign_in"]
    assert [one["id"] for one in way["people"]] == ["ada", "grace"]
    known = client.get("/api/v1/me", headers={"Authorization": f"Bearer {TOKEN}"})
    assert known.json["sign_in"] == []


def test_nobody_chooses_without_development(client):
    """Outside development mode a person's id opens nothing."""
    assert client.post("/api/v1/session", json={"development": "ada"}).status_code == 401


@pytest.mark.parametrize("token", ["a-guess", TOKEN.upper(), f"{TOKEN}x", "\0", "ü", "\ud800"])
def test_a_wrong_token(client, token):
    """A wrong token is 401 without a cookie, and is not repeated."""
    answer = client.post("/api/v1/session", json={"token": token})
    assert answer.status_code == 401
    assert "Set-Cookie" not in answer.headers
    assert token not in answer.text


@pytest.mark.parametrize(
    ("body", "status", "parameter"),
    [
        ({}, 400, "body"),
        ([], 400, "body"),
        ("text", 400, "body"),
        ({"token": TOKEN, "development": "ada"}, 400, "body"),
        ({"token": TOKEN, "more": 1}, 400, "body"),
        ({"password": "x"}, 400, "body"),
        ({"token": ""}, 400, "token"),
        ({"token": None}, 400, "token"),
        ({"token": [TOKEN]}, 400, "token"),
        ({"token": {"$ne": ""}}, 400, "token"),
        ({"token": "x" * 20_000}, 400, "token"),
        ({"development": 7}, 400, "development"),
        ({"development": "x" * 300}, 400, "development"),
    ],
    ids=str,
)
def test_bodies(client, body, status, parameter):
    """A body of another form is refused, and what is wrong is named."""
    answer = client.post("/api/v1/session", json=body)
    assert (answer.status_code, answer.json["parameter"]) == (status, parameter)
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    ("data", "kind", "status"),
    [
        (b"", "application/json", 400),
        (b"{", "application/json", 400),
        (b"null", "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"[" * 50_000, "application/json", 400),
        (b'{"token": NaN}', "application/json", 400),
        (f'{{"token": "{TOKEN}"}}'.encode(), "text/plain", 415),  # what a form elsewhere can send
        (f"token={TOKEN}".encode(), "application/x-www-form-urlencoded", 415),
        (b"x" * 70_000, "application/json", 413),
    ],
)
def test_bodies_of_other_kinds(client, data, kind, status):
    """Only JSON that says so is read, and no more than the bound."""
    answer = client.post("/api/v1/session", data=data, content_type=kind)
    assert answer.status_code == status
    assert answer.mimetype == "application/problem+json"


def test_a_body_that_does_not_end_is_not_cut(client):
    """Without a length it is read up to the bound; what is right until there is not the whole."""
    body = f'{{"token": "{TOKEN}"}}'.encode()
    for more, status in ((10, 204), (300_000, 413)):
        answer = client.post(
            "/api/v1/session",
            input_stream=BytesIO(body + b" " * more),
            content_type="application/json",
            headers={"Transfer-Encoding": "chunked"},
            environ_overrides={"wsgi.input_terminated": True},
        )
        assert answer.status_code == status


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}]
)
def test_another_site_signs_nobody_in(client, headers):
    """A page elsewhere cannot sign its visitor in under another name."""
    answer = client.post("/api/v1/session", json={"token": TOKEN}, headers=headers)
    assert (answer.status_code, answer.json["type"]) == (403, "/problems/cross-site")
    assert "Set-Cookie" not in answer.headers


def test_signs_out(client):
    """Signing out needs the session's own token; afterwards the cookie is worth nothing."""
    client.post("/api/v1/session", json={"token": TOKEN})
    cookie = client.get_cookie("activity_session").value
    right = {"X-CSRF-Token": client.get("/api/v1/me").json["csrf"], **SAME}
    wrong = [{}, SAME, SAME | {"X-CSRF-Token": "0" * 64}, right | {"Sec-Fetch-Site": "cross-site"}]
    for headers in wrong:
        assert client.delete("/api/v1/session", headers=headers).status_code == 403
    assert client.get("/api/v1/me").status_code == 200
    answer = client.delete("/api/v1/session", headers=right)
    assert (answer.status_code, answer.json) == (200, {"next": "/login"})
    assert client.get_cookie("activity_session") is None
    client.set_cookie("activity_session", cookie)
    assert client.get("/api/v1/me").status_code == 401
    assert client.delete("/api/v1/session", headers=right).status_code == 401


def test_the_token_of_an_earlier_session(client):
    """A new session has a new token: what a page kept from before is worth nothing."""
    client.post("/api/v1/session", json={"token": TOKEN})
    before = client.get("/api/v1/me").json["csrf"]
    client.post("/api/v1/session", json={"token": TOKEN})
    assert client.get("/api/v1/me").json["csrf"] != before
    headers = SAME | {"X-CSRF-Token": before}
    assert client.delete("/api/v1/session", headers=headers).status_code == 403


def test_rights_are_those_of_now(config, client):
    """A session holds no rights: what the configuration takes away is gone at once."""
    client.post("/api/v1/session", json={"token": TOKEN})
    cookie = client.get_cookie("activity_session").value
    for people, known in (
        ({"ada": replace(PEOPLE["ada"], memberships=(Membership("o2", "member"),))}, ["o2"]),
        ({"grace": PEOPLE["grace"]}, None),
    ):
        later = browser(replace(config, identity=replace(config.identity, people=people)))
        later.set_cookie("activity_session", cookie)
        answer = later.get("/api/v1/me")
        if known is None:
            assert answer.status_code == 401
        else:
            assert [one["id"] for one in answer.json["organizations"]] == known


def test_a_live_tail_prolongs_no_session(client):
    """What a stream asks each minute, whether its reader may go on, is no use of the session."""
    client.post("/api/v1/session", json={"token": TOKEN})
    cookie = client.get_cookie("activity_session").value
    headers = {"Cookie": f"activity_session={cookie}", "Host": "127.0.0.1:8600"}
    app = client.application
    store = app.extensions[EXTENSION].identity.sessions._store
    store.run("UPDATE sessions SET seen = seen - 3600")
    [before] = store.run("SELECT seen FROM sessions")
    with app.test_request_context("/api/v1/activities/stream", headers=headers):
        g.reader = app.extensions[EXTENSION].identity.authenticate(request, use=False)
        assert stream._Still(asking.scope())()
    assert store.run("SELECT seen FROM sessions") == [before]
    assert client.get("/api/v1/me").status_code == 200
    assert store.run("SELECT seen FROM sessions") > [before]


def test_guessing_ends(config):
    """After so many wrong tokens the address waits; who sends the right one to the API passes."""
    rates = RateLimit(sign_ins=3)
    client = browser(replace(config, sidecar=replace(config.sidecar, rate_limit=rates)))
    guesses = [client.post("/api/v1/session", json={"token": str(n)}) for n in range(4)]
    assert [one.status_code for one in guesses] == [401] * 3 + [429]
    assert client.post("/api/v1/session", json={"token": TOKEN}).status_code == 429
    for token, status in ((TOKEN, 200), ("wrong", 429)):
        answer = client.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == status
    assert int(answer.headers["Retry-After"]) >= 1


def test_without_a_provider(client):
    """Without OpenID Connect its addresses say so."""
    for path in ("/oidc/login", "/oidc/callback?code=x&state=y"):
        answer = client.get(path)
        assert answer.status_code == 404
        assert "/login" in answer.json["hint"]
