"""Small batches that arrive in the same moment are processed together, each for itself."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

import pytest

from activity_center.errors import SpoolFull
from collector.gathering import Gathering
from collector.pipeline import Pipeline
from collector.records import Batch, Entry, Receipt, Reject, Sender
from collector.work import Part, Work
from tests.collector.pipeline_parts import NOW, PIPELINE, event


async def _nowhere(entries: list[Entry], rejects: list[Reject]) -> None:
    """Takes everything."""


def _uncounted(work: Work) -> None:
    """Counts nothing."""


class Kept:
    """A spool that remembers what it was given."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    async def append(self, entries: list[Entry], rejects: list[Reject]) -> None:
        self.entries += entries


def _batch(number: int) -> Batch:
    """A batch of its own kind: some hold a secret, some are refused, one is empty."""
    records: list[object] = [event(event={"action": "server.create", "id": f"e-{number}"})]
    if number % 5 == 1:
        records.append(event(metadata={"password": f"secret-{number}"}))
    if number % 5 == 2:
        records = [7]
    if number % 5 == 3:
        records = []
    return Batch(Sender(f"s{number}"), records, None, "native", "", NOW)


def _told(receipt: Receipt) -> object:
    return receipt.accepted, receipt.ids, receipt.sources, receipt.rejected, receipt.ignored


def test_each_batch_fares_as_it_would_alone() -> None:
    """Receipts and documents of 100 batches in one moment are those of each batch alone."""
    spool = Kept()
    together = Pipeline(PIPELINE.stages, spool)

    async def all_at_once() -> list[Receipt]:
        return await asyncio.gather(*(together.accept(_batch(number)) for number in range(100)))

    receipts = asyncio.run(all_at_once())
    alone = [PIPELINE.process(_batch(number)) for number in range(100)]
    assert [_told(one) for one in receipts] == [_told(receipt) for receipt, _, _ in alone]
    assert sorted(spool.entries) == sorted(one for _, entries, _ in alone for one in entries)
    assert together.counts[("s1", "native", "accepted")] == 2
    assert together.counts[("s2", "", "not_an_object")] == 1


def test_a_batch_that_nobody_waits_for_is_left_out() -> None:
    """A cancelled batch is not processed, and the others are."""
    processed: list[str] = []

    def process(parts: Sequence[Part]) -> None:
        processed.extend(work.batch.sender.name for work, _, _ in parts)

    async def run() -> None:
        gathering = Gathering(process, _nowhere, _uncounted, 32)
        tasks = [asyncio.create_task(gathering.join(Work(_batch(n)))) for n in range(3)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(run())
    assert processed == ["s0", "s2"]


def test_what_processing_raises_reaches_all_of_the_group_and_no_other() -> None:
    """Nobody waits for ever, and the next group is processed."""
    sizes: list[int] = []

    def process(parts: Sequence[Part]) -> None:
        sizes.append(len(parts))
        if len(sizes) == 1:
            raise MemoryError

    async def run() -> list[object]:
        gathering = Gathering(process, _nowhere, _uncounted, 4)
        batches = [Batch(Sender("s"), [event()], None, "native", "", NOW) for _ in range(6)]
        joined = (gathering.join(Work(batch)) for batch in batches)
        return list(await asyncio.gather(*joined, return_exceptions=True))

    results = asyncio.run(run())
    assert sizes == [4, 2]
    assert [type(one) for one in results] == [MemoryError] * 4 + [type(None)] * 2


class Turned(Kept):
    """A spool that has no room for one sender."""

    async def append(self, entries: list[Entry], rejects: list[Reject]) -> None:
        if any(one.sender == "full" for one in entries):
            raise SpoolFull("no room")
        await super().append(entries, rejects)


def test_larger_batches_are_processed_at_once_and_told_later() -> None:
    """No record of theirs waits in memory; who finds no room is told so, and the others are not."""
    spool = Turned()
    pipeline = Pipeline(PIPELINE.stages, spool)
    told: dict[str, Exception | None] = {}

    async def run() -> list[bool]:
        taken = []
        for name, number in (("a", 40), ("full", 40), ("b", 500), ("huge", 5000)):
            batch = Batch(Sender(name), [event() for _ in range(number)], None, "native", "", NOW)
            taken.append(pipeline.accept_soon(batch, partial(told.__setitem__, name)))
            assert taken[-1] == all(record is None for record in batch.records)
            assert not told
        while len(told) < 3:
            await asyncio.sleep(0)
        return taken

    assert asyncio.run(run()) == [True, True, True, False]
    assert {name: type(wrong) for name, wrong in told.items()} == {
        "a": type(None),
        "full": SpoolFull,
        "b": type(None),
    }
    assert len(spool.entries) == 540
    assert pipeline.counts[("b", "native", "accepted")] == 500
    assert pipeline.counts[("full", "native", "accepted")] == 0


@pytest.mark.parametrize("number", [0, 1, 31, 32, 600])
def test_records_are_let_go(number: int) -> None:
    """When all is durable, a batch holds its length and no record any more."""
    pipeline = Pipeline(PIPELINE.stages, Kept())
    batch = Batch(Sender("s"), [event() for _ in range(number)], None, "native", "", NOW)
    receipt = asyncio.run(pipeline.accept(batch))
    assert receipt.accepted == number
    assert batch.records == [None] * number
