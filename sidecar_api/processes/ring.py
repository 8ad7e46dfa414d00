"""The last changes of all processes, numbered as this sidecar took them."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from sidecar_api.processes.places import NOWHERE

if TYPE_CHECKING:
    from sidecar_api.access import Subject

MOST: Final = 10_000
MOST_BYTES: Final = 32 * 1024 * 1024


class Change(NamedTuple):
    """One change of one process.

    Attributes:
        line, position: the place in the bus it came from.
        subject: who may see it, as it was then.
        body: the delta as JSON.
        former: who could see it until then, where that is not who may see it now.
        lone: other sidecars may know more of the process, see :class:`.board.Kept`.
    """

    line: str
    position: int
    process: str
    channel: str
    subject: Subject
    body: bytes
    former: Subject | None = None
    lone: bool = False


_Shown = tuple["Subject", str, str]


class Ring:
    """Changes, bounded by number and bytes.

    Attributes:
        end: number of the next change; that of the first one is ``end - len(self)``.

    Args:
        most, most_bytes: how much is kept.
    """

    def __init__(self, most: int = MOST, most_bytes: int = MOST_BYTES) -> None:
        self.end = 0
        self._most = most
        self._most_bytes = most_bytes
        self._kept: deque[Change] = deque()
        self._bytes = 0
        self._begun: defaultdict[str, Counter[_Shown]] = defaultdict(Counter)
        self._gone: dict[str, int] = {}  # line -> up to where its changes are no longer kept

    def __len__(self) -> int:
        return len(self._kept)

    def put(self, change: Change) -> None:
        """Add a change; the oldest ones give way."""
        self._kept.append(change)
        self._bytes += len(change.body)
        self.end += 1
        for subject in _subjects(change):
            self._begun[subject.initiator][subject, change.channel, change.process] += 1
        while len(self._kept) > self._most or self._bytes > self._most_bytes:
            first = self._kept.popleft()
            self._bytes -= len(first.body)
            self._forget(first)
            self.begins(first.line, first.position)

    def begun_by(self, person: str) -> list[_Shown]:
        """Return what changed of what somebody began: who may see it, channel and id."""
        return [*self._begun.get(person, ())]

    def _forget(self, change: Change) -> None:
        for subject in _subjects(change):
            shown, one = self._begun[subject.initiator], (subject, change.channel, change.process)
            shown[one] -= 1
            if not shown[one]:
                del shown[one]
            if not shown:
                del self._begun[subject.initiator]

    def begins(self, line: str, position: int) -> None:
        """What a line had up to ``position`` was never here, or is void."""
        self._gone[line] = max(position, self._gone.get(line, NOWHERE))

    def after(self, number: int) -> list[Change] | None:
        """Return the changes from ``number`` on; ``None``: some of them are no longer kept."""
        skipped = number - (self.end - len(self._kept))
        return None if skipped < 0 else [*islice(self._kept, skipped, None)]

    def missed(self, places: Mapping[str, int], now: Mapping[str, int]) -> list[Change] | None:
        """Return what somebody missed who was at ``places``.

        Args:
            places: of the client.
            now: how far this sidecar has read.

        Returns:
            ``None``: it cannot be said, or is no longer kept.
        """
        if any(line not in now or position > now[line] for line, position in places.items()):
            return None
        if any(self._gone.get(line, NOWHERE) > places.get(line, NOWHERE) for line in now):
            return None
        open_ = {line for line, position in now.items() if position > places.get(line, NOWHERE)}
        found: list[Change] = []
        for change in reversed(self._kept):
            if not open_:
                break
            if change.position <= places.get(change.line, NOWHERE):
                open_.discard(change.line)
            elif change.line in now:
                found.append(change)
        found.reverse()
        return found


def _subjects(change: Change) -> list[Subject]:
    """Those of whoever began it, as it is and as it was."""
    return [one for one in (change.subject, change.former) if one is not None and one.initiator]
