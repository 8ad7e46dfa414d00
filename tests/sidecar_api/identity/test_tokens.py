"""API tokens: times, and sessions that are begun with one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sidecar_api.failures import Unauthenticated
from sidecar_api.identity import Identity
from sidecar_api.identity.bearer import MAX_CREDENTIAL
from sidecar_api.identity.subject import refused
from sidecar_api.identity.tokens import Tokens
from tests.sidecar_api.identity.cases import TOKEN, api_token, ask, bearer, begun, config

END = datetime(2027, 1, 1, tzinfo=UTC)


def test_a_token_counts_until_its_end() -> None:
    """A moment before ``expires`` it is right, from then on it is refused like a wrong one."""
    now = END - timedelta(seconds=1)
    tokens = Tokens([api_token(expires=END)], clock=lambda: now)
    subject = tokens.recognize(ask(bearer(TOKEN)))
    assert subject is not None
    assert (subject.person, subject.token, subject.ambient) == ("u-1", "ci", False)
    now = END
    with pytest.raises(Unauthenticated) as caught:
        tokens.recognize(ask(bearer(TOKEN)))
    assert str(caught.value) == str(refused())
    assert not tokens.holds(subject)


def test_each_token_has_its_own_person(tmp_path: Path) -> None:
    """Of several tokens the one that is sent decides."""
    identity = Identity(
        config(tmp_path, tokens=(api_token("u-1"), api_token("u-2", "another-token")))
    )
    for token, person in ((TOKEN, "u-1"), ("another-token", "u-2")):
        reader = identity.authenticate(ask(bearer(token)))
        assert reader is not None
        assert reader.id == person


def test_the_digest_is_no_token(tmp_path: Path) -> None:
    """Who reads the configuration cannot sign in with what stands there."""
    token = api_token()
    with pytest.raises(Unauthenticated):
        Identity(config(tmp_path, tokens=(token,))).authenticate(ask(bearer(token.sha256)))


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_is_caseless(tmp_path: Path, scheme: str) -> None:
    """RFC 9110 section 11.1."""
    identity = Identity(config(tmp_path, tokens=(api_token(),)))
    assert identity.authenticate(ask([("Authorization", f"{scheme} {TOKEN}")])) is not None


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer ", TOKEN, f"Digest {TOKEN}", f"Bearer {TOKEN} x", "Negotiate YQ=="]
)
def test_other_forms_of_the_header_are_refused(tmp_path: Path, header: str) -> None:
    """What cannot be a bearer token is a wrong credential, and no request without one."""
    identity = Identity(config(tmp_path, tokens=(api_token(),)))
    with pytest.raises(Unauthenticated):
        identity.authenticate(ask([("Authorization", header)]))


def test_a_session_ends_with_its_token(tmp_path: Path) -> None:
    """A token that is removed, expired, given to someone else or replaced ends its sessions."""
    identity = Identity(config(tmp_path, tokens=(api_token(),)))
    cookie = begun(identity, identity.token(TOKEN))
    reader = identity.authenticate(ask(cookie))
    assert reader is not None
    assert (reader.id, reader.provider, reader.token) == ("u-1", "token", "ci")
    assert reader.ambient
    assert reader.session
    for tokens in (
        (),
        (api_token(expires=datetime(2020, 1, 1, tzinfo=UTC)),),
        (api_token("u-2"),),
        (api_token(value="another-token"),),
    ):
        assert Identity(config(tmp_path, tokens=tokens)).authenticate(ask(cookie)) is None
    assert Identity(config(tmp_path, tokens=(api_token(),))).authenticate(ask(cookie)) is not None


def test_signing_in_with_a_wrong_token(tmp_path: Path) -> None:
    """It is refused in the same words as in a header; a token of nobody is too."""
    identity = Identity(config(tmp_path, tokens=(api_token(), api_token("gone", "nobodys"))))
    for value in ("wrong", "", "nobodys", "\ud800"):
        with pytest.raises(Unauthenticated) as caught:
            identity.token(value)
        assert str(caught.value) == str(refused())


def test_a_credential_has_a_largest_size(tmp_path: Path) -> None:
    """What is longer is not looked at, even where it would be right."""
    header = "Bearer "
    fits = "x" * (MAX_CREDENTIAL - len(header))
    identity = Identity(
        config(tmp_path, tokens=(api_token(value=fits), api_token(value=fits + "x")))
    )
    assert identity.authenticate(ask(bearer(fits))) is not None
    with pytest.raises(Unauthenticated):
        identity.authenticate(ask(bearer(fits + "x")))


def test_a_token_without_its_scheme_says_what_is_missing(tmp_path: Path) -> None:
    """``Authorization: TOKEN`` is refused whether or not the token is right; the hint helps."""
    identity = Identity(config(tmp_path, tokens=(api_token(),)))
    for value in (TOKEN, "another"):
        with pytest.raises(Unauthenticated) as refused:
            identity.authenticate(ask([("Authorization", value)]))
        assert "Authorization: Bearer" in (refused.value.hint or "")
