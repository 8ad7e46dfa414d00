"""The bounded queue and the one background thread between the caller and the network.

The caller appends under a re-entrant lock that nobody holds while waiting (so a signal
handler or a finalizer may emit too) and goes on. The thread is started with the first
event, in whatever process and under whatever concurrency is in force then: after a fork
it is started anew, and under gevent it is a greenlet.
"""

from __future__ import annotations

import atexit
import logging
import os
import queue
import random
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Final

from activity_center.emit.transport import Event, Outcome, Transport

FIRST_WAIT: Final = 0.1
LONGEST_WAIT: Final = 5.0
WARN_EVERY: Final = 60.0
"""Seconds between two log lines about the same trouble."""

log: Final = logging.getLogger("activity_center.emit")


@dataclass(frozen=True, slots=True)
class Stats:
    """Counts since the emitter was made (in this process).

    ``emitted == queued + sent + dropped`` whenever nobody is emitting.

    Attributes:
        emitted: events that the caller handed over.
        queued: waiting now, or on their way.
        sent: handed over whole: to the kernel (Forward), or answered for (HTTP).
        accepted: of those sent, confirmed durable by the collector (HTTP only).
        rejected: of those sent, refused by the collector; it keeps them with the reason.
        dropped: lost: the queue was full, the emitter closed, or the program ended first.
        errors: failed attempts to send, and errors inside the emitter.
        replaced: values that could not be carried and became a marked text.
    """

    emitted: int = 0
    queued: int = 0
    sent: int = 0
    accepted: int = 0
    rejected: int = 0
    dropped: int = 0
    errors: int = 0
    replaced: int = 0

    def as_dict(self) -> dict[str, int]:
        """Return the counts by name."""
        return {one.name: getattr(self, one.name) for one in fields(self)}


class _Flush:
    """A place in the queue: when the thread gets here, all before it is done."""

    __slots__ = ("done",)

    def __init__(self) -> None:
        self.done: queue.SimpleQueue[bool] = queue.SimpleQueue()


