"""Keys of an issuer: cached, and found again when they change."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from activity_center.address import is_safe
from activity_center.errors import ConfigError
from sidecar_api.failures import Unauthenticated, Unavailable
from sidecar_api.identity.fetching import MAX_ANSWER, Fetcher
from sidecar_api.identity.jwks import MAX_AGE, MIN_INTERVAL, Jwks


class Clock:
    """A clock that a test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Issuer:
    """A server of key sets: answers what it is told, and counts."""

    def __init__(self) -> None:
        self.status, self.body, self.asked = 200, b"", 0
        self.headers: dict[str, str] = {}
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked += 1
                self.send_response(issuer.status)
                for name, value in issuer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(issuer.body)))
                self.end_headers()
                self.wfile.write(issuer.body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/jwks"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def publish(self, *keys: dict) -> None:
        self.body = json.dumps({"keys": keys}).encode()


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    made = Issuer()
    yield made
    made.server.shutdown()
    made.server.server_close()


def ec(kid: str, **members: str) -> dict:
    return {**ECKey.generate_key("P-256").as_dict(private=False), "kid": kid, **members}


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def jwks(issuer, clock):
    return Jwks(issuer.url, clock=clock)


def test_is_fetched_once(issuer, jwks):
    """Nothing is fetched before it is wanted; then the set is kept."""
    issuer.publish(ec("a"), ec("b"))
    assert issuer.asked == 0
    assert jwks.find("a").kid == "a"
    assert jwks.find("b").kid == "b"
    assert issuer.asked == 1


def test_rotation(issuer, jwks, clock):
    """A key that is new at the issuer is found, the old one goes."""
    issuer.publish(ec("old"))
    jwks.find("old")
    issuer.publish(ec("new"))
    clock.now += MIN_INTERVAL + 1
    assert jwks.find("new").kid == "new"
    with pytest.raises(Unauthenticated):
        jwks.find("old")


def test_forged_names_do_not_hammer_the_issuer(issuer, jwks, clock):
    """However many unknown keys are asked for, the issuer is asked seldom."""
    issuer.publish(ec("a"))
    for number in range(100):
        with pytest.raises(Unauthenticated):
            jwks.find(f"forged-{number}")
    assert issuer.asked == 1
    clock.now += MIN_INTERVAL + 1
    for number in range(100):
        with pytest.raises(Unauthenticated):
            jwks.find(f"forged-{number}")
    assert issuer.asked == 2


def test_a_withdrawn_key_goes(issuer, jwks, clock):
    """A key that the issuer withdrew stops to count after the cache's age."""
    issuer.publish(ec("stolen"), ec("a"))
    jwks.find("stolen")
    issuer.publish(ec("a"))
    clock.now += MAX_AGE + 1
    with pytest.raises(Unauthenticated):
        jwks.find("stolen")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b"{}"),
        (200, b"nonsense"),
        (200, b"[]"),
        (200, b"{}"),
        (200, b'{"keys": 7}'),
        (200, b'{"keys": [' + b" " * MAX_ANSWER + b"]}"),
        (200, b"[" * 100_000),
    ],
    ids=["error", "no JSON", "list", "no keys", "no list", "too long", "deep"],
)
def test_keeps_what_it_knows(issuer, jwks, clock, status, body):
    """While the issuer is broken, the keys known last go on to count, for as long as it takes."""
    issuer.publish(ec("a"))
    jwks.find("a")
    issuer.status, issuer.body = status, body
    clock.now += 50 * MAX_AGE
    assert jwks.find("a").kid == "a"
    assert issuer.asked == 2


def test_without_any_keys_it_is_unavailable(issuer, jwks, clock):
    """Before any keys are known a dead issuer is a 503 that passes, not a wrong credential."""
    issuer.status = 500
    with pytest.raises(Unavailable) as failed:
        jwks.find("a")
    assert failed.value.headers == {"Retry-After": str(int(MIN_INTERVAL))}
    issuer.status = 200
    issuer.publish(ec("a"))
    clock.now += MIN_INTERVAL + 1
    assert jwks.find("a")


def test_only_public_signature_keys_count(issuer, jwks):
    """Symmetric keys, keys for encryption and unknown kinds are left out; the others stay."""
    issuer.publish(
        {**OctKey.generate_key(256).as_dict(private=True), "kid": "shared"},
        ec("encryption", use="enc"),
        {"kty": "NEW", "kid": "unknown"},
        {"kty": "EC", "kid": "broken", "crv": "P-256", "x": "!", "y": 7},
        {**RSAKey.generate_key(2048).as_dict(private=False), "kid": "rsa", "use": "sig"},
        {**OKPKey.generate_key("Ed25519").as_dict(private=False), "kid": "ed"},
    )
    assert jwks.find("rsa").key_type == "RSA"
    assert jwks.find("ed").key_type == "OKP"
    for kid in ("shared", "encryption", "unknown", "broken"):
        with pytest.raises(Unauthenticated):
            jwks.find(kid)


def test_without_a_name_there_must_be_one(issuer, jwks, clock):
    """A token without kid is taken if its issuer has one key alone."""
    issuer.publish(ec("a"))
    assert jwks.find(None).kid == "a"
    issuer.publish(ec("a"), ec("b"))
    clock.now += MAX_AGE + 1
    with pytest.raises(Unauthenticated):
        jwks.find(None)


def test_a_name_that_stands_twice_is_nobodys(issuer, jwks):
    """Two keys of one name cannot be told apart."""
    issuer.publish(ec("a"), ec("a"))
    with pytest.raises(Unauthenticated):
        jwks.find("a")


def test_redirects_are_not_followed(issuer, jwks):
    """An issuer cannot send us elsewhere for its keys."""
    issuer.publish(ec("a"))
    issuer.status, issuer.headers = 302, {"Location": issuer.url}
    with pytest.raises(Unavailable):
        jwks.find("a")
    assert issuer.asked == 1


def test_a_long_answer_is_cut(issuer):
    """An answer beyond the bound is no answer."""
    issuer.body = b'{"keys": [], "x": "' + b"x" * MAX_ANSWER + b'"}'
    with pytest.raises(Unavailable):
        Fetcher().ask(issuer.url)


def test_from_a_file(tmp_path, clock):
    """A file of keys is read at the start, and again when a key is not known."""
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps({"keys": [ec("a")]}))
    jwks = Jwks(str(file), clock=clock)
    assert jwks.find("a").kid == "a"
    file.write_text(json.dumps({"keys": [ec("b")]}))
    clock.now += MIN_INTERVAL + 1
    assert jwks.find("b").kid == "b"


@pytest.mark.parametrize("text", [None, "", "[]", '{"keys": []}', '{"keys": [{"kty": "oct"}]}'])
def test_a_wrong_file_is_named(tmp_path, text):
    """A file without keys is refused at the start, with its path."""
    file = tmp_path / "jwks.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ConfigError) as wrong:
        Jwks(str(file))
    assert wrong.value.where == str(file)


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://id.example.org/jwks", True),
        ("http://127.0.0.1:8080/jwks", True),
        ("http://localhost/jwks", True),
        ("http://id.example.org/jwks", False),
        ("http://localhost.evil.example/jwks", False),
        ("file:///etc/passwd", False),
        ("https://", False),
        ("https://[::1", False),
    ],
)
def test_keys_come_over_tls(url, safe):
    """Keys are fetched over TLS, or from this machine."""
    assert is_safe(url) is safe
    if not safe:
        with pytest.raises(ConfigError):
            Jwks(url)
        with pytest.raises(Unavailable):
            Fetcher().ask(url)
