"""All stages in order: map, pseudonymize, normalize, validate and write, redact, spool.

Redaction looks at the bytes that would be stored; where they hold a secret, the record is
cleaned and goes through the stages before once more. ``process`` is a function over
values; only ``accept`` touches the world, through the spool. ``python -m bench.stages``
measures each stage.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, Protocol

import structlog

from collector.drafting import Drafter
from collector.gathering import Gathering
from collector.mapping import Router, Source
from collector.normalize import Normalizer, Refused
from collector.normalize.digest import Digests
from collector.normalize.place import MAX_DEPTH
from collector.normalize.pseudonyms import Pseudonyms
from collector.records import REASONS, Batch, Entry, Receipt, Reject, Sender
from collector.redact import Redactor
from collector.rejections import rejected_entry
from collector.work import Part, Work
from collector.writing import Draft

SLICE: Final = 16 * 32
"""Records after which others get a turn: about 10 ms."""
GROUP: Final = 32
"""Records that go through the stages together: few enough to stay in the processor's cache."""

_log = structlog.get_logger("collector.pipeline")


class Log(Protocol):
    """What the pipeline needs of a spool (:class:`collector.spool.Spool`)."""

    async def append(self, entries: list[Entry], rejects: list[Reject]) -> None:
        """Return when all is durable; raise SpoolFull or SpoolFailed."""


class Stages(NamedTuple):
    """What a configuration decides; replaced as a whole when it is read again."""

    router: Router
    normalizer: Normalizer
    redactor: Redactor
    pseudonyms: Pseudonyms
    digests: Digests


