"""One attempt of a process: its state and steps, out of entries in any order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from activity_center.processes import reading
from activity_center.processes.errors import Error, Errors, beginning_of, error_of
from activity_center.processes.lease import lease_of, received
from activity_center.processes.output import Output
from activity_center.processes.rows import Rows

Place = tuple[int, int, str]
"""Order of an entry in its attempt: ``event.sequence``, microseconds, ``event.id``."""

MOST_STEPS: Final = 500
"""Steps of one attempt; of more, those with the first ids."""
BEGINS: Final = ("process.started", "process.retried")
"""Actions with which an attempt begins."""
ENDED_BY: Final = {
    "done": "process.completed",
    "failed": "process.failed",
    "cancelled": "process.cancelled",
}
"""States of a process in which it has ended, and the action that says so."""
ENDS: Final = frozenset(ENDED_BY)
OPEN: Final = frozenset({"pending", "running"})
"""States of a process in which it has not."""
STEP_ENDS: Final = ENDS | {"skipped"}
PROCESS_STATES: Final = {
    "process.started": "running",
    "process.progress": "running",
    "process.heartbeat": "running",
    "process.output": "running",
    "process.retried": "pending",
    **{action: state for state, action in ENDED_BY.items()},
}
"""What an action says of the process's state, where the entry does not say it itself."""
END_ACTIONS: Final = frozenset(ENDED_BY.values())
STEP_STATES: Final = {
    "process.step.pending": "pending",
    "process.step.started": "running",
    "process.step.progress": "running",
    "process.step.completed": "done",
    "process.step.failed": "failed",
    "process.step.skipped": "skipped",
    "process.step.cancelled": "cancelled",
}


@dataclass(slots=True)
class Latest:
    """A value that the entry with the highest place sets."""

    place: tuple[Any, ...] = ()
    value: Any = None

    def put(self, place: tuple[Any, ...], value: Any) -> None:
        """Take over a value, unless one of a higher place is there."""
        if place > self.place:
            self.place, self.value = place, value


@dataclass(slots=True)
class Step:
    """One step; a later transition takes the place of an earlier one."""

    state: Latest = field(default_factory=Latest)
    error: Latest = field(default_factory=Latest)
    name: Latest = field(default_factory=Latest)
    index: Latest = field(default_factory=Latest)
    progress: Latest = field(default_factory=Latest)
    began: int | None = None

    def take(
        self, place: Place, at: int, action: str, said: Mapping[str, Any], error: Error | None
    ) -> None:
        """Take over what an entry says of this step, and with which error."""
        if state := step_state(action, said):
            self.state.put(place, (state, at, error))
            if state != "pending" and (self.began is None or at < self.began):
                self.began = at
        if name := reading.text(said, "name"):
            self.name.put(place, name)
        if (index := reading.number(said, "index")) is not None:
            self.index.put(place, index)
        if (progress := reading.share(said, "progress")) is not None:
            self.progress.put(place, progress)

    def shorten(self, place: Place | None = None) -> bool:
        """Let go of all but the beginning of its error; whether there was more.

        Args:
            place: only of the error of this entry; ``None``: of whichever there is.
        """
        if not self.state.value or place not in (None, self.state.place):
            return False
        state, at, error = self.state.value
        self.state.value = (state, at, beginning_of(error))
        return self.state.value[2] is not error

    def row(self, id_: str) -> dict[str, Any]:
        """Return the row of this step, without its index."""
        state, at, error = self.state.value or ("pending", None, None)
        ended = at if state in STEP_ENDS else None
        progress = self.progress.value or 0.0
        return {
            "id": id_,
            "name": self.name.value or id_,
            "state": state,
            "progress": 1.0 if state in ("done", "skipped") else progress,
            "started": reading.written(self.began if state != "skipped" else None),
            "ended": reading.written(ended),
            "duration_ms": reading.lasted(self.began, ended) if state != "skipped" else None,
            "error": error,
        }


