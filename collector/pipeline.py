"""All stages in order: map, normalize, redact, validate, hash, spool.

``process`` is a function over values; only ``accept`` touches the world, through the
spool. Stages and their cost stand in docs/architecture.md.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections import Counter
from typing import Any, Final, NamedTuple, Protocol

import orjson

from collector.mapping import Activities, Router, Source
from collector.normalize import Context, Normalizer, Refused
from collector.normalize.identity import Ordinals, content_key, document_id
from collector.normalize.inspection import inspect
from collector.normalize.place import MAX_DEPTH, Placer
from collector.normalize.pseudonyms import Pseudonyms
from collector.records import REASONS, Batch, Entry, Receipt, Reject, Sender
from collector.redact import Redactor
from collector.rejections import rejected_entry
from collector.validate import Validator

MAX_EVENT: Final = 1 << 20
"""Largest document, bytes; larger events are refused (``too_large``)."""
LOOK_CLOSELY: Final = 8_000
"""Documents above this size, bytes, have every leaf measured."""
SLICE: Final = 500
"""Records after which others get a turn: about 10 ms."""
MAX_ID: Final = 512
"""Longest ``event.id``, characters."""
_SORTED: Final = orjson.OPT_SORT_KEYS


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
        self._validator = Validator()
        self._placer = Placer()
        # Stands where ``event`` goes; unguessable, so that no value can hold it.
        self._mark = secrets.token_hex(16)
        self._quoted_mark = f'"{self._mark}"'.encode()
        self.counts: Counter[tuple[str, str, str]] = Counter()

    async def accept(self, batch: Batch) -> Receipt:
        """Process a batch and return when all of it is durable.

        Raises:
            SpoolFull: nothing was taken; the sender must wait.
            SpoolFailed: the disk failed; nothing may be acknowledged.
        """
        work = _Work(batch)
        for start in range(0, len(batch.records), SLICE):
            if start:
                await asyncio.sleep(0)  # a huge chunk must not hold up the other senders
            self._process(work, start, start + SLICE)
        batch.records = []  # not needed any more, and they wait for the disk below
        if work.entries or work.rejects:
            await self._spool.append(work.entries, work.rejects)
        self._count(batch, work.receipt)
        return work.receipt

    def process(self, batch: Batch) -> tuple[Receipt, list[Entry], list[Reject]]:
        """Turn a batch into entries and rejects; touches nothing but its arguments."""
        work = _Work(batch)
        self._process(work, 0, len(batch.records))
        return work.receipt, work.entries, work.rejects

    async def reject_bytes(self, sender: Sender, data: bytes, detail: str) -> None:
        """Keep bytes that do not decode, in the rejected store.

        Args:
            detail: ``"<reason>: words"`` with a key of REASONS, as the decoders say it.

        Raises:
            SpoolFull: the store has no room; the sender must wait.
        """
        named, _, words = detail.partition(": ")
        reason, words = (named, words) if named in REASONS else ("undecodable", detail)
        now = time.time_ns()
        reject = Reject(reason, words, "", None, data, sender.name, "", "", now)
        await self._spool.append([rejected_entry(reject)], [reject])
        self.counts[(sender.name, "", reason)] += 1

    def _process(self, work: _Work, start: int, stop: int) -> None:
        """The records ``start`` up to ``stop`` of a batch."""
        batch, receipt, entries = work.batch, work.receipt, work.entries
        times = batch.times
        for index in range(start, min(stop, len(batch.records))):
            record = batch.records[index]
            ids: list[str] = []
            receipt.ids.append(ids)
            receipt.sources.append("")
            try:
                source = self._source(batch, record)
                receipt.sources[index] = source.name
                transport = times[index] if times is not None else None
                made = self._record(source, record, work, transport)
            except Refused as refused:
                self._reject(refused, record, index, work)
            except RecursionError:
                deep = Refused("too_deep", f"nested deeper than {MAX_DEPTH} levels")
                self._reject(deep, record, index, work)
            else:
                if isinstance(made, str):
                    receipt.ignored[index] = made
                    continue
                for entry in made:
                    ids.append(entry.id)
                entries += made
                receipt.accepted += len(made)

    def _source(self, batch: Batch, record: Any) -> Source:
        if type(record) is not dict:
            raise Refused("not_an_object", f"the record is {type(record).__name__}, not an object")
        source = self.stages.router.route(batch.source, batch.tag, record)
        if source is None:
            asked = f" named {batch.source!r}" if batch.source else f" for the tag {batch.tag!r}"
            raise Refused("no_source", f"no source mapping{asked}")
        allowed = batch.sender.sources
        if allowed is not None and source.name not in allowed:
            raise Refused(
                "source_not_allowed", f"sender {batch.sender.name} may not send for {source.name}"
            )
        return source

    def _record(
        self, source: Source, record: dict[str, Any], work: _Work, transport: int | None
    ) -> list[Entry] | str:
        """One record to its entries, or the mapping's reason for ignoring it.

        Raises:
            Refused: the record goes to the rejected store.
        """
        mapped = source.map(record, work.batch.tag, transport)
        if isinstance(mapped, str):
            return mapped
        if type(mapped) is Activities and mapped.ignored:
            work.receipt.ignored_inside[source.name] += len(mapped.ignored)
        try:
            return [
                self._entry(activity, source, record, work, transport, output, scan=True)
                for output, activity in enumerate(mapped)
            ]
        except _Suspect as suspect:
            record = suspect.cleaned
        mapped = source.map(record, work.batch.tag, transport)
        if isinstance(mapped, str):
            return mapped
        return [
            self._entry(activity, source, record, work, transport, output, scan=False)
            for output, activity in enumerate(mapped)
        ]

    def _entry(
        self,
        activity: dict[str, Any],
        source: Source,
        record: dict[str, Any],
        work: _Work,
        transport: int | None,
        output: int,
        *,
        scan: bool,
    ) -> Entry:
        """One mapped activity to the bytes that are stored.

        Raises:
            Refused: it cannot be kept as an activity.
            _Suspect: the record holds a secret and must be mapped again without it.
        """
        stages = self.stages
        if stages.pseudonyms:
            stages.pseudonyms.apply(activity)
        stream, ms = stages.normalizer.complete(activity, work.context, transport)
        event = activity["event"]
        given = event.get("id")
        known = type(given) is str and given != ""
        if not known:
            event["id"] = "-"  # the schema wants one; the derived id follows below
        elif len(given) > MAX_ID:
            self._shorten_id(activity, event, given)
        try:
            inner, outer = self._parts(activity, event)
        except TypeError:  # orjson says neither where nor, for some values, anything
            self._closely(activity, whole=True)
            inner, outer = self._parts(activity, event := activity["event"])
        if scan and stages.redactor.suspect(inner + outer):
            cleaned = stages.redactor.clean(record)
            if cleaned is not record:
                raise _Suspect(cleaned)
        large = len(outer) > LOOK_CLOSELY
        if large or b"null" in outer or not self._validator.is_valid(activity):
            self._closely(activity, whole=large)
            inner, outer = self._parts(activity, event := activity["event"])
        organization = activity.get("organization")
        owner: str = organization.get("id", "") if organization is not None else ""
        if known:
            _id = document_id(source.name, owner, f"id:{given}")
        else:
            digest = self._content(activity, record, transport, output)
            _id = event["id"] = document_id(source.name, owner, work.ordinals.key(digest))
            inner = orjson.dumps(event, option=_SORTED)
        if activity["activity"]["timestamp_source"] == "receipt":
            stamp = activity.pop("@timestamp").encode()
            inner, outer = self._parts(activity, event)
        else:
            stamp = b""
        return self._stored(inner, outer, stamp, stream, _id, ms, work.context)

    def _parts(self, activity: dict[str, Any], event: dict[str, Any]) -> tuple[bytes, bytes]:
        """``event`` and the document around it (with a mark in its place), as JSON.

        Raises:
            TypeError: a value that JSON cannot say.
        """
        inner = orjson.dumps(event, option=_SORTED)
        activity["event"] = self._mark
        try:
            return inner, orjson.dumps(activity, option=_SORTED)
        finally:
            activity["event"] = event

    def _stored(
        self,
        inner: bytes,
        outer: bytes,
        stamp: bytes,
        stream: str,
        _id: str,
        ms: int,
        context: Context,
    ) -> Entry:
        """Hash the canonical bytes (:mod:`activity_center.canonical`) and add the receiver's.

        Raises:
            Refused: the document is too large.
        """
        head, tail = outer.split(self._quoted_mark)
        hasher = hashlib.sha256(head)
        hasher.update(inner)
        hasher.update(tail)
        digest = hasher.hexdigest()
        if stamp:
            head = b'{"@timestamp":"%s",%s' % (stamp, head[1:])
        ending = f',"hash":"{digest}","ingested":"{context.received.text}"}}'.encode()
        body = b"".join((head, inner[:-1], ending, tail))
        if len(body) > MAX_EVENT:
            raise Refused("too_large", f"the activity has {len(body)} bytes, more than {MAX_EVENT}")
        return Entry(stream, _id, ms, digest, body, context.sender.name)

    @staticmethod
    def _shorten_id(activity: dict[str, Any], event: dict[str, Any], given: str) -> None:
        """An id too long for its field is stood for by its hash, and kept whole."""
        digest = hashlib.sha256(given.encode("utf-8", "surrogatepass")).hexdigest()
        event["id"] = f"sha256:{digest}"
        ours = activity["activity"]
        ours["overflow"] = {"event.id": given}
        ours["overflow_fields"] = ["event.id"]

    @staticmethod
    def _content(
        activity: dict[str, Any], record: dict[str, Any], transport: int | None, output: int
    ) -> bytes:
        """Identity of a record without id; without any time of its own it is a new event.

        Raises:
            Refused: the record cannot be written as JSON.
        """
        ours = activity["activity"]
        moment: int | str | None = transport
        if ours["timestamp_source"] == "receipt":
            moment = ours.get("claimed_timestamp") or secrets.token_hex(16)
        try:
            return content_key(record, moment, output)
        except TypeError:
            inspect(record)
            raise Refused("too_deep", f"nested deeper than {MAX_DEPTH} levels") from None

    def _closely(self, activity: dict[str, Any], *, whole: bool) -> None:
        """The slow look: numbers and text, then fit to the fields, then the schema again.

        Args:
            whole: fit also when the schema is satisfied (large or unwritable documents).

        Raises:
            Refused: with the reason and the path.
        """
        inspect(activity)
        if not whole and self._validator.is_valid(activity):
            return
        self._placer.fit(activity)
        event = activity.get("event")
        if type(event) is dict:
            event.setdefault("outcome", "unknown")
            event.setdefault("kind", "event")
        if not self._validator.is_valid(activity):
            finding = self._validator.explain(activity)
            raise Refused("invalid", finding.detail, finding.path)

    def _reject(self, refused: Refused, record: Any, index: int, work: _Work) -> None:
        batch, receipt = work.batch, work.receipt
        reject = Reject(
            reason=refused.reason,
            detail=refused.detail,
            path=refused.path,
            record=self.stages.redactor.json(record),
            raw=None,
            sender=batch.sender.name,
            source=receipt.sources[index] or batch.source or "",
            tag=batch.tag,
            received=work.received,
        )
        receipt.rejected[index] = reject
        work.rejects.append(reject)
        work.entries.append(rejected_entry(reject))

    def _count(self, batch: Batch, receipt: Receipt) -> None:
        sender, counts = batch.sender.name, self.counts
        other = dict.fromkeys(receipt.ignored, "ignored")
        other |= {index: reject.reason for index, reject in receipt.rejected.items()}
        for source, number in receipt.ignored_inside.items():
            counts[(sender, source, "ignored")] += number
        if not other:
            for source, number in Counter(receipt.sources).items():
                counts[(sender, source, "accepted")] += number
            return
        for index, source in enumerate(receipt.sources):
            counts[(sender, source, other.get(index, "accepted"))] += 1


class _Work:
    """A batch on its way through the stages, and what came of it so far."""

    __slots__ = ("batch", "context", "entries", "ordinals", "receipt", "received", "rejects")

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.received = batch.received or time.time_ns()
        self.context = Context.of(batch.sender, self.received)
        self.ordinals = Ordinals()
        self.receipt = Receipt()
        self.entries: list[Entry] = []
        self.rejects: list[Reject] = []


class _Suspect(Exception):
    """A record that held a secret; carries the record without it."""

    def __init__(self, cleaned: dict[str, Any]) -> None:
        super().__init__()
        self.cleaned = cleaned
