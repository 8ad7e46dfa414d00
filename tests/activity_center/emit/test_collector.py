"""The emitter against the collector's own receivers and its native source mapping."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from activity_center.config import ForwardListener, HttpListener, SenderConfig
from activity_center.emit import NotRecorded
from activity_center.errors import SpoolFull
from collector import mapping
from collector.receive.credentials import Credentials
from collector.receive.forward import ForwardServer
from collector.receive.http import HttpServer
from collector.records import Batch, Receipt, Sender
from tests.activity_center.emit.proposals import MIRA, wish

TOKEN = "token-of-the-shop"
SOURCES = Path(mapping.__file__).parents[1] / "sources"


class Receivers:
    """Starts receivers in a loop of their own; keeps what the pipeline would get."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.full = 0
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        self._servers: list[Any] = []
        digest = hashlib.sha256(TOKEN.encode()).hexdigest()
        self._credentials = Credentials([SenderConfig(name="shop", token_sha256=digest)])

    def start(self, kind: Any, listener: Any) -> str:
        server = kind(listener, self._credentials, self._accept, self._reject_bytes)
        self._run(server.start())
        self._servers.append(server)
        return str(server.address)

    async def _accept(self, batch: Batch) -> Receipt:
        if self.full:
            self.full -= 1
            raise SpoolFull("no room", retry_after=1)
        self.batches.append(batch)
        ids = [[record["event"]["id"]] for record in batch.records]
        return Receipt(accepted=len(ids), ids=ids)

    async def _reject_bytes(self, sender: Sender, broken: Sequence[tuple[bytes, str]]) -> None:
        raise AssertionError(broken)

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(20)

    def close(self) -> None:
        for server in self._servers:
            self._run(server.stop(1))
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)

    @property
    def records(self) -> list[dict[str, Any]]:
        return [record for batch in self.batches for record in batch.records]


@pytest.fixture
def receivers() -> Iterator[Receivers]:
    """Return the collector's receivers."""
    made = Receivers()
    yield made
    made.close()


@pytest.mark.parametrize("bind", ["127.0.0.1:0", "unix"])
def test_forward(bind: str, receivers: Receivers, emitter: Any, until: Any, tmp_path: Path) -> None:
    """Over TCP and a Unix socket every event arrives, with our tag and a time in ns."""
    if bind == "unix":
        bind = f"unix:{tmp_path / 'forward.sock'}"
    address = receivers.start(ForwardServer, ForwardListener(bind, sender="shop"))
    unix = address.startswith("unix:")
    url = f"unix://{address.removeprefix('unix:')}" if unix else f"forward://{address}"
    made = emitter(url)
    ids = [made.emit("a.b", metadata={"ü": number}) for number in range(300)]
    until(lambda: len(receivers.records) == 300)
    assert [record["event"]["id"] for record in receivers.records] == ids
    batch = receivers.batches[0]
    assert batch.tag == "activity.native"
    assert batch.times is not None
    assert batch.times[0] is not None
    assert batch.times[0] > 1_700_000_000_000_000_000


def test_http(receivers: Receivers, emitter: Any, until: Any) -> None:
    """Accepted means what the collector means by it; when it is full, the emitter waits."""
    url = f"http://{receivers.start(HttpServer, HttpListener('127.0.0.1:0'))}"
    receivers.full = 2
    made = emitter(url, token=TOKEN)
    ids = [made.emit("a.b", metadata={"text": "x" * 1000}) for _ in range(1000)]
    until(lambda: made.flush(1))
    assert made.stats().accepted == 1000
    assert [record["event"]["id"] for record in receivers.records] == ids
    assert {batch.source for batch in receivers.batches} == {"native"}
    assert made.emit("a.b", require_record=True) == receivers.records[-1]["event"]["id"]


def test_a_wrong_token(receivers: Receivers, emitter: Any) -> None:
    """It is said, without the token, and nothing counts as recorded."""
    url = f"http://{receivers.start(HttpServer, HttpListener('127.0.0.1:0'))}"
    made = emitter(url, token="token-of-nobody", record_timeout=0.3)
    with pytest.raises(NotRecorded, match="HTTP 401, the token is not accepted") as refused:
        made.emit("a.b", require_record=True)
    assert "token-of-nobody" not in str(refused.value)
    assert receivers.records == []


def test_the_native_mapping_takes_it_as_it_is(receivers: Receivers, emitter: Any) -> None:
    """Every argument of emit() ends up in its field; only unknown keys go to metadata."""
    url = f"http://{receivers.start(HttpServer, HttpListener('127.0.0.1:0'))}"
    made = emitter(url, token=TOKEN, service="shop", origin="api", organization="acme")
    request = made.context(user={"id": "u1", "name": "ada"}, source_ip="192.0.2.1", case_id="c1")
    action = made.action("server.resize", resource=("server", "s1", "web"), old={"cpu": 2})
    with request, action:
        action.new = {"cpu": 4}
        action.fields["unknown.key"] = 1
    assert made.flush(20)
    source = mapping.load(SOURCES / "native")
    activities = source.map(receivers.records[0], "activity.native", None)
    assert not isinstance(activities, str)
    (activity,) = activities
    assert activity["event"]["action"] == "server.resize"
    assert activity["event"]["outcome"] == "success"
    assert activity["activity"]["old_value"] == {"cpu": 2}
    assert activity["activity"]["case"] == {"id": "c1"}
    assert activity["user"] == {"id": "u1", "name": "ada"}
    assert activity["source"] == {"ip": "192.0.2.1"}
    assert activity["service"] == {"name": "shop"}
    assert activity["metadata"] in ({"unknown": {"key": 1}}, {"unknown.key": 1})


def test_the_native_mapping_takes_a_chain_as_it_is(receivers: Receivers, emitter: Any) -> None:
    """Every field of every stage of an agent's chain keeps its place; nothing ends up in metadata;
    with require_record each was durable before the next.
    """
    url = f"http://{receivers.start(HttpServer, HttpListener('127.0.0.1:0'))}"
    made = emitter(url, token=TOKEN, organization="acme")
    agent = made.agent("agt_ops", "ops", version="2", model="m", provider="p", require_record=True)
    with wish(agent, rationale="full", conversation_id="cnv_1") as proposal:
        proposal.edited({"size_gb": 120}, MIRA, confirmation="x", policy=("p4", "3"))
        proposal.executing()
        proposal.result = {"status": "ok"}
    source = mapping.load(SOURCES / "native")
    assert len(receivers.batches) == len(receivers.records) == 4
    for record in receivers.records:
        activities = source.map(record, "activity.native", None)
        assert not isinstance(activities, str)
        (activity,) = activities
        assert "metadata" not in activity
        for group in ("activity", "gen_ai"):
            assert activity[group].items() >= record[group].items()
