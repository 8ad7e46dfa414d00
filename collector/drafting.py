"""Draft: which source takes a record, and the activities that its mapping makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from collector.mapping import Activities, Candidates, Source
from collector.normalize import Context, Refused
from collector.normalize.stage import tell_stage
from collector.records import Batch, Entry
from collector.work import Work
from collector.writing import INVALID, Draft, Writer

if TYPE_CHECKING:
    from collector.pipeline import Stages


class Drafter:
    """Turns records into drafts, and drafts that need it into entries.

    Attributes:
        writer: what is compiled once.
    """

    def __init__(self) -> None:
        self.writer = Writer()

    @staticmethod
    def source(
        stages: Stages, candidates: Candidates, batch: Batch, record: Any, before: Source | None
    ) -> Source:
        """Return the source of a record.

        Args:
            candidates: those that the router has for the batch.
            before: one of this batch that its sender may use.

        Raises:
            Refused: it is no object, no source takes it, or the sender may not send for that.
        """
        if type(record) is not dict:
            raise Refused("not_an_object", f"the record is {type(record).__name__}, not an object")
        for source, test in candidates:
            if test is not None and not test(record):
                continue
            allowed = batch.sender.sources
            if source is before or allowed is None or source.name in allowed:
                return source
            raise Refused(
                "source_not_allowed", f"sender {batch.sender.name} may not send for {source.name}"
            )
        raise Refused("no_source", _why_no_source(stages, batch))

    def drafts(
        self,
        stages: Stages,
        source: Source,
        record: dict[str, Any],
        work: Work,
        transport: int | None,
        before: list[Draft] | None = None,
    ) -> list[Draft] | str:
        """Return the activities of one record, or the mapping's reason for ignoring it.

        Args:
            before: what was made of the record while it had its secrets.

        Raises:
            Refused: the record goes to the rejected store.
        """
        if source.stamp is not None:
            quick = self._quick(stages, source.stamp, record, work.context, transport, before)
            if quick is not None:
                return [quick]
        mapped = source.map(record, work.batch.tag, transport)
        if isinstance(mapped, str):
            return mapped
        complete, draft = stages.normalizer.complete, self.writer.draft
        pseudonyms, context = stages.pseudonyms, work.context
        bind, sender = stages.digests.bind, work.batch.sender
        drafts = []
        for number, activity in enumerate(mapped):
            tell_stage(activity)
            bind(activity, sender, None if before is None else before[number][0])
            if pseudonyms:
                pseudonyms.apply(activity)
            stream, ms, receiver = complete(activity, context, transport)
            drafts.append(draft(activity, stream, ms, receiver))
        if type(mapped) is Activities and mapped.ignored:
            inside = work.inside
            inside[source.name] = inside.get(source.name, 0) + len(mapped.ignored)
        return drafts

    def _quick(
        self,
        stages: Stages,
        stamp: tuple[dict[str, Any], dict[str, Any]],
        record: dict[str, Any],
        context: Context,
        transport: int | None,
        before: list[Draft] | None,
    ) -> Draft | None:
        """A record that is an activity as it is, to that activity; ``None`` for any other.

        Nearly all that programs send in our own form is, and looking for keys that are no
        fields, to find none, took a sixth of the accept path: the schema finds them too.
        """
        activity = record.copy()
        ours = record.get("activity")
        if type(ours) is dict and "decision" in ours:  # never plain
            return None
        try:
            tell_stage(activity)
            stages.digests.bind(activity, context.sender, None if before is None else before[0][0])
            if stages.pseudonyms:
                stages.pseudonyms.apply(activity)
            made = stages.normalizer.quick(activity, stamp, context, transport)
            return None if made is None else self.writer.plain(activity, *made)
        except Exception:  # the other way says what is wrong with it
            return None

    def looked_at(
        self, stages: Stages, drafts: list[Draft], source: Source, index: int, work: Work
    ) -> list[Entry] | str:
        """Return entries of a record that holds a secret, or a ``null``, or something like it.

        Raises:
            Refused: the record goes to the rejected store.
        """
        redactor, batch = stages.redactor, work.batch
        record, keyed = batch.records[index], False
        if any(redactor.suspect(draft[1]) for draft in drafts):
            cleaned = redactor.clean(record)
            if cleaned is not record:
                transport = batch.times[index] if batch.times is not None else None
                again = self.drafts(stages, source, cleaned, work, transport, drafts)
                if isinstance(again, str):
                    return again
                drafts, keyed = self._own_ids(stages, drafts, again), True
        # NaN is written as null without a word, and a field that is null is none.
        drafts = [(*draft[:6], INVALID) if b"null" in draft[1] else draft for draft in drafts]
        return self.entries(stages, drafts, source, index, work, keyed=keyed)

    def _own_ids(self, stages: Stages, before: list[Draft], after: list[Draft]) -> list[Draft]:
        """Give back their own ids to events whose id was taken for a secret, as keyed hashes.

        Two ids that redaction makes equal are still two events.
        """
        result = []
        for old, new in zip(before, after, strict=True):
            if old[5] is not None and old[5] != new[5]:
                activity = new[0]
                activity["event"]["id"] = stages.pseudonyms.pseudonym(old[5])
                new = self.writer.draft(activity, new[2], new[3], new[4])
            result.append(new)
        return result

    def entries(
        self,
        stages: Stages,
        drafts: list[Draft],
        source: Source,
        index: int,
        work: Work,
        *,
        keyed: bool = False,
    ) -> list[Entry]:
        """Return what is stored of one record.

        Args:
            keyed: it holds something that must not be guessed from its id.

        Raises:
            Refused: the record goes to the rejected store.
        """
        batch = work.batch
        transport = batch.times[index] if batch.times is not None else None
        ingested, sender, entry = work.ingested, batch.sender.name, self.writer.entry
        key = stages.pseudonyms.key if keyed or stages.pseudonyms else b""
        # As received: its content is its identity where it has no id.
        origin = (source.name, batch.records[index], transport, key)
        return [
            entry(draft, origin, output, work.ordinals, ingested, sender)
            for output, draft in enumerate(drafts)
        ]


def _why_no_source(stages: Stages, batch: Batch) -> str:
    known = ", ".join(sorted(stages.router.sources))
    if batch.source:
        return f"no source is named {batch.source[:64]!r} (known: {known})"
    tag = f" with the tag {batch.tag[:64]!r}" if batch.tag else ""
    return f"no source recognizes this record{tag}; name one (known: {known})"
