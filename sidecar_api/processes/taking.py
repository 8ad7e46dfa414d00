"""What one sidecar knows of all processes: folded from the bus, and from where it has read."""

from __future__ import annotations

import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson
import structlog

from activity_center.bus import Gap, Published
from activity_center.errors import ActivityCenterError
from activity_center.processes import Key, key_of
from sidecar_api.processes.board import Board, Gone, Kept
from sidecar_api.processes.earlier import Seen, TooMany
from sidecar_api.processes.guarded import tell_entry
from sidecar_api.processes.places import NOWHERE, Places
from sidecar_api.processes.ring import Change, Ring
from sidecar_api.processes.turns import PAUSE, TURN, Turns

if TYPE_CHECKING:
    from activity_center.bus import Place, Reader

Earlier = Callable[[Seen], Iterable[Mapping[str, Any]]]

REPEATS: Final = 10.0
"""Seconds without a repeat after which what the bus says again counts as said."""
RECENT: Final = timedelta(minutes=5)
"""What happened within it, and is in OpenSearch alone, may still come by the bus."""

_log = structlog.get_logger("sidecar")


class Took(NamedTuple):
    """What came of some entries.

    Attributes:
        gap: something is missing.
        gone: those that were let go of for room.
    """

    changes: list[Change]
    gap: bool
    gone: dict[Key, Gone]


class Taking:
    """The processes, the last changes of them, and the places in the bus that these go up to.

    Attributes:
        mark: in the places of those whom this sidecar alone can tell how it goes on.
        partial: what the bus no longer has, and OpenSearch has, is not all there.
        final: nor will it be if OpenSearch is asked again: it is too much.
    """

    def __init__(self) -> None:
        self.board = Board()
        self.ring = Ring()
        self.places = Places()
        self.mark = uuid.uuid4().hex[:12]
        self.partial = self.final = False
        self._after_gap: set[str] = set()
        self._live = self._ahead = False
        self._doubt = float("-inf")

    @classmethod
    def load(cls, reader: Reader, earlier: Earlier) -> Taking:
        """Build it from all that the bus has.

        Raises:
            BusUnavailable: the bus cannot be read.
        """
        made, seen = cls(), Seen()
        first = reader.first()
        for stream, place in first.items():
            made._begins(stream, place)
        goal: dict[str, tuple[str, int]] = {}
        turns = Turns()
        while found := reader.read(goal, 0.0):
            for item in found:
                goal[item.stream] = place = (item.epoch, _position(item))
                if item.stream not in first:  # it is new, or could not be asked
                    made._begins(item.stream, first.setdefault(item.stream, place))
                if isinstance(item, Published) and (activity := _parsed(item.body)):
                    seen.add(activity)
                turns()
        recent = (datetime.now(UTC) - RECENT).isoformat()
        try:
            for entry in earlier(seen):
                made._fold(entry)
                made._ahead = made._ahead or str(entry.get("@timestamp")) > recent
                turns()
        except ActivityCenterError as wrong:
            made.partial, made.final = True, isinstance(wrong, TooMany)
            _log.warning("earlier entries of processes are missing", error=wrong.message)
        except Exception:  # the bus alone is better than a sidecar that never shows anything
            made.partial = True
            _log.error("earlier entries of processes are missing", exc_info=True)
        while made._behind(goal):
            found = reader.read(made.places.after(), 0.0)
            if not found:
                break
            for _ in made.take_in_turns(found):
                time.sleep(PAUSE)
        made._live = True
        if made._ahead:
            made._be_unsure()
        return made

    def _begins(self, stream: str, place: Place) -> None:
        """What came before may have been read by a client, or not.

        Who read none of a stream was told less than all.
        """
        epoch, position = place
        self.ring.begins(self.places.line(stream, epoch), max(position - 1, NOWHERE + 1))

    @property
    def sure(self) -> bool:
        """Whether the places say exactly what the processes hold.

        They do not while the bus says again what is known already: after a gap, or when
        OpenSearch had what was not on the bus yet. To whoever goes on from such a place, here or
        elsewhere, something would be said twice, or never.
        """
        return time.monotonic() > self._doubt

    def _be_unsure(self) -> None:
        if self._live:  # while it is built, nothing is known that the bus could say again
            self._doubt = time.monotonic() + REPEATS

    def take_in_turns(self, found: Iterable[Published | Gap]) -> Iterator[Took]:
        """As :meth:`take`, a part at a time: others have their turn between."""
        left = deque(found)
        while left:
            yield self.take(_drawn(left, time.monotonic() + TURN))

    def take(self, found: Iterable[Published | Gap]) -> Took:
        """Fold in what the bus gave."""
        changes: list[Change] = []
        gap = False
        for item in found:
            if isinstance(item, Gap):
                gap = True
                self._gap(item)
                continue
            line = self.places.line(item.stream, item.epoch)
            if self._ahead and line not in self.places.of:
                self._be_unsure()  # it may bring what OpenSearch had
            if line in self._after_gap:
                self._after_gap.discard(line)
                self.ring.begins(line, item.position - 1)
            self.places.of[line] = item.position
            change = self._change(line, item)
            if change is not None:
                self.ring.put(change)
                changes.append(change)
        gone, self.board.gone = self.board.gone, {}
        if gone:  # who was away may hold them, and would not be told
            for line, position in self.places.of.items():
                self.ring.begins(line, position)
        return Took(changes, gap, gone)

    def _change(self, line: str, item: Published) -> Change | None:
        activity = _parsed(item.body)
        if activity is None:
            return None
        taken = self._fold(activity, line)
        if taken is None:
            if not self.sure and key_of(activity) is not None:
                self._be_unsure()
                self.ring.begins(line, item.position)  # to others it may have been a change
            return None
        key, kept, body = taken
        return Change(
            line,
            item.position,
            key[1],
            kept.channel,
            kept.subject,
            body,
            kept.former,
            kept.lone,
        )

    def _fold(self, activity: Mapping[str, Any], line: str = "") -> tuple[Key, Kept, bytes] | None:
        try:
            return self.board.take(activity, line)
        except Exception:  # an entry that we cannot take must not hold up all others
            tell_entry(activity)
            return None

    def _gap(self, gap: Gap) -> None:
        self._be_unsure()
        line = self.places.line(gap.stream, gap.epoch)
        self.places.of[line] = NOWHERE
        self.ring.begins(line, NOWHERE + 1)
        self._after_gap.add(line)

    def _behind(self, goal: Mapping[str, tuple[str, int]]) -> bool:
        now = self.places.after()
        return any(
            stream not in now or (now[stream][0] == epoch and now[stream][1] < position)
            for stream, (epoch, position) in goal.items()
        )


def _drawn(left: deque[Published | Gap], until: float) -> Iterator[Published | Gap]:
    """One at least, and more until it is time."""
    yield left.popleft()
    while left and time.monotonic() < until:
        yield left.popleft()


def _position(item: Published | Gap) -> int:
    return item.position if isinstance(item, Published) else NOWHERE


def _parsed(body: bytes) -> dict[str, Any] | None:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None
