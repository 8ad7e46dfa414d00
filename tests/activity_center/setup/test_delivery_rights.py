"""The check-up names each right that the delivery account lacks, tried on real accounts."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from opensearchpy import OpenSearch

from activity_center.connection import connect
from activity_center.setup import Level, desired_state, install
from activity_center.setup.cluster import ask
from activity_center.setup.doctor.permissions import check_delivery

API = "/_plugins/_security/api"
LOOK_UP = "indices:admin/data_stream/get"
WRITE = "indices:data/write/*"
MGET = "indices:data/read/mget*"
STREAMS = ["activity-audit-*", "activity-agent-*", "activity-process-*", "activity-rejected"]

pytestmark = pytest.mark.usefixtures("alone_with_accounts")


@pytest.fixture(scope="module")
def installed(secure_opensearch: Any) -> Any:
    """The shared node with security, set up. Nothing is removed: others use it too."""
    install(secure_opensearch.client, desired_state())
    return secure_opensearch


@pytest.fixture
def account(installed: Any) -> Iterator[Callable[..., OpenSearch]]:
    """Make accounts that may do just what is named on our streams."""
    names: list[str] = []

    def make(*actions: str) -> OpenSearch:
        name, password = f"delivery-{secrets.token_hex(4)}", secrets.token_urlsafe(24)
        role = {
            "cluster_permissions": ["cluster_composite_ops"],
            "index_permissions": [
                {"index_patterns": STREAMS, "allowed_actions": list(actions)},
            ],
        }
        ask(installed.client, "PUT", f"{API}/roles/{name}", body=role)
        user = {"password": password, "opendistro_security_roles": [name]}
        ask(installed.client, "PUT", f"{API}/internalusers/{name}", body=user)
        names.append(name)
        return connect(replace(installed.cluster, username=name, password=password))

    yield make
    for name in names:
        ask(installed.client, "DELETE", f"{API}/internalusers/{name}")
        ask(installed.client, "DELETE", f"{API}/roles/{name}")


@pytest.mark.parametrize(
    ("actions", "words"),
    [
        ((WRITE, MGET), ["may not look up data streams"]),
        ((LOOK_UP, MGET), ["may not write to"]),
        ((LOOK_UP, WRITE), ["may not _mget from"]),
        ((LOOK_UP,), ["may not write to", "may not _mget from"]),
    ],
)
def test_a_right_that_is_missing(
    account: Callable[..., OpenSearch], actions: tuple[str, ...], words: list[str]
) -> None:
    """Each missing right is a failure of its own that names it, the streams, and the role."""
    found = [*check_delivery(account(*actions), dedicated=True)]
    assert [one.level for one in found] == [Level.FAIL] * len(words)
    for one, expected in zip(found, words, strict=True):
        assert expected in one.message
        assert "activity-center-collector" in one.advice


def test_just_the_rights_that_are_needed(account: Callable[..., OpenSearch]) -> None:
    """With them all and nothing more: one good finding, and no warning about searching."""
    (found,) = check_delivery(account(LOOK_UP, WRITE, MGET), dedicated=True)
    assert found.level is Level.OK
