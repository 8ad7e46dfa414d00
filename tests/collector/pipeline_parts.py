"""What the tests of the pipeline share: a pipeline that keeps nothing, and records."""

from __future__ import annotations

from typing import Any

import orjson

from activity_center.config import Organization
from collector.mapping import Router, load_all
from collector.normalize import Normalizer
from collector.normalize.digest import Digests
from collector.normalize.pseudonyms import Pseudonyms
from collector.pipeline import Pipeline, Stages
from collector.records import Batch, Entry, Receipt, Reject, Sender
from collector.redact import Redactor

NOW = 1_795_574_096_000_000_000
ROUTER = Router(load_all().values())


class Nowhere:
    async def append(self, entries: list[Entry], rejects: list[Reject]) -> None:
        raise AssertionError("these tests make nothing durable")


def pipeline(pseudonyms: Pseudonyms | None = None) -> Pipeline:
    normalizer = Normalizer({"acme": Organization("acme")}, {}, "permanent")
    none = Pseudonyms((), b"")
    return Pipeline(
        Stages(ROUTER, normalizer, Redactor(), pseudonyms or none, Digests(b"k" * 32)), Nowhere()
    )


PIPELINE = pipeline()


def process(
    *records: Any,
    sender: Sender | None = None,
    received: int = NOW,
    times: list[int | None] | None = None,
) -> tuple[Receipt, list[Entry], list[Reject]]:
    batch = Batch(sender or Sender("s"), list(records), times, "native", "", received)
    return PIPELINE.process(batch)


def one(record: dict[str, Any], **more: Any) -> tuple[Entry, dict[str, Any]]:
    _, entries, rejects = process(record, **more)
    assert not rejects, rejects
    (entry,) = entries
    return entry, orjson.loads(entry.body)


def event(**more: Any) -> dict[str, Any]:
    return {"event": {"action": "server.create", "id": "e-1"},
            "@timestamp": "2026-11-25T02:34:00Z", **more}  # fmt: skip


def login(**more: Any) -> dict[str, Any]:
    return {"event": {"action": "user.login_failed"}, "user": {"name": "mira"}, **more}


def deep(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"a": value}
    return value
