"""Development mode: this machine alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from sidecar_api.failures import BadRequest, Unauthenticated
from sidecar_api.identity import Identity
from tests.sidecar_api.identity.cases import ask, begun, config


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.0.0.53", "::1"])
@pytest.mark.parametrize("host", ["127.0.0.1:8600", "localhost:8600", "[::1]:8600"])
def test_everyone_on_this_machine_is_the_person(tmp_path: Path, peer: str, host: str) -> None:
    """Both ends are loopback: no login is asked for."""
    reader = Identity(config(tmp_path, development="u-1")).authenticate(ask(peer=peer, host=host))
    assert reader is not None
    assert (reader.id, reader.provider, reader.ambient) == ("u-1", "development", True)


@pytest.mark.parametrize("peer", ["192.0.2.7", "10.0.0.1", "fe80::1", "", "localhost.evil.example"])
def test_others_are_nobody(tmp_path: Path, peer: str) -> None:
    """Should the port be reachable from elsewhere after all, nobody there is anyone."""
    assert Identity(config(tmp_path, development="u-1")).authenticate(ask(peer=peer)) is None


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"])
def test_what_a_proxy_passes_on_is_nobody(tmp_path: Path, header: str) -> None:
    """A proxy on this machine would make the whole world local."""
    identity = Identity(config(tmp_path, development="u-1"))
    assert identity.authenticate(ask([(header, "127.0.0.1")])) is None


def test_a_foreign_name_for_this_machine_is_refused(tmp_path: Path) -> None:
    """A page elsewhere that points its own name to 127.0.0.1 reads nothing (DNS rebinding)."""
    identity = Identity(config(tmp_path, development="u-1"))
    with pytest.raises(BadRequest):
        identity.authenticate(ask(host="evil.example:8600"))


def test_another_person_can_be_chosen(tmp_path: Path) -> None:
    """A session of another person goes before the default; unknown persons cannot be chosen."""
    identity = Identity(config(tmp_path, development="u-1"))
    cookie = begun(identity, identity.choose(ask(), "u-2"))
    reader = identity.authenticate(ask(cookie))
    assert reader is not None
    assert (reader.id, reader.provider) == ("u-2", "development")
    for person in ("u-3", "joe", ""):
        with pytest.raises(Unauthenticated):
            identity.choose(ask(), person)
    with pytest.raises(Unauthenticated):
        identity.choose(ask(peer="192.0.2.7"), "u-2")


def test_the_mode_switched_off_ends_its_sessions(tmp_path: Path) -> None:
    """A cookie from development days opens nothing, and no person can be chosen."""
    identity = Identity(config(tmp_path, development="u-1"))
    cookie = begun(identity, identity.choose(ask(), "u-2"))
    off = Identity(config(tmp_path))
    assert off.authenticate(ask(cookie)) is None
    assert off.authenticate(ask()) is None
    with pytest.raises(Unauthenticated):
        off.choose(ask(), "u-2")
