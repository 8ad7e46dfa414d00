"""What an OpenID provider, or who stands between, may not get accepted."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from joserfc.jwk import RSAKey

from activity_center.config_sidecar import Oidc, SidecarConfig
from sidecar_api.failures import Unauthenticated, Unavailable
from sidecar_api.identity.oidc import SignIn, local
from sidecar_api.identity.store import Store
from tests.sidecar_api.identity.oidc_provider import Lying, signing_key

SECRET = bytes(32)


@pytest.fixture
def provider():
    made = Lying()
    yield made
    made.close()


@pytest.fixture
def store(tmp_path):
    made = Store(tmp_path / "data")
    yield made
    made.close()


@pytest.fixture
def sign_in(provider, store):
    return make(provider, store)


def make(provider: Lying, store: Store, **oidc) -> SignIn:
    section = Oidc(provider.issuer, "activity-center", "the-secret", **oidc)
    return SignIn(section, SidecarConfig(), secret=SECRET, store=store)


def through(sign_in: SignIn, provider: Lying, **members: str):
    departure = sign_in.start("/audit")
    return sign_in.finish(provider.answer(departure.url, **members), departure.cookie)


def test_the_truth_is_accepted(sign_in, provider):
    """The lies below differ from an answer that is accepted."""
    arrival = through(sign_in, provider)
    assert (arrival.subject.name, arrival.subject.full_name) == ("ada", "Ada")
    assert arrival.next == "/audit"


def changed(**members):
    def change(claims):
        claims.update(members)
        for name, value in members.items():
            if value is None:
                del claims[name]

    return change


NOW = int(time.time())


def named(lie):
    """A name of a test, the same in all workers of a run."""
    return str(lie).replace(str(NOW - 300), "past").replace(str(NOW + 3600), "future")


@pytest.mark.parametrize(
    "lie",
    [
        {"aud": "another-client"},
        {"aud": ["another-client"]},
        {"aud": []},
        {"aud": None},
        {"aud": ["activity-center", "another-client"]},  # without azp
        {"aud": ["activity-center", "another-client"], "azp": "another-client"},
        {"azp": "another-client"},
        {"iss": "https://evil.example"},
        {"iss": None},
        {"nonce": "another attempt's"},
        {"nonce": None},
        {"exp": NOW - 300},
        {"exp": None},
        {"exp": "tomorrow"},
        {"iat": None},
        {"iat": NOW + 3600},
        {"nbf": NOW + 3600},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"sub": "a\nb"},
        {"sub": "x" * 300},
    ],
    ids=named,
)
def test_claims_must_be_right(sign_in, provider, lie):
    """Issuer, audience, times, nonce and subject are checked, each for itself."""
    provider.change = changed(**lie)
    with pytest.raises(Unauthenticated):
        through(sign_in, provider)


def test_several_audiences_with_ours_as_party(sign_in, provider):
    """A token for several is accepted when it was issued to us."""
    provider.change = changed(aud=["activity-center", "api"], azp="activity-center")
    assert through(sign_in, provider).subject.name == "ada"


def test_clocks_may_differ_a_little(sign_in, provider):
    """Half a minute between the clocks keeps nobody out."""
    provider.change = changed(iat=int(time.time()) + 20, exp=int(time.time()) - 5)
    assert through(sign_in, provider).subject.name == "ada"


def encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).decode().rstrip("=")


def forged(claims: dict, header: dict, sign: Callable[[bytes], bytes]) -> str:
    """A token made by hand."""
    text = f"{encoded(json.dumps(header).encode())}.{encoded(json.dumps(claims).encode())}"
    return f"{text}.{encoded(sign(text.encode()))}"


@pytest.mark.parametrize("kind", ["another key", "unknown key", "another algorithm"])
def test_signature_must_be_right(sign_in, provider, kind):
    """A key that is not the issuer's, or an algorithm that is not ours: refused."""
    if kind == "another key":
        provider.signs_with = signing_key("true")
    elif kind == "unknown key":
        provider.signs_with, provider.header = signing_key("x"), {"alg": "RS256", "kid": "x"}
    else:
        provider.key = provider.signs_with = RSAKey.generate_key(2048, {"kid": "true"})
        provider.header = {"alg": "PS256", "kid": "true"}
    with pytest.raises(Unauthenticated, match="cannot be accepted"):
        through(sign_in, provider)


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256"])
def test_made_by_hand(sign_in, provider, algorithm):
    """Neither no signature nor an HMAC with the public key as its secret is a signature."""

    def sign(text):
        public = provider.key.as_pem(private=False)
        return hmac.digest(public, text, "sha256") if algorithm == "HS256" else b""

    def forge(claims):
        header = {"alg": algorithm, "kid": "true"}
        provider.token = {"id_token": forged(claims, header, sign)}

    provider.change = forge
    with pytest.raises(Unauthenticated, match="cannot be accepted"):
        through(sign_in, provider)


@pytest.mark.parametrize("critical", [["x-more"], ["b64"]])
def test_what_must_be_understood(sign_in, provider, critical):
    """A token with a critical header that we do not know is refused; others are left alone."""
    header = {"alg": "RS256", "kid": "true", "x-more": 1}

    def sign(text):
        return provider.key.private_key.sign(text, padding.PKCS1v15(), hashes.SHA256())

    def forge(claims):
        provider.token = {"id_token": forged(claims, header, sign)}

    provider.change = forge
    assert through(sign_in, provider).subject.name == "ada"
    header["crit"] = critical
    with pytest.raises(Unauthenticated, match="cannot be accepted"):
        through(sign_in, provider)


