"""Spool, store and deliverer on a real node, with streams of their own."""

from __future__ import annotations

import itertools
import secrets
import time
from collections import Counter
from pathlib import Path

from opensearchpy import OpenSearch

from activity_center.config import Cluster, Delivery
from activity_center.connection import connect
from collector.deliver import Backoff, Deliverer
from collector.records import Entry
from collector.rejected import RejectedStore
from collector.rejections import rejected_entry
from collector.spool import Spool

PATTERN = "delivertest-*"
TEMPLATE = {
    "index_patterns": [PATTERN],
    "data_stream": {},
    "priority": 900,
    "template": {
        "settings": {"number_of_shards": 1, "number_of_replicas": 0},
        "mappings": {
            "dynamic": False,
            "properties": {
                "@timestamp": {"type": "date"},
                "n": {"type": "long"},
                "event": {"properties": {"id": {"type": "keyword"}, "hash": {"type": "keyword"}}},
            },
        },
    },
}
SMALL = Delivery(linger=0.02, timeout=10)
QUICK = Backoff(first=0.02, most=0.2)


def make_stream(client: OpenSearch, name: str | None = None) -> str:
    """Make a data stream and return its name."""
    name = name or f"delivertest-{secrets.token_hex(5)}"
    client.indices.put_index_template(name="delivertest", body=TEMPLATE)
    client.indices.create_data_stream(name=name)
    return name


def backing(client: OpenSearch, stream: str) -> list[str]:
    """Return the backing indices, oldest first."""
    answer = client.indices.get_data_stream(name=stream)
    return [index["index_name"] for index in answer["data_streams"][0]["indices"]]


def stored(client: OpenSearch, stream: str) -> Counter[str]:
    """Return how often each id is stored in the stream, over all its generations."""
    client.indices.refresh(index=stream)
    ids: Counter[str] = Counter()
    after: list[object] | None = None
    while True:
        body: dict[str, object] = {
            "size": 1000,
            "sort": [{"event.id": "asc"}, {"_index": "asc"}],
            "_source": False,
        }
        if after is not None:
            body["search_after"] = after
        answer = client.search(index=stream, body=body)
        assert answer["_shards"]["successful"] == answer["_shards"]["total"]
        hits = answer["hits"]["hits"]
        if not hits:
            return ids
        ids.update(hit["_id"] for hit in hits)
        after = hits[-1]["sort"]


class Rig:
    """A collector's lower half in ``folder``; may be closed and opened again."""

    def __init__(
        self,
        folder: Path,
        url: str,
        *,
        maintain: str | None = None,
        delivery: Delivery = SMALL,
        backoff: Backoff = QUICK,
        quota_bytes: int = 1 << 28,
    ) -> None:
        self.rejected = RejectedStore(folder / "rejected")
        self.spool = Spool.open(folder / "spool", quota_bytes=quota_bytes, rejected=self.rejected)
        self.client = connect(Cluster(url=url))
        self.maintain = connect(Cluster(url=maintain or url))
        self.deliverer = Deliverer(
            self.spool,
            self.client,
            self.maintain,
            self.rejected,
            delivery,
            encode_reject=rejected_entry,
            backoff=backoff,
        )
        self.courier = self.deliverer.courier

    def deliver(self, entries: list[Entry], *, size: int = 500) -> None:
        """Spool ``entries`` and start delivery."""
        self.accept(entries, size=size)
        self.deliverer.start()

    def accept(self, entries: list[Entry], *, size: int = 500) -> None:
        """Spool ``entries`` in chunks of ``size``."""
        rest = iter(entries)
        while chunk := list(itertools.islice(rest, size)):
            self.spool.append_now(chunk)

    def wait(self, timeout: float = 60.0) -> None:
        """Wait until all is settled."""
        until = time.monotonic() + timeout
        while not self.spool.drained:
            assert time.monotonic() < until, f"{self.spool.records} left, {self.deliverer.alarm}"
            time.sleep(0.02)

    def close(self, drain_timeout: float = 30.0) -> bool:
        """Stop and close everything; return whether all was delivered."""
        done = self.deliverer.stop(drain_timeout)
        self.spool.close()
        self.rejected.close()
        self.client.close()
        self.maintain.close()
        return done
