"""Delivery with the rights that docs/security names, and without them."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from activity_center.config import Cluster
from activity_center.connection import connect
from collector.deliver import Deliverer
from collector.records import Entry
from collector.rejected import RejectedStore
from collector.spool import Spool
from tests.collector.deliver.rig import PATTERN, QUICK, SMALL, make_stream, stored
from tests.collector.spool.entries import entry, wait_until

RIGHTS = [
    "indices:data/write/bulk*",
    "indices:data/write/index",
    "indices:data/read/mget*",
    "indices:admin/data_stream/get",
]


pytestmark = pytest.mark.usefixtures("alone_with_accounts")


@pytest.fixture
def login(secure_opensearch: Any) -> Iterator[Callable[[list[str]], Cluster]]:
    """Make users with rights on the tests' streams."""
    security = "/_plugins/_security/api"
    transport = secure_opensearch.client.transport
    made: list[str] = []

    def make(rights: list[str]) -> Cluster:
        name, password = f"t{secrets.token_hex(4)}", f"Aa1-{secrets.token_urlsafe(18)}"
        role = {
            "cluster_permissions": ["cluster_composite_ops"],
            "index_permissions": [{"index_patterns": [PATTERN], "allowed_actions": rights}],
        }
        transport.perform_request("PUT", f"{security}/roles/{name}", body=role)
        user = {"password": password, "opendistro_security_roles": [name]}
        transport.perform_request("PUT", f"{security}/internalusers/{name}", body=user)
        made.append(name)
        return replace(secure_opensearch.cluster, username=name, password=password)

    yield make
    for name in made:
        transport.perform_request("DELETE", f"{security}/internalusers/{name}")
        transport.perform_request("DELETE", f"{security}/roles/{name}")


@pytest.fixture
def deliverer(
    tmp_path: Path, secure_opensearch: Any
) -> Iterator[Callable[[Cluster], tuple[Spool, Deliverer]]]:
    """Open a spool and deliver it with a credential."""
    closing: list[Any] = []

    def make(cluster: Cluster) -> tuple[Spool, Deliverer]:
        for one in reversed(closing):
            one()
        closing.clear()
        store = RejectedStore(tmp_path / "rejected")
        spool = Spool.open(tmp_path / "spool", quota_bytes=1 << 24, rejected=store)
        made = Deliverer(spool, connect(cluster), None, store, SMALL, backoff=QUICK)
        made.start()
        closing.extend([store.close, spool.close, lambda: made.stop(0)])
        return spool, made

    yield make
    for one in reversed(closing):
        one()


def _entries(stream: str, numbers: range) -> list[Entry]:
    now = int(time.time() * 1000)
    return [entry(number, stream=stream, time_ms=now) for number in numbers]


def test_these_rights_suffice(
    secure_opensearch: Any,
    login: Callable[[list[str]], Cluster],
    deliverer: Callable[[Cluster], tuple[Spool, Deliverer]],
) -> None:
    """No search, no delete, no reading of settings: events arrive once, over a rollover too."""
    client = secure_opensearch.client
    stream = make_stream(client)
    entries = _entries(stream, range(30))
    spool, made = deliverer(login(RIGHTS))
    spool.append_now(entries[:20])
    wait_until(lambda: spool.drained)
    client.indices.rollover(alias=stream)
    made.courier.generations.get(stream, fresh=True)
    spool.append_now(entries)
    wait_until(lambda: spool.drained)
    assert stored(client, stream) == dict.fromkeys([one.id for one in entries], 1)
    assert spool.records == 0
    client.indices.delete_data_stream(name=stream)


def test_a_wrong_password_keeps_everything(
    secure_opensearch: Any,
    login: Callable[[list[str]], Cluster],
    deliverer: Callable[[Cluster], tuple[Spool, Deliverer]],
) -> None:
    """401: an alarm, nothing lost; with the right password all of it arrives."""
    client = secure_opensearch.client
    stream = make_stream(client)
    right = login(RIGHTS)
    entries = _entries(stream, range(10))
    spool, made = deliverer(replace(right, password="wrong"))
    spool.append_now(entries)
    wait_until(lambda: made.alarm == "unauthorized")
    assert spool.records == 10
    spool, made = deliverer(right)
    wait_until(lambda: spool.drained)
    assert stored(client, stream) == dict.fromkeys([one.id for one in entries], 1)
    client.indices.delete_data_stream(name=stream)


def test_a_stream_without_rights_holds_up_nobody(
    secure_opensearch: Any,
    login: Callable[[list[str]], Cluster],
    deliverer: Callable[[Cluster], tuple[Spool, Deliverer]],
) -> None:
    """403 for one stream: its events are parked, the others arrive."""
    client = secure_opensearch.client
    stream = make_stream(client)
    entries = _entries(stream, range(10))
    foreign = _entries("elsewhere-audit", range(5))
    spool, _ = deliverer(login(RIGHTS))
    spool.append_now([*foreign, *entries])
    wait_until(lambda: spool.drained)
    assert spool.parking.counts == {"elsewhere-audit": 5}
    assert stored(client, stream) == dict.fromkeys([one.id for one in entries], 1)
    client.indices.delete_data_stream(name=stream)