@pytest.mark.parametrize("token", [None, 7, "", "a.b.c", "x" * 100, {"a": 1}], ids=repr)
def test_no_token_is_no_token(sign_in, provider, token):
    """An answer without a proper ID token signs nobody in."""
    provider.token = {"id_token": token}
    with pytest.raises(Unauthenticated):
        through(sign_in, provider)


def test_an_answer_of_another_issuer(sign_in, provider):
    """An answer that names another issuer is refused before its code is used (RFC 9207)."""
    with pytest.raises(Unauthenticated, match="another identity provider"):
        through(sign_in, provider, iss="https://evil.example")
    assert "/token" not in provider.asked
    assert through(sign_in, provider, iss=provider.issuer).subject.name == "ada"


def test_an_issuer_that_names_itself_always_does(provider, store):
    """A provider that announces iss must send it: an answer without is from elsewhere."""
    provider.discovery = {"authorization_response_iss_parameter_supported": True}
    sign_in = make(provider, store)
    with pytest.raises(Unauthenticated, match="another identity provider"):
        through(sign_in, provider)
    assert through(sign_in, provider, iss=provider.issuer).subject.name == "ada"


@pytest.mark.parametrize(
    "members",
    [
        {"issuer": "https://evil.example"},
        {"issuer": None},
        {"authorization_endpoint": None},
        {"authorization_endpoint": "http://evil.example/authorize"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"token_endpoint": "http://evil.example/token"},
        {"token_endpoint": 7},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": ""},
        {"userinfo_endpoint": "http://evil.example/userinfo"},
    ],
    ids=str,
)
def test_a_discovery_that_cannot_be_used(provider, store, members):
    """A document of another issuer, or with addresses that are not https, is not used."""
    provider.discovery = members
    with pytest.raises(Unavailable, match="identity provider"):
        make(provider, store).start("/")


def test_a_dead_provider_is_asked_seldom(provider, store):
    """Many who want to sign in do not hammer a provider that is broken."""
    provider.discovery = {"issuer": "https://evil.example"}
    sign_in = make(provider, store)
    for _ in range(20):
        with pytest.raises(Unavailable):
            sign_in.start("/")
    assert len(provider.asked) == 1


def test_discovery_is_read_once(sign_in, provider):
    """Endpoints and keys are kept from one sign-in to the next."""
    for _ in range(3):
        through(sign_in, provider)
    assert sorted(provider.asked) == [
        "/.well-known/openid-configuration",
        "/jwks",
        "/token",
        "/token",
        "/token",
    ]


def test_userinfo_of_another_person(provider, store):
    """UserInfo about somebody else is not mixed in."""
    provider.change = changed(email=None)
    provider.discovery = {"userinfo_endpoint": f"{provider.issuer}/userinfo"}
    provider.userinfo = {"sub": "mallory", "email": "root@example.org"}
    with pytest.raises(Unauthenticated, match="two persons"):
        through(make(provider, store), provider)


def test_the_token_wins_over_userinfo(provider, store):
    """What is signed counts, where both say something."""
    provider.change = changed(email=None)
    provider.discovery = {"userinfo_endpoint": f"{provider.issuer}/userinfo"}
    provider.userinfo = {"sub": "ada", "email": "ada@example.net", "name": "Another"}
    subject = through(make(provider, store), provider).subject
    assert (subject.email, subject.full_name) == ("ada@example.net", "Ada")


def test_the_secret_goes_where_the_provider_wants_it(provider, store):
    """A provider that does not take Basic gets the secret in the form; all get the verifier."""
    provider.discovery = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    through(make(provider, store), provider)
    assert provider.form["client_secret"] == ["the-secret"]
    assert len(provider.form["code_verifier"][0]) == 43


@pytest.mark.parametrize(
    ("error", "kind", "told"),
    [
        ("access_denied", Unauthenticated, "did not let you in"),
        ("temporarily_unavailable", Unavailable, "now"),
        ("login_required", Unauthenticated, "login_required"),
        ("<script>alert(1)</script>", Unauthenticated, "no known reason"),
        ("x" * 5000, Unauthenticated, "no known reason"),
    ],
)
def test_errors_of_the_provider(sign_in, provider, error, kind, told):
    """An error is told in our words; of the provider's only what looks like a code."""
    with pytest.raises(kind) as refused:
        through(sign_in, provider, error=error, error_description="do evil", code="")
    assert told in refused.value.message
    assert "evil" not in str(refused.value)


@pytest.mark.parametrize("code", ["", "x" * 5000])
def test_codes_have_bounds(sign_in, provider, code):
    """No code, or one without end, is not sent on."""
    with pytest.raises(Unauthenticated):
        through(sign_in, provider, code=code)
    assert "/token" not in provider.asked


@pytest.mark.parametrize(
    ("page", "there"),
    [
        ("/", "/"),
        ("/audit?q=a%20b&x=/y", "/audit?q=a%20b&x=/y"),
        ("/organizations/o1/activity-logs#top", "/organizations/o1/activity-logs#top"),
        ("//evil.example", "/"),
        ("///evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/a\\b", "/"),
        ("\\/evil.example", "/"),
        ("/\n/evil.example", "/"),
        ("/\t/evil.example", "/"),
        ("/%5c\\evil", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
        ("/ /evil.example", "/"),
        ("/é", "/"),
        ("https://evil.example/", "/"),
        ("https:evil.example", "/"),
        ("audit", "/"),
        ("/" + "x" * 3000, "/"),
    ],
)
def test_local_pages_alone(page, there):
    """Nothing that a browser could read as another host is gone to."""
    assert local(page) == there
