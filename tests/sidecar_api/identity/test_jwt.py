"""Bearer tokens that an issuer signs: what is pinned, what is forged, and how keys rotate."""

from __future__ import annotations

import base64
import hmac
import json
import time
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey, OKPKey, RSAKey

from activity_center.errors import ConfigError
from sidecar_api.failures import Unavailable
from sidecar_api.identity import Identity
from sidecar_api.identity.jwt import LEEWAY
from tests.sidecar_api.identity.cases import ask, basic, config, jwt_issuer, of, refusal
from tests.sidecar_api.identity.issuer import AUDIENCE, Issuer, raw_token, rsa, signed_token


@pytest.fixture
def identity(tmp_path: Path, issuer: Issuer) -> Identity:
    return Identity(config(tmp_path, jwt=(jwt_issuer(issuer),)))


def claims_of(issuer: Issuer, **further: Any) -> dict[str, Any]:
    now = int(time.time())
    return {"iss": issuer.url, "aud": AUDIENCE, "sub": "u-1", "exp": now + 300, **further}


def public_pem(key: RSAKey) -> bytes:
    return key.as_pem(private=False)


@pytest.mark.parametrize("name", ["none", "None", "NONE", ""])
def test_a_token_without_signature_is_refused(
    identity: Identity, issuer: Issuer, name: str
) -> None:
    """RFC 8725 section 3.1: the token's own word on its algorithm does not count."""
    for signature in (b"", b"x"):
        with refusal():
            of(identity, raw_token({"alg": name}, claims_of(issuer), signature))


@pytest.mark.parametrize("algorithm", ["HS256", "HS512"])
def test_the_public_key_as_a_shared_secret_is_refused(
    identity: Identity, issuer: Issuer, algorithm: str
) -> None:
    """RFC 8725 section 2.1: everybody knows the public key, and it signs nothing."""
    key = issuer.keys[0]
    assert isinstance(key, RSAKey)
    digest = {"HS256": "sha256", "HS512": "sha512"}[algorithm]
    spellings = [
        public_pem(key),
        public_pem(key).strip(),
        json.dumps(key.as_dict(private=False)).encode(),
    ]
    for spelling in spellings:
        head = raw_token({"alg": algorithm, "kid": key.kid}, claims_of(issuer)).rpartition(".")[0]
        tag = hmac.digest(spelling, head.encode(), digest)
        with refusal():
            of(identity, f"{head}.{base64.urlsafe_b64encode(tag).decode().rstrip('=')}")


@pytest.mark.parametrize(
    "change",
    [
        {"aud": "other"},
        {"aud": ["other", "another"]},
        {"aud": [AUDIENCE.upper()]},
        {"aud": {"activity-center": True}},
        {"aud": None},
        {"without": "aud"},
        {"without": "exp"},
        {"without": "sub"},
        {"exp": 0},
        {"exp": "2099"},
        {"exp": None},
        {"exp": True},
        {"exp": float("nan")},
        {"sub": ""},
        {"sub": 7},
        {"sub": ["u-1"]},
        {"sub": {"id": "u-1"}},
        {"sub": "u-1\u0000"},
        {"sub": "x" * 257},
        {"nbf": 4_000_000_000},
        {"iat": 4_000_000_000},
        {"iss": "https://other.example"},
        {"iss": None},
        {"without": "iss"},
    ],
    ids=str,
)
def test_claims_are_pinned(identity: Identity, issuer: Issuer, change: dict[str, Any]) -> None:
    """A genuine signature does not help a token for others, of another time or about nobody."""
    with refusal():
        of(identity, issuer.token(**change))


def test_an_issuer_with_a_slash_more_is_another(identity: Identity, issuer: Issuer) -> None:
    """Issuers are compared letter by letter (RFC 8414 section 2)."""
    with refusal():
        of(identity, issuer.token(iss=f"{issuer.url}/"))


def test_one_of_several_audiences_suffices(identity: Identity, issuer: Issuer) -> None:
    """RFC 7519 section 4.1.3."""
    assert of(identity, issuer.token(aud=["other", AUDIENCE])) is not None


def test_clocks_may_differ_by_the_leeway(identity: Identity, issuer: Issuer) -> None:
    """A token just expired, or valid in a moment, still counts; a little further it does not."""
    now = int(time.time())
    assert of(identity, issuer.token(exp=now - LEEWAY + 10)) is not None
    assert of(identity, issuer.token(nbf=now + LEEWAY - 10)) is not None
    with refusal():
        of(identity, issuer.token(exp=now - LEEWAY - 1))
    with refusal():
        of(identity, issuer.token(nbf=now + LEEWAY + 10))


