"""The processes that are watched: running ones, and those that ended a short while ago."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import orjson

from activity_center.processes import Delta, Process, apply, key_of
from activity_center.processes.rights import Rights
from sidecar_api.access import Subject
from sidecar_api.search.times import written

Key = tuple[str, str]
"""Organization and id of a process."""

SHOWN_AFTER: Final = timedelta(hours=1)
"""So long a process that ended is still shown among the live ones."""
MOST: Final = 5_000
"""Processes of which the state is held."""
MOST_FORMER: Final = 50_000
"""Processes that are no longer held, of which it is remembered whose they were."""
RUNNING: Final = ("pending", "running")
_WHO: Final = frozenset({"organization", "workspace", "target", "initiator"})
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
    """

    __slots__ = ("_body", "former", "line", "mixed", "process", "requested", "subject", "top")

    def __init__(self, process: Process) -> None:
        self.process = process
        self.top: dict[str, Any] = {}
        self.subject = Subject("", "", (), "")
        self.former: Subject | None = None
        self.requested: list[dict[str, Any]] = []
        self.line = ""
        self.mixed = False
        self._body: bytes | None = None

    @property
    def channel(self) -> str:
        """The channel it is streamed on."""
        return str(self.top.get("channel") or "")

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.top.get("state") in RUNNING

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


class Board:
    """Folds activities into processes.

    Args:
        most: how many processes are held.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._kept: dict[Key, Kept] = {}
        self._former: dict[Key, Rights] = {}
        self._begun_by: defaultdict[str, set[Key]] = defaultdict(set)

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[tuple[Key, Kept]]:
        return iter(self._kept.items())

    def get(self, key: Key) -> Kept | None:
        """Return a process that is held."""
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
        kept = self._kept.get(key)
        found = apply(kept.process if kept else self._again(key), activity)
        if found is None:
            return None
        process, delta = found
        fresh = kept is None
        if kept is None:
            kept = self._kept[key] = Kept(process)
        kept.mixed = kept.mixed or bool(line and kept.line and line != kept.line)
        kept.line = line or kept.line
        before = kept.subject.initiator
        moved = kept.took(process, delta)
        if moved:
            self._begun(key, before, kept.subject.initiator)
        if fresh and len(self._kept) > self._most:
            self._make_room(key)
        return key, kept, kept.whole() if moved and not fresh else orjson.dumps(delta.as_dict())

    def newest(self, now: datetime) -> list[tuple[Key, Kept]]:
        """Return those that run or ended a short while ago, the newest first."""
        over = set(self._over(now))
        shown = [one for one in self._kept.items() if one[0] not in over]
        return sorted(shown, key=lambda one: _begun(one[1]), reverse=True)

    def prune(self, now: datetime) -> None:
        """Let go of what ended long enough ago."""
        for key in self._over(now):
            self._drop(key)

    def _over(self, now: datetime) -> list[Key]:
        before = written(now - SHOWN_AFTER)
        return [
            key
            for key, kept in self._kept.items()
            if not kept.running and str(kept.top.get("updated") or "") < before
        ]

    def _again(self, key: Key) -> Process | None:
        """What is known of a process that is no longer held: it does not become somebody else's."""
        rights = self._former.pop(key, None)
        return Process(id=key[1], organization=key[0], rights=rights) if rights else None

    def _make_room(self, fresh: Key) -> None:
        """Let go of a tenth: those that ended first, then those that were silent longest."""
        order = sorted(
            (one for one in self._kept if one != fresh),
            key=lambda one: (self._kept[one].running, str(self._kept[one].top.get("updated"))),
        )
        for key in order[: max(self._most // 10, 1)]:
            self._drop(key)

    def _drop(self, key: Key) -> None:
        kept = self._kept.pop(key)
        self._begun(key, kept.subject.initiator, "")
        self._former[key] = kept.process.rights
        if len(self._former) > MOST_FORMER:
            del self._former[next(iter(self._former))]

    def _begun(self, key: Key, before: str, now: str) -> None:
        if before in self._begun_by:
            self._begun_by[before].discard(key)
            if not self._begun_by[before]:
                del self._begun_by[before]
        if now:
            self._begun_by[now].add(key)


def _begun(kept: Kept) -> str:
    return str(kept.top.get("started") or kept.top.get("updated") or "")
