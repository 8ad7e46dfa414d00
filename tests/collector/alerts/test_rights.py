"""The role of the maintaining account suffices for alerting, on a node with security."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from opensearchpy import OpenSearch

from activity_center.config_alerts import AlertsConfig, Webhook
from activity_center.connection import connect
from activity_center.setup import desired_state, install
from activity_center.setup.cluster import ask
from activity_center.setup.lease import Lease
from activity_center.streams import STATE_INDEX
from collector.alerts.replay import replay
from collector.alerts.rounds import Rounds
from tests.collector.alerts.parts import RULES, Receiver, rule

if TYPE_CHECKING:
    from tests.conftest import Node

pytestmark = pytest.mark.usefixtures("alone_with_accounts")


@pytest.fixture(scope="module")
def maintain(secure_opensearch: Node) -> Iterator[OpenSearch]:
    """A client with the maintaining role alone, on the shared node, set up."""
    admin = secure_opensearch.client
    install(admin, desired_state())
    name, password = f"alerts-{secrets.token_hex(4)}", secrets.token_urlsafe(24)
    api = "/_plugins/_security/api"
    ask(admin, "PUT", f"{api}/internalusers/{name}", body={"password": password})
    mapping = {"op": "add", "path": "/activity-center-maintain", "value": {"users": [name]}}
    ask(admin, "PATCH", f"{api}/rolesmapping", body=[mapping])
    client = connect(replace(secure_opensearch.cluster, username=name, password=password))
    yield client
    client.close()
    ask(admin, "DELETE", f"{api}/rolesmapping/activity-center-maintain")
    ask(admin, "DELETE", f"{api}/internalusers/{name}")


def test_evaluating_writing_and_telling(
    secure_opensearch: Node, maintain: OpenSearch, receiver: Receiver
) -> None:
    """It may search the record, keep the lease and the cursor, write alerts and mark them."""
    organization = f"alerts_{secrets.token_hex(4)}"
    now = int(time.time() * 1000)
    login = {
        "@timestamp": now - 60_000,
        "event": {"id": secrets.token_hex(8), "action": "user.break_glass"},
        "user": {"id": "usr_root"},
        "organization": {"id": organization},
    }
    path = "/activity-audit-permanent/_doc"
    ask(secure_opensearch.client, "POST", path, body=login, params={"refresh": "true"})
    hook = Webhook("hook", address=receiver.address, secret="key")
    own = ({"field": "organization.id", "is": organization},)
    rules = [rule("break-glass", query=(*RULES["break-glass"].query, *own))]
    name = f"alerts-{organization}"
    with Lease(maintain, name, index=STATE_INDEX):
        done = Rounds(maintain, AlertsConfig(webhooks=(hook,)), rules).once(now)
    assert not done.failed
    assert [dict(one.group)["organization.id"] for one in done.alerts] == [organization]
    assert done.told.taken >= 1


def test_every_kind_of_rule(maintain: OpenSearch) -> None:
    """It may replay the cases of a rule of each kind."""
    kinds = {one.kind: one for one in RULES.values()}
    outcomes = [*replay(maintain, desired_state(), kinds.values())]
    assert outcomes
    assert all(one.right for one in outcomes)
