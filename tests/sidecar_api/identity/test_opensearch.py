"""Logins of OpenSearch Security, checked by a real one."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from activity_center.config import Cluster
from activity_center.errors import ConfigError
from sidecar_api.failures import Unauthenticated, Unavailable
from sidecar_api.identity import Identity
from sidecar_api.identity.opensearch import LIFETIME, MAX_KEPT, OpenSearchLogins
from tests.conftest import Node
from tests.integration.process import free_port
from tests.sidecar_api.identity.cases import ask, basic, bearer, config

pytestmark = pytest.mark.usefixtures("alone_with_accounts")


@pytest.fixture(scope="module")
def account(secure_opensearch: Node, alone_with_accounts: None) -> Iterator[tuple[str, str]]:
    """A user of OpenSearch without any role."""
    name, password = f"u_{uuid.uuid4().hex}", f"Aa1-{secrets.token_urlsafe(24)}"
    path = f"/_plugins/_security/api/internalusers/{name}"
    send = secure_opensearch.client.transport.perform_request
    send("PUT", path, body={"password": password})
    yield name, password
    send("DELETE", path)


def test_an_unknown_user_is_a_stranger(
    tmp_path: Path, secure_opensearch: Node, account: tuple[str, str]
) -> None:
    """Who can log in to OpenSearch but is no person here has no role, and an id of their own."""
    name, password = account
    identity = Identity(config(tmp_path, secure_opensearch.cluster, opensearch=True))
    reader = identity.authenticate(ask(basic(name, password)))
    assert reader is not None
    assert (reader.id, reader.name, reader.grants) == (f"opensearch:{name}", name, {})
    assert (reader.provider, reader.ambient, reader.platform_roles) == (
        "opensearch",
        False,
        frozenset(),
    )


def test_who_is_remembered_is_no_guess(
    tmp_path: Path, secure_opensearch: Node, account: tuple[str, str]
) -> None:
    """Before OpenSearch is asked it is counted; not for a login that it knew a moment ago."""
    identity = Identity(config(tmp_path, secure_opensearch.cluster, opensearch=True))
    counted: list[bool] = []
    for _ in range(3):
        assert identity.authenticate(ask(basic(*account)), lambda: counted.append(True))
    assert counted == [True]


def test_roles_of_opensearch_give_nothing_here(tmp_path: Path, secure_opensearch: Node) -> None:
    """OpenSearch's own administrator sees nothing here unless the configuration says so."""
    cluster = secure_opensearch.cluster
    identity = Identity(config(tmp_path, cluster, opensearch=True))
    reader = identity.authenticate(ask(basic(cluster.username, cluster.password)))
    assert reader is not None
    assert (reader.grants, reader.platform_roles) == ({}, frozenset())


def test_the_sidecars_own_login_is_never_lent(tmp_path: Path, secure_opensearch: Node) -> None:
    """The question carries the caller's credential alone: a wrong one is not saved by ours."""
    cluster = secure_opensearch.cluster
    assert cluster.password
    identity = Identity(config(tmp_path, cluster, opensearch=True))
    for headers in (
        basic("nobody", "x"),
        basic(cluster.username, ""),
        bearer("x.y.z"),
        bearer("x"),
    ):
        with pytest.raises(Unauthenticated):
            identity.authenticate(ask(headers))


def test_an_answer_counts_for_a_while(secure_opensearch: Node, account: tuple[str, str]) -> None:
    """A right login is remembered for a short time, a wrong one never; another password of the
    same user is another login."""
    name, password = account
    send = secure_opensearch.client.transport.perform_request
    path = f"/_plugins/_security/api/internalusers/{name}"
    now = 0.0
    logins = OpenSearchLogins(secure_opensearch.cluster, clock=lambda: now)
    assert logins.recognize(ask(basic(name, password))) is not None
    send("DELETE", path)
    try:
        assert logins.recognize(ask(basic(name, password))) is not None
        with pytest.raises(Unauthenticated):
            logins.recognize(ask(basic(name, "another")))
        now = LIFETIME
        with pytest.raises(Unauthenticated):
            logins.recognize(ask(basic(name, password)))
    finally:
        send("PUT", path, body={"password": password})
    assert logins.recognize(ask(basic(name, password))) is not None


def test_what_is_remembered_is_bounded_and_unreadable(
    secure_opensearch: Node, account: tuple[str, str]
) -> None:
    """The memory holds keyed hashes, of a limited number of logins."""
    name, password = account
    logins = OpenSearchLogins(secure_opensearch.cluster)
    assert logins.recognize(ask(basic(name, password))) is not None
    assert password not in repr(vars(logins))
    ((key, (_, kept)),) = logins._kept.items()
    assert (len(key), kept) == (32, name)
    logins._kept.update({bytes([n >> 8, n & 255]): (1e12, "x") for n in range(MAX_KEPT + 5)})
    assert logins.recognize(ask(basic(name, password))) is not None
    assert len(logins._kept) == MAX_KEPT


def test_without_security_nobody_is_let_in(opensearch: Node) -> None:
    """An OpenSearch that knows no users vouches for nobody: that is no answer, not a yes."""
    logins = OpenSearchLogins(Cluster(url=opensearch.url))
    with pytest.raises(Unavailable):
        logins.recognize(ask(basic("admin", "admin")))


def test_a_cluster_that_is_down_vouches_for_nobody() -> None:
    """503 and when to try again, not 401: the login may well be right."""
    logins = OpenSearchLogins(Cluster(url=f"http://127.0.0.1:{free_port()}"))
    with pytest.raises(Unavailable) as caught:
        logins.recognize(ask(basic("mara", "geheim")))
    assert int(caught.value.headers["Retry-After"]) > 0
    assert "geheim" not in str(caught.value)


def test_passwords_do_not_travel_in_the_clear() -> None:
    """http to another machine is refused at the start."""
    with pytest.raises(ConfigError, match="without TLS"):
        OpenSearchLogins(Cluster(url="http://search.example:9200"))
