"""The publisher: one thread that brings what :class:`~collector.publish.feed.Feed` has to the bus.

It waits for nobody's OpenSearch and holds up no acknowledgement: a bus that is away is tried
again and again, meanwhile the spool keeps what was not published, within a bound.
"""

from __future__ import annotations

import random
import secrets
import threading
import time
from typing import Final

import structlog

from activity_center.bus import Place, open_writer
from activity_center.config_processes import BusConfig
from activity_center.errors import BusUnavailable
from collector.publish.feed import Entries, Feed
from collector.publish.place import PlaceFile
from collector.spool.spool import Spool

_log = structlog.get_logger(__name__)

BATCH_BYTES: Final = 1024 * 1024
"""About how much is published at once."""
_TICK_SECONDS: Final = 1.0
"""So often the place is noted while nothing is published."""
_LOOK_SECONDS: Final = 5.0
"""So often the bus is asked what it has while nothing is published: after a failover it may have
lost what it confirmed, and nobody would hear of it before something happens again."""
_TOUCH_SECONDS: Final = 3600.0
_RETRY_SECONDS: Final = 3.0
"""The longest wait between two tries."""
_RANDOM: Final = random.SystemRandom()


class Publisher:
    """Publishes a worker's stream.

    Args:
        spool: opened with ``followed=places.followed``.
        places: of the worker's spool folder.
        config: of the bus.

    Attributes:
        published: entries that the bus confirmed since the start.
        failures: tries that failed since the start.
        epochs: epochs begun since the start.

    Raises:
        ConfigError: see :func:`activity_center.bus.open_writer`.
    """

    def __init__(self, spool: Spool, places: PlaceFile, config: BusConfig) -> None:
        self.published = self.failures = self.epochs = 0
        self._spool = spool
        self._places = places
        self._writer = open_writer(config, places.value.stream)
        self._feed = Feed(spool)
        self._batch: tuple[Entries, int] = ([], 0)
        self._begun = self._agreed = False
        self._touched = self._looked = float("-inf")
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="publish", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> bool:
        """Publish what is there, unless the bus is away, and end.

        Args:
            timeout: seconds that this may take.

        Returns:
            Whether all is published; the rest is after the next start.
        """
        self._stopping.set()
        self._feed.wake()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive() and not self.lag

    def close(self) -> None:
        """Let go of bus and files; after :meth:`stop`."""
        if not self._thread.is_alive():
            self._writer.close()
            self._feed.close()
            self._places.close()

    @property
    def lag(self) -> int:
        """Records from the oldest that may wait to be published on; 0: none waits."""
        entries, _ = self._batch
        if entries:
            return max(1, self._spool.next_position - entries[0][0])
        return self._feed.waiting

    def _run(self) -> None:
        tries = 0
        while not (self._stopping.is_set() and self._agreed and not self.lag):
            try:
                if not self._agreed:
                    self._agree()
                self._round()
            except Exception as wrong:  # the thread must live
                self._agreed = False
                self.failures += 1
                tries += 1
                self._say(wrong, tries)
                if self._stopping.is_set():
                    return
                bound = min(_RETRY_SECONDS, 0.1 * 2.0 ** min(tries, 10))
                self._stopping.wait(_RANDOM.uniform(bound / 2, bound))
            else:
                if tries and self._agreed:
                    _log.info("publishing again", tries=tries)
                    tries = 0

    def _say(self, wrong: Exception, tries: int) -> None:
        if not isinstance(wrong, BusUnavailable):
            _log.exception("publishing failed unexpectedly")
        elif tries == 1:
            _log.warning("cannot publish; trying again", error=str(wrong), waiting=self.lag)

    # -- one round ---------------------------------------------------------------

    def _round(self) -> None:
        if not self._batch[0]:
            taken = self._feed.take(BATCH_BYTES, _TICK_SECONDS)
            if taken is None:
                self._begin("the spool let go what was not published yet")
                return
            self._batch = taken
        entries, place = self._batch
        known = self._places.value
        if entries:
            self._looked = time.monotonic()
            there = self._writer.publish((known.epoch, known.position), entries)
            if there[0] != known.epoch or there[1] < known.position:
                self._agreed = False
                return
            self._batch = [], place
            self.published += len(entries)
            self._places.note(epoch=known.epoch, position=there[1], place=place)
        elif place != known.place:
            self._places.note(epoch=known.epoch, position=known.position, place=place)
        if time.monotonic() - self._looked >= _LOOK_SECONDS:
            self._agreed = False
        if time.monotonic() - self._touched >= _TOUCH_SECONDS:
            self._writer.touch()
            self._touched = time.monotonic()

    # -- what is where -----------------------------------------------------------

    def _agree(self) -> None:
        """Compare what the bus has with what we know, and go on from there."""
        there = self._writer.state()
        self._looked = time.monotonic()
        known = self._places.value
        why = self._why_anew(there)
        if why:
            self._begin(why)
        elif there[1] < known.position:
            _log.warning(
                "the bus lost its newest entries; they are published again",
                stream=known.stream,
                bus_has=there[1],
                published=known.position,
            )
            self._go_on(known.epoch, there[1], there[1] + 1)
        elif not self._begun:
            self._go_on(known.epoch, there[1], known.place)
        self._agreed = True

    def _why_anew(self, there: Place) -> str:
        """Why a new epoch has to begin; ``""``: it goes on."""
        known, oldest, end = self._places.value, self._oldest(), self._spool.next_position
        if not known.epoch:
            return "nothing was published yet"
        if there[0] != known.epoch:
            return "the bus no longer has what was published"
        if known.place > end or there[1] >= end:
            return "the spool begins anew"
        if there[1] < known.position and there[1] + 1 < oldest:
            return "the bus lost entries that the spool no longer has"
        if known.place < oldest and not self._begun:
            return "the spool let go what was not published yet"
        return ""

    def _begin(self, why: str) -> None:
        epoch, oldest = secrets.token_hex(8), self._oldest()
        self._writer.begin(epoch)
        first = not self._places.value.epoch
        (_log.info if first else _log.warning)(
            "new epoch on the bus: its readers begin anew",
            stream=self._places.value.stream,
            why=why,
        )
        self.epochs += 1
        self._go_on(epoch, 0, oldest)
        self._agreed = True

    def _go_on(self, epoch: str, position: int, place: int) -> None:
        self._begun = True
        self._batch = [], place
        self._places.note(epoch=epoch, position=position, place=place)
        self._feed.rewind(place)

    def _oldest(self) -> int:
        segments = self._spool.segments
        return segments[0].first if segments else self._spool.next_position
