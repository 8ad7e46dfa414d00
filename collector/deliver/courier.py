"""One try to deliver some records: look where needed, send, and sort what came of it."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Set
from pathlib import Path
from typing import Final

import structlog
from opensearchpy import OpenSearch

from activity_center.config import Delivery
from activity_center.streams import REJECTED_STREAM
from collector.deliver import bulk
from collector.deliver.bulk import Forbidden, RequestFailed
from collector.deliver.generations import Generations, Stream
from collector.deliver.lanes import LANES, Answer, ask_all, cut
from collector.deliver.once import Copy, Found, Once, oldest_place, second_copies
from collector.deliver.outcome import Item, Outcome, explain, outcome_of, pointer
from collector.deliver.rechecks import Rechecks
from collector.deliver.result import Result
from collector.records import Entry, Reject
from collector.spool import Record

_log = structlog.get_logger(__name__)

_SMALLEST_BODY: Final = 64 * 1024
FAILS_ALONE: Final = 500
"""Status noted for a record whose request fails as a whole."""
OUTCOMES: Final = ("created", "existed", "rejected", "conflict", "retried")
"""What becomes of documents."""


class Courier:
    """Sends records; keeps no state but figures and the sizes that the cluster takes.

    Args:
        client: the delivery credential; its transport must not retry.
        maintain: the credential that may delete second copies, or ``None``.
        delivery: sizes and times.
        rechecks: file of what is to be looked for again.

    Attributes:
        documents: how many documents a request may have now.
        body_bytes: how many bytes a request may have now.
        outcomes: each of :data:`OUTCOMES` -> documents.
        failures: cause -> requests that brought no items.
        requests: bulk requests sent.
        seconds: seconds spent waiting for them.
        copies_dropped: documents for the stream ``activity-rejected`` that were refused or
            could not be spooled; the rejected store has the original.
    """

    def __init__(
        self,
        client: OpenSearch,
        maintain: OpenSearch | None,
        delivery: Delivery,
        rechecks: Path,
    ) -> None:
        self.documents = delivery.batch_documents
        self.body_bytes = delivery.batch_bytes
        # Each is told from the start: what first appears as 1 has not grown for Prometheus.
        self.outcomes: Counter[str] = Counter(dict.fromkeys(OUTCOMES, 0))
        self.failures: Counter[str] = Counter()
        self.requests = 0
        self.seconds = 0.0
        self.copies_dropped = 0
        self._counting = threading.Lock()
        self._client = client
        self._delivery = delivery
        self.generations = Generations(client, maintain)
        self.once = Once(client, maintain, self.generations, delivery.timeout)
        self.rechecks = Rechecks(rechecks, self.generations, self.once)

    def attempt(
        self, records: list[Record], suspects: Set[int], floors: dict[str, str], *, fresh: bool
    ) -> Result:
        """Try to deliver ``records`` once; every ending is in the result.

        Args:
            suspects: positions that an earlier try may have stored.
            floors: stream -> write index at the first try; filled in here.
            fresh: read the generations anew.
        """
        result = Result()
        sending: list[Record] = []
        streams: dict[str, Stream] = {}
        for name, group in _by_stream(records).items():
            try:
                stream = self.generations.get(name, fresh=fresh, timeout=self._delivery.timeout)
                if stream is None:
                    # Sent anyway, a cluster that creates indices by itself would make
                    # a plain index of that name.
                    result.parked[name] += group
                    continue
                streams[name] = stream
                floor = floors.setdefault(name, stream.write.name)
                sending += self._look(stream, group, suspects, floor, result)
            except Forbidden as wrong:
                self.failures[wrong.cause] += 1
                result.parked[name] += group
            except RequestFailed as wrong:
                self._failed(wrong, result)
                result.again(group, unknown=False)
                result.unknown |= suspects & {record[0] for record in group}
        while sending:
            # A cluster that asked for smaller requests does not get two at a time.
            most = LANES if self.documents >= self._delivery.batch_documents else 1
            lots = cut(sending, self.documents, self.body_bytes, most)
            for lot, answer in zip(lots, ask_all(lots, self._ask), strict=True):
                self._answered(lot, answer, streams, result)
                del sending[: len(lot)]
            if result.failure is not None:
                result.again(sending, unknown=False)
                break
        self.outcomes["retried"] += len(result.retry)
        return result

    # -- before ------------------------------------------------------------------

    def _look(
        self,
        stream: Stream,
        records: list[Record],
        suspects: Set[int],
        floor: str,
        result: Result,
    ) -> list[Record]:
        """Return the records that are to be sent: those that no older generation holds."""
        write = len(stream.backing) - 1
        if write == 0:
            return records
        wanted: dict[int, list[str]] = defaultdict(list)
        asking: list[Record] = []
        sending: list[Record] = []
        for record in records:
            suspect = record[0] in suspects
            place = oldest_place(stream, record[2].time, floor if suspect else None)
            if place == write:
                sending.append(record)
                continue
            asking.append(record)
            # A try without answer may be in the write index too, beside an older copy.
            for generation in range(place, write + 1 if suspect else write):
                wanted[generation].append(record[2].id)
        if not asking:
            return sending
        found = self.once.find(stream, wanted)
        self._remove_second(stream.name, asking, found)
        for record in asking:
            id_ = record[2].id
            copies = found.copies.get(id_)
            if id_ in found.unsure:
                result.again([record], unknown=copies is not None or record[0] in suspects)
            elif copies is None:
                sending.append(record)
            else:
                self._stored(record, copies[0], result)
        return sending

    def _remove_second(self, stream: str, records: list[Record], found: Found) -> None:
        """Remove the copies that should not be; first of all, since it may fail."""
        surplus: dict[tuple[str, str], Copy] = {}
        for record in records:
            entry = record[2]
            copies = found.copies.get(entry.id)
            if copies and entry.id not in found.unsure:
                for copy in second_copies(copies, entry):
                    surplus[(copy.backing, copy.id)] = copy
        self.once.remove(stream, list(surplus.values()))

    def _stored(self, record: Record, copy: Copy, result: Result) -> None:
        """A document with the event's id is stored: is it the event?"""
        entry = record[2]
        if copy.hash == entry.hash:
            self.outcomes["existed"] += 1
        elif entry.stream == REJECTED_STREAM:
            self._drop_copy(entry, f"another one is stored in {copy.backing}")
        else:
            self.outcomes["conflict"] += 1
            detail = f"another event is stored in {copy.backing} under the id {entry.id}"
            _log.error("id conflict", index=copy.backing, id=entry.id, sender=entry.sender)
            result.refused.append((record, _reject("id_conflict", detail, "", entry)))

    # -- sending -----------------------------------------------------------------

    def _ask(self, records: list[Record]) -> Answer:
        begun = time.monotonic()
        try:
            return bulk.send(self._client, records, self._delivery.timeout)
        except RequestFailed as wrong:
            return wrong
        finally:
            with self._counting:
                self.requests += 1
                self.seconds += time.monotonic() - begun

    def _send(self, records: list[Record], streams: dict[str, Stream], result: Result) -> None:
        self._answered(records, self._ask(records), streams, result)

    def _answered(
        self,
        records: list[Record],
        answer: Answer,
        streams: dict[str, Stream],
        result: Result,
    ) -> None:
        """Sort what came of a request."""
        if isinstance(answer, bulk.Pushback):
            self.documents = max(1, len(records) // 2)
            self._failed(answer, result)
            result.again(records, unknown=False)
        elif isinstance(answer, bulk.TooLarge | bulk.Malformed):
            self.failures[answer.cause] += 1
            self._split(records, streams, answer, result)
        elif isinstance(answer, RequestFailed):
            self._failed(answer, result)
            result.again(records, unknown=isinstance(answer, bulk.Unanswered))
        else:
            if self.documents < self._delivery.batch_documents:
                # Slower than it shrank: a cluster that lacks memory would refuse every second one.
                more = self.documents + max(1, self.documents // 8)
                self.documents = min(more, self._delivery.batch_documents)
            self._sort(records, answer, streams, result)

    def _split(
        self,
        records: list[Record],
        streams: dict[str, Stream],
        wrong: RequestFailed,
        result: Result,
    ) -> None:
        """Find the record for which the whole request fails, by halves.

        One that fails alone is tried some more times before it is refused: a proxy or
        a server that says this to everybody must not empty the spool.
        """
        if len(records) == 1:
            position, _, entry = records[0]
            result.again(records, unknown=False)
            result.last[position] = Item(FAILS_ALONE, entry.stream, wrong.cause, str(wrong))
            return
        if isinstance(wrong, bulk.TooLarge):
            size = sum([record[1] for record in records])
            self.body_bytes = max(_SMALLEST_BODY, min(self.body_bytes, size // 2))
        half = len(records) // 2
        self._send(records[:half], streams, result)
        if result.failure is None:
            self._send(records[half:], streams, result)
        else:
            result.again(records[half:], unknown=False)

    def _sort(
        self,
        records: list[Record],
        items: list[Item],
        streams: dict[str, Stream],
        result: Result,
    ) -> None:
        name, first = records[0][2].stream, items[0]
        if (
            len(streams) == 1
            and first.status == 201
            and first.backing == streams[name].write.name
            and items.count(first) == len(items)
            and not streams[name].young
        ):
            self.outcomes["created"] += len(items)
            return
        created = 0
        late: dict[str, list[tuple[Record, str]]] = defaultdict(list)
        exist: dict[tuple[str, str], list[Record]] = defaultdict(list)
        expected = {name: stream.write.name for name, stream in streams.items()}
        for record, item in zip(records, items, strict=True):
            name = record[2].stream
            if item.status == 201:
                created += 1
                if item.backing != expected[name]:
                    late[name].append((record, item.backing))
                continue
            outcome = outcome_of(item)
            if outcome is Outcome.EXISTS:
                exist[(name, item.backing)].append(record)
            elif outcome is Outcome.PARK:
                result.parked[name].append(record)
                result.last[record[0]] = item
            elif outcome is Outcome.REJECT:
                self._refuse(record, item, result)
            else:
                result.again([record], unknown=outcome is Outcome.UNKNOWN)
                result.last[record[0]] = item
        self.outcomes["created"] += created
        for (name, index), group in exist.items():
            self._compare(name, index, group, result)
        for name, pairs in late.items():
            self._check_late(streams[name], pairs, result)
        for name, stream in streams.items():
            if stream.young:
                self._recheck(stream, records, name)

    def _refuse(self, record: Record, item: Item, result: Result) -> None:
        entry = record[2]
        if entry.stream == REJECTED_STREAM:
            self._drop_copy(entry, explain(item))
            return
        self.outcomes["rejected"] += 1
        detail = f"{entry.stream} refused it: {explain(item)}"
        result.refused.append((record, _reject("refused", detail, pointer(item), entry)))

    def give_up(self, record: Record, item: Item, result: Result) -> None:
        """Refuse a record that the cluster fails on again and again while it takes others."""
        self._refuse(record, item, result)

    def _drop_copy(self, entry: Entry, why: str) -> None:
        self.copies_dropped += 1
        _log.warning("searchable copy of a rejected record refused", id=entry.id, why=why)

    # -- after -------------------------------------------------------------------

    def _compare(self, name: str, index: str, records: list[Record], result: Result) -> None:
        """409: delivered, if what is stored is the same event."""
        try:
            found = self.once.find_in(name, index, [record[2].id for record in records])
        except RequestFailed as wrong:
            self._failed(wrong, result)
            result.again(records, unknown=True)
            return
        for record in records:
            copies = found.copies.get(record[2].id)
            if copies:
                self._stored(record, copies[0], result)
            else:  # deleted since, or not to be told now
                result.again([record], unknown=True)

    def _check_late(self, before: Stream, pairs: list[tuple[Record, str]], result: Result) -> None:
        """Created in an index that we did not expect: the stream rolled over meanwhile.

        The events may be in the index that was the write index until then.
        """
        records = [record for record, _ in pairs]
        try:
            stream = self.generations.get(before.name, fresh=True, timeout=self._delivery.timeout)
            if stream is None:
                return
            oldest = stream.place(before.write.name) or 0
            ids = [record[2].id for record in records]
            found = self.once.find(stream, dict.fromkeys(range(oldest, len(stream.backing)), ids))
            self._remove_second(before.name, records, found)
            for record in records:
                copies = found.copies.get(record[2].id, [])
                if record[2].id in found.unsure:
                    result.again([record], unknown=True)
                elif len(copies) > 1:
                    self.outcomes["created"] -= 1
                    self._stored(record, copies[0], result)
            self._recheck(stream, records, before.name, since=before.write.name)
        except RequestFailed as wrong:
            self._failed(wrong, result)
            result.again(records, unknown=True)

    def _recheck(
        self, stream: Stream, records: list[Record], name: str, since: str | None = None
    ) -> None:
        ids = [record[2].id for record in records if record[2].stream == name]
        if ids and len(stream.backing) > 1:
            self.rechecks.add(name, since or stream.backing[-2].name, ids)

    def _failed(self, wrong: RequestFailed, result: Result) -> None:
        self.failures[wrong.cause] += 1
        result.failure = wrong


def _by_stream(records: list[Record]) -> dict[str, list[Record]]:
    groups: dict[str, list[Record]] = {}
    for record in records:
        group = groups.get(record[2].stream)
        if group is None:
            groups[record[2].stream] = [record]
        else:
            group.append(record)
    return groups


def _reject(reason: str, detail: str, path: str, entry: Entry) -> Reject:
    """Word a refusal; it follows from the event alone, so that a repeat is the same one."""
    return Reject(
        reason=reason,
        detail=detail,
        path=path,
        record=entry.body,
        raw=None,
        sender=entry.sender,
        source="",
        tag="",
        received=entry.time * 1_000_000,
    )
