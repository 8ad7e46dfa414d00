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

from collector.gathering import Gathering
from collector.mapping import Activities, Router, Source
from collector.normalize import Normalizer, Refused
from collector.normalize.place import MAX_DEPTH
from collector.normalize.pseudonyms import Pseudonyms
from collector.records import REASONS, Batch, Entry, Receipt, Reject, Sender
from collector.redact import Redactor
from collector.rejections import rejected_entry
from collector.work import Part, Work
from collector.writing import Draft, Writer

SLICE: Final = 500
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
        self._writer = Writer()
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
        """:meth:`accept` for a small batch, without a task and a future of its own.

        Args:
            done: called later, with ``None`` when all of it is durable, else with what
                :meth:`accept` raises.

        Returns:
            Whether it was taken: large batches are not.
        """
        if len(batch.records) >= GROUP:
            return False
        self._small.add(Work(batch), done)
        return True

    async def _in_slices(self, work: Work) -> None:
        """Process a batch that fills groups of its own; let go of its records.

        They are the larger part of what a chunk takes while it becomes durable.
        """
        records, total = work.batch.records, len(work.batch.records)
        for start in range(0, total, SLICE):
            if start:
                await asyncio.sleep(0)  # a huge chunk must not hold up the other senders
            self._process(work, start, min(start + SLICE, total))
            records[start : start + SLICE] = [None] * min(SLICE, total - start)

    def process(self, batch: Batch) -> tuple[Receipt, list[Entry], list[Reject]]:
        """Turn a batch into entries and rejects; touches nothing but its arguments."""
        work = Work(batch)
        self._process(work, 0, len(batch.records))
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

    def _process(self, work: Work, start: int, stop: int) -> None:
        """The records ``start`` up to ``stop`` of a batch, a group at a time."""
        for first in range(start, stop, GROUP):
            self._group([(work, first, min(first + GROUP, stop))])

    def _group(self, parts: Sequence[Part]) -> None:
        """Write all records of a group as JSON, scan that once, and make the entries."""
        drafted: list[tuple[Work, int, Source, list[Draft]]] = []
        bodies: list[bytes] = []
        for work, start, stop in parts:
            self._write(work, start, stop, drafted, bodies)
        flagged = self.stages.redactor.flagged(bodies)
        scanned = 0
        for work, index, source, drafts in drafted:
            receipt, record = work.receipt, work.batch.records[index]
            first, scanned = scanned, scanned + len(drafts)
            try:
                if flagged and not flagged.isdisjoint(range(first, scanned)):
                    made = self._looked_at(drafts, source, index, work)
                else:
                    made = self._entries(drafts, source, index, work, record)
            except Exception as wrong:  # whatever a record does, it does to itself alone
                self._reject(wrong, record, index, work)
                continue
            if isinstance(made, str):
                receipt.ignored[index] = made
                continue
            receipt.ids[index] = [made[0].id] if len(made) == 1 else [one.id for one in made]
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
        batch, receipt = work.batch, work.receipt
        records, times = batch.records, batch.times
        source: Source | None = None
        transport: int | None = None
        for index in range(start, stop):
            record = records[index]
            receipt.ids.append([])
            receipt.sources.append("")
            try:
                source = self._source(batch, record, source)
                receipt.sources[index] = source.name
                if times is not None:
                    transport = times[index]
                drafts = self._drafts(source, record, work, transport)
            except Exception as wrong:  # whatever a record does, it does to itself alone
                self._reject(wrong, record, index, work)
                continue
            if isinstance(drafts, str):
                receipt.ignored[index] = drafts
                continue
            drafted.append((work, index, source, drafts))
            if len(drafts) == 1:
                bodies.append(drafts[0][1])
            else:
                bodies += [draft[1] for draft in drafts]

    def _source(self, batch: Batch, record: Any, before: Source | None) -> Source:
        """The source of a record.

        Args:
            before: one of this batch that its sender may use.

        Raises:
            Refused: it is no object, no source takes it, or the sender may not send for that.
        """
        if type(record) is not dict:
            raise Refused("not_an_object", f"the record is {type(record).__name__}, not an object")
        source = self.stages.router.route(batch.source, batch.tag, record)
        if source is before and source is not None:
            return source
        if source is None:
            raise Refused("no_source", self._why_no_source(batch))
        allowed = batch.sender.sources
        if allowed is not None and source.name not in allowed:
            raise Refused(
                "source_not_allowed", f"sender {batch.sender.name} may not send for {source.name}"
            )
        return source

    def _why_no_source(self, batch: Batch) -> str:
        known = ", ".join(sorted(self.stages.router.sources))
        if batch.source:
            return f"no source is named {batch.source[:64]!r} (known: {known})"
        tag = f" with the tag {batch.tag[:64]!r}" if batch.tag else ""
        return f"no source recognizes this record{tag}; name one (known: {known})"

    def _drafts(
        self, source: Source, record: dict[str, Any], work: Work, transport: int | None
    ) -> list[Draft] | str:
        """One record to its activities, or the mapping's reason for ignoring it.

        Raises:
            Refused: the record goes to the rejected store.
        """
        mapped = source.map(record, work.batch.tag, transport)
        if isinstance(mapped, str):
            return mapped
        complete, draft = self.stages.normalizer.complete, self._writer.draft
        pseudonyms, context = self.stages.pseudonyms, work.context
        drafts = []
        for activity in mapped:
            if pseudonyms:
                pseudonyms.apply(activity)
            stream, ms, receiver = complete(activity, context, transport)
            drafts.append(draft(activity, stream, ms, receiver))
        if type(mapped) is Activities and mapped.ignored:
            inside = work.inside
            inside[source.name] = inside.get(source.name, 0) + len(mapped.ignored)
        return drafts

    def _looked_at(
        self, drafts: list[Draft], source: Source, index: int, work: Work
    ) -> list[Entry] | str:
        """Entries of a record that holds a secret, or a ``null``, or something like it.

        Raises:
            Refused: the record goes to the rejected store.
        """
        redactor, batch = self.stages.redactor, work.batch
        record, keyed = batch.records[index], False
        if any(redactor.suspect(draft[1]) for draft in drafts):
            cleaned = redactor.clean(record)
            if cleaned is not record:
                transport = batch.times[index] if batch.times is not None else None
                again = self._drafts(source, cleaned, work, transport)
                if isinstance(again, str):
                    return again
                drafts, keyed = self._own_ids(drafts, again), True
        # NaN is written as null without a word, and a field that is null is none.
        drafts = [(*draft[:6], False) if b"null" in draft[1] else draft for draft in drafts]
        return self._entries(drafts, source, index, work, record, keyed=keyed)

    def _own_ids(self, before: list[Draft], after: list[Draft]) -> list[Draft]:
        """Give back their own ids to events whose id was taken for a secret, as keyed hashes.

        Two ids that redaction makes equal are still two events.
        """
        result = []
        for old, new in zip(before, after, strict=True):
            if old[5] is not None and old[5] != new[5]:
                activity = new[0]
                activity["event"]["id"] = self.stages.pseudonyms.pseudonym(old[5])
                new = self._writer.draft(activity, new[2], new[3], new[4])
            result.append(new)
        return result

    def _entries(
        self,
        drafts: list[Draft],
        source: Source,
        index: int,
        work: Work,
        record: dict[str, Any],
        *,
        keyed: bool = False,
    ) -> list[Entry]:
        """What is stored of one record.

        Args:
            record: as received: its content is its identity where it has no id.
            keyed: it holds something that must not be guessed from its id.

        Raises:
            Refused: the record goes to the rejected store.
        """
        times, context = work.batch.times, work.context
        transport = times[index] if times is not None else None
        ingested, sender, entry = work.ingested, context.sender.name, self._writer.entry
        pseudonyms = self.stages.pseudonyms
        key = pseudonyms.key if keyed or pseudonyms else b""
        origin = (source.name, record, transport, key)
        if len(drafts) == 1:
            return [entry(drafts[0], origin, 0, work.ordinals, ingested, sender)]
        return [
            entry(draft, origin, output, work.ordinals, ingested, sender)
            for output, draft in enumerate(drafts)
        ]

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
