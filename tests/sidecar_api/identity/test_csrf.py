"""Requests that a browser was made to send."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flask import Request
from werkzeug.test import EnvironBuilder

from activity_center.config_sidecar import SidecarConfig
from sidecar_api.failures import CrossSite
from sidecar_api.identity.csrf import check, token
from sidecar_api.reader import Reader

SECRET = bytes(32)
OURS = "https://audit.example.org"
SIDECAR = SidecarConfig(public_url=OURS)
SESSION = Reader("u1", ambient=True, session="5e55")
PROXY = Reader("u1", provider="proxy", ambient=True)
BEARER = Reader("u1", provider="jwt")

SAME = {"Sec-Fetch-Site": "same-origin"}


def with_token(reader: Reader, **headers: str) -> dict[str, str]:
    return {"X-CSRF-Token": token(reader, SECRET), **headers}


def send(method: str, headers: dict[str, str], reader: Reader | None) -> None:
    request = Request(EnvironBuilder(method=method, headers=headers).get_environ())
    check(request, reader, secret=SECRET, sidecar=SIDECAR)


@pytest.mark.parametrize(
    ("method", "reader", "headers"),
    [
        ("GET", SESSION, SAME),
        ("GET", SESSION, {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"}),
        ("GET", BEARER, {"Sec-Fetch-Site": "cross-site"}),
        ("GET", None, {"Sec-Fetch-Site": "cross-site"}),  # what is public
        ("HEAD", SESSION, {}),
        ("OPTIONS", SESSION, {}),
        ("POST", SESSION, with_token(SESSION) | SAME),
        ("DELETE", SESSION, with_token(SESSION) | {"Origin": OURS}),
        ("POST", SESSION, with_token(SESSION)),  # a program with a cookie: neither header
        ("POST", PROXY, with_token(PROXY) | SAME),
        ("POST", BEARER, {"Sec-Fetch-Site": "cross-site"}),  # no browser sends this by itself
        ("POST", None, SAME),
        ("POST", None, {"Origin": OURS}),
        ("POST", None, {}),
    ],
)
def test_passes(method, reader, headers):
    """What changes nothing, comes from our page with its token, or has a token of the API."""
    send(method, headers, reader)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
@pytest.mark.parametrize("reader", [SESSION, PROXY])
@pytest.mark.parametrize("site", ["cross-site", "same-site", "made-up"])
@pytest.mark.parametrize("mode", ["navigate", "no-cors", "cors"])
def test_reading_for_another_site_is_refused(method, reader, site, mode):
    """An image, a form or a link elsewhere makes nobody export or ask for what is closed."""
    with pytest.raises(CrossSite):
        send(method, {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode}, reader)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "MADEUP"])
@pytest.mark.parametrize(
    ("reader", "headers"),
    [
        (SESSION, SAME),
        (SESSION, SAME | {"X-CSRF-Token": ""}),
        (SESSION, SAME | {"X-CSRF-Token": "ü" * 64}),
        (SESSION, SAME | with_token(replace(SESSION, session="other"))),
        (SESSION, SAME | with_token(PROXY)),  # of the reader, not of the session
        (PROXY, SAME | with_token(replace(PROXY, id="u2"))),
        (SESSION, with_token(SESSION, **{"Sec-Fetch-Site": "cross-site"})),
        (SESSION, with_token(SESSION, **{"Sec-Fetch-Site": "same-site"})),  # a neighbour's page
        (SESSION, with_token(SESSION, **{"Sec-Fetch-Site": "none"})),
        (SESSION, with_token(SESSION, **{"Sec-Fetch-Site": "cross-site", "Origin": OURS})),
        (SESSION, with_token(SESSION, Origin="https://evil.example")),
        (SESSION, with_token(SESSION, Origin="null")),
        (SESSION, with_token(SESSION, Origin="http://audit.example.org")),
        (None, {"Sec-Fetch-Site": "cross-site"}),  # signing somebody in under another name
        (None, {"Origin": "https://evil.example"}),
    ],
)
def test_is_refused(method, reader, headers):
    """From elsewhere, or without the token of this very session: refused."""
    with pytest.raises(CrossSite):
        send(method, headers, reader)


def test_another_secret_makes_another_token():
    """The token cannot be made without the sidecar's key."""
    assert token(SESSION, SECRET) != token(SESSION, b"1" * 32)
    assert len(token(SESSION, SECRET)) == 64
