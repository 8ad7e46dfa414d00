"""What people ask of processes: what is offered, and that one thing is asked at a time.

A control is an activity, recorded before it is answered; it comes to every sidecar and to the
process's own program by the bus. So what holds is what the fold of the process says; what was
recorded here a moment ago, and has not come round yet, is remembered.
"""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from activity_center.processes import ENDS
from sidecar_api.failures import RateLimited
from sidecar_api.ids import entry_id
from sidecar_api.moments import moment_of, written
from sidecar_api.processes.about import about

if TYPE_CHECKING:
    from sidecar_api.processes.webhooks import Messenger

VALID: Final = timedelta(seconds=60)
"""So long the program has to take it."""
TAKEN: Final = timedelta(minutes=10)
"""So long one that was taken, of which nothing more is heard, stands in the way of another."""
LONGEST_KEY: Final = 128
_REMEMBERED: Final = 1000
_LOCKS: Final = 64
TOLD: Final = ("id", "kind", "attempt", "by", "reason", "at", "expires_at")
"""What a program hears of what is asked."""
_WORDS: Final = {"cancel": "cancelled", "retry": "tried again", "cleanup": "cleaned up after"}

Row = dict[str, Any]


def control_id(secret: bytes, reader: str, process: Mapping[str, Any], kind: str, key: str) -> str:
    """Return the id of a control: the same for the same wish.

    Args:
        secret: of the sidecar.
        reader: id of who asks.
        process: as the API shows it.
        key: that the reader gave the wish.
    """
    return entry_id(secret, "ctl_", reader, process["organization"]["id"], process["id"], kind, key)


def refusal(process: Mapping[str, Any], kind: str, now: datetime) -> str:
    """Return why a control cannot be asked for now, in a sentence; empty: it can."""
    word = _WORDS[kind]
    for row in process["requests"]:
        if not _stands(row, process, now):
            continue
        if row["kind"] == kind:
            return f"Somebody has asked for that already: it is {row['state']}."
        # Who took something and fell silent does not do it any more.
        if not (row["state"] == "taken" and process["stalled"]):
            other = _WORDS.get(row["kind"] or "", "something else")
            return f"Somebody has asked already that it be {other}: that is {row['state']}."
    if kind in process["controls"]:
        return ""
    if process["cleaned"]:
        return f"It was cleaned up after, and cannot be {word} any more."
    return f"It is {process['state']}, and does not offer to be {word} now."


def open_controls(process: Mapping[str, Any], now: datetime) -> list[Row]:
    """Return what is asked of a process and nobody has taken yet."""
    return [
        {name: row[name] for name in TOLD}
        for row in process["requests"]
        if row["state"] == "requested" and row["by"] and _stands(row, process, now)
    ]


def of_earlier(row: Mapping[str, Any], process: Mapping[str, Any]) -> bool:
    """Whether a request was made of an attempt that is over: nobody means the present one."""
    return row["attempt"] is not None and row["attempt"] < process["attempt"]


def _stands(row: Mapping[str, Any], process: Mapping[str, Any], now: datetime) -> bool:
    """Whether a request is under way."""
    if of_earlier(row, process) or (row["kind"] == "cancel" and process["state"] in ENDS):
        return False
    if row["state"] == "requested":
        until = moment_of(row["expires_at"])
    elif row["state"] == "taken":
        at = moment_of(row["at"])
        until = at + TAKEN if at else None
    else:
        return False
    return until is not None and now < until


def fields(process: Mapping[str, Any], row: Row) -> dict[str, Any]:
    """Return what the record of a control says, as arguments of the emitter.

    The id of the entry follows from that of the control: of two that are recorded for one wish,
    at two sidecars at once or once more after an answer that got lost, one is stored.
    """
    said = {
        **about(process),
        "reason": row["reason"],
        "timestamp": row["at"],
        "event_id": f"{row['id']}-{row['attempt']}",
        "activity.control.id": row["id"],
        "activity.control.kind": row["kind"],
        "activity.control.state": "requested",
        "activity.control.expires_at": row["expires_at"],
    }
    return {name: one for name, one in said.items() if one is not None}


class Asked:
    """What was asked in this process of the server a moment ago."""

    def __init__(self) -> None:
        self._rows: OrderedDict[str, tuple[tuple[str, str], Row]] = OrderedDict()
        self._lock = threading.Lock()
        self._locks = [threading.Lock() for _ in range(_LOCKS)]

    def one_at_a_time(self, process: Mapping[str, Any]) -> AbstractContextManager[Any]:
        """Of what is asked of one process."""
        return self._locks[hash(_key(process)) % _LOCKS]

    def with_latest(self, process: Mapping[str, Any]) -> dict[str, Any]:
        """Return the process with what has not come round yet."""
        known = {row["id"] for row in process["requests"]}
        with self._lock:
            more = [
                row
                for key, row in self._rows.values()
                if key == _key(process) and row["id"] not in known
            ]
        return {**process, "requests": [*process["requests"], *more]}

    def add(self, process: Mapping[str, Any], row: Row) -> None:
        """Remember a request."""
        with self._lock:
            self._rows[row["id"]] = (_key(process), row)
            while len(self._rows) > _REMEMBERED:
                self._rows.popitem(last=False)


class Waiting:
    """Places of those who wait for controls; nobody has more of them than are left free.

    Args:
        most: how many there are.
    """

    def __init__(self, most: int) -> None:
        self._free = most
        self._taken: Counter[str] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def place(self, who: str) -> Iterator[None]:
        """Have a place for the time of a block.

        Raises:
            RateLimited: ``who`` has that many already.
        """
        with self._lock:
            if self._taken[who] >= self._free:
                raise RateLimited(
                    "Too many of your requests wait for controls.",
                    retry_after=5,
                    hint="Wait for one of them.",
                )
            self._taken[who] += 1
            self._free -= 1
        try:
            yield
        finally:
            with self._lock:
                self._free += 1
                self._taken[who] -= 1
                if not self._taken[who]:
                    del self._taken[who]


def _key(process: Mapping[str, Any]) -> tuple[str, str]:
    return process["organization"]["id"], process["id"]


def ask(
    process: Mapping[str, Any],
    kind: str,
    *,
    id_: str,
    by: Mapping[str, Any],
    reason: str,
    asked: Asked,
    messenger: Messenger,
    record: Callable[[dict[str, Any]], None],
    latest: Callable[[], Iterable[Mapping[str, Any]]],
    now: datetime,
) -> tuple[Row, str]:
    """Ask something of a process, unless the same wish was recorded before.

    Args:
        process: as the API shows it, at this moment.
        id_: of :func:`control_id`.
        by: id and name of who asks.
        record: makes a durable record of what :func:`fields` says, or raises.
        latest: gives the processes of this id as they are at a later moment, in any thread.

    Returns:
        The request, and empty; or no request, and why it cannot be asked for.
    """
    with asked.one_at_a_time(process):
        shown = asked.with_latest(process)
        for row in shown["requests"]:
            if row["id"] == id_:
                return row, ""
        wrong = refusal(shown, kind, now)
        if wrong:
            return {}, wrong
        row = {
            "id": id_,
            "kind": kind,
            "attempt": process["attempt"],
            "state": "requested",
            "by": dict(by),
            "at": written(now),
            "expires_at": written(now + VALID),
            "reason": reason or None,
            "answer": None,
        }
        record(fields(process, row))
        asked.add(process, row)

    def void() -> bool:
        return any(_key(one) == _key(process) and of_earlier(row, one) for one in latest())

    messenger.tell(process, row, VALID.total_seconds(), void)
    return row, ""
