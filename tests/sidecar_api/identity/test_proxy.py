"""Headers of a proxy: believed from its own connection alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from activity_center.config_sidecar import ProxyIdentity
from sidecar_api.failures import Unauthenticated
from sidecar_api.identity import Identity
from sidecar_api.identity.subject import refused
from sidecar_api.reader import Reader
from tests.sidecar_api.identity.cases import PEER, Headers, ask, config

USER = [("X-Forwarded-User", "m.lind")]


def of(folder: Path, headers: Headers, peer: str = PEER, **proxy: str) -> Reader | None:
    section = ProxyIdentity(("10.0.3.0/28", "2001:db8::5"), **proxy)
    return Identity(config(folder, proxy=section)).authenticate(ask(headers, peer))


@pytest.mark.parametrize("peer", [PEER, "10.0.3.15", "2001:db8::5", "::ffff:10.0.3.7"])
def test_listed_peers_are_believed(tmp_path: Path, peer: str) -> None:
    """An address, one inside a network, and an IPv4 address as IPv6 sockets show it."""
    reader = of(tmp_path, USER, peer)
    assert reader is not None
    assert (reader.id, reader.provider, reader.ambient) == ("u-1", "proxy", True)


@pytest.mark.parametrize("peer", ["10.0.3.16", "127.0.0.1", "2001:db8::6", "", "unix", "10.0.3.7x"])
@pytest.mark.parametrize("header", ["X-Forwarded-User", "X-Forwarded-Email", "x-forwarded-user"])
def test_the_header_of_anyone_else_is_refused(tmp_path: Path, peer: str, header: str) -> None:
    """It is not ignored: who sends it wants to be somebody, or the list lacks a proxy."""
    with pytest.raises(Unauthenticated) as caught:
        of(tmp_path, [(header, "m.lind")], peer, email="X-Forwarded-Email")
    assert str(caught.value) == str(refused())


def test_forwarded_addresses_do_not_make_a_peer(tmp_path: Path) -> None:
    """The socket's address counts, whatever other headers say."""
    forged = [("X-Forwarded-For", PEER), ("X-Real-IP", PEER), ("Forwarded", f"for={PEER}")]
    with pytest.raises(Unauthenticated):
        of(tmp_path, [*USER, *forged], "192.0.2.7")


def test_without_the_section_the_headers_are_nothing(tmp_path: Path) -> None:
    """Who has no proxy configured believes none, not even on loopback."""
    identity = Identity(config(tmp_path))
    assert identity.authenticate(ask(USER, "127.0.0.1")) is None


def test_a_proxy_may_pass_on_nobody(tmp_path: Path) -> None:
    """A request of the proxy without its headers is nobody's."""
    assert of(tmp_path, []) is None


EMAIL = ("X-Forwarded-Email", "Mara@Northwind.example")


def test_an_address_makes_nobody_somebody_else(tmp_path: Path) -> None:
    """The user's header alone says who it is, whatever address stands beside it."""
    for name, expected in (("auth0|17", "proxy:auth0|17"), ("joe", "u-2")):
        for section in ({}, {"email": "X-Forwarded-Email"}):
            reader = of(tmp_path, [("X-Forwarded-User", name), EMAIL], **section)
            assert reader is not None
            assert reader.id == expected
    stranger = of(tmp_path, [("X-Forwarded-User", "x"), EMAIL], email="X-Forwarded-Email")
    assert stranger is not None
    assert stranger.email == EMAIL[1]


def test_an_address_alone_counts_where_its_header_is_named(tmp_path: Path) -> None:
    """A header that the configuration does not name is nothing: clients may send it."""
    assert of(tmp_path, [EMAIL]) is None
    assert of(tmp_path, [EMAIL], "192.0.2.7") is None
    reader = of(tmp_path, [EMAIL], email="X-Forwarded-Email")
    assert reader is not None
    assert reader.id == "u-1"


def test_an_id_is_no_address(tmp_path: Path) -> None:
    """What is no address is compared with no id, though the proxy takes it for one."""
    for name in ("u-1", "m.lind"):
        with pytest.raises(Unauthenticated):
            of(tmp_path, [("X-Forwarded-Email", name)], email="X-Forwarded-Email")


@pytest.mark.parametrize("user", ["", " "])
def test_an_empty_user_is_nobody_by_address(tmp_path: Path, user: str) -> None:
    """An address decides only where the user's header does not stand at all."""
    with pytest.raises(Unauthenticated):
        of(tmp_path, [("X-Forwarded-User", user), EMAIL], email="X-Forwarded-Email")


def test_a_stranger_is_marked_as_the_proxys(tmp_path: Path) -> None:
    """A login name is no user.id of the platform: "u-9" of the proxy is not the platform's."""
    reader = of(tmp_path, [("X-Forwarded-User", "u-9")])
    assert reader is not None
    assert (reader.id, reader.name, reader.grants) == ("proxy:u-9", "u-9", {})


def test_other_names_of_the_headers(tmp_path: Path) -> None:
    """The configured headers count, and the usual ones do not then."""
    reader = of(tmp_path, [("Remote-User", "joe"), *USER], user="Remote-User", email="Remote-Mail")
    assert reader is not None
    assert reader.id == "u-2"


def test_names_beyond_ascii(tmp_path: Path) -> None:
    """UTF-8 in a header is read as such; look-alikes are other people."""
    reader = of(tmp_path, [("X-Forwarded-User", "Jörg Å")])
    assert reader is not None
    assert reader.id == "proxy:Jörg Å"
    reader = of(tmp_path, [("X-Forwarded-User", "m.lınd")])
    assert reader is not None
    assert reader.id == "proxy:m.lınd"
