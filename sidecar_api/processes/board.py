"""The processes that are watched: running ones, and those that ended a short while ago."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from activity_center.processes import OPEN, Delta, Key, Process, key_of, reading
from sidecar_api.access import Subject
from sidecar_api.moments import written
from sidecar_api.processes.former import Former
from sidecar_api.processes.guarded import folded

if TYPE_CHECKING:
    from sidecar_api.processes.view import View

SHOWN_AFTER: Final = timedelta(hours=1)
"""So long a process that ended is still shown among the live ones."""
MOST: Final = 5_000
"""Processes of which the state is held."""
MOST_SHOWN: Final = 500
"""Processes in a snapshot."""
_LONG: Final = (SHOWN_AFTER - timedelta(minutes=5)) // timedelta(microseconds=1)
_WHO: Final = frozenset({"organization", "workspace", "target", "initiator"})
_INNER: Final = frozenset({"steps", "requests", "output"})
_LISTS: Final = ["steps", "lines", "requests"]


class Kept:
    """One process, and what is asked of it often.

    Attributes:
        top: its top-level members, as the API shows them, without the lists.
        subject: who may see it.
        former: who could see it before the last change, where that changed it.
        requested: rows of what people asked of it that nobody has taken yet.
        line: of the bus, on which its entries came; empty: on none yet.
        mixed: they came on several, whose order among each other is not fixed.
        left_out: a snapshot did not have it, so that somebody may not know it.
        lone: it was let go of in between: other sidecars may know more of it.
    """

    __slots__ = (
        *("_body", "former", "left_out", "line", "lone", "mixed", "process"),
        *("requested", "subject", "top"),
    )

    def __init__(self, process: Process) -> None:
        self.process = process
        self.top: dict[str, Any] = {}
        self.subject = Subject("", "", (), "")
        self.former: Subject | None = None
        self.requested: list[dict[str, Any]] = []
        self.line = ""
        self.mixed = self.left_out = self.lone = False
        self._body: bytes | None = None

    @property
    def channel(self) -> str:
        """The channel it is streamed on."""
        return str(self.top.get("channel") or "")

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.top.get("state") in OPEN

    @classmethod
    def again(cls, process: Process) -> Kept:
        """One that was let go of, as it is remembered."""
        made = cls(process)
        made.top = {
            **{name: one for name, one in process.as_dict().items() if name not in _INNER},
            "initiator": process.rights.initiator,
            "workspace": process.rights.value("workspace"),
            "target": process.rights.value("target"),
        }
        made.subject = Subject.of(made.top)
        made.lone = True
        return made

    def ended_long_before(self, activity: Mapping[str, Any]) -> bool:
        """Whether a snapshot may not have had it when an entry came."""
        if self.running:
            return False
        times = (
            reading.moment(activity, "@timestamp"),
            reading.moment(reading.part(activity, "event"), "ingested"),
        )
        return max(at or 0 for at in times) - (reading.moment(self.top, "updated") or 0) > _LONG

    def took(self, process: Process, delta: Delta) -> bool:
        """Take over what changed; whether others may see it now."""
        self.process = process
        self._body = None
        self.top.update(delta.process)
        if delta.requests or "requests" in delta.renewed:
            rows = process.as_dict()["requests"]
            self.requested = [row for row in rows if row["state"] == "requested"]
        self.former = None
        if not _WHO & delta.process.keys():
            return False
        before, self.subject = self.subject, Subject.of(self.top)
        if before == self.subject:
            return False
        self.former = before
        return True

    def body(self) -> bytes:
        """The whole process as JSON."""
        if self._body is None:
            self._body = orjson.dumps(self.process.as_dict())
        return self._body

    def without_lines(self) -> bytes:
        """The same without the lines of its output."""
        shown = self.process.as_dict()
        return orjson.dumps({**shown, "output": {**shown["output"], "lines": []}})

    def whole(self) -> bytes:
        """All of it as a delta, right for whoever has none or any earlier state of it."""
        shown = self.process.as_dict()
        output = shown.pop("output")
        delta = {
            "id": shown["id"],
            "organization": self.subject.organization,
            "steps": shown.pop("steps"),
            "requests": shown.pop("requests"),
            "lines": output["lines"],
            "output": {
                "bytes": output["bytes"],
                "total": output["total"],
                "kept": len(output["lines"]),
            },
            "renewed": _LISTS,
            "process": shown,
        }
        return orjson.dumps(delta)


class Gone(NamedTuple):
    """One that was let go of for room; ``ended``: when something was last heard of it then."""

    subject: Subject
    channel: str
    ended: str


class Board:
    """Folds activities into processes.

    Attributes:
        gone: those that were let go of for room since somebody last looked.

    Args:
        most: how many are held; of more, whose organization has the most gives way.
    """

    def __init__(self, most: int = MOST) -> None:
        self.gone: dict[Key, Gone] = {}
        self._most = most
        self._kept: dict[Key, Kept] = {}
        self._former = Former()
        self._missing: dict[Key, Gone] = {}
        self._begun_by: defaultdict[str, set[Key]] = defaultdict(set)

    def __iter__(self) -> Iterator[tuple[Key, Kept]]:
        """All processes."""
        return iter(self._kept.items())

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Key) -> Kept | None:
        """Return a process, if it is held."""
        return self._kept.get(key)

    def begun_by(self, person: str) -> list[tuple[Key, Kept]]:
        """Return what somebody began."""
        return [(key, self._kept[key]) for key in self._begun_by.get(person, ())]

    def take(self, activity: Mapping[str, Any], line: str = "") -> tuple[Key, Kept, bytes] | None:
        """Fold in an activity; return what it changed as JSON, ``None``: nothing.

        Args:
            line: of the bus, on which it came.
        """
        key = key_of(activity)
        if key is None:
            return None
        kept = held = self._kept.get(key)
        if kept is None and (former := self._former.get(key)) is not None:
            kept = Kept.again(former)
        unknown = kept is not None and (
            held is None or kept.left_out or kept.ended_long_before(activity)
        )
        found = folded(kept.process if kept else None, activity)
        if found is None:
            return None
        process, delta = found
        kept = kept or Kept(process)
        kept.mixed = kept.mixed or bool(line and kept.line and line != kept.line)
        kept.line = line or kept.line
        before = kept.subject.initiator if held else ""
        moved = kept.took(process, delta)
        if held is None:
            self._hold(key, kept)
        if moved or held is None:
            self._index(key, before, kept.subject.initiator)
        if unknown or (moved and held is not None):
            kept.left_out = False
            return key, kept, kept.whole()
        return key, kept, orjson.dumps(delta.as_dict())

    def newest(self, now: datetime) -> list[tuple[Key, Kept]]:
        """Return those that run or ended a short while ago, the newest first."""
        over = set(self._over(now))
        shown = [one for one in self._kept.items() if one[0] not in over]
        return sorted(shown, key=lambda one: _start_of(one[1]), reverse=True)

    def shown(self, view: View, now: datetime) -> tuple[list[Kept], bool]:
        """Return what a snapshot has, and whether something that somebody sees is left out.

        The newest first. Of too many, organizations take turns, so that none crowds out another.
        The others are told of as a whole when they move next.
        """
        for key in self._over(now):
            self._kept[key].left_out = True
        seen = [
            kept for key, kept in self.newest(now) if view.sees(kept.subject, kept.channel, key[1])
        ]
        turns = _in_turns([kept.subject.organization for kept in seen])
        for at in turns[MOST_SHOWN:]:
            seen[at].left_out = True
        cut = len(seen) > MOST_SHOWN or any(
            view.sees(one.subject, one.channel, key[1]) for key, one in self._missing.items()
        )
        return [seen[at] for at in sorted(turns[:MOST_SHOWN])], cut

    @property
    def size(self) -> tuple[int, int]:
        """How many processes there are, and how many were let go of for room."""
        return len(self), len(self._missing)

    def prune(self, now: datetime) -> None:
        """Let go of what ended long enough ago."""
        for key in self._over(now):
            self._drop(key)
        before = written(now - SHOWN_AFTER)
        for key, one in [*self._missing.items()]:
            if one.ended and one.ended < before:
                del self._missing[key]

    def _over(self, now: datetime) -> list[Key]:
        before = written(now - SHOWN_AFTER)
        return [
            key
            for key, kept in self._kept.items()
            if not kept.running and str(kept.top.get("updated") or "") < before
        ]

    def _hold(self, key: Key, kept: Kept) -> None:
        kept.former = None  # nobody saw it until now
        self._kept[key] = kept
        self._former.forget(key)
        self._missing.pop(key, None)
        if len(self._kept) > self._most:
            self._make_room(key)

    def _make_room(self, fresh: Key) -> None:
        """Let go of a tenth, of whoever has the most: what ended first, then what was silent."""
        order = sorted(
            (one for one in self._kept if one != fresh),
            key=lambda one: (self._kept[one].running, str(self._kept[one].top.get("updated"))),
            reverse=True,
        )
        order = [fresh, *order]
        turns = [order[at] for at in _in_turns([key[0] for key in order])]
        for key in reversed(turns[1:][-max(self._most // 10, 1) :]):  # never the fresh one
            kept = self._kept[key]
            ended = "" if kept.running else str(kept.top.get("updated") or "")
            self.gone[key] = self._missing[key] = Gone(kept.subject, kept.channel, ended)
            self._drop(key)
        while len(self._missing) > self._most:
            del self._missing[next(iter(self._missing))]

    def _drop(self, key: Key) -> None:
        kept = self._kept.pop(key)
        self._index(key, kept.subject.initiator, "")
        self._former.put(kept.process)

    def _index(self, key: Key, before: str, now: str) -> None:
        if before in self._begun_by:
            self._begun_by[before].discard(key)
            if not self._begun_by[before]:
                del self._begun_by[before]
        if now:
            self._begun_by[now].add(key)


def _start_of(kept: Kept) -> str:
    return str(kept.top.get("started") or kept.top.get("updated") or "")


def _in_turns(organizations: list[str]) -> list[int]:
    """Places in a list, in the order in which its organizations have turns: each one's first, then
    each one's second."""
    nth: Counter[str] = Counter()
    turns: list[tuple[int, int]] = []
    for at, organization in enumerate(organizations):
        nth[organization] += 1
        turns.append((nth[organization], at))
    return [at for _, at in sorted(turns)]