class Pipeline:
    """Turns batches into entries and rejects, and makes them durable.

    Attributes:
        stages: may be replaced between two batches.
        counts: (sender, source, outcome) -> number of records; outcome is ``accepted``,
            ``ignored`` or a key of :data:`collector.records.REASONS`.
    """

    def __init__(self, stages: Stages, spool: Log) -> None:
        self.stages = stages
        self._spool = spool
        self._drafter = Drafter()
        self._small = Gathering(self._group, spool.append, self._count, GROUP)
        self.counts: Counter[tuple[str, str, str]] = Counter()

    async def accept(self, batch: Batch) -> Receipt:
        """Process a batch and return when all of it is durable; its records are let go.

        Raises:
            SpoolFull: nothing was taken; the sender must wait.
            SpoolFailed: the disk failed; nothing may be acknowledged.
        """
        work = Work(batch)
        if len(batch.records) < GROUP:
            await self._small.join(work)
        else:
            await self._in_slices(work)
            if work.entries or work.rejects:
                await self._spool.append(work.entries, work.rejects)
            self._count(work)
        return work.receipt

    def accept_soon(self, batch: Batch, done: Callable[[Exception | None], None]) -> bool:
        """:meth:`accept` without a future of its own, for all but huge batches.

        Small ones share their way. Larger ones are processed at once: if they waited for
        their turn, several would be in memory decoded, at eight times the size sent.

        Args:
            done: called later, with ``None`` when all of it is durable, else with what
                :meth:`accept` raises.

        Returns:
            Whether it was taken: huge batches are not.
        """
        total = len(batch.records)
        if total > SLICE:
            return False
        work = Work(batch)
        if total < GROUP:
            self._small.add(work, done)
            return True
        try:
            for start in range(0, total, GROUP):
                self._some(work, start, total)
        except Exception as wrong:
            asyncio.get_running_loop().call_soon(done, wrong)
        else:
            self._small.keep(work, done)
        return True

    async def _in_slices(self, work: Work) -> None:
        """Process a batch that fills groups of its own; let go of its records.

        They are the larger part of what a chunk takes while it becomes durable.
        """
        total = len(work.batch.records)
        for start in range(0, total, GROUP):
            if start and start % SLICE == 0:
                await asyncio.sleep(0)  # a huge chunk must not hold up the other senders
            self._some(work, start, total)

    def _some(self, work: Work, start: int, total: int) -> None:
        """Process one group of a batch, and let go of its records."""
        stop = min(start + GROUP, total)
        self._group([(work, start, stop)])
        work.batch.records[start:stop] = [None] * (stop - start)

    def process(self, batch: Batch) -> tuple[Receipt, list[Entry], list[Reject]]:
        """Turn a batch into entries and rejects; touches nothing but its arguments."""
        work = Work(batch)
        for start in range(0, len(batch.records), GROUP):
            self._group([(work, start, min(start + GROUP, len(batch.records)))])
        return work.receipt, work.entries, work.rejects

    async def reject_bytes(self, sender: Sender, broken: Sequence[tuple[bytes, str]]) -> None:
        """Keep bytes that do not decode, in the rejected store: all together or none.

        Args:
            broken: pairs of bytes and ``"<reason>: words"`` with a key of REASONS, as the
                decoders say it.

        Raises:
            SpoolFull: the store has no room; the sender must wait.
        """
        now = time.time_ns()
        rejects = []
        for data, detail in broken:
            named, _, words = detail.partition(": ")
            reason, words = (named, words) if named in REASONS else ("undecodable", detail)
            rejects.append(Reject(reason, words, "", None, data, sender.name, "", "", now))
        await self._spool.append([rejected_entry(one) for one in rejects], rejects)
        for one in rejects:
            self.counts[(sender.name, "", one.reason)] += 1

    def _group(self, parts: Sequence[Part]) -> None:
        """Write all records of a group as JSON, scan that once, and make the entries."""
        stages = self.stages
        drafted: list[tuple[Work, int, Source, list[Draft]]] = []
        bodies: list[bytes] = []
        for work, start, stop in parts:
            self._write(work, start, stop, drafted, bodies)
        flagged = stages.redactor.flagged(bodies)
        finish = self._drafter.writer.finish
        scanned = 0
        for work, index, source, drafts in drafted:
            first, scanned = scanned, scanned + len(drafts)
            if scanned - first == 1 and first not in flagged:
                one = finish(drafts[0], source.name, work.ingested, work.batch.sender.name)
                if one is not None:
                    work.receipt.ids[index] = [one[1]]
                    work.entries.append(one)
                    continue
            try:
                if flagged and not flagged.isdisjoint(range(first, scanned)):
                    made = self._drafter.looked_at(stages, drafts, source, index, work)
                else:
                    made = self._drafter.entries(stages, drafts, source, index, work)
            except Exception as wrong:  # whatever a record does, it does to itself alone
                self._reject(wrong, work.batch.records[index], index, work)
                continue
            if isinstance(made, str):
                work.receipt.ignored[index] = made
                continue
            work.receipt.ids[index] = [one.id for one in made]
            work.entries += made
        for work, _, _ in parts:
            # Each rejected record has an entry too, for the stream of rejected ones.
            work.receipt.accepted = len(work.entries) - len(work.rejects)

    def _write(
        self,
        work: Work,
        start: int,
        stop: int,
        drafted: list[tuple[Work, int, Source, list[Draft]]],
        bodies: list[bytes],
    ) -> None:
        """Write records as JSON; what came of them goes to ``drafted`` and ``bodies``."""
        batch, receipt, stages = work.batch, work.receipt, self.stages
        records, times, sources = batch.records, batch.times, receipt.sources
        receipt.ids += [[] for _ in range(start, stop)]
        candidates = stages.router.candidates(batch.source, batch.tag)
        source_of, drafts_of = self._drafter.source, self._drafter.drafts
        source: Source | None = None
        transport: int | None = None
        for index in range(start, stop):
            record = records[index]
            sources.append("")
            try:
                source = source_of(stages, candidates, batch, record, source)
                sources[index] = source.name
                if times is not None:
                    transport = times[index]
                drafts = drafts_of(stages, source, record, work, transport)
            except Exception as wrong:  # whatever a record does, it does to itself alone
                self._reject(wrong, record, index, work)
                continue
            if isinstance(drafts, str):
                receipt.ignored[index] = drafts
                continue
            drafted.append((work, index, source, drafts))
            for draft in drafts:
                bodies.append(draft[1])

    def _reject(self, wrong: Exception, record: Any, index: int, work: Work) -> None:
        """Note a record as rejected: without its secrets, and without what its source drops."""
        batch, receipt, text = work.batch, work.receipt, self.stages.redactor.text
        refused = _refused(wrong, batch, receipt.sources[index])
        reject = Reject(
            reason=refused.reason,
            detail=text(refused.detail),
            path=text(refused.path),
            record=self._as_kept(record, receipt.sources[index], batch.tag),
            raw=None,
            sender=batch.sender.name,
            source=receipt.sources[index] or text(batch.source or ""),
            tag=text(batch.tag),
            received=work.received,
            time=batch.times[index] if batch.times is not None else None,
        )
        receipt.rejected[index] = reject
        work.rejects.append(reject)
        work.entries.append(rejected_entry(reject))

    def _as_kept(self, record: Any, name: str, tag: str) -> bytes:
        """A rejected record as JSON, without secrets; whatever it does, it is kept somehow."""
        stages = self.stages
        try:
            source = stages.router.sources.get(name)
            if source is not None:
                record = source.scrub(record)
                if stages.pseudonyms:
                    mapped = source.map(record, tag)
                    record = stages.pseudonyms.hide(
                        record, mapped if isinstance(mapped, list) else []
                    )
            return stages.redactor.json(record)
        except Exception as wrong:
            _log.error("a rejected record cannot be written", source=name, exc_info=wrong)
            return b'"[this record cannot be written]"'

    def _count(self, work: Work) -> None:
        receipt, sender, counts = work.receipt, work.batch.sender.name, self.counts
        other = dict.fromkeys(receipt.ignored, "ignored")
        other |= {index: reject.reason for index, reject in receipt.rejected.items()}
        for source, number in work.inside.items():
            counts[(sender, source, "ignored")] += number
        sources = receipt.sources
        if not other and sources and sources.count(sources[0]) == len(sources):
            counts[(sender, sources[0], "accepted")] += len(sources)
            return
        for index, source in enumerate(sources):
            counts[(sender, source, other.get(index, "accepted"))] += 1


def _refused(wrong: Exception, batch: Batch, source: str) -> Refused:
    """The reason for which a record is rejected, whatever went wrong with it."""
    if isinstance(wrong, Refused):
        return wrong
    if isinstance(wrong, RecursionError):
        return Refused("too_deep", f"nested deeper than {MAX_DEPTH} levels")
    _log.error(
        "a record met a defect of the collector; it is in the rejected store",
        sender=batch.sender.name,
        source=source,
        exc_info=wrong,
        next="please report this with the record: activity-center rejected show",
    )
    return Refused("internal", f"a defect of the collector: {type(wrong).__name__}")
