"""What one sidecar knows of all processes: folded from the bus, and from where it has read."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import orjson
import structlog

from activity_center.bus import Gap, Published
from activity_center.errors import ActivityCenterError
from activity_center.processes import key_of
from sidecar_api.processes.base import Seen
from sidecar_api.processes.board import Board
from sidecar_api.processes.places import NOWHERE, Places
from sidecar_api.processes.ring import Change, Ring

if TYPE_CHECKING:
    from activity_center.bus import Reader

Earlier = Callable[[Seen], Iterable[Mapping[str, Any]]]

SETTLES: Final = 10.0
"""Seconds without a repeat after which what the bus says again counts as said."""
RECENT: Final = timedelta(minutes=5)
"""What happened within it, and is in OpenSearch alone, may still come by the bus."""
_log = structlog.get_logger("sidecar")


class Taking:
    """The processes, the last changes of them, and the places in the bus that these go up to.

    Attributes:
        partial: OpenSearch could not be asked for what the bus no longer has.
    """

    def __init__(self) -> None:
        self.board = Board()
        self.ring = Ring()
        self.places = Places()
        self.partial = False
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
        for stream, (epoch, position) in reader.first().items():
            # What came before may have been read by a client, or not: who read none of it was
            # told less than all.
            made.ring.begins(made.places.line(stream, epoch), max(position - 1, NOWHERE + 1))
        goal: dict[str, tuple[str, int]] = {}
        while found := reader.read(goal, 0.0):
            for item in found:
                goal[item.stream] = (item.epoch, _position(item))
                if isinstance(item, Published) and (activity := _parsed(item.body)):
                    seen.add(activity)
            time.sleep(0)  # others' turn
        recent = (datetime.now(UTC) - RECENT).isoformat()
        try:
            for entry in earlier(seen):
                made.board.take(entry)
                made._ahead = made._ahead or str(entry.get("@timestamp")) > recent
        except ActivityCenterError as wrong:
            made.partial = True
            _log.warning("earlier entries of processes are missing", error=wrong.message)
        while made._behind(goal):
            found = reader.read(made.places.after(), 0.0)
            if not found:
                break
            made.take(found)
            time.sleep(0)
        made._live = True
        if made._ahead:
            made._be_unsure()
        return made

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
            self._doubt = time.monotonic() + SETTLES

    def take(self, found: Iterable[Published | Gap]) -> tuple[list[Change], bool]:
        """Fold in what the bus gave; return the changes, and whether something is missing."""
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
        return changes, gap

    def _change(self, line: str, item: Published) -> Change | None:
        activity = _parsed(item.body)
        if activity is None:
            return None
        try:
            taken = self.board.take(activity, line)
        except Exception:  # an entry that we cannot fold must not hold up all others
            _log.error("an entry of a process cannot be folded in", exc_info=True)
            return None
        if taken is None:
            if not self.sure and key_of(activity) is not None:
                self._be_unsure()
                self.ring.begins(line, item.position)  # to others it may have been a change
            return None
        key, kept, body = taken
        return Change(line, item.position, key[1], kept.channel, kept.subject, body, kept.former)

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


def _position(item: Published | Gap) -> int:
    return item.position if isinstance(item, Published) else NOWHERE


def _parsed(body: bytes) -> dict[str, Any] | None:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None
