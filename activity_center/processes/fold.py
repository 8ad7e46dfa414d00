"""The fold: one process out of its entries, in whatever order and however often they come.

Per step, for the process itself and for each of its members the entry with the highest
``event.sequence`` counts, of the highest attempt; between equal ones the later time, then the
id. So the fold is the same after a repeat, an overlap or a detour of any entry, and the history
folds to what was seen live. What rights depend on is of one sender alone: :class:`Rights`.

A process is told by its organization and its id: what another organization sends under the same
id is another process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from activity_center.processes import facts, reading
from activity_center.processes.attempt import ENDS, OPEN, Attempt, Latest, Place
from activity_center.processes.delta import REQUESTS, STEPS, Delta, rows_delta
from activity_center.processes.lease import DEFAULT_LEASE, received
from activity_center.processes.receipt import Receipt
from activity_center.processes.requests import ACTIONS as REQUEST_ACTIONS
from activity_center.processes.requests import Requests
from activity_center.processes.rights import Rights

MOST_ATTEMPTS: Final = 20
"""Attempts that are told of, the latest ones."""
AFTERWARDS: Final = frozenset({"failed", "cancelled"})
Key = tuple[str, str]
"""(organization id or empty, process id)."""
_OWNED: Final = ("workspace", "target")
"""Facts that decide who may watch it."""


def key_of(activity: Mapping[str, Any]) -> Key | None:
    """Return which process an activity is of; ``None``: it moves none."""
    ours = reading.part(activity, "activity")
    id_ = reading.text(reading.part(ours, "process"), "id")
    action = reading.text(reading.part(activity, "event"), "action")
    if not id_ or not (ours.get("lens") == "process" or action in REQUEST_ACTIONS):
        return None
    return reading.text(reading.part(activity, "organization"), "id"), id_


@dataclass(slots=True)
class Process:
    """The state of one process; :func:`apply` alone changes it.

    Attributes:
        id: of the process.
        organization: id of its organization, or empty.
        rights: what decides who may watch it.
    """

    id: str
    organization: str
    rights: Rights = field(default_factory=Rights)
    _facts: dict[str, Latest] = field(default_factory=dict)
    _attempts: dict[int, Attempt] = field(default_factory=dict)
    _requests: Requests = field(default_factory=Requests)
    _receipt: Receipt = field(default_factory=Receipt)
    _cleaned: int = 0
    _stalled: tuple[int, int, int] = (0, 0, 0)
    _updated: int = 0
    _heard: int = 0
    _shown: dict[str, Any] = field(default_factory=dict)
    _lines: list[Any] = field(default_factory=list)

    @property
    def key(self) -> Key:
        """What tells it from others."""
        return self.organization, self.id

    @property
    def attempt(self) -> int:
        """Number of the current attempt."""
        return max(self._attempts, default=1)

    @property
    def channel(self) -> str:
        """Name of its channel, or empty."""
        return self._fact("channel") or ""

    @property
    def begun(self) -> bool:
        """Whether anything of its producer's is known, not only what others said of it."""
        return bool(self._heard)

    @property
    def state(self) -> str:
        """Of the current attempt: pending, running, done, failed or cancelled."""
        said = self._current().state.value
        return said[0] if said else "running"

    @property
    def lease(self) -> datetime | None:
        """Until when silence is normal (:mod:`activity_center.processes.lease`)."""
        lease: int | None = self._current().lease.value
        if lease is None:
            if not self._heard:
                return None
            lease = self._heard + DEFAULT_LEASE // reading.MICROSECOND
        return reading.EPOCH + min(lease, reading.LAST) * reading.MICROSECOND

    def as_dict(self, now: datetime | None = None) -> dict[str, Any]:
        """Return it as API and protocol have it. What is in it is not to be changed.

        Args:
            now: also say that it has stalled if its lease has passed by then.
        """
        shown = self._shown or self._show()
        if now is not None and not shown["stalled"] and stalled(self, now):
            shown = {**shown, "stalled": True}
            shown["controls"] = self._offered(stalled=True)
        output = self._current().output
        lines = [line[2] for line in output.lines]
        return {**shown, "output": {"lines": lines, "bytes": output.size, "total": output.total}}

    def _current(self) -> Attempt:
        return self._attempts.get(self.attempt) or Attempt()

    def _fact(self, name: str) -> Any:
        fact = self._facts.get(name)
        return fact.value if fact else None

    def _take(self, activity: Mapping[str, Any]) -> None:
        """Take over what an entry says."""
        event = reading.part(activity, "event")
        said = reading.part(activity, "activity", "process")
        action = reading.text(event, "action")
        at = reading.moment(activity, "@timestamp") or 0
        number = max(reading.number(said, "attempt") or 1, 1)
        place = (reading.number(event, "sequence") or 0, at, reading.text(event, "id"))
        self._updated = max(self._updated, at)
        control = reading.part(activity, "activity", "control")
        if action in REQUEST_ACTIONS:
            id_ = reading.text(control, "id")
            if id_:  # else somebody says so who may not speak for people (collector/normalize)
                self._requests.take(id_, action, at, activity)
            return
        attempt = self._attempts.get(number)
        if attempt is None:
            attempt = self._begin(number)
        if attempt is None:
            return
        cleanup = action == "process.cleaned_up"
        self._receipt.take((number, *place), activity, cleanup=cleanup)
        if action == "process.stalled":
            lease = reading.moment(said, "lease") or 0
            self._stalled = max(self._stalled, (number, lease, at))
        elif cleanup:
            attempt.cleaned_up(place, at)
            if reading.text(event, "outcome") != "failure":  # else nobody did
                self._cleaned = max(self._cleaned, number)
        else:
            self._heard = max(self._heard, received(activity) or at)
            attempt.take(place, at, action, activity)
            self._take_facts((number, *place), activity)
            self._take_output(number, place, activity)

    def _begin(self, number: int) -> Attempt | None:
        """Make room for an attempt; ``None``: it is over for long."""
        if len(self._attempts) == MOST_ATTEMPTS:
            first = min(self._attempts)
            if number < first:
                return None
            del self._attempts[first]
        self._attempts[number] = made = Attempt()
        for other, attempt in self._attempts.items():
            if other < self.attempt:
                attempt.become_former()
        return made

    def _take_facts(self, place: tuple[int, *Place], activity: Mapping[str, Any]) -> None:
        said = {k: v for k, v in facts.facts(activity) if v is not None and v != ""}
        owned: dict[str, Any] = {name: said.pop(name) for name in _OWNED if name in said}
        self.rights.take(place, activity, facts.initiator(activity), owned)
        for name, value in said.items():
            self._facts.setdefault(name, Latest()).put(place, value)

    def _take_output(self, number: int, place: Place, activity: Mapping[str, Any]) -> None:
        output = reading.part(activity, "activity", "output")
        text = reading.text(output, "text")
        if not text or number != self.attempt:
            return
        step = reading.part(activity, "activity", "step")
        offset = reading.number(output, "offset")
        self._attempts[number].output.add(
            place,
            step=reading.text(step, "id") or reading.text(step, "name"),
            stream=reading.text(output, "stream") or "log",
            offset=offset if offset is not None and offset >= 0 else None,
            text=text,
            at=reading.written(place[1]),
        )

    def _has_stalled(self) -> bool:
        """Whether an entry says that it fell silent, and nothing has come since."""
        number, lease, at = self._stalled
        current = self._current()
        if number != self.attempt or self.state not in OPEN:
            return False
        said = current.lease.value
        if not lease or not said:
            return at >= self._heard
        # Told in milliseconds by who noticed it; the producer's own may be finer.
        return bool(lease // reading.MILLI >= said // reading.MILLI)

    def _offered(self, *, stalled: bool) -> list[str]:
        declared = self._fact("controls") or []
        if self._cleaned >= self.attempt:
            return []
        if self.state in OPEN:
            offered = {"cancel"} & set(declared)
            return sorted(offered | ({"cleanup"} if stalled else set()))
        if self.state in AFTERWARDS:
            return sorted({"retry", "cleanup"} & set(declared))
        return []

    def _show(self) -> dict[str, Any]:
        """Return all but the output."""
        current = self._current()
        state, at, error = current.state.value or ("running", None, None)
        steps = current.rows(self._fact("steps") or [])
        ended = at if state in ENDS else None
        failed = current.failed_step() if state == "failed" else None
        stalled = self._has_stalled()
        target = self.rights.value("target")
        return {
            "id": self.id,
            "channel": self._fact("channel"),
            "name": self._fact("name") or (target or {}).get("name") or self.id,
            "organization": {"id": self.organization, "name": self._fact("organization")},
            "project": self._fact("project"),
            "workspace": self.rights.value("workspace"),
            "environment": self._fact("environment"),
            "target": target,
            "server": self._fact("server"),
            "cloud_account": self._fact("cloud_account"),
            "initiator": self.rights.initiator,
            "attempt": self.attempt,
            "attempts": [
                self._attempts[number].summary(number)
                for number in sorted(self._attempts)
                if number != self.attempt
            ],
            "state": state,
            "stalled": stalled,
            "cleaned": self._cleaned >= self.attempt,
            "progress": _progress(state, current.progress.value, current),
            "controls": self._offered(stalled=stalled),
            "effects": self._fact("effects") or {},
            "started": reading.written(current.began),
            "ended": reading.written(ended),
            "updated": reading.written(self._updated),
            "lease": reading.written(current.lease.value),
            "duration_ms": reading.lasted(current.began, ended),
            "error": error or (failed[1] if failed else None),
            "steps": steps,
            "requests": self._requests.rows(self.attempt),
            "receipt": self._receipt.of(self.attempt),
            "case": self._fact("case"),
        }

    def _changed(self) -> Delta | None:
        """Return what has changed since the last call, and remember what is now."""
        before, now = self._shown, self._show()
        output = self._current().output
        lines = output.lines
        rows: dict[str, Any] = {}
        renewed: list[str] = []
        for name, key in (STEPS, REQUESTS):
            rows[name], whole = rows_delta(before.get(name, []), now[name], key)
            if whole:
                renewed.append(name)
        members = {
            name: value
            for name, value in now.items()
            if name not in rows and (name not in before or before[name] != value)
        }
        fresh: list[Any] = []
        counts: dict[str, int] | None = None
        if lines != self._lines:
            at = _appended(self._lines, lines)
            if at is None:
                renewed.append("lines")
            fresh = lines[at or 0 :]
        if lines != self._lines or "attempt" in members:
            counts = {"bytes": output.size, "total": output.total, "kept": len(lines)}
        self._shown, self._lines = now, list(lines)
        if not (members or rows["steps"] or rows["requests"] or renewed or counts):
            return None
        return Delta(
            self.id,
            self.organization,
            members,
            steps=rows["steps"],
            lines=[line[2] for line in fresh],
            output=counts,
            requests=rows["requests"],
            renewed=renewed,
        )


def apply(process: Process | None, activity: Mapping[str, Any]) -> tuple[Process, Delta] | None:
    """Fold one entry into its process.

    Args:
        process: of this entry's :func:`key_of`; ``None``: the entry is the first of it.
        activity: as it is stored.

    Returns:
        The process (the same object, changed) and what that changed; ``None``: nothing did,
        for it is a repeat, is older than what is known, or is not of this process.
    """
    key = key_of(activity)
    if key is None or (process is not None and process.key != key):
        return None
    if process is None:
        process = Process(id=key[1], organization=key[0])
    process._take(activity)
    delta = process._changed()
    return None if delta is None else (process, delta)


def stalled(process: Process, now: datetime) -> bool:
    """Whether a process has fallen silent: an entry says so, or its lease has passed."""
    if process.state not in OPEN:
        return False
    lease = process.lease
    return process.as_dict()["stalled"] or (lease is not None and lease < now)


def _appended(before: list[Any], now: list[Any]) -> int | None:
    """Return from where on lines are new, if all others stood at the end before."""
    if not before or not now:
        return 0
    last, at = before[-1][:2], len(now)
    while at and now[at - 1][:2] > last:
        at -= 1
    if not at:
        return 0
    # Equal and not only of the same key: they are the same objects, which costs nothing.
    return at if now[:at] == before[len(before) - at :] else None


def _progress(state: str, said: float | None, attempt: Attempt) -> float:
    if state == "done":
        return 1.0
    return attempt.progress_of_steps if said is None else float(said)