class Courier:
    """Takes events, carries them away in the background, counts what becomes of them.

    Args:
        transport: makes a transport that connects when it first sends; called here and
            again after a fork.
        queue_size: the most events that wait.
        queue_bytes: the most bytes (roughly) that wait.
        exit_timeout: seconds that the end of the program may wait for the queue.
    """

    def __init__(
        self,
        transport: Callable[[], Transport],
        *,
        queue_size: int,
        queue_bytes: int,
        exit_timeout: float,
    ) -> None:
        self._make = transport
        self._queue_size = queue_size
        self._queue_bytes = queue_bytes
        self._exit_timeout = exit_timeout
        self._warned: dict[str, float] = {}
        self._transport = transport()
        self._reset()
        _couriers.add(self)

    def _reset(self) -> None:
        """Begin empty, with locks of this process and no thread."""
        self._lock = threading.RLock()
        self._waiting: deque[tuple[Event, int] | _Flush] = deque()
        self._bytes = 0
        self._starting = False
        self._thread: threading.Thread | None = None
        self._wake: queue.SimpleQueue[None] | None = None
        self._hurry: queue.SimpleQueue[None] | None = None
        self._awake = False
        self._last = 0
        self._closing = False
        self._retired = False
        self._counts = dict.fromkeys((one.name for one in fields(Stats)), 0)

    # The caller's side

    def put(self, event: Event, size: int) -> bool:
        """Queue the event; ``False`` when it was dropped (and counted)."""
        with self._lock:
            counts = self._counts
            counts["emitted"] += 1
            full = counts["queued"] >= self._queue_size or self._bytes + size > self._queue_bytes
            if full or self._closing:
                counts["dropped"] += 1
            else:
                counts["queued"] += 1
                self._bytes += size
                self._waiting.append((event, size))
                self._rouse()
                return True
        self.warn("dropped", "closed" if self._closing else "the queue is full: events are dropped")
        return False

    def count(self, name: str, by: int = 1) -> None:
        """Add to one of the counts of :class:`Stats`."""
        with self._lock:
            self._counts[name] += by

    def lost_before_queue(self, words: str) -> None:
        """Count an event that could not even be built."""
        with self._lock:
            self._counts["emitted"] += 1
            self._counts["dropped"] += 1
            self._counts["errors"] += 1
        self.warn("build", words)

    def count_recorded(self, recorded: bool) -> None:
        """Count an event that went past the queue, because its caller waited for it."""
        with self._lock:
            self._counts["emitted"] += 1
            for name in ("sent", "accepted") if recorded else ("dropped", "errors"):
                self._counts[name] += 1

    def sequence(self) -> int:
        """Return a number above all before: the Unix time in us, or the next free one."""
        with self._lock:
            self._last = max(self._last + 1, time.time_ns() // 1000)
            return self._last

    def stats(self) -> Stats:
        """Return the counts of this moment."""
        with self._lock:
            return Stats(**self._counts)

    def flush(self, timeout: float) -> bool:
        """Wait until all that was queued before is sent, rejected or dropped."""
        with self._lock:
            if not self._counts["queued"]:
                return True
            mark = _Flush()
            self._rouse()
            hurry = self._hurry
            if self._thread is not None:
                self._waiting.append(mark)
        if hurry is None:
            return self._drain(timeout)
        hurry.put(None)
        try:
            return mark.done.get(timeout=max(0.0, timeout))
        except queue.Empty:
            return False

    def close(self, timeout: float) -> bool:
        """Flush, stop the thread, count what is left as dropped; again is harmless."""
        whole = self.flush(timeout)
        with self._lock:
            self._closing = True
            thread, hurry, wake = self._thread, self._hurry, self._wake
            left = self._give_up()
        for one in (hurry, wake):
            if one is not None:
                one.put(None)
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout=min(1.0, max(0.0, timeout)))
        if left:
            log.warning("%d activities were not sent before the emitter was closed", left)
        return whole and not left

    def retire(self) -> None:
        """Nobody holds the emitter any more: the thread ends once all is sent."""
        with self._lock:
            self._retired = True
            if self._wake is not None:
                self._wake.put(None)

    def warn(self, kind: str, words: str) -> None:
        """Log one line of this kind a minute: an audit that is silent must be noticed."""
        now = time.monotonic()
        if now - self._warned.get(kind, -WARN_EVERY) >= WARN_EVERY:
            self._warned[kind] = now
            log.warning("%s", words)

    def _give_up(self) -> int:
        """Count all that waits as dropped; called under the lock."""
        left = self._counts["queued"]
        self._counts["dropped"] += left
        self._counts["queued"] = 0
        while self._waiting:
            item = self._waiting.popleft()
            if isinstance(item, _Flush):
                item.done.put(False)
        self._bytes = 0
        return left

    def _rouse(self) -> None:
        """Start the thread if there is none, wake it if it sleeps; under the lock."""
        if self._thread is None:
            # A signal handler that emits in the middle of this comes here again, in spite of
            # the lock: two threads would send everything twice. A handler runs, and may raise, at
            # calls alone: there is none between a look at the flag and the try.
            if self._starting:
                return
            self._starting = True
            try:
                self._start()
            except RuntimeError:
                # No thread can be started any more (the interpreter ends, or the limit
                # of the system): the next event, or the exit, tries again.
                self._counts["errors"] += 1
                return
            finally:
                self._starting = False
        if not self._awake:
            self._awake = True
            assert self._wake is not None  # noqa: S101 - made together with the thread
            self._wake.put(None)

    def _start(self) -> None:
        # Made here and not in __init__: gevent may have patched them since.
        wake: queue.SimpleQueue[None] = queue.SimpleQueue()
        hurry: queue.SimpleQueue[None] = queue.SimpleQueue()
        thread = threading.Thread(
            target=self._run, args=(wake, hurry), name="activity-center-emitter", daemon=True
        )
        thread.start()
        self._thread, self._wake, self._hurry = thread, wake, hurry
        _also_before_child_exit(self)

    # The background thread

    def _run(self, wake: queue.SimpleQueue[None], hurry: queue.SimpleQueue[None]) -> None:
        while True:
            wake.get()
            with self._lock:
                self._awake = False
            self._empty(hurry)
            if self._closing or self._retired:
                self._transport.close()
                return

    def _empty(self, hurry: queue.SimpleQueue[None]) -> None:
        """Send until nothing waits, however long the other side is away."""
        failures = 0
        while batch := self._batch():
            outcome = self._send(batch)
            if outcome.error is None or outcome.done:
                failures = 0
                continue
            failures += 1
            self._pause(hurry, failures, outcome.retry_after)

    def _send(self, batch: list[tuple[Event, int]]) -> Outcome:
        try:
            outcome = self._transport.send([event for event, _ in batch])
        except Exception as wrong:  # a fault of ours must not end the thread
            outcome = Outcome(0, error=f"{type(wrong).__name__} in the emitter")
        self._settle(batch, outcome)
        return outcome

    def _drain(self, timeout: float) -> bool:
        """Send in the caller's thread, when no thread can be had: only at the very end."""
        deadline = time.monotonic() + timeout
        while batch := self._batch():
            outcome = self._send(batch)
            if (outcome.error and not outcome.done) or time.monotonic() >= deadline:
                return False
        return True

    def _batch(self) -> list[tuple[Event, int]]:
        """Look at the first events that wait (they stay until they are done)."""
        batch: list[tuple[Event, int]] = []
        size = 0
        with self._lock:
            while self._waiting and isinstance(first := self._waiting[0], _Flush):
                self._waiting.popleft()
                first.done.put(True)
            # By position: a finalizer that emits may append in the middle of this.
            while len(batch) < min(len(self._waiting), self._transport.batch_events):
                item = self._waiting[len(batch)]
                if isinstance(item, _Flush):
                    break
                size += item[1]
                if batch and size > self._transport.batch_bytes:
                    break
                batch.append(item)
        return batch

    def _settle(self, batch: list[tuple[Event, int]], outcome: Outcome) -> None:
        with self._lock:
            counts = self._counts
            if outcome.error is not None:
                counts["errors"] += 1
            if counts["queued"]:  # else close() gave up meanwhile
                for _ in range(outcome.done):
                    self._waiting.popleft()
                self._bytes -= sum(size for _, size in batch[: outcome.done])
                counts["queued"] -= outcome.done
                counts["sent"] += outcome.done - outcome.lost
                counts["dropped"] += outcome.lost
                counts["accepted"] += outcome.accepted
                counts["rejected"] += outcome.rejected
        if outcome.error is not None:
            self.warn("error", f"cannot send: {outcome.error}")
        for reason in outcome.reasons.values():
            self.warn("rejected", f"the collector rejected an activity: {reason}")
            break

    def _pause(
        self, hurry: queue.SimpleQueue[None], failures: int, retry_after: float | None
    ) -> None:
        """Wait with growing, jittered time; a flush or close ends the wait."""
        wait = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(failures, 10))
        wait *= 0.5 + random.random() / 2  # noqa: S311 - jitter
        deadline = time.monotonic() + max(wait, retry_after or 0.0)
        try:
            hurry.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            return

    # Fork and exit

    def after_fork(self) -> None:
        """In the child: the parent sends what was queued; begin empty."""
        self._reset()
        self._transport.abandon()
        self._transport = self._make()

    def at_exit(self) -> None:
        """Before the program ends: give the queue a bounded time."""
        if self._counts["queued"]:
            self.close(self._exit_timeout)


_couriers: Final[weakref.WeakSet[Courier]] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for courier in list(_couriers):
        courier.after_fork()


def _at_exit() -> None:
    for courier in list(_couriers):
        courier.at_exit()


def _also_before_child_exit(courier: Courier) -> None:
    """multiprocessing ends its children without atexit, but runs its own finalizers."""
    util: Any = sys.modules.get("multiprocessing.util")
    if util is not None:
        reference = weakref.ref(courier)

        def finish() -> None:
            alive = reference()
            if alive is not None:
                alive.at_exit()

        util.Finalize(None, finish, exitpriority=10)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
atexit.register(_at_exit)
