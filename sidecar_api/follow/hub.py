"""All live tails of a process, and one of them."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

from sidecar_api import ending
from sidecar_api.failures import RateLimited
from sidecar_api.follow.topic import BATCH, COUNT, INTERVAL, Topic
from sidecar_api.moments import milliseconds
from sidecar_api.search.newer import Place, digest

if TYPE_CHECKING:
    from sidecar_api.access import Scope
    from sidecar_api.search import Filters, Search

HEARTBEAT: Final = 15.0
"""Seconds of silence after which a watch says that it is alive."""
RECHECK: Final = 60.0
"""Seconds after which a watch makes sure that its reader may still see this."""
PER_READER: Final = 10
IN_ALL: Final = 500
"""Watches of one reader, and of all, in one process."""
CATCH_UP: Final = 1000
"""Activities that a watch catches up with; beyond, it is told to begin anew."""
BEHIND: Final = timedelta(seconds=5)
"""A new watch begins so long ago: a list that was read just before may not show these yet."""
_STEP: Final = 1.0
_META: Final = "activity_log."


@dataclass(frozen=True, slots=True)
class Event:
    """What a watch gives out.

    Attributes:
        kind: ``activity``; ``reset``: something was missed, read the list again; ``beat``:
            nothing new.
        place: where to go on after this.
        activity: as the API shows it.
    """

    kind: Literal["activity", "reset", "beat"]
    place: Place
    activity: dict[str, Any] | None = None


class Hub:
    """All watches of one process.

    Args:
        search: where activities come from.
        interval, count, heartbeat, recheck: see the constants of this module.
        per_reader, in_all: how many watches there may be.
    """

    def __init__(
        self,
        search: Search,
        *,
        interval: float = INTERVAL,
        count: float = COUNT,
        heartbeat: float = HEARTBEAT,
        recheck: float = RECHECK,
        per_reader: int = PER_READER,
        in_all: int = IN_ALL,
    ) -> None:
        self.search = search
        self.heartbeat = heartbeat
        self.recheck = recheck
        self._interval = interval
        self._count = count
        self._per_reader = per_reader
        self._in_all = in_all
        self._lock = threading.Lock()
        self._topics: dict[str, Topic] = {}
        self._readers: Counter[str] = Counter()

    def watch(
        self,
        scope: Scope,
        filters: Filters,
        place: Place | None,
        *,
        since: datetime | None = None,
    ) -> Watch:
        """Open a watch; close it in any case.

        Args:
            place: where a former one stopped; ``None``: a new one.
            since: a new one begins with what was received since then; default now.

        Raises:
            RateLimited: there are too many.
            Unavailable: OpenSearch cannot be asked.
        """
        reader = scope.reader.id
        with self._lock:
            if self._readers[reader] >= self._per_reader:
                raise RateLimited(
                    f"You have {self._per_reader} live tails open already.",
                    retry_after=30,
                    hint="Close one of them.",
                )
            if self._readers.total() >= self._in_all:
                raise RateLimited("Too many live tails are open.", retry_after=60)
            self._readers[reader] += 1
        try:
            now = datetime.now(UTC)
            start = place or self.search.beginning(scope, filters, min(since or now, now) - BEHIND)
            key = json.dumps([scope.query(), filters.canonical()], sort_keys=True)
            topic = self._join(key, scope, filters)
        except BaseException:
            self._forget(reader)
            raise
        return Watch(self, topic, key, scope, filters, start)

    def leave(self, watch: Watch) -> None:
        """Close a watch; its topic goes with the last one."""
        with self._lock:
            watch.topic.watches -= 1
            if not watch.topic.watches and self._topics.get(watch.key) is watch.topic:
                del self._topics[watch.key]
        self._forget(watch.scope.reader.id)

    def counts(self) -> tuple[int, int]:
        """Return how many topics and watches there are."""
        with self._lock:
            return len(self._topics), self._readers.total()

    def _join(self, key: str, scope: Scope, filters: Filters) -> Topic:
        with self._lock:
            topic = self._topics.get(key)
            if topic is not None:
                topic.watches += 1
                return topic
        place = self.search.beginning(scope, filters)
        made = Topic(self.search, scope, filters, place, self._count)
        with self._lock:
            topic = self._topics.setdefault(key, made)
            topic.watches += 1
        if topic is made:
            poller = threading.Thread(
                target=made.run, args=(self._interval,), name="live-tail", daemon=True
            )
            poller.start()
        return topic

    def _forget(self, reader: str) -> None:
        with self._lock:
            self._readers[reader] -= 1
            if not self._readers[reader]:
                del self._readers[reader]


class Watch:
    """One open stream; made by :meth:`Hub.watch`."""

    def __init__(
        self,
        hub: Hub,
        topic: Topic,
        key: str,
        scope: Scope,
        filters: Filters,
        place: Place,
    ) -> None:
        self.topic = topic
        self.key = key
        self.scope = scope
        self._hub = hub
        self._filters = filters
        self._place = place
        self._meta = _asks_for_meta(filters)
        self._open = True
        self._number = 0  # of the entry in the ring that it reads next
        self._caught: set[bytes] = set()  # what it has caught up with, which the ring may bring
        self._reset_at = 0.0
        self._settled = True  # the ring brings nothing more that was there at the last reset
        self._doubtful = False

    def close(self) -> None:
        """End it, once."""
        if self._open:
            self._open = False
            self._hub.leave(self)

    def events(
        self, allowed: Callable[[], bool], here: Callable[[], bool] = lambda: True
    ) -> Iterator[Event]:
        """Yield what it missed and what comes, until the process ends or the client is too slow.

        Args:
            allowed: whether the reader may still see this; asked every minute.
            here: whether the client is still there; asked every second.
        """
        self._number = self.topic.end()
        yield from self._caught_up()
        spoken = checked = time.monotonic()
        while self._open and here() and not ending.begun():
            reset_at = self._reset_at
            looked = self.topic.whole >= reset_at
            found = self.topic.read(self._number, _STEP)
            if found is None:
                return
            for activity in found:
                self._number += 1
                event = self._given(activity) if activity else self._reset()
                if event is None:
                    continue
                yield event
                spoken = time.monotonic()
                if event.kind == "reset":
                    break  # it has gone to the end of the ring
            if looked and reset_at == self._reset_at and not self._settled:
                self._settled = True
                if self._doubtful:
                    yield self._reset()
            now = time.monotonic()
            if now - spoken >= self._hub.heartbeat:
                spoken = now
                yield Event("beat", self._place)
            if now - checked >= self._hub.recheck:
                checked = now
                if not allowed():
                    return

    def _caught_up(self) -> Iterator[Event]:
        """What is there beyond the place, or a reset where that is too much."""
        missed: list[dict[str, Any]] = []
        place = self._place
        while len(missed) <= CATCH_UP and not place.full:
            found, place = self._hub.search.newer(self.scope, self._filters, place, limit=BATCH)
            missed += found
            if len(found) < BATCH:
                break
        else:
            yield self._reset()
            return
        late, place = self._hub.search.missed(self.scope, self._filters, place)
        if late:
            yield self._reset()
            return
        for activity in missed:
            event = self._given(activity)
            if event is None:
                continue
            yield event
            if event.kind == "reset":
                return
        self._place = place
        self._caught = {digest(_hit(activity)) for activity in missed}

    def _reset(self) -> Event:
        self._number, self._reset_at = self.topic.end(), time.monotonic()
        self._caught, self._settled, self._doubtful = set(), False, False
        self._place = self._hub.search.beginning(self.scope, self._filters)
        return Event("reset", self._place)

    def _given(self, activity: dict[str, Any]) -> Event | None:
        """The event of an activity, unless the place knows it or it is not to be shown; a reset
        where it cannot be known. Right after a reset the poller may still bring much of what that
        covered: one more is enough for all of it, once it has.
        """
        hit = _hit(activity)
        known = digest(hit)
        if known in self._place.seen or known in self._caught:
            return None
        place = self._place.advanced([hit])
        if place.full or not self._place.reaches(hit):
            self._doubtful = True
            return self._reset() if self._settled else None
        self._place = place
        if not self._meta and str(activity["event"].get("action", "")).startswith(_META):
            return None
        return Event("activity", self._place, activity)


def _hit(activity: dict[str, Any]) -> dict[str, Any]:
    """What a place wants to know of an activity."""
    arrived = milliseconds(datetime.fromisoformat(activity["event"]["ingested"]))
    return {"_id": activity["id"], "sort": [arrived, activity["event"].get("id")]}


def _asks_for_meta(filters: Filters) -> bool:
    """Whether filters ask for the log's own entries, which a tail leaves out by itself: each
    opening of a tail would show in all the others.
    """
    return (
        any(one.startswith(_META) for one in filters.values("action"))
        or any(one in "activity_log" or _META in one for one in filters.values("action_contains"))
        or "ActivityLogs" in filters.values("type")
    )
