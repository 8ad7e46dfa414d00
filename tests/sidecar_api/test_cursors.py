"""Sealed tokens: what was sealed comes back, and nothing else is believed."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activity_center.vocabulary import fields
from sidecar_api import cursors
from sidecar_api.cursors import MAX_LENGTH, Sealer
from sidecar_api.failures import BadRequest
from sidecar_api.moments import milliseconds
from sidecar_api.reader import Reader
from sidecar_api.search.newer import MOST_SEEN, Place

SECRET = bytes(range(32))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@given(JSON, st.binary(max_size=40))
def test_what_was_sealed_comes_back(value: object, binding: bytes) -> None:
    """Any JSON, under the same key, purpose and binding."""
    sealer = Sealer(SECRET, "cursor", "cursor")
    assert sealer.open(sealer.seal(value, binding), binding) == value


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda raw: raw.decode("latin-1")))
def test_nonsense_is_refused_as_bad_request(token: str) -> None:
    """Whatever a client sends: 400 that names the parameter, never another error."""
    with pytest.raises(BadRequest) as refused:
        Sealer(SECRET, "cursor", "cursor").open(token)
    assert refused.value.members == {"parameter": "cursor"}


def test_key_purpose_and_binding_are_part_of_it() -> None:
    """A token of another installation, another purpose or another binding is none."""
    token = Sealer(SECRET, "cursor", "cursor").seal([1], b"mine")
    for sealer, binding in (
        (Sealer(bytes(32), "cursor", "cursor"), b"mine"),
        (Sealer(SECRET, "stream", "cursor"), b"mine"),
        (Sealer(SECRET, "cursor", "cursor"), b"other"),
        (Sealer(SECRET, "cursor", "cursor"), b""),
    ):
        with pytest.raises(BadRequest):
            sealer.open(token, binding)


@dataclass(frozen=True)
class Seeing:
    """What a binding needs of a scope."""

    reader: Reader
    organization: str = "northwind"

    def query(self) -> dict[str, object]:
        """The wall."""
        return {"term": {"organization.id": self.organization}}


def test_a_token_is_its_readers_filters_and_walls_own() -> None:
    """Another reader who sees exactly the same, another wall, other filters or another format:
    for each of them the token is none; for the same ones it holds."""
    mira, jonas = Reader("usr_mk"), Reader("usr_jo")
    filters = [("action", "server.create")]
    sealer = Sealer(SECRET, "cursor", "cursor")
    token = sealer.seal([1], cursors.binding(Seeing(mira), filters, "csv"))
    assert sealer.open(token, cursors.binding(Seeing(mira), filters, "csv")) == [1]
    for other in (
        cursors.binding(Seeing(jonas), filters, "csv"),
        cursors.binding(Seeing(mira, "contoso"), filters, "csv"),
        cursors.binding(Seeing(mira), [*filters, ("outcome", "failure")], "csv"),
        cursors.binding(Seeing(mira), filters, "ndjson"),
        cursors.binding(Seeing(mira), filters),
    ):
        with pytest.raises(BadRequest):
            sealer.open(token, other)


def test_every_changed_letter_is_noticed() -> None:
    """No letter of the token can be exchanged for another."""
    sealer = Sealer(SECRET, "cursor", "cursor")
    token = sealer.seal({"at": ["2026-11-20", "x"], "number": 2})
    for place, letter in enumerate(token):
        changed = token[:place] + ("A" if letter != "A" else "B") + token[place + 1 :]
        with pytest.raises(BadRequest):
            sealer.open(changed)


def test_a_token_beyond_the_length_is_not_looked_at() -> None:
    """Even one that is sealed: the bound holds before any work."""
    sealer = Sealer(SECRET, "cursor", "cursor")
    with pytest.raises(BadRequest):
        sealer.open(sealer.seal("x" * MAX_LENGTH))


def test_a_token_cannot_be_read() -> None:
    """What it holds tells how much others write: neither content nor binding stands in it."""
    token = Sealer(SECRET, "cursor", "cursor").seal(["a-place"], b"reader-1")
    raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    assert b"a-place" not in raw
    assert b"reader-1" not in raw
    assert token != Sealer(SECRET, "cursor", "cursor").seal(["a-place"], b"reader-1")


@pytest.mark.parametrize("char", ["x", "é", "\U0001f600"])
def test_the_fullest_place_in_the_tail_is_taken(char: str) -> None:
    """As many entries as a place remembers, the last one with the longest id that there can be."""
    now = datetime.now(UTC)
    longest = fields()["event.id"].max_length or 0
    hits = [{"_id": f"{n}", "sort": [milliseconds(now) + n, char * longest]} for n in range(1000)]
    place = Place.at(now).beginning(2**40, 2**40, hits)
    assert len(place.seen) == MOST_SEEN
    sealer = Sealer(SECRET, "stream", "Last-Event-ID")
    token = sealer.seal(place.written())
    assert len(token) > MAX_LENGTH / 2
    assert Place.read(sealer.open(token)) == place
