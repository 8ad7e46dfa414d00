"""The address that limits and records go by."""

from __future__ import annotations

from dataclasses import replace

import pytest
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from activity_center.config_sidecar import ProxyIdentity
from activity_center.errors import ConfigError
from sidecar_api.client_address import block_of, client_address, networks, trusted
from tests.sidecar_api.identity.cases import config

TRUSTED = networks(["10.0.0.0/8", "fd00::/8", "127.0.0.1"], where="sidecar.trusted_proxies")


def asked(peer: str, *forwarded: str) -> Request:
    builder = EnvironBuilder(headers=[("X-Forwarded-For", one) for one in forwarded])
    return Request({**builder.get_environ(), "REMOTE_ADDR": peer})


def test_a_proxy_that_signs_people_in_says_whose_requests_they_are(tmp_path):
    """Else all who come through it would share one limit, and one address in the record."""
    section = config(tmp_path, proxy=ProxyIdentity(("10.0.3.0/28",)))
    section = replace(section, sidecar=replace(section.sidecar, trusted_proxies=("10.9.9.9",)))
    for peer in ("10.0.3.7", "10.9.9.9"):
        assert client_address(asked(peer, "203.0.113.9"), trusted(section)) == "203.0.113.9"
    assert client_address(asked("10.0.4.1", "203.0.113.9"), trusted(section)) == "10.0.4.1"
    with pytest.raises(ConfigError, match="no network"):
        trusted(config(tmp_path, proxy=ProxyIdentity(("nonsense",))))


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("198.51.100.7", (), "198.51.100.7"),
        ("198.51.100.7", ("203.0.113.9",), "198.51.100.7"),  # a stranger's header
        ("10.0.0.1", ("203.0.113.9",), "203.0.113.9"),
        ("10.0.0.1", ("1.2.3.4, 203.0.113.9",), "203.0.113.9"),  # the left part is the client's
        ("10.0.0.1", ("1.2.3.4", "203.0.113.9"), "203.0.113.9"),  # two headers are one list
        ("10.0.0.1", ("203.0.113.9, 10.9.9.9",), "203.0.113.9"),  # two proxies
        ("10.0.0.1", ("10.1.1.1, 10.9.9.9",), "10.1.1.1"),  # a client inside
        ("10.0.0.1", ("1.2.3.4, nonsense",), "10.0.0.1"),  # nothing left of it is believed
        ("10.0.0.1", ("",), "10.0.0.1"),
        ("10.0.0.1", ("203.0.113.9:4711",), "203.0.113.9"),
        ("10.0.0.1", ("[2001:db8::1]:4711",), "2001:db8::1"),
        ("fd00::1", ("2001:db8::1",), "2001:db8::1"),
        ("::ffff:10.0.0.1", ("203.0.113.9",), "203.0.113.9"),  # IPv4 on an IPv6 socket
        ("", ("203.0.113.9",), "unknown"),
        ("10.0.0.1", (",".join(["10.1.1.1"] * 5000),), "10.1.1.1"),
    ],
)
def test_is_read_from_the_right(peer, forwarded, address):
    """X-Forwarded-For counts from the right, as long as the hop that wrote it is trusted."""
    assert client_address(asked(peer, *forwarded), TRUSTED) == address


def test_without_proxies_no_header_counts():
    """Without trusted proxies the peer is the client, whatever it says."""
    assert client_address(asked("127.0.0.1", "203.0.113.9"), ()) == "127.0.0.1"


@pytest.mark.parametrize(
    ("address", "block"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("unknown", "unknown"),
    ],
)
def test_ipv6_counts_by_its_64(address, block):
    """A line that may use 2^64 addresses has one bucket."""
    assert block_of(address) == block


def test_what_is_no_network_is_refused():
    """A wrong entry is named when the configuration is read, not at a request."""
    with pytest.raises(ConfigError, match=r"sidecar\.trusted_proxies"):
        networks(["10.0.0.0/8", "proxy.example.org"], where="sidecar.trusted_proxies")
