"""Try the parked records of refusing streams again, slowly and in order.

A thread of its own: a stream that does not answer must not hold up the others. It also
does the looks that are due some time after a rollover.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import structlog

from activity_center.errors import ActivityCenterError
from collector.deliver.backoff import Backoff
from collector.deliver.bulk import RequestFailed
from collector.deliver.result import Result
from collector.spool import Record

if TYPE_CHECKING:
    from collector.deliver.deliverer import Deliverer

_log = structlog.get_logger(__name__)

SLOW: Final = Backoff(first=1.0, most=60.0)
_TICK: Final = 0.5


@dataclass(slots=True)
class _Try:
    """Where a stream stands: what was taken of it, what is left of that, when next."""

    taken: list[Record] = field(default_factory=list)
    pending: list[Record] = field(default_factory=list)
    tries: int = 0
    due: float = 0.0


class ParkedLoop:
    """The thread that retries; it settles a batch when every record of it is done.

    Args:
        deliverer: whose courier, spool and store are used.
    """

    def __init__(self, deliverer: Deliverer) -> None:
        self._deliverer = deliverer
        self._parking = deliverer.spool.parking
        self._tries: dict[str, _Try] = {}
        self._finishing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="deliver-parked", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def finish(self, timeout: float) -> None:
        """Try each stream once more, for at most ``timeout`` seconds, and end."""
        self._finishing.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        while not self._deliverer.abandoned.is_set():
            last = self._finishing.is_set()
            try:
                self._recheck(everything=last)
                self._round(last)
            except Exception:  # the thread must live
                _log.exception("retrying parked records failed unexpectedly")
            if last:
                return
            self._finishing.wait(_TICK)

    def _round(self, last: bool) -> None:
        for stream in sorted(self._parking.streams):
            state = self._tries.setdefault(stream, _Try(due=time.monotonic() + SLOW.wait(1)))
            while last or state.due <= time.monotonic():
                if self._deliverer.abandoned.is_set() or not self._advance(stream, state):
                    break
        for stream in self._tries.keys() - self._parking.streams:
            del self._tries[stream]

    def _advance(self, stream: str, state: _Try) -> bool:
        """Try one batch; return whether the stream took it and has more."""
        courier = self._deliverer.courier
        try:
            if not state.taken:
                state.taken = self._parking.take(stream, courier.documents, courier.body_bytes)
                state.pending = state.taken
            if not state.taken:
                self._parking.drop_empty(stream)
                return False
            # Their history is long or unknown: any generation may hold them.
            suspects = {record[0] for record in state.pending}
            floors = {record[2].stream: "" for record in state.pending}
            result = self._deliverer.attempt(state.pending, suspects, floors, fresh=True)
        except ActivityCenterError as wrong:
            _log.error("parked records cannot be read", stream=stream, error=str(wrong))
            result = Result(retry=state.pending)
        if result.failure is None and state.tries >= 8:
            self._deliverer.give_up(result, park=False)
        self._deliverer.keep_refused(result)
        still = [record for parked in result.parked.values() for record in parked]
        state.pending = result.retry + still
        if state.pending:
            state.tries += 1
            state.due = time.monotonic() + SLOW.wait(state.tries)
            return False
        self._parking.settle(stream, state.taken)
        state.taken, state.tries = [], 0
        if stream not in self._parking.streams:
            _log.info("nothing is parked any more", stream=stream)
            return False
        return True

    def _recheck(self, *, everything: bool) -> None:
        try:
            self._deliverer.courier.rechecks.run(everything=everything)
        except RequestFailed as wrong:
            _log.warning("looking for second copies failed", error=str(wrong))
