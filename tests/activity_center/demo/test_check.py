"""The demo's check: what it says of answers that are not whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from opensearchpy import OpenSearch

from activity_center.demo.check import Expected, Summary
from activity_center.errors import IncompleteAnswer
from tests.json_server import json_server


class RecoveringCluster:
    """Speaks enough of OpenSearch to refresh and search; its first answers are partial.

    Attributes:
        client: of it.
        partial: searches that are still answered by 19 of 20 shards.
        stored: ``event.id`` of each document.
    """

    client: OpenSearch
    partial = 0
    stored: tuple[str, ...] = ("e1",)

    def answer(self, _method: str, path: str, _body: bytes) -> tuple[int, Any]:
        """Answer a refresh or a search."""
        whole = self.partial <= 0
        if "_search" in path:
            self.partial -= 1
        documents = [{"_id": "d1", "_source": {"event": {"id": one}}} for one in self.stored]
        hits = documents if whole else []
        return 200, {
            "timed_out": False,
            "_shards": {"total": 20, "successful": 20 if whole else 19, "failed": 0},
            "hits": {"total": {"value": len(hits), "relation": "eq"}, "hits": hits},
        }


@pytest.fixture
def cluster() -> Iterator[RecoveringCluster]:
    """A fake cluster on loopback."""
    made = RecoveringCluster()
    with json_server(made.answer) as url:
        made.client = OpenSearch(url)
        yield made


def test_a_shard_that_is_not_there_yet_is_waited_for(cluster: RecoveringCluster) -> None:
    """Right after a stream is made a partial answer is no end: the look is repeated."""
    cluster.partial = 2
    assert Expected(["e1"]).wait(cluster.client, 20, lambda: 1) == (1, 0)


def test_a_shard_that_stays_away_is_no_count(cluster: RecoveringCluster) -> None:
    """When the time is over and a shard is still silent, that is said and nothing counted."""
    cluster.partial = 10**9
    with pytest.raises(IncompleteAnswer, match="19 of 20 shards"):
        Expected(["e1"]).wait(cluster.client, 0, lambda: 1)


def test_what_is_missing_and_what_is_there_twice_is_counted(
    cluster: RecoveringCluster,
) -> None:
    """Two of three are found, and one of them has two documents more."""
    cluster.stored = ("e1", "e2", "e2", "e2")
    assert Expected(["e1", "e2", "e3"]).wait(cluster.client, 0, lambda: 9) == (2, 2)


def test_what_an_earlier_run_stored_is_no_proof_of_this_one(cluster: RecoveringCluster) -> None:
    """Found counts only as far as OpenSearch confirmed it to the collector of this run."""
    assert Expected(["e1"]).wait(cluster.client, 0, lambda: 0) == (0, 0)


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
