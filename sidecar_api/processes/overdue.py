"""What is recorded because something did not happen in time.

A process past its lease has stalled; a control that nobody took has expired, and a clean-up of
a stalled process then has failed and ends it, with a receipt of what is left. Every sidecar
sees it; the ids of the entries follow from what is overdue and the secret that the sidecars
share, so that it is one entry.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from sidecar_api.ids import entry_id
from sidecar_api.moments import moment_of, written
from sidecar_api.processes.about import about
from sidecar_api.processes.guarded import tell

if TYPE_CHECKING:
    from activity_center.processes import Key
    from sidecar_api.processes.board import Kept

GRACE: Final = timedelta(seconds=2)
"""A sign of life that came in time may be on its way as long."""
MOST_AT_ONCE: Final = 100
REMEMBERED: Final = 10_000
"""Entries of which it is known that they were said; of more, the oldest are forgotten."""

Emit = Callable[..., object]
"""As :meth:`activity_center.emit.Emitter.emit`."""
_Entry = tuple[str, str, datetime, dict[str, Any]]
"""Id, action, since when, fields."""


class Overdue:
    """Records what is overdue, each once; organizations take turns, a hundred entries a call.

    Args:
        emit: makes a record without waiting; ``None``: nothing is recorded.
        secret: of the sidecar, for the ids.
    """

    def __init__(self, emit: Emit | None, secret: bytes) -> None:
        self._emit = emit
        self._secret = secret
        self._said: dict[str, datetime] = {}
        self._last = ""

    def __call__(self, held: Iterable[tuple[Key, Kept]], now: datetime) -> None:
        """Look at all processes.

        Args:
            now: with a time zone.
        """
        if self._emit is None:
            return
        of: defaultdict[str, list[Kept]] = defaultdict(list)
        for (organization, _), kept in held:
            of[organization].append(kept)
        names = sorted(of)
        at = bisect_right(names, self._last)  # who comes after the last one that had a turn
        turns = deque((name, self._late(of[name], now)) for name in names[at:] + names[:at])
        made = 0
        while turns and made < MOST_AT_ONCE:
            name, late = turns.popleft()
            entry = next(late, None)
            if entry is None:
                continue
            self._last = name
            turns.append((name, late))
            made += 1
            self._record(self._emit, *entry)

    def _late(self, held: Iterable[Kept], now: datetime) -> Iterator[_Entry]:
        """What is to be recorded of the processes of one organization."""
        for kept in held:
            try:
                entries = [*_entries(kept, now - GRACE, self._secret)]
            except Exception:
                organization, id_ = kept.process.key
                tell("what is overdue is not known", organization=organization, process=id_)
                continue
            for entry in entries:
                if self._due(entry[0], now):
                    yield entry

    def _record(
        self, emit: Emit, id_: str, action: str, since: datetime, fields: dict[str, Any]
    ) -> None:
        # Of when it was overdue, so that all sidecars say just the same: what differs under one
        # id would be refused as another event.
        at = since + GRACE
        try:
            emit(action, event_id=id_, timestamp=at, sequence=int(at.timestamp() * 1e6), **fields)
        except Exception:
            tell("what is overdue cannot be recorded", entry=id_)

    def _due(self, id_: str, now: datetime) -> bool:
        """Whether it was not said; again after a minute without hearing it on the bus."""
        said = self._said.get(id_)
        if said is not None and now - said < timedelta(minutes=1):
            return False
        self._said.pop(id_, None)  # so that it stands last
        self._said[id_] = now
        if len(self._said) > REMEMBERED:
            del self._said[next(iter(self._said))]
        return True


def _entries(kept: Kept, now: datetime, secret: bytes) -> Iterator[_Entry]:
    """What is overdue of one process."""
    top = kept.top
    lease = kept.process.lease
    if kept.running and not top.get("stalled") and lease is not None and lease < now:
        key = f"stalled:{top['attempt']}:{top['lease'] or written(lease)}"
        yield (
            _id(secret, kept, key),
            "process.stalled",
            lease,
            _fields(kept, **{"activity.process.lease": top["lease"]}),  # only what it said
        )
    for request in kept.requested:
        expired = moment_of(request["expires_at"])
        if expired is None or expired >= now:
            continue
        # First, and alone: once the request counts as expired, nobody would come back to this.
        if request["kind"] == "cleanup" and top.get("stalled"):
            yield (
                _id(secret, kept, f"cleaned:{request['id']}"),
                "process.cleaned_up",
                expired + timedelta(milliseconds=1),  # after the other
                _fields(kept, outcome="failure", **_receipt(kept)),
            )
            continue
        control = {
            "activity.control.id": request["id"],
            "activity.control.kind": request["kind"],
            "activity.control.state": "expired",
        }
        yield (
            _id(secret, kept, f"expired:{request['id']}"),
            "process.control_expired",
            expired,
            _fields(kept, outcome="failure", **control),
        )


def _receipt(kept: Kept) -> dict[str, Any]:
    """What is left of a stalled process that nobody cleaned up after."""
    steps = kept.process.as_dict()["steps"]
    done = [step["name"] for step in steps if step["state"] == "done"]
    open_ = [step["name"] for step in steps if step["state"] == "running"]
    name = kept.top.get("name")
    return {
        "activity.receipt.left_behind": done,
        "activity.receipt.needs_person": [
            *(f"See how far this step came: {one}" for one in open_),
            f"Remove by hand what {name} left behind: its producer does not answer",
        ],
    }


def _fields(kept: Kept, **more: Any) -> dict[str, Any]:
    initiator = kept.top.get("initiator") or {}
    said = {
        **about(kept.top),
        "origin": "system",
        "activity.initiator.id": initiator.get("id"),
        "activity.initiator.name": initiator.get("name"),
        **more,
    }
    return {name: value for name, value in said.items() if value not in (None, "", [])}


def _id(secret: bytes, kept: Kept, what: str) -> str:
    """The id of an entry, the same in every sidecar of this secret."""
    of = (kept.process.organization, kept.process.id, what)
    return entry_id(secret, f"{what.partition(':')[0]}-", *of)
