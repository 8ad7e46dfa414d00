"""Signed tokens: what was signed comes back, and nothing else is believed."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar_api.cursors import MAX_LENGTH, Signer
from sidecar_api.failures import BadRequest

SECRET = bytes(range(32))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@given(JSON, st.binary(max_size=40))
def test_what_was_signed_comes_back(value: object, binding: bytes) -> None:
    """Any JSON, under the same key, purpose and binding."""
    signer = Signer(SECRET, "cursor", "cursor")
    assert signer.open(signer.sign(value, binding), binding) == value


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda raw: raw.decode("latin-1")))
def test_nonsense_is_refused_as_bad_request(token: str) -> None:
    """Whatever a client sends: 400 that names the parameter, never another error."""
    with pytest.raises(BadRequest) as refused:
        Signer(SECRET, "cursor", "cursor").open(token)
    assert refused.value.members == {"parameter": "cursor"}


def test_key_purpose_and_binding_are_part_of_it() -> None:
    """A token of another installation, another purpose or another binding is none."""
    token = Signer(SECRET, "cursor", "cursor").sign([1], b"mine")
    for signer, binding in (
        (Signer(bytes(32), "cursor", "cursor"), b"mine"),
        (Signer(SECRET, "stream", "cursor"), b"mine"),
        (Signer(SECRET, "cursor", "cursor"), b"other"),
        (Signer(SECRET, "cursor", "cursor"), b""),
    ):
        with pytest.raises(BadRequest):
            signer.open(token, binding)


def test_every_changed_letter_is_noticed() -> None:
    """No letter of the token can be exchanged for another."""
    signer = Signer(SECRET, "cursor", "cursor")
    token = signer.sign({"at": ["2026-11-20", "x"], "number": 2})
    for place, letter in enumerate(token):
        changed = token[:place] + ("A" if letter != "A" else "B") + token[place + 1 :]
        with pytest.raises(BadRequest):
            signer.open(changed)


def test_a_token_beyond_the_length_is_not_looked_at() -> None:
    """Even one that is signed: the bound holds before any work."""
    signer = Signer(SECRET, "cursor", "cursor")
    with pytest.raises(BadRequest):
        signer.open(signer.sign("x" * MAX_LENGTH))


def test_a_token_hides_nothing_and_holds_no_reader() -> None:
    """Its content can be read; what it is bound to does not stand in it."""
    body = Signer(SECRET, "cursor", "cursor").sign([7], b"reader-1").partition(".")[0]
    assert base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)) == b"[7]"
