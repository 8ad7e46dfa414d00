"""Deliver the spool to OpenSearch: threads that take, try, wait, and settle."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Set
from typing import Final

import structlog
from opensearchpy import OpenSearch

from activity_center.config import Delivery
from activity_center.errors import ActivityCenterError
from collector.deliver.backoff import Backoff
from collector.deliver.bulk import RequestFailed, Unauthorized
from collector.deliver.courier import FAILS_ALONE, Courier
from collector.deliver.lanes import LANES
from collector.deliver.parked import ParkedLoop
from collector.deliver.result import Result
from collector.records import Entry, Reject
from collector.rejected import RejectedStore
from collector.spool import Record, Spool
from collector.spool.layout import RECHECKS

_log = structlog.get_logger(__name__)

TRIES: Final = 8
"""How often an item is tried that the cluster answers for and does not take: then its
stream is parked or, where the cluster fails on that document, it is refused."""
REFUSED: Final = "(refused)"
"""Where refused records are parked that the rejected store does not take; no stream has
such a name, so nothing else waits for them."""
_DRAIN_WAIT: Final = 1.0
_LOOK_AGAIN: Final = 0.05


class Deliverer:
    """Moves what is in ``spool`` into OpenSearch, each event exactly once.

    Args:
        spool: where the events come from.
        client: the delivery credential.
        maintain_client: the credential that may delete second copies, or ``None``.
        rejected: where refused events go.
        delivery: sizes and times.
        encode_reject: makes the searchable copy of a refusal; ``None`` for none.
        backoff: waits between tries.

    Attributes:
        courier: figures of requests and documents.
        alarm: what is wrong with the cluster as a whole, or ``""``.
        store_alarm: why the rejected store takes no refused records, or ``""``.
    """

    def __init__(
        self,
        spool: Spool,
        client: OpenSearch,
        maintain_client: OpenSearch | None,
        rejected: RejectedStore,
        delivery: Delivery,
        *,
        encode_reject: Callable[[Reject], Entry] | None = None,
        backoff: Backoff = Backoff(),  # noqa: B008 - frozen
    ) -> None:
        # A repetition by the transport would hide that a first try had no answer.
        for one in (client, maintain_client):
            if one is not None:
                one.transport.max_retries = 0
        self.alarm = ""
        self.store_alarm = ""
        self.spool = spool
        self.courier = Courier(client, maintain_client, delivery, spool.folder / RECHECKS)
        self.backoff = backoff
        self.stopping = threading.Event()
        self.abandoned = threading.Event()
        self._rejected = rejected
        self._delivery = delivery
        self._encode_reject = encode_reject
        self._main = threading.Thread(target=self._run, name="deliver", daemon=True)
        self._parked = ParkedLoop(self)

    # -- running -----------------------------------------------------------------

    def start(self) -> None:
        """Start delivering."""
        self._main.start()
        self._parked.start()

    def stop(self, drain_timeout: float) -> bool:
        """Deliver what is left, for at most ``drain_timeout`` seconds, and end.

        Returns:
            Whether nothing is left, parked records included.
        """
        until = time.monotonic() + drain_timeout
        self.stopping.set()
        self.spool.wake()
        if self._main.ident is None:  # never started
            return self.spool.drained and not self.spool.parking.streams
        self._main.join(max(0.0, until - time.monotonic()))
        self._parked.finish(max(0.0, until - time.monotonic()))
        self.abandoned.set()
        self._main.join(0.2)
        return self.spool.drained and not self.spool.parking.streams

    def _run(self) -> None:
        tries = 0
        while not self.abandoned.is_set():
            try:
                records = self.spool.take(
                    self.courier.documents,
                    self.courier.body_bytes,
                    self._delivery.linger,
                    self.stopping,
                    lots=LANES,
                )
            except ActivityCenterError as wrong:
                tries += 1
                _log.error("spool cannot be read", error=str(wrong))
                self.abandoned.wait(self.backoff.wait(tries))
                continue
            tries = 0
            if records and not self._deliver_surely(records):
                return
            if not records and self.stopping.is_set():
                if self.spool.drained:
                    return
                self.abandoned.wait(_LOOK_AGAIN)

    def _deliver_surely(self, records: list[Record]) -> bool:
        """:meth:`_deliver`, and begin again after a fault of ours: the thread must live."""
        tries = 0
        while True:
            try:
                return self._deliver(records, again=tries > 0)
            except Exception:
                _log.exception("delivery failed unexpectedly")
                tries += 1
                if not self.pause(tries):
                    return False

    def _deliver(self, records: list[Record], *, again: bool) -> bool:
        """Try until all of ``records`` are settled; ``False`` when abandoned."""
        suspects, floors = self._history(records, all_suspect=again)
        pending, lost = records, set(suspects)
        tries = answered = fruitless = 0
        while pending:
            pending = self._park_known(pending)
            result = self.attempt(pending, suspects, floors, fresh=tries > 0)
            if result.failure is None:
                answered += 1
                if answered >= TRIES:
                    self.give_up(result, park=True)
            self.note(result.failure)
            self.keep_refused(result)
            self._park(result)
            # Small requests that get through one by one are progress, not one long failure.
            fruitless = 1 if len(result.retry) < len(pending) else fruitless + 1
            pending = result.retry
            suspects = (suspects & {record[0] for record in pending}) | result.unknown
            lost |= result.unknown
            if pending:
                tries += 1
                if not self.pause(fruitless):
                    return False
        if lost:
            self._look_again(records, lost, floors)
        # As long as records of before the start follow, their history stays as it was.
        old = records[-1][0] + 1 < self.spool.suspects
        self.spool.settle(records, None if old else self.courier.generations.write_indices())
        return True

    def _look_again(self, records: list[Record], lost: set[int], floors: dict[str, str]) -> None:
        """A try without an answer may yet be executed."""
        ids: dict[str, list[str]] = {}
        for position, _, entry in records:
            if position in lost:
                ids.setdefault(entry.stream, []).append(entry.id)
        for stream, of_stream in ids.items():
            self.courier.rechecks.add(stream, floors.get(stream, ""), of_stream)

    def attempt(
        self, records: list[Record], suspects: Set[int], floors: dict[str, str], *, fresh: bool
    ) -> Result:
        """:meth:`Courier.attempt`, and an answer that it cannot make sense of is none."""
        try:
            return self.courier.attempt(records, suspects, floors, fresh=fresh)
        except Exception as wrong:
            _log.exception("delivery failed unexpectedly")
            result = Result(failure=RequestFailed(repr(wrong)))
            result.again(records, unknown=True)
            return result

    def _history(
        self, records: list[Record], *, all_suspect: bool
    ) -> tuple[set[int], dict[str, str]]:
        """What is not known of ``records``: positions, and since which write index."""
        if all_suspect:
            return {record[0] for record in records}, {one[2].stream: "" for one in records}
        if records[0][0] >= self.spool.suspects:
            return set(), {}
        suspects = {record[0] for record in records if record[0] < self.spool.suspects}
        known = self.spool.generations
        return suspects, {one[2].stream: known.get(one[2].stream, "") for one in records}

    def pause(self, tries: int) -> bool:
        """Wait before another try; ``False`` when delivery is abandoned."""
        seconds = self.backoff.wait(tries)
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if self.abandoned.wait(min(left, _DRAIN_WAIT)):
                return False
            if self.stopping.is_set():
                break
        return not self.abandoned.is_set()

    # -- what a try left ---------------------------------------------------------

    def note(self, failure: RequestFailed | None) -> None:
        """Raise or lower the alarm; logs only what changes."""
        alarm = failure.cause if failure is not None else ""
        if alarm == self.alarm:
            return
        self.alarm = alarm
        if failure is None:
            _log.info("delivery goes on")
            return
        hint = "what is accepted waits in the spool"
        if isinstance(failure, Unauthorized):
            hint = "check the credential in opensearch: and its role; " + hint
        _log.error("delivery waits", cause=alarm, error=str(failure), hint=hint)

    def give_up(self, result: Result, *, park: bool) -> None:
        """Tried often, with answers: do not let these hold up what comes behind them."""
        waiting, result.retry = result.retry, []
        for record in waiting:
            item = result.last.get(record[0])
            if item is not None and item.status == FAILS_ALONE:
                self.courier.give_up(record, item, result)
            elif park:
                result.parked[record[2].stream].append(record)
            else:
                result.retry.append(record)

    def _park_known(self, records: list[Record]) -> list[Record]:
        """Put aside what goes to streams that refuse already; return the others."""
        refusing = self.spool.parking.streams
        if not refusing:
            return records
        result = Result()
        going = []
        for record in records:
            if record[2].stream in refusing:
                result.parked[record[2].stream].append(record)
            else:
                going.append(record)
        self._park(result)
        return going + result.retry

    def _park(self, result: Result) -> None:
        known = self.spool.parking.streams
        for stream, records in result.parked.items():
            try:
                self.spool.parking.park(stream, records)
            except ActivityCenterError as wrong:
                _log.error("cannot park", stream=stream, error=str(wrong))
                result.again(records, unknown=True)
                continue
            if stream not in known and stream != REFUSED:
                item = result.last.get(records[0][0])
                _log.error(
                    "stream refuses its events: they are kept and tried again slowly",
                    stream=stream,
                    error=f"{item.type}: {item.reason}"[:300] if item else "not there, or no right",
                    hint="activity-center install --config FILE; then activity-center doctor",
                )

    def keep_refused(self, result: Result) -> None:
        """Put refused events into the rejected store, then their searchable copies.

        Those that it does not take are to be parked: they hold up nothing.
        """
        if not result.refused:
            return
        kept = self._store(result.refused)
        if len(kept) < len(result.refused):
            done = {id(reject) for reject in kept}
            result.parked[REFUSED] += [one for one, why in result.refused if id(why) not in done]
        if kept and self._encode_reject is not None:
            try:
                self.spool.append_now([self._encode_reject(one) for one in kept], force=True)
            except ActivityCenterError as wrong:
                self.courier.copies_dropped += len(kept)
                _log.warning("no searchable copy of rejected events", error=str(wrong))

    def _store(self, refused: list[tuple[Record, Reject]]) -> list[Reject]:
        """Return the rejects that are stored: all, or those that found room."""
        rejects = [reject for _, reject in refused]
        with contextlib.suppress(ActivityCenterError):
            self._rejected.add(rejects, reserve=True)
            self._note_store("")
            return rejects
        kept = []
        alarm = ""
        for reject in rejects:
            try:
                self._rejected.add([reject], reserve=True)
                kept.append(reject)
            except ActivityCenterError as wrong:
                alarm = str(wrong)
        self._note_store(alarm)
        return kept

    def _note_store(self, alarm: str) -> None:
        if bool(alarm) != bool(self.store_alarm):
            if alarm:
                _log.error(
                    "refused events find no place in the rejected store: parked until they do",
                    error=alarm,
                    hint="replay or discard: activity-center rejected list",
                )
            else:
                _log.info("the rejected store takes refused events again")
        self.store_alarm = alarm