@dataclass(slots=True)
class Attempt:
    """One attempt.

    Attributes:
        state: (state, microseconds, error). That it ended outweighs whatever else it says of
            itself: what it prints afterwards does not revive it. What was cleaned up, or was
            to be and nobody did, has failed unless it says how it ended.
        began: microseconds of its first entry.
        output: empty for former attempts.
    """

    state: Latest = field(default_factory=Latest)
    progress: Latest = field(default_factory=Latest)
    lease: Latest = field(default_factory=Latest)
    began: int | None = None
    steps: dict[str, Step] = field(default_factory=dict)
    output: Output = field(default_factory=Output)
    _errors: Errors = field(default_factory=Errors)
    _former: bool = False
    _rows: Rows = field(default_factory=Rows)
    _failed: tuple[str, dict[str, Any] | None] | None = None
    _failed_known: bool = False
    _summary: dict[str, Any] | None = None

    @property
    def progress_of_steps(self) -> float:
        """Of all rows as they were last asked for, on average."""
        return self._rows.progress

    def take(self, place: Place, at: int, action: str, activity: Mapping[str, Any]) -> None:
        """Take over what an entry of the producer's says."""
        self._summary = None
        said = reading.part(activity, "activity", "process")
        if self.began is None or at < self.began:
            self.began = at
        state = reading.text(said, "state")
        ends = action in END_ACTIONS
        if not state or (ends and state not in ENDS):
            state = PROCESS_STATES.get(action, "")
        if state:
            error = self._error(activity) if state == "failed" else None
            self.state.put((2 if ends else 0, *place), (state, at, error))
        if (progress := reading.share(said, "progress")) is not None:
            self.progress.put(place, progress)
        if (lease := lease_of(activity)) is not None:
            # Twice received, it is the one that was received first.
            self.lease.put((*place, -(received(activity) or 0)), lease)
        step = reading.part(activity, "activity", "step")
        id_ = step_id(step)
        if not id_:
            return
        error = self._error(activity) if step_state(action, step) == "failed" else None
        if self._has_room(id_):
            self.steps[id_].take(place, at, action, step, error)
            self._touch(id_)
        if error and not self._former:
            for one, name in self._errors.take(place, id_, error):
                if name in self.steps and self.steps[name].shorten(one):
                    self._touch(name)
        self._failed_known = False

    def become_former(self) -> None:
        """Let go of what is not told of a former attempt: output, rows, and all but the
        beginning of its errors."""
        if self._former:
            return
        self._former, self._failed_known, self._summary = True, False, None
        self.output, self._errors, self._rows = Output(), Errors(), Rows()
        for step in self.steps.values():
            step.shorten()
        if self.state.value:
            self.state.value = (*self.state.value[:2], beginning_of(self.state.value[2]))

    def _error(self, activity: Mapping[str, Any]) -> Error | None:
        error = error_of(activity)
        return beginning_of(error) if self._former else error

    def _touch(self, id_: str) -> None:
        if not self._former:  # of which nobody asks for the rows
            self._rows.touch(id_)

    def _has_room(self, id_: str) -> bool:
        if id_ in self.steps:
            return True
        if len(self.steps) == MOST_STEPS:
            if id_ > (last := max(self.steps)):
                return False
            del self.steps[last]
            self._touch(last)
        self.steps[id_] = Step()
        return True

    def cleaned_up(self, place: Place, at: int) -> None:
        """Take over that somebody cleaned up after it, or that nobody will."""
        self._summary = None
        self.state.put((1, *place), ("failed", at, None))

    def rows(self, declared: Sequence[str]) -> list[dict[str, Any]]:
        """Return the rows of all steps in their order, also of those still to come.

        They are not to be changed; the same list comes again as long as nothing in it changes.

        Args:
            declared: names of the steps in order, as the producer announced them.
        """
        return self._rows.of(self.steps, declared, self._row)

    def _row(self, id_: str, name: str | None = None) -> dict[str, Any]:
        step = self.steps[id_] if name is None else Step(name=Latest((0,), name))
        return step.row(id_)

    def summary(self, number: int) -> dict[str, Any]:
        """Return what is told of a former attempt; the same object until an entry of it comes."""
        if self._summary is None:
            self._summary = self._summed_up(number)
        return self._summary

    def _summed_up(self, number: int) -> dict[str, Any]:
        state, at, error = self.state.value or ("running", None, None)
        failed = self.failed_step()
        error = error or (failed[1] if failed else None)
        return {
            "attempt": number,
            "state": state,
            "started": reading.written(self.began),
            "ended": reading.written(at if state in ENDS else None),
            "step": failed[0] if failed else None,
            "error": error["message"][:500] if error else None,
        }

    def failed_step(self) -> tuple[str, dict[str, Any] | None] | None:
        """Return name and error of the step that failed, the latest one."""
        if not self._failed_known:
            self._failed, self._failed_known = self._find_failed(), True
        return self._failed

    def _find_failed(self) -> tuple[str, dict[str, Any] | None] | None:
        failed = [
            (step.state.place, step.name.value or id_, step.state.value[2])
            for id_, step in self.steps.items()
            if step.state.value and step.state.value[0] == "failed"
        ]
        return max(failed, key=lambda one: one[0])[1:] if failed else None


def step_state(action: str, step: Mapping[str, Any]) -> str:
    """Return the state that an entry says of its step, or the empty one."""
    said = reading.text(step, "state") if action.startswith("process.step.") else ""
    return said or STEP_STATES.get(action, "")


def step_id(step: Mapping[str, Any]) -> str:
    """Return what tells a step from others: its id, else its name, else its index."""
    index = reading.number(step, "index")
    return (
        reading.text(step, "id")
        or reading.text(step, "name")
        or (f"step-{index + 1}" if index is not None else "")
    )
