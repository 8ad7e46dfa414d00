"""What the demo stores as received long ago: nobody can send a collector what it received then."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

    from activity_center.demo.workload import Event
    from collector.pipeline import Pipeline
    from collector.records import Entry, Reject

KEPT: Final = "standard-30d"
"""The retention class of what is stored."""


class _Nowhere:
    async def append(self, entries: list[Entry], rejects: list[Reject]) -> None:
        raise AssertionError("nothing is spooled here")


def pipeline() -> Pipeline:
    """Return the collector's stages up to its spool, which nothing reaches."""
    from collector.mapping import load_all
    from collector.mapping.router import Router
    from collector.normalize.activity import Normalizer
    from collector.normalize.digest import Digests
    from collector.normalize.pseudonyms import Pseudonyms
    from collector.pipeline import Pipeline, Stages
    from collector.redact import Redactor

    stages = Stages(
        Router(load_all().values()),
        Normalizer({}, {}, KEPT),
        Redactor(),
        Pseudonyms((), b""),
        Digests(b""),
    )
    return Pipeline(stages, _Nowhere())


def made(events: Iterable[Event]) -> Iterator[Entry]:
    """Yield the entries that a collector makes of events that it gets when they happen."""
    from collector.records import Batch, Sender

    stages = pipeline()
    for event in events:
        received = int(event.time.timestamp() * 1e9)
        sender = Sender(event.sender)
        batch = Batch(sender, [event.record], None, event.source, event.tag, received)
        yield from stages.process(batch)[1]


def store(client: OpenSearch, events: Iterable[Event]) -> None:
    """Store them, unless they are there.

    Raises:
        ClusterError: OpenSearch does not take one.
    """
    from activity_center.errors import ClusterError
    from activity_center.setup.cluster import CONFLICT

    lines: list[bytes] = []
    for entry in made(events):
        lines += [
            orjson.dumps({"create": {"_index": entry.stream, "_id": entry.id}}),
            entry.body,
        ]
    answer: dict[str, Any] = client.bulk(body=b"\n".join([*lines, b""]))
    for item in answer["items"]:
        if item["create"]["status"] >= 300 and item["create"]["status"] != CONFLICT:
            raise ClusterError(f"the demo's oldest entries: {item['create']['error']}")
