"""The live tail: new activities to whoever watches, each exactly once, also over a reconnect.

::

    Hub            all watchers of this process, bounded; topics come and go with them
    ├── Topic      one poller for those with the same scope and the same filters: the last
    │              activities in a ring, which everybody reads at their own pace (topic.py)
    └── Watch      one open stream: what it missed by a search of its own, then the ring

A watch carries its place (:mod:`sidecar_api.search.newer`): what it has given out of the last
minute. It joins the ring first and catches up then, and gives out of the ring what its place
does not know; so nothing falls between the two, and nothing comes twice. A watch that the ring
has outrun is ended: its client comes back with its place.

What is delivered later than a place looks back, say by a collector that could not reach OpenSearch
for a while, is not given out one by one. Poller and watch find by a count that there is more than
they know, and the watch says so: read the list again.
"""

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
from sidecar_api.search.newer import Place, digest
from sidecar_api.topic import BATCH, COUNT, INTERVAL, Topic

if TYPE_CHECKING:
    from sidecar_api.access import Scope
    from sidecar_api.search import Filters, Position, Search

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
        activity: as the API shows it.
        position: where to go on after this; ``None``: as before.
    """

    kind: Literal["activity", "reset", "beat"]
    activity: dict[str, Any] | None = None
    position: Position | None = None


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
        position: Position | None,
        *,
        since: datetime | None = None,
    ) -> Watch:
        """Open a watch; close it in any case.

        Args:
            position: where a former one stopped; ``None``: a new one.
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
            start = position or self.beginning(scope, filters, min(since or now, now) - BEHIND)
            key = json.dumps([scope.query(), filters.canonical()], sort_keys=True)
            topic = self._join(key, scope, filters)
        except BaseException:
            self._forget(reader)
            raise
        return Watch(self, topic, key, scope, filters, start)

    def beginning(self, scope: Scope, filters: Filters, as_of: datetime) -> Position:
        """Return the place after all that had been received by ``as_of``."""
        return self.search.newer(scope, filters, None, as_of=as_of)[1]

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
        position = self.beginning(scope, filters, datetime.now(UTC))
        made = Topic(self.search, scope, filters, position, self._count)
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
        position: Position,
    ) -> None:
        self.topic = topic
        self.key = key
        self.scope = scope
        self._hub = hub
        self._filters = filters
        self._place = Place.read(position)
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
                if event is not None:
                    yield event
                    spoken = time.monotonic()
                if event is not None and event.kind == "reset":
                    break  # it has gone to the end of the ring
            if looked and reset_at == self._reset_at and not self._settled:
                self._settled = True
                if self._doubtful:
                    yield self._reset()
            now = time.monotonic()
            if now - spoken >= self._hub.heartbeat:
                spoken = now
                yield Event("beat", position=self._place.written())
            if now - checked >= self._hub.recheck:
                checked = now
                if not allowed():
                    return

    def _caught_up(self) -> Iterator[Event]:
        """What is there beyond the place, or a reset where that is too much."""
        missed: list[dict[str, Any]] = []
        position = self._place.written()
        while len(missed) <= CATCH_UP:
            found, position = self._hub.search.newer(
                self.scope, self._filters, position, limit=BATCH
            )
            missed += found
            if len(found) < BATCH:
                break
        else:
            yield self._reset()
            return
        late, position = self._hub.search.missed(self.scope, self._filters, position)
        if late:
            yield self._reset()
            return
        for activity in missed:
            event = self._given(activity)
            if event is not None:
                yield event
            if event is not None and event.kind == "reset":
                return
        self._place = Place.read(position)
        self._caught = {digest(_hit(activity)) for activity in missed}

    def _reset(self) -> Event:
        self._number, self._reset_at = self.topic.end(), time.monotonic()
        self._caught, self._settled, self._doubtful = set(), False, False
        position = self._hub.beginning(self.scope, self._filters, datetime.now(UTC))
        self._place = Place.read(position)
        return Event("reset", position=self._place.written())

    def _given(self, activity: dict[str, Any]) -> Event | None:
        """The event of an activity, unless the place knows it or it is not to be shown; a reset
        where it cannot be known. Right after a reset the poller may still bring much of what that
        covered: one more is enough for all of it, once it has.
        """
        hit = _hit(activity)
        known = digest(hit)
        if known in self._place.seen or known in self._caught:
            return None
        if not self._place.reaches(hit):
            self._doubtful = True
            return self._reset() if self._settled else None
        self._place = self._place.advanced([hit])
        if not self._meta and str(activity["event"].get("action", "")).startswith(_META):
            return None
        return Event("activity", activity, self._place.written())


def _hit(activity: dict[str, Any]) -> dict[str, Any]:
    """What a place wants to know of an activity."""
    received = datetime.fromisoformat(activity["event"]["ingested"])
    arrived = int(received.timestamp() * 1000)
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
