"""One suite for every way of knowing who asks."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from activity_center.config_sidecar import ProxyIdentity
from sidecar_api.failures import BadRequest, Failure, Unauthenticated
from sidecar_api.identity import Identity
from sidecar_api.identity.subject import refused
from sidecar_api.reader import Grant
from tests.sidecar_api.identity import cases
from tests.sidecar_api.identity.cases import JOE, MARA, Case, ask

MAKERS: dict[str, Callable[..., Case]] = {
    "development": cases.development_case,
    "jwt": cases.jwt_case,
    "opensearch": cases.opensearch_case,
    "proxy": cases.proxy_case,
    "session": cases.session_case,
    "token": cases.tokens_case,
}
HOSTILE = {
    "10 kB": "A" * 10_240,
    "beyond all bounds": "A" * 100_000,
    "NUL": "a\0b",
    "empty": "",
    "space": " ",
    "line feed": "a\r\nX-Forwarded-User: joe",
    "unicode": "маra\u202e\u200b",
    "lone surrogate": "a\ud800",
    "not UTF-8": "\xff\xfe",
    "quote": "' OR 1=1 --",
    "path": "../../etc/passwd",
    "comma": "m.lind, joe",
    "braces": "{${jndi:ldap://x}}%s%n",
}


@pytest.fixture(params=MAKERS)
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Case:
    needed: dict[str, Any] = {}
    if request.param == "jwt":
        needed["issuer"] = request.getfixturevalue("issuer")
    if request.param == "opensearch":
        needed["cluster"] = request.getfixturevalue("secure_opensearch").cluster
    return MAKERS[request.param](tmp_path, **needed)


def test_a_right_credential_is_that_persons(case: Case) -> None:
    """Whoever shows the right credential is the person of the configuration, with their roles."""
    identity = Identity(case.config)
    reader = identity.authenticate(ask(case.good(identity), case.peer))
    assert reader is not None
    assert (reader.id, reader.name, reader.email) == ("u-1", "mara", "mara@northwind.example")
    assert reader.grants == {"northwind": (Grant("admin"),)}
    assert reader.platform_roles == frozenset()
    assert reader.ambient is case.ambient


def test_a_wrong_credential_is_refused_in_the_same_words(case: Case) -> None:
    """Which part of a credential is wrong is not said; nobody falls back to being someone."""
    identity = Identity(case.config)
    for headers in case.wrong:
        if not case.refuses:
            assert identity.authenticate(ask(headers, case.peer)) is None
            continue
        with pytest.raises(Unauthenticated) as caught:
            identity.authenticate(ask(headers, case.peer))
        expected = refused()
        assert (str(caught.value), caught.value.headers) == (str(expected), expected.headers)


def test_without_a_credential_it_is_nobody(case: Case) -> None:
    """A request without one is nobody's, from wherever it comes."""
    assert Identity(case.config).authenticate(ask(peer="192.0.2.7")) is None


def test_a_role_taken_away_counts_at_once(case: Case) -> None:
    """With the next configuration the same credential opens nothing any more."""
    headers = case.good(Identity(case.config))
    bare = replace(next(iter(case.config.identity.people.values())), memberships=())
    reader = Identity(case.with_people(bare, JOE)).authenticate(ask(headers, case.peer))
    assert reader is not None
    assert (reader.id, reader.grants) == ("u-1", {})


def test_a_removed_person_has_no_rights_at_once(case: Case) -> None:
    """Someone who is no longer in the configuration is a stranger, or refused."""
    headers = case.good(Identity(case.config))
    try:
        reader = Identity(case.with_people(JOE)).authenticate(ask(headers, case.peer))
    except Unauthenticated:
        return
    assert reader is None or (reader.grants, reader.platform_roles) == ({}, frozenset())


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_is_nobody(case: Case, text: str) -> None:
    """Whatever stands in the place of the credential: no known person, no error but ours."""
    identity = Identity(case.config)
    try:
        reader = identity.authenticate(ask(case.carrier(text), case.peer))
    except Failure as refusal:
        assert refusal.status in (400, 401)
        return
    # The proxy may say any name, and says who it is: a stranger.
    assert reader is None or (reader.id.startswith("proxy:") and not reader.grants)


def test_a_header_that_stands_twice_is_nobody(case: Case) -> None:
    """Two of a credential are not one of them."""
    identity = Identity(case.config)
    headers = [*case.good(identity)] or [*case.carrier("a")]
    try:
        reader = identity.authenticate(ask([*headers, *headers], case.peer))
    except Failure as refusal:
        assert refusal.status in (400, 401)
        return
    # Browsers send one cookie twice where two paths hold it; it is the same session.
    assert reader is None or reader.session


def test_two_kinds_of_credential_are_refused(case: Case) -> None:
    """With two of them it would not be clear whose deed it is."""
    both = replace(
        case.config.identity,
        tokens=(*case.config.identity.tokens, cases.api_token("u-2", "other")),
        proxy=ProxyIdentity((case.peer,)),
    )
    identity = Identity(replace(case.config, identity=both))
    mine, other = case.good(identity) or cases.bearer("other"), cases.bearer("other")
    if mine[0][0] == "Authorization":
        other = [("X-Forwarded-User", "joe")]
    for one in (mine, other):
        assert identity.authenticate(ask(one, case.peer)) is not None
    with pytest.raises(BadRequest, match="two credentials") as caught:
        identity.authenticate(ask([*mine, *other], case.peer))
    assert caught.value.members == {"parameter": "Authorization"}


def test_nothing_secret_is_shown(case: Case, caplog: pytest.LogCaptureFixture) -> None:
    """No representation, error, traceback or log line has a credential in it."""
    caplog.set_level(logging.DEBUG)
    identity = Identity(case.config)
    headers = case.good(identity)
    reader = identity.authenticate(ask(headers, case.peer))
    shown = [repr(identity), repr(vars(identity)), repr(reader), repr(case.config)]
    for wrong in case.wrong:
        try:
            identity.authenticate(ask(wrong, case.peer))
        except Failure as refusal:
            shown += traceback.format_exception(refusal)
    shown += [record.getMessage() for record in caplog.records]
    values = [value.partition(" ")[2] or value for _, value in headers if case.secrets]
    for text in (*case.secrets, *values):
        assert not [one for one in shown if text in one]


def test_the_person_of_the_cases_is_admin_of_one_organization() -> None:
    """What the suite takes for a right would else be nothing."""
    assert [one.role for one in MARA.memberships] == ["admin"]
