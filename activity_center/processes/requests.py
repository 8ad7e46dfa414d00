"""What people asked of a process (cancel, retry, clean up), and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from activity_center.processes import reading

MOST_REQUESTS: Final = 100
"""Requests of one process: of more, those that were asked last. What only has answers, which
any sender can make up, comes after all that was asked."""
_ASKED: Final = {
    "process.cancel": "cancel",
    "process.retry": "retry",
    "process.cleanup": "cleanup",
}
_STATES: Final = {
    "process.control_taken": "taken",
    "process.control_done": "done",
    "process.control_expired": "expired",
}
ACTIONS: Final = frozenset(_ASKED) | frozenset(_STATES)
"""Actions that are a request, or what became of one."""
AUDITED: Final = tuple(sorted(ACTIONS - {"process.control_taken"}))
"""Those that are in the audit lens, as what a person did is."""
_RANK: Final = {"requested": 0, "taken": 1, "expired": 2, "failed": 3, "done": 4}
"""A state never goes back; that it was carried out late outweighs that it had expired."""
_KINDS: Final = frozenset(_ASKED.values())
_VOID: Final = "the next attempt began before anybody took it"


@dataclass(slots=True)
class Request:
    """One request.

    Attributes:
        taken: microseconds of when somebody first said to have taken it.
    """

    state: str = "requested"
    said: dict[str, Any] = field(default_factory=dict)
    asked: dict[str, Any] = field(default_factory=dict)
    taken: int | None = None

    def take(self, action: str, at: int, activity: Mapping[str, Any]) -> None:
        """Take over an entry of this request.

        What was asked comes from the entry that asked alone: no other may say who it was.
        """
        control = reading.part(activity, "activity", "control")
        event = reading.part(activity, "event")
        reason = reading.text(event, "reason")
        rank = (at, reading.text(event, "id"))
        if action in _ASKED:
            user = reading.part(activity, "user")
            if not self.asked or rank < self.asked["rank"]:
                self.asked = {
                    "rank": rank,
                    "kind": _ASKED[action],
                    "by": {
                        "id": reading.text(user, "id") or None,
                        "name": reading.text(user, "full_name") or reading.text(user, "name"),
                    },
                    "at": reading.written(at),
                    "expires_at": reading.written(reading.moment(control, "expires_at")),
                    "reason": reason or None,
                    "attempt": reading.number(
                        reading.part(activity, "activity", "process"), "attempt"
                    ),
                }
            return
        state = _STATES[action]
        if state == "taken" and (self.taken is None or at < self.taken):
            self.taken = at
        if state == "done" and (
            event.get("outcome") == "failure" or control.get("state") == "failed"
        ):
            state = "failed"
        order = (_RANK[state], *rank)
        if not self.said or order > self.said["rank"]:
            error = reading.text(reading.part(activity, "error"), "message")
            kind = reading.text(control, "kind")
            self.said = {"rank": order, "answer": (error or reason)[:4096] or None}
            self.state = state
            if kind in _KINDS:
                self.said["kind"] = kind

    def row(self, id_: str, current: int) -> dict[str, Any]:
        """Return the row of this request.

        Args:
            current: number of the attempt that the process is in: what was asked of an earlier
                one and not taken is void.
        """
        asked = self.asked
        attempt = asked.get("attempt")
        void = self.state == "requested" and attempt is not None and attempt < current
        state, answer = self.state, self.said.get("answer")
        # Word of it may come later than that it had expired: then somebody is at it all the same.
        until, taken = asked.get("expires_at"), reading.written(self.taken)
        if state == "expired" and until and taken and taken <= until:
            state, answer = "taken", None
        return {
            "id": id_,
            "kind": asked.get("kind") or self.said.get("kind"),
            "attempt": attempt,
            "state": "expired" if void else state,
            "by": asked.get("by"),
            "at": asked.get("at"),
            "expires_at": asked.get("expires_at"),
            "reason": asked.get("reason"),
            "answer": _VOID if void else answer,
        }

    @property
    def when(self) -> tuple[Any, ...]:
        """Of which attempt it was asked, and when; of one that nobody asked, when answered."""
        if self.asked:
            return (self.asked["attempt"] or 0, *self.asked["rank"])
        return (*self.said["rank"][1:],)


@dataclass(slots=True)
class Requests:
    """The requests of one process.

    An answer may come before what it answers. As long as no more than :data:`MOST_REQUESTS`
    answers wait for that, the order of the entries changes nothing.
    """

    _asked: dict[str, Request] = field(default_factory=dict)
    _answered: dict[str, Request] = field(default_factory=dict)
    _rows: list[dict[str, Any]] | None = None
    _attempt: int = 0

    def take(self, id_: str, action: str, at: int, activity: Mapping[str, Any]) -> None:
        """Take over an entry of the request of this id."""
        request = self._asked.get(id_) or self._answered.pop(id_, None) or Request()
        request.take(action, at, activity)
        pool = self._asked if request.asked else self._answered
        pool[id_] = request
        if len(pool) > MOST_REQUESTS:
            del pool[min(pool, key=lambda one: pool[one].when)]
        self._rows = None

    def rows(self, current: int) -> list[dict[str, Any]]:
        """Return the rows in the order of asking; the same list until one of them changes.

        Args:
            current: number of the attempt that the process is in.
        """
        if self._rows is None or current != self._attempt:
            room = MOST_REQUESTS - len(self._asked)
            late = sorted(self._answered.items(), key=lambda one: one[1].when, reverse=True)[:room]
            rows = [one.row(id_, current) for id_, one in [*self._asked.items(), *late]]
            self._rows = sorted(rows, key=lambda row: (row["at"] or "", row["id"]))
            self._attempt = current
        return self._rows
