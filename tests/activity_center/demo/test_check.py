"""The demo's check: what it says of answers that are not whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from opensearchpy import OpenSearch

from activity_center.demo.check import Expected, Summary
from activity_center.errors import IncompleteAnswer


class RecoveringCluster(BaseHTTPRequestHandler):
    """Speaks enough of OpenSearch to refresh and search; its first answers are partial."""

    partial = 0
    """Searches that are still answered by 19 of 20 shards."""
    stored: tuple[str, ...] = ("e1",)
    """``event.id`` of each document."""

    def do_POST(self) -> None:
        """Answer a refresh or a search."""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        whole = type(self).partial <= 0
        if "_search" in self.path:
            type(self).partial -= 1
        documents = [{"_id": "d1", "_source": {"event": {"id": one}}} for one in self.stored]
        hits = documents if whole else []
        body = json.dumps(
            {
                "timed_out": False,
                "_shards": {"total": 20, "successful": 20 if whole else 19, "failed": 0},
                "hits": {"total": {"value": len(hits), "relation": "eq"}, "hits": hits},
            }
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def cluster() -> Iterator[OpenSearch]:
    """A client of a fake cluster on loopback."""
    with ThreadingHTTPServer(("127.0.0.1", 0), RecoveringCluster) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield OpenSearch([{"host": "127.0.0.1", "port": server.server_port}])
        server.shutdown()


def test_a_shard_that_is_not_there_yet_is_waited_for(cluster: OpenSearch) -> None:
    """Right after a stream is made a partial answer is no end: the look is repeated."""
    RecoveringCluster.partial = 2
    assert Expected(["e1"]).wait(cluster, 20, lambda: 1) == (1, 0)


def test_a_shard_that_stays_away_is_no_count(cluster: OpenSearch) -> None:
    """When the time is over and a shard is still silent, that is said and nothing counted."""
    RecoveringCluster.partial = 10**9
    with pytest.raises(IncompleteAnswer, match="19 of 20 shards"):
        Expected(["e1"]).wait(cluster, 0, lambda: 1)


def test_what_is_missing_and_what_is_there_twice_is_counted(
    cluster: OpenSearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two of three are found, and one of them has two documents more."""
    monkeypatch.setattr(RecoveringCluster, "partial", 0)
    monkeypatch.setattr(RecoveringCluster, "stored", ("e1", "e2", "e2", "e2"))
    assert Expected(["e1", "e2", "e3"]).wait(cluster, 0, lambda: 9) == (2, 2)


def test_what_an_earlier_run_stored_is_no_proof_of_this_one(cluster: OpenSearch) -> None:
    """Found counts only as far as OpenSearch confirmed it to the collector of this run."""
    RecoveringCluster.partial = 0
    assert Expected(["e1"]).wait(cluster, 0, lambda: 0) == (0, 0)


@pytest.mark.parametrize(
    ("sent", "found", "missing", "duplicates", "rejected", "good"),
    [
        (2, 2, 0, 0, 0, True),
        (2, 1, 1, 0, 0, False),
        (2, 2, 0, 1, 0, False),
        (2, 2, 0, 0, 1, False),
        (2, 1, 0, 0, 0, False),
    ],
)
def test_good_is_each_exactly_once(
    sent: int, found: int, missing: int, duplicates: int, rejected: int, good: bool
) -> None:
    """One missing, one twice or one rejected, and the exit code is not 0."""
    assert Summary(sent, found, missing, duplicates, rejected, 1.0).good is good
