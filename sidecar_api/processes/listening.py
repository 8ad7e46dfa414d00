"""Reads the bus as long as the sidecar lives, and looks at the time.

Others have their turn between entries: what it costs to fold many of them holds up no answer, no
heartbeat, and no sign of life of the worker itself.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import structlog

from activity_center.errors import ActivityCenterError
from sidecar_api import ending
from sidecar_api.processes.taking import Taking, Took
from sidecar_api.processes.turns import PAUSE

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from activity_center.bus import Gap, Published, Reader
    from activity_center.processes import Key
    from sidecar_api.processes.board import Kept
    from sidecar_api.processes.taking import Earlier

Tick = Callable[[Iterable[tuple["Key", "Kept"]], datetime], None]
"""Called about every second with all processes, for what must happen in time. All that the bus had
was read a moment before: what is silent then are the producers, and not we are deaf."""
SETTLES: Final = 10.0
"""Seconds after the bus was away in which it may still get what collectors kept for it."""
_WAIT: Final = 1.0
_BACK_OFF: Final = (0.25, 5.0)
_JUMP: Final = 5.0
"""Seconds by which the time of day and that of the machine differ between two looks."""
_WAKES: Final = 120.0
"""Seconds for signs of life after that: twice the lease that a program has by default."""
_CLOCK: Final = 0.25
_PRUNE: Final = 30.0
_LOAD_AGAIN: Final = 30.0
"""Seconds until OpenSearch is asked again for what the bus no longer has."""
_NEVER: Final = float("-inf")

_log = structlog.get_logger("sidecar")


class Listening:
    """One reader of the bus, and a clock.

    Args:
        open_reader: opens the bus.
        earlier: what the bus no longer has, see :mod:`sidecar_api.processes.earlier`.
        tick: see :data:`Tick`; not called while the bus is away or has more to tell.
        lock: held while anything is changed.
        took: what to do with changes; the lock is held.
        anew: what to do when all was loaded, again too; the lock is held.
        heard: called several times a second, to tell whether ``stale_since`` has changed.
        over: what to do when the server is about to end.

    Attributes:
        taking: all processes.
        stale_since: since when the bus, or a part of it, cannot be read; ``None``: it can.
        loaded: set when the processes are there.
    """

    def __init__(
        self,
        open_reader: Callable[[], Reader],
        earlier: Earlier,
        tick: Tick,
        lock: AbstractContextManager[Any],
        *,
        took: Callable[[Took], None],
        anew: Callable[[], None],
        heard: Callable[[], None],
        over: Callable[[], None],
    ) -> None:
        self.taking = Taking()
        self.stale_since: datetime | None = None
        self.loaded = threading.Event()
        self._open_reader = open_reader
        self._earlier = earlier
        self._tick = tick
        self._lock = lock
        self._took = took
        self._anew = anew
        self._told = heard
        self._ending = over
        self._deaf_until = _NEVER
        self._looked = (time.time(), time.monotonic())
        self._started = False
        self._stopped = False

    def start(self) -> None:
        """Begin to read the bus, once."""
        with self._lock:
            if self._started:
                return
            self._started = True
        for run, name in ((self._read, "processes"), (self._clock, "processes-clock")):
            threading.Thread(target=run, name=name, daemon=True).start()

    def stop(self) -> None:
        """End it; for tests."""
        self._stopped = True

    # -- the bus ---------------------------------------------------------------------

    def _read(self) -> None:
        reader: Reader | None = None
        pause, loaded_at, ticked = _BACK_OFF[0], 0.0, time.monotonic()
        while not self._over():
            try:
                reader = reader or self._open_reader()
                again = self.taking.partial and not self.taking.final
                due = time.monotonic() - loaded_at > _LOAD_AGAIN
                if not self.loaded.is_set() or (again and due):
                    self._load(reader)
                    loaded_at = time.monotonic()
                # Where it is time to look at the time, first what there is, without waiting.
                wait = max(ticked + _WAIT - time.monotonic(), 0.0)
                found = reader.read(self.taking.places.after(), wait)
            except ActivityCenterError as wrong:
                self._away(wrong)
                ending.pause(pause)
                pause = min(pause * 2, _BACK_OFF[1])
                continue
            except Exception:
                self._away(None)
                _log.error("the step bus cannot be read", exc_info=True)
                ending.pause(_BACK_OFF[1])
                continue
            if reader.trouble is None:
                self._back()
            else:  # the rest of it is read on
                self._away(reader.trouble)
            pause = _BACK_OFF[0]
            if found:
                self._take(found)
            elif not wait:
                ticked = time.monotonic()
                self._look()
        if reader is not None:
            reader.close()

    def _take(self, found: list[Published | Gap]) -> None:
        parts = self.taking.take_in_turns(found)
        while True:
            with self._lock:
                took = next(parts, None)
                if took is None:
                    return
                self._took(took)
            time.sleep(PAUSE)

    def _load(self, reader: Reader) -> None:
        again = self.loaded.is_set()
        made = Taking.load(reader, self._earlier)
        with self._lock:
            if again and made.partial:
                return
            self.taking = made
            self.loaded.set()
            self._anew()

    def _away(self, wrong: ActivityCenterError | None) -> None:
        self._deaf_until = time.monotonic() + SETTLES
        if self.stale_since is None:
            self.stale_since = datetime.now(UTC)
            if wrong is not None:
                said = {"error": wrong.message, "at": wrong.where, "hint": wrong.hint}
                _log.warning("the step bus cannot be read", **said)

    def _back(self) -> None:
        if self.stale_since is not None:
            self.stale_since = None
            _log.info("the step bus can be read again")

    # -- time ------------------------------------------------------------------------

    def _clock(self) -> None:
        pruned = time.monotonic()
        while not self._stopped:
            if ending.begun():
                self._ending()
                return
            self._told()
            now = time.monotonic()
            if now - pruned >= _PRUNE:
                pruned = now
                with self._lock:
                    self.taking.board.prune(datetime.now(UTC))
            time.sleep(_CLOCK)

    def _look(self) -> None:
        """Look at the time, unless the bus may still get what it missed.

        A clock that was set, or a machine that slept: all leases seem to have passed, until each
        program has given a sign of life again.
        """
        wall, now = time.time(), time.monotonic()
        if abs(wall - self._looked[0] - (now - self._looked[1])) > _JUMP:
            self._deaf_until = max(self._deaf_until, now + _WAKES)
        self._looked = (wall, now)
        if now <= self._deaf_until:
            return
        with self._lock:
            held = [*self.taking.board]
        try:
            self._tick(held, datetime.now(UTC))
        except Exception:
            _log.error("what is overdue cannot be recorded", exc_info=True)

    def _over(self) -> bool:
        return self._stopped or ending.begun()
