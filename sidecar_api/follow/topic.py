"""One poller of the live tail, and the ring that watches with the same question read."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from activity_center.errors import ActivityCenterError
from sidecar_api import ending
from sidecar_api.search import turns

if TYPE_CHECKING:
    from sidecar_api.access import Scope
    from sidecar_api.search import Filters, Search
    from sidecar_api.search.newer import Place

log = logging.getLogger(__name__)

INTERVAL: Final = 1.0
"""Seconds between two looks."""
COUNT: Final = 10.0
"""Seconds between two counts of what came too late."""
RING: Final = 1000
"""Activities that a slow client may be behind."""
BATCH: Final = 100
"""Activities that are asked for at once."""


class Topic:
    """What some watches have in common: one poller, one ring.

    Args:
        place: where it begins.
        count: seconds between two counts.

    Attributes:
        watches: how many there are.
        whole: when the last look began after which all that there was is in the ring, by
            :func:`time.monotonic`.
    """

    def __init__(
        self, search: Search, scope: Scope, filters: Filters, place: Place, count: float
    ) -> None:
        self.watches = 0
        self.whole = 0.0
        self._turn = threading.Condition()
        self._search = search
        self._scope = scope
        self._filters = filters
        self._place = place
        self._count = count
        self._ring: deque[dict[str, Any] | None] = deque(maxlen=RING)
        self._end = 0  # number of the next entry; the ring's first is _end - len(_ring)

    def run(self, interval: float) -> None:
        """Poll until nobody watches any more."""
        turns.reader.set(self._scope.reader.id)
        failing = False
        counted = time.monotonic()
        while self.watches and not ending.begun():
            begun = time.monotonic()
            try:
                if self._place.full:
                    self._put(self._search.beginning(self._scope, self._filters), [None])
                found, place = self._search.newer(
                    self._scope, self._filters, self._place, limit=BATCH
                )
                self._put(place, found)
                if time.monotonic() - counted >= self._count:
                    missed, place = self._search.missed(self._scope, self._filters, place)
                    self._put(place, [None] if missed else [])
                    counted = time.monotonic()
            except ActivityCenterError as wrong:
                if not failing:
                    log.warning("the live tail cannot look: %s", wrong.message)
                failing = True
                ending.pause(interval)
                continue
            failing = False
            if len(found) < BATCH:
                self.whole = begun
                ending.pause(interval)

    def end(self) -> int:
        """Return the number that the next entry will have."""
        with self._turn:
            return self._end

    def read(self, number: int, seconds: float) -> list[dict[str, Any] | None] | None:
        """Return the entries from ``number`` on; wait for some.

        Returns:
            Activities, and ``None`` for a gap; nothing after ``seconds``; ``None`` instead of
            a list when the ring has outrun this number.
        """
        with self._turn:
            if number == self._end:
                self._turn.wait(seconds)
            behind = self._end - number
            if behind > len(self._ring):
                return None
            return list(self._ring)[len(self._ring) - behind :] if behind else []

    def _put(self, place: Place, entries: Sequence[dict[str, Any] | None]) -> None:
        with self._turn:
            self._place = place
            self._ring.extend(entries)
            self._end += len(entries)
            if entries:
                self._turn.notify_all()
