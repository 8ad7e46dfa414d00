"""Group commit: all appends that wait share one write and one fdatasync."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final, Literal

import structlog

from activity_center.errors import ActivityCenterError, SpoolFailed, SpoolFull
from collector.records import Reject
from collector.spool.layout import Record
from collector.spool.quarantine import RejectSink
from collector.spool.segments import SegmentLog

_log = structlog.get_logger(__name__)

State = Literal["ok", "full", "failed"]
GROUP_BYTES: Final = 8 * 1024 * 1024
"""About how much one write takes, so that memory stays bounded."""
_PROBE_SECONDS: Final = 5.0


@dataclass(slots=True, eq=False)
class Append:
    """One append on its way to the disk.

    Attributes:
        sums: bytes by sender, reserved in the accounts until it is settled.
        loop: the event loop of ``future``; ``None`` for a :class:`Future` of threads.
    """

    blob: bytes
    records: list[Record]
    rejects: list[Reject]
    sums: dict[str, int]
    future: asyncio.Future[None] | Future[None]
    loop: asyncio.AbstractEventLoop | None


class Committer:
    """The one thread that writes.

    Args:
        committed: called with what is durable, before its appends are answered.
        dropped: called with an append that failed.

    Attributes:
        state: ``failed`` and ``full`` end with the next write that succeeds; a
            new segment is tried every few seconds, also when nothing arrives.
    """

    def __init__(
        self,
        log: SegmentLog,
        sink: RejectSink | None,
        committed: Callable[[list[Record]], None],
        dropped: Callable[[Append], None],
    ) -> None:
        self.state: State = "ok"
        self._log = log
        self._sink = sink
        self._committed = committed
        self._dropped = dropped
        self._queue: deque[Append] = deque()
        self._wakeup = threading.Condition()
        self._closing = False
        self._busy = False
        self._thread = threading.Thread(target=self._run, name="spool-commit", daemon=True)
        self._thread.start()

    @property
    def idle(self) -> bool:
        """Whether nothing waits to be written."""
        with self._wakeup:
            return not self._queue and not self._busy

    def submit(self, append: Append) -> None:
        """Queue ``append``; its future is resolved when it is durable or has failed.

        Raises:
            SpoolFailed: the spool is closed.
        """
        with self._wakeup:
            if self._closing:
                raise SpoolFailed("the spool is closed")
            self._queue.append(append)
            if not self._busy:
                self._wakeup.notify()

    def close(self) -> None:
        """Write what waits, and end the thread."""
        with self._wakeup:
            self._closing = True
            self._wakeup.notify()
        self._thread.join()

    def _run(self) -> None:
        while (group := self._next_group()) is not None:
            if not group:
                self._probe()
                continue
            try:
                failures = self._commit(group)
            except Exception as wrong:  # the thread must live, and everybody be answered
                _log.exception("group commit failed unexpectedly")
                failed = SpoolFailed(f"the spool could not be written: {wrong}")
                self._note(failed)
                failures = dict.fromkeys(group, failed)
            self._answer(group, failures)

    def _next_group(self) -> list[Append] | None:
        """Wait for appends; ``[]`` when it is time to try a failed disk again."""
        with self._wakeup:
            self._busy = False
            while not self._queue:
                if self._closing:
                    return None
                waited = self._wakeup.wait(None if self.state == "ok" else _PROBE_SECONDS)
                if not waited and not self._queue:
                    return []
            self._busy = True
            group, size = [], 0
            while self._queue and size < GROUP_BYTES:
                append = self._queue.popleft()
                size += len(append.blob)
                group.append(append)
            return group

    def _commit(self, group: list[Append]) -> dict[Append, Exception]:
        """Make ``group`` durable; return the error of each append that is not."""
        failures = self._keep_rejects(group)
        going = [one for one in group if one.records and one not in failures]
        if not going:
            return failures
        blobs = [one.blob for one in going]
        try:
            self._log.append(blobs, going[0].records[0][0], going[-1].records[-1][0])
        except ActivityCenterError as wrong:
            self._note(wrong)
            return failures | dict.fromkeys(going, wrong)
        if self.state != "ok":
            self._recovered()
        for one in going:
            self._committed(one.records)
        return failures

    def _keep_rejects(self, group: list[Append]) -> dict[Append, Exception]:
        """Store the rejected records; only the appends that they came with can fail."""
        with_rejects = [one for one in group if one.rejects]
        if not with_rejects:
            return {}
        if self._sink is None:
            return dict.fromkeys(with_rejects, SpoolFailed("there is no store for rejects"))
        if len(with_rejects) > 1:
            with contextlib.suppress(Exception):  # one by one, whose fault it is shows
                self._sink.add([reject for one in with_rejects for reject in one.rejects])
                return {}
        failures: dict[Append, Exception] = {}
        for one in with_rejects:
            try:
                self._sink.add(one.rejects)
            except Exception as wrong:
                if not isinstance(wrong, ActivityCenterError):
                    _log.exception("rejected records could not be stored")
                    wrong = SpoolFailed(f"rejected records could not be stored: {wrong}")
                failures[one] = wrong
        return failures

    def _answer(self, group: list[Append], failures: dict[Append, Exception]) -> None:
        loops: dict[asyncio.AbstractEventLoop, list[tuple[Any, Exception | None]]] = {}
        for one in group:
            wrong = failures.get(one)
            if wrong is not None:
                self._dropped(one)
            if one.loop is not None:
                loops.setdefault(one.loop, []).append((one.future, wrong))
            else:
                _resolve([(one.future, wrong)])
        for loop, answers in loops.items():
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
                loop.call_soon_threadsafe(_resolve, answers)

    def _note(self, wrong: ActivityCenterError) -> None:
        state: State = "full" if isinstance(wrong, SpoolFull) else "failed"
        if self.state != state:
            _log.error("spool cannot write", state=state, error=wrong.message, where=wrong.where)
        self.state = state

    def _recovered(self) -> None:
        _log.info("spool writes again", was=self.state)
        self.state = "ok"

    def _probe(self) -> None:
        try:
            self._log.begin_segment(self._log.next_position)
        except ActivityCenterError as wrong:
            self._note(wrong)
        except Exception as wrong:  # the thread must live: without it every append hangs
            _log.exception("trying the disk again failed unexpectedly")
            self._note(SpoolFailed(f"the spool could not be written: {wrong}"))
        else:
            self._recovered()


def _resolve(answers: list[tuple[Any, Exception | None]]) -> None:
    """Resolve futures, in the thread that they belong to; cancelled ones are left."""
    for future, wrong in answers:
        if future.done():
            continue
        if wrong is None:
            future.set_result(None)
        else:
            future.set_exception(wrong)
