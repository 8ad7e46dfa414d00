"""A collector on an OpenSearch with security, with the credential that it ships a role for."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from activity_center.config import Cluster
from activity_center.setup import desired_state, install
from activity_center.setup.cluster import ask
from tests.clients.forward import ForwardClient
from tests.integration.process import Collector, count_by_id, until

API = "/_plugins/_security/api"
STREAM = "activity-audit-permanent"

pytestmark = pytest.mark.usefixtures("alone_with_accounts")


@pytest.fixture
def accounts(secure_opensearch: Any) -> Iterator[dict[str, Cluster]]:
    """Two users: ``collector`` and ``maintain``, each with its shipped role and no other."""
    client = secure_opensearch.client
    install(client, desired_state())
    made: dict[str, Cluster] = {}
    for kind in ("collector", "maintain"):
        name, password = f"faults-{kind}-{secrets.token_hex(4)}", secrets.token_urlsafe(24)
        ask(client, "PUT", f"{API}/internalusers/{name}", body={"password": password})
        give_role(client, kind, [name])
        made[kind] = replace(secure_opensearch.cluster, username=name, password=password)
    yield made
    for kind, cluster in made.items():
        give_role(client, kind, [])
        ask(client, "DELETE", f"{API}/internalusers/{cluster.username}")


def give_role(client: Any, kind: str, users: list[str]) -> None:
    """Let these users alone have the role."""
    change = {"op": "add", "path": f"/activity-center-{kind}", "value": {"users": users}}
    ask(client, "PATCH", f"{API}/rolesmapping", body=[change])


def send(collector: Collector, count: int, ids: list[str] | None = None) -> list[str]:
    """Send events with acks; return their ids."""
    ids = ids or [uuid.uuid4().hex for _ in range(count)]
    with ForwardClient(collector.forward) as client:
        client.send(
            "activity.native",
            [(1_790_000_000, {"event": {"id": one, "action": "server.create"}}) for one in ids],
        )
    return ids


def test_least_privilege(
    secure_opensearch: Any, accounts: dict[str, Cluster], tmp_path: Path
) -> None:
    """With the shipped roles alone, over TLS: events are delivered once, also when they are
    sent again after a rollover; without the role they wait, and go out when it is back."""
    client, account, maintain = (
        secure_opensearch.client,
        accounts["collector"],
        accounts["maintain"],
    )
    collector = Collector(tmp_path, account, deliver={"linger": 0.05})
    collector.environment["MAINTAIN_PASSWORD"] = maintain.password
    collector.document["opensearch"]["maintain"] = {
        "url": maintain.url,
        "username": maintain.username,
        "password": "${MAINTAIN_PASSWORD}",
        "ca": maintain.ca,
    }
    with collector:
        collector.start()
        ids = send(collector, 50)
        collector.wait_delivered()
        client.indices.rollover(alias=STREAM)
        send(collector, 50, ids)
        ids += send(collector, 50)
        collector.wait_delivered()
        assert collector.metric("activity_center_deliver_documents_total", outcome="created") == 100

        give_role(client, "collector", [])
        ids += send(collector, 50)
        until(lambda: collector.metric("activity_center_spool_records") == 50)
        until(
            lambda: collector.logged(
                "stream refuses its events: they are kept and tried again slowly"
            )
        )
        assert collector.get("/readyz")[0] == 200
        give_role(client, "collector", [account.username])
        collector.wait_delivered(90)
        assert collector.terminate() == 0, collector.tail()
    counts = count_by_id(client, ids)
    assert len(counts) == len(ids) == 150 and set(counts.values()) == {1}
    log = collector.log.read_text()
    assert account.password not in log and maintain.password not in log


def test_a_wrong_password(accounts: dict[str, Cluster], tmp_path: Path) -> None:
    """A wrong password stops delivery and nothing else: events wait, the log says what to
    check and holds no secret."""
    wrong = replace(accounts["collector"], password="not-the-password")
    collector = Collector(tmp_path, wrong, deliver={"linger": 0.05}, drain_timeout=0)
    with collector:
        collector.start()
        send(collector, 5)
        until(lambda: collector.logged("delivery waits"))
        line = collector.logged("delivery waits")[0]
        assert line["cause"] == "unauthorized" and "check the credential" in line["hint"]
        assert collector.metric("activity_center_spool_records") == 5
        assert collector.terminate() == 0
    assert "not-the-password" not in collector.log.read_text()
