"""The facade: the key, the ways to sign in, and which way goes first."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest

from activity_center.config_sidecar import Oidc
from activity_center.errors import ConfigError
from sidecar_api.failures import Unauthenticated
from sidecar_api.identity import Identity, secret
from tests.sidecar_api.identity.cases import (
    TOKEN,
    api_token,
    ask,
    bearer,
    config,
    jwt_issuer,
)
from tests.sidecar_api.identity.issuer import Issuer


def test_the_key_stays(tmp_path: Path) -> None:
    """It is made once, of 32 bytes, in a file and a folder that nobody else can read."""
    first = Identity(config(tmp_path)).secret
    assert len(first) == 32
    assert Identity(config(tmp_path)).secret == first
    assert Identity(config(tmp_path / "other")).secret != first
    folder = tmp_path / "sidecar"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / secret.FILE).stat().st_mode) == 0o600


def test_all_workers_have_one_key(tmp_path: Path) -> None:
    """Of several that start at the same time one makes it, and nothing is left over."""
    found: list[bytes] = []
    barrier = threading.Barrier(8)

    def start() -> None:
        barrier.wait()
        found.append(secret.load(tmp_path / "a"))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert [file.name for file in (tmp_path / "a").iterdir()] == [secret.FILE]


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [
        (b"x" * 32, 0o644, "others could read"),
        (b"x" * 32, 0o640, "others could read"),
        (b"x", 0o600, "32 bytes"),
        (b"", 0o600, "32 bytes"),
    ],
)
def test_a_key_that_is_none_is_refused(
    tmp_path: Path, content: bytes, mode: int, words: str
) -> None:
    """A readable or damaged file stops the start; the message does not hold the key."""
    file = tmp_path / secret.FILE
    file.write_bytes(content)
    file.chmod(mode)
    with pytest.raises(ConfigError, match=words) as caught:
        secret.load(tmp_path)
    assert str(file) in str(caught.value)
    assert "xx" not in str(caught.value).replace(str(file), "")


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """The error names the key of the configuration."""
    (tmp_path / "sidecar").write_text("a file")
    with pytest.raises(ConfigError, match=r"sidecar\.data_dir"):
        Identity(config(tmp_path))


def test_ways_to_sign_in(tmp_path: Path) -> None:
    """The page offers what is configured, the best first, and nothing secret."""
    assert Identity(config(tmp_path)).methods() == []
    oidc = Oidc("http://127.0.0.1:1", "page", "geheim", label="Northwind")
    identity = Identity(config(tmp_path, oidc=oidc, tokens=(api_token(),), development="u-1"))
    assert identity.methods() == [
        {"kind": "oidc", "label": "Northwind", "href": "/oidc/login"},
        {
            "kind": "development",
            "people": [
                {
                    "id": "u-1",
                    "name": "mara",
                    "full_name": "",
                    "roles": [{"role": "admin", "organization": "northwind"}],
                },
                {
                    "id": "u-2",
                    "name": "joe",
                    "full_name": "",
                    "roles": [{"role": "owner", "organization": "contoso"}],
                },
            ],
        },
        {"kind": "token"},
    ]


def test_bearer_tokens_of_all_kinds_side_by_side(tmp_path: Path, issuer: Issuer) -> None:
    """An API token, also one that looks like a JWT, and a JWT of an issuer are told apart."""
    looks = issuer.token(iss="https://other.example")
    identity = Identity(
        config(
            tmp_path,
            tokens=(api_token("u-2"), api_token("u-2", looks)),
            jwt=(jwt_issuer(issuer),),
        )
    )
    for token, person, provider in (
        (TOKEN, "u-2", "token"),
        (looks, "u-2", "token"),
        (issuer.token(), "u-1", "jwt"),
    ):
        reader = identity.authenticate(ask(bearer(token)))
        assert reader is not None
        assert (reader.id, reader.provider) == (person, provider)


def test_a_wrong_credential_is_not_development(tmp_path: Path) -> None:
    """Who shows something wrong is not somebody by other means."""
    identity = Identity(config(tmp_path, development="u-1", tokens=(api_token(),)))
    with pytest.raises(Unauthenticated):
        identity.authenticate(ask(bearer("wrong")))


def test_without_any_way_nobody_gets_in(tmp_path: Path) -> None:
    """A configuration without identity opens nothing, also on loopback."""
    identity = Identity(config(tmp_path))
    assert identity.authenticate(ask()) is None
    with pytest.raises(Unauthenticated):
        identity.authenticate(ask(bearer(TOKEN)))
