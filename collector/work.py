"""A batch on its way through the stages, and what came of it so far."""

from __future__ import annotations

import time

from collector.normalize import Context
from collector.normalize.identity import Ordinals
from collector.records import Batch, Entry, Receipt, Reject
from collector.writing import ingested


class Work:
    """A batch on its way through the stages.

    Attributes:
        received: Unix time of receipt in ns.
        ingested: the same, as the writer puts it into documents.
        inside: source -> number of parts of records that its mapping ignores.
    """

    __slots__ = (
        "batch",
        "context",
        "entries",
        "ingested",
        "inside",
        "ordinals",
        "receipt",
        "received",
        "rejects",
    )

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.received = batch.received or time.time_ns()
        self.context = Context.of(batch.sender, self.received)
        self.ingested = ingested(self.context.received.text)
        self.ordinals = Ordinals()
        self.receipt = Receipt()
        self.inside: dict[str, int] = {}
        self.entries: list[Entry] = []
        self.rejects: list[Reject] = []


Part = tuple[Work, int, int]
"""Some records of a batch: from this one up to, and without, that one."""
