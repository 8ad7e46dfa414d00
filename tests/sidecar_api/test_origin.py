"""The sidecar's own address, and the names that it answers to."""

from __future__ import annotations

import pytest
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from activity_center.config import Tls
from activity_center.config_sidecar import SidecarConfig
from sidecar_api.failures import BadRequest
from sidecar_api.origin import check_host, is_own, is_secure, own_origin

LOCAL = SidecarConfig()
PUBLIC = SidecarConfig(bind="0.0.0.0:8600", public_url="https://audit.example.org")
PROXIED = SidecarConfig(public_url="https://audit.example.org")


def asked(host: str) -> Request:
    return Request({**EnvironBuilder().get_environ(), "HTTP_HOST": host})


@pytest.mark.parametrize(
    ("sidecar", "origin", "secure"),
    [
        (LOCAL, "http://127.0.0.1:8600", False),
        (SidecarConfig(tls=Tls("a", "b")), "https://127.0.0.1:8600", True),
        (PUBLIC, "https://audit.example.org", True),
        (SidecarConfig(public_url="https://Audit.example.org:443/"), PUBLIC.public_url, True),
        (SidecarConfig(public_url="http://localhost:80"), "http://localhost", False),
        (SidecarConfig(bind="[::1]:8600"), "http://[::1]:8600", False),
    ],
)
def test_own_origin(sidecar, origin, secure):
    """The origin is written as browsers write it: lower case, without the usual port."""
    assert own_origin(sidecar) == origin
    assert is_secure(sidecar) is secure


@pytest.mark.parametrize(
    ("sidecar", "host", "origin", "own"),
    [
        (LOCAL, "localhost:8600", "http://localhost:8600", True),
        (LOCAL, "localhost:8600", "http://127.0.0.1:8600", True),
        (LOCAL, "localhost:8600", "http://localhost:8601", False),
        (LOCAL, "localhost:8600", "https://localhost:8600", False),
        (LOCAL, "localhost:8600", "null", False),
        (PUBLIC, "audit.example.org", "https://audit.example.org", True),
        (PUBLIC, "audit.example.org", "https://audit.example.org.evil.example", False),
        (PUBLIC, "evil.example", "http://evil.example", False),
    ],
)
def test_is_own(sidecar, host, origin, own):
    """With a public address only that is ours; without, the name that was asked for too."""
    assert is_own(origin, asked(host), sidecar) is own


@pytest.mark.parametrize(
    ("sidecar", "host"),
    [
        (LOCAL, "127.0.0.1:8600"),
        (LOCAL, "localhost:8600"),
        (LOCAL, "LOCALHOST"),
        (LOCAL, "[::1]:8600"),
        (PROXIED, "audit.example.org"),
        (PROXIED, "127.0.0.1:8600"),  # a proxy that names whom it asks
        (PUBLIC, "10.1.2.3:8600"),  # a probe of the platform
    ],
)
def test_answers_to_its_names(sidecar, host):
    """Loopback names and the public one are answered; beyond loopback any name is."""
    check_host(asked(host), sidecar)


@pytest.mark.parametrize("sidecar", [LOCAL, PROXIED])
@pytest.mark.parametrize(
    "host",
    [
        "evil.example:8600",
        "127.0.0.1.evil.example",
        "evil.example#127.0.0.1",
        "127.0.0.1@evil.example",
        "localhost:x",
        "[::1",
        "",
    ],
)
def test_a_rebound_name_is_refused(sidecar, host):
    """A foreign name that was pointed to this machine (DNS rebinding) reads nothing."""
    with pytest.raises(BadRequest) as refused:
        check_host(asked(host), sidecar)
    assert refused.value.members == {"parameter": "Host"}
