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
GROUP: Final = 32
"""Records that go through the stages together: few enough to stay in the processor's cache."""
MAX_ID: Final = 512
"""Longest ``event.id``, characters."""
_SORTED: Final = orjson.OPT_SORT_KEYS
_DEL: Final = b"\x7f"
_NO_ID: Final = "-"
_TIMESTAMP: Final = b'{"@timestamp":"'
_HASH: Final = b'"hash":"'
_BEFORE_ID: Final = b'","id":"'
_INGESTED: Final = b',"ingested":"'

_Draft = tuple[dict[str, Any], bytes, str, int, str | None, bool]
"""An activity on its way: itself, its JSON (see ``_written``), its stream, its time in Unix
ms, the producer's id if there is one, and whether the schema takes it. A plain tuple: one is
made per event."""


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
        # Stands where the hash goes; unguessable, so that no value can hold it.
        self._mark = _DEL.decode() + secrets.token_hex(16)
        self._mark_bytes = self._mark.encode()
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
        """The records ``start`` up to ``stop`` of a batch, some at a time."""
        stop = min(stop, len(work.batch.records))
        for first in range(start, stop, GROUP):
            self._group(work, first, min(first + GROUP, stop))

    def _group(self, work: _Work, start: int, stop: int) -> None:
        """Write all records of a group as JSON, scan that once, and make the entries."""
        batch, receipt, transport = work.batch, work.receipt, None
        times = batch.times
        drafted: list[tuple[int, Source, list[_Draft]]] = []
        bodies: list[bytes] = []
        for index in range(start, stop):
            record = batch.records[index]
            receipt.ids.append([])
            receipt.sources.append("")
            try:
                source = self._source(batch, record)
                receipt.sources[index] = source.name
                if times is not None:
                    transport = times[index]
                drafts = self._drafts(source, record, work, transport)
            except (Refused, RecursionError) as wrong:
                self._reject(wrong, record, index, work)
                continue
            if isinstance(drafts, str):
                receipt.ignored[index] = drafts
                continue
            drafted.append((index, source, drafts))
            for draft in drafts:
                bodies.append(draft[1])
        flagged = self.stages.redactor.flagged(bodies) if bodies else ()
        scanned = 0
        for index, source, drafts in drafted:
            first, scanned = scanned, scanned + len(drafts)
            clean = not flagged or flagged.isdisjoint(range(first, scanned))
            try:
                if clean:
                    made = self._entries(drafts, source, index, work)
                else:
                    made = self._looked_at(drafts, source, index, work)
            except (Refused, RecursionError) as wrong:
                self._reject(wrong, batch.records[index], index, work)
                continue
            if isinstance(made, str):
                receipt.ignored[index] = made
                continue
            receipt.ids[index] = [entry.id for entry in made]
            work.entries += made
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

    def _drafts(
        self, source: Source, record: dict[str, Any], work: _Work, transport: int | None
    ) -> list[_Draft] | str:
        """One record to its activities, or the mapping's reason for ignoring it.

        Raises:
            Refused: the record goes to the rejected store.
        """
        mapped = source.map(record, work.batch.tag, transport)
        if isinstance(mapped, str):
            return mapped
        drafts = []
        for activity in mapped:
            drafts.append(self._draft(activity, work, transport))
        return drafts

    def _draft(self, activity: dict[str, Any], work: _Work, transport: int | None) -> _Draft:
        """Complete one mapped activity and write it as JSON.

        Raises:
            Refused: it cannot be kept as an activity.
        """
        stages = self.stages
        if stages.pseudonyms:
            stages.pseudonyms.apply(activity)
        stream, ms = stages.normalizer.complete(activity, work.context, transport)
        event = activity["event"]
        given = event.get("id")
        if type(given) is not str or not given:
            given, event["id"] = None, _NO_ID  # the derived id follows in _entry
        elif len(given) > MAX_ID:
            self._shorten_id(activity, event, given)
        try:
            valid = self._validator.is_valid(activity)
            return activity, self._written(activity, work), stream, ms, given, valid
        except (TypeError, ValueError):  # neither says where nor, for some values, anything
            self._closely(activity, whole=True)
            return activity, self._written(activity, work), stream, ms, given, True

    def _written(self, activity: dict[str, Any], work: _Work) -> bytes:
        """The activity as JSON, with a mark where its hash goes.

        Raises:
            TypeError: a value that JSON cannot say.
        """
        event = activity["event"]
        event["hash"] = self._mark
        event["ingested"] = work.context.received.text
        try:
            return orjson.dumps(activity, option=_SORTED)
        finally:
            del event["hash"], event["ingested"]

    def _looked_at(
        self, drafts: list[_Draft], source: Source, index: int, work: _Work
    ) -> list[Entry] | str:
        """Entries of a record that holds a secret, or a ``null``, or something like it.

        Raises:
            Refused: the record goes to the rejected store.
        """
        redactor, batch = self.stages.redactor, work.batch
        record = batch.records[index]
        if any(redactor.suspect(draft[1]) for draft in drafts):
            cleaned = redactor.clean(record)
            if cleaned is not record:
                record = cleaned
                transport = batch.times[index] if batch.times is not None else None
                again = self._drafts(source, record, work, transport)
                if isinstance(again, str):
                    return again
                drafts = again
        # NaN is written as null without a word, and a field that is null is none.
        drafts = [
            (*draft[:5], False) if b"null" in draft[1] else draft for draft in drafts
        ]
        return self._entries(drafts, source, index, work, record)

    def _entries(
        self,
        drafts: list[_Draft],
        source: Source,
        index: int,
        work: _Work,
        record: dict[str, Any] | None = None,
    ) -> list[Entry]:
        """What is stored of one record.

        Args:
            record: without its secrets, where it held some.

        Raises:
            Refused: the record goes to the rejected store.
        """
        entries = []
        for output, draft in enumerate(drafts):
            activity, body, stream, ms, given, valid = draft
            large = len(body) > LOOK_CLOSELY
            if large or not valid:
                self._closely(activity, whole=large)
                body = self._written(activity, work)
            organization = activity.get("organization")
            owner: str = organization.get("id", "") if organization is not None else ""
            if given is not None:
                _id = document_id(source.name, owner, f"id:{given}")
            else:
                plain = work.batch.records[index] if record is None else record
                times = work.batch.times
                transport = times[index] if times is not None else None
                digest = self._content(activity, plain, transport, output)
                _id = document_id(source.name, owner, work.ordinals.key(digest))
            entries.append(self._stored(activity, body, stream, ms, given, _id, work))
        return entries

    def _stored(
        self,
        activity: dict[str, Any],
        body: bytes,
        stream: str,
        ms: int,
        given: str | None,
        _id: str,
        work: _Work,
    ) -> Entry:
        """Hash the canonical bytes (:mod:`activity_center.canonical`) and put the hash in.

        They are the body without the receiver's values. Keys are sorted, so what stands
        around the mark is known: ``"hash":"<mark>","id":"...","ingested":"<time>",...``.

        Raises:
            Refused: the document is too large.
        """
        mark, received = self._mark_bytes, work.context.received.text
        # JSON escapes no DEL, but it is rare: looking for that one byte is quicker.
        at = body.find(_DEL)
        if not body.startswith(mark, at):
            at = body.index(mark)
        head, tail = body[:at], body[at + len(mark) :]
        if given is None:
            tail = _BEFORE_ID + _id.encode() + tail[len(_BEFORE_ID) + len(_NO_ID) :]
        before = tail.index(_INGESTED)
        after = before + len(_INGESTED) + len(received) + 1
        front = head[: -len(_HASH)]
        if activity["activity"]["timestamp_source"] == "receipt":
            front = b"{" + front[len(_TIMESTAMP) + len(received) + 2 :]
        digest = hashlib.sha256(front + tail[2:before] + tail[after:]).hexdigest()
        body = b"".join((head, digest.encode(), tail))
        if len(body) > MAX_EVENT:
            raise Refused("too_large", f"the activity has {len(body)} bytes, more than {MAX_EVENT}")
        return Entry(stream, _id, ms, digest, body, work.context.sender.name)

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

    def _reject(
        self, refused: Refused | RecursionError, record: Any, index: int, work: _Work
    ) -> None:
        if isinstance(refused, RecursionError):
            refused = Refused("too_deep", f"nested deeper than {MAX_DEPTH} levels")
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