@pytest.mark.parametrize(
    "header",
    [
        {"crit": ["b64"], "b64": False},
        {"crit": ["exp"], "exp": 1},
        {"crit": []},
        {"typ": "logout+jwt"},
        {"typ": "dpop+jwt"},
        {"typ": 7},
        {"kid": "../../../../dev/null"},
        {"kid": "first' OR '1'='1"},
        {"kid": "x" * 300},
        {"kid": ["first"]},
        {"kid": 1},
        {"alg": "RS512"},
        {"alg": "PS256"},
    ],
    ids=str,
)
def test_hostile_headers_are_refused(
    identity: Identity, issuer: Issuer, header: dict[str, Any]
) -> None:
    """A header cannot change the meaning, the kind, the algorithm or the key of a token."""
    key = issuer.keys[0]
    assert isinstance(key, RSAKey)
    usual = {"alg": "RS256", "kid": "first"}
    assert of(identity, signed_token(key, usual, claims_of(issuer))) is not None
    with refusal():
        of(identity, signed_token(key, {**usual, **header}, claims_of(issuer)))
    if "alg" in header:  # truly signed, with an algorithm that the configuration does not name
        with refusal():
            of(identity, issuer.token(header=header))


@pytest.mark.parametrize("kind", ["JWT", "at+jwt", "application/at+jwt", "AT+JWT"])
def test_types_of_access_tokens_count(identity: Identity, issuer: Issuer, kind: str) -> None:
    """RFC 9068 section 2.1 and plain JWTs."""
    assert of(identity, issuer.token(header={"typ": kind})) is not None


@pytest.mark.parametrize("member", ["jwk", "jku", "x5u"])
def test_a_token_does_not_bring_its_own_key(
    identity: Identity, issuer: Issuer, member: str
) -> None:
    """RFC 8725 section 3.10: keys and addresses of keys in a header are not looked at."""
    own = rsa("first", 1)
    with Issuer(own) as attacker:
        value = own.as_dict(private=False) if member == "jwk" else attacker.jwks_url
        with refusal():
            of(identity, issuer.token(key=own, header={member: value}))
        assert attacker.asked == 0


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        ("ES256", ECKey.generate_key("P-256", {"kid": "k"})),
        ("EdDSA", OKPKey.generate_key("Ed25519", {"kid": "k"})),
        ("PS256", RSAKey.generate_key(2048, {"kid": "k"})),
    ],
)
def test_other_asymmetric_signatures(tmp_path: Path, algorithm: str, key: Any) -> None:
    """ES, PS and EdDSA count where they are configured, and RS256 does not then."""
    with Issuer(key, rsa("rsa")) as issuer:
        section = jwt_issuer(issuer, algorithms=(algorithm,))
        identity = Identity(config(tmp_path, jwt=(section,)))
        assert of(identity, issuer.token(header={"alg": algorithm})) is not None
        with refusal():
            of(identity, issuer.token(key=issuer.keys[1]))


def test_without_keys_nobody_is_let_in(identity: Identity, issuer: Issuer) -> None:
    """An issuer that never answered with keys is no reason to believe a token: 503."""
    issuer.status = 500
    with pytest.raises(Unavailable) as caught:
        of(identity, issuer.token())
    assert int(caught.value.headers["Retry-After"]) > 0


def test_keys_from_a_file(tmp_path: Path, issuer: Issuer) -> None:
    """``jwks_file`` needs no network; a file without keys is found at the start."""
    file = tmp_path / "keys.json"
    file.write_text(json.dumps(issuer.jwks()))
    section = jwt_issuer(issuer, jwks_url="", jwks_file=str(file))
    identity = Identity(config(tmp_path, jwt=(section,)))
    assert of(identity, issuer.token()) is not None
    assert issuer.asked == 0
    file.write_text("{}")
    with pytest.raises(ConfigError, match=str(file)):
        Identity(config(tmp_path, jwt=(section,)))


def test_each_issuer_has_its_own_keys(tmp_path: Path, issuer: Issuer) -> None:
    """A token signed by one issuer in the name of another is refused."""
    with Issuer(rsa("first", 1)) as other:
        identity = Identity(config(tmp_path, jwt=(jwt_issuer(issuer), jwt_issuer(other))))
        assert of(identity, issuer.token()) is not None
        assert of(identity, other.token()) is not None
        with refusal():
            of(identity, other.token(iss=issuer.url))


def test_a_token_is_not_basic(identity: Identity, issuer: Issuer) -> None:
    """A good token in a field for passwords is no bearer token."""
    with refusal():
        identity.authenticate(ask(basic("u-1", issuer.token())))
