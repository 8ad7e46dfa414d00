"""One attempt of a process: its state and steps, out of entries in any order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from activity_center.processes import reading
from activity_center.processes.output import Output

Place = tuple[int, int, str]
"""Order of an entry in its attempt: ``event.sequence``, microseconds, ``event.id``."""

MOST_STEPS: Final = 500
"""Steps of one attempt; of more, those with the first ids."""
LONGEST_MESSAGE: Final = 32_768
LONGEST_TRACE: Final = 65_536
"""Characters of an error that a process carries; its entry has the whole."""
ENDS: Final = frozenset({"done", "failed", "cancelled"})
"""States of a process in which it has ended."""
STEP_ENDS: Final = ENDS | {"skipped"}
PROCESS_STATES: Final = {
    "process.started": "running",
    "process.progress": "running",
    "process.heartbeat": "running",
    "process.output": "running",
    "process.retried": "pending",
    "process.completed": "done",
    "process.failed": "failed",
    "process.cancelled": "cancelled",
}
"""What an action says of the process's state, where the entry does not say it itself."""
END_ACTIONS: Final = frozenset({"process.completed", "process.failed", "process.cancelled"})
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

    def take(self, place: Place, at: int, action: str, activity: Mapping[str, Any]) -> None:
        """Take over what an entry says of this step."""
        said = reading.part(activity, "activity", "step")
        state = STEP_STATES.get(action)
        if action.startswith("process.step."):
            state = reading.text(said, "state") or state
        if state:
            error = error_of(activity) if state == "failed" else None
            self.state.put(place, (state, at, error))
            if state != "pending" and (self.began is None or at < self.began):
                self.began = at
        if name := reading.text(said, "name"):
            self.name.put(place, name)
        if (index := reading.number(said, "index")) is not None:
            self.index.put(place, index)
        if (progress := reading.share(said, "progress")) is not None:
            self.progress.put(place, progress)

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
            itself: what it prints afterwards does not revive it. What somebody cleaned up has
            failed unless it says how it ended.
        began: microseconds of its first entry.
        output: empty for former attempts.
    """

    state: Latest = field(default_factory=Latest)
    progress: Latest = field(default_factory=Latest)
    lease: Latest = field(default_factory=Latest)
    began: int | None = None
    steps: dict[str, Step] = field(default_factory=dict)
    output: Output = field(default_factory=Output)

    def take(self, place: Place, at: int, action: str, activity: Mapping[str, Any]) -> None:
        """Take over what an entry of the producer's says."""
        said = reading.part(activity, "activity", "process")
        if self.began is None or at < self.began:
            self.began = at
        state = reading.text(said, "state")
        ends = action in END_ACTIONS
        if not state or (ends and state not in ENDS):
            state = PROCESS_STATES.get(action, "")
        if state:
            error = error_of(activity) if state == "failed" else None
            self.state.put((2 if ends else 0, *place), (state, at, error))
        if (progress := reading.share(said, "progress")) is not None:
            self.progress.put(place, progress)
        if (lease := reading.moment(said, "lease")) is not None:
            self.lease.put(place, lease)
        step = reading.part(activity, "activity", "step")
        id_ = step_id(step)
        if id_:
            if id_ not in self.steps:
                self.steps[id_] = Step()
                if len(self.steps) > MOST_STEPS:
                    del self.steps[max(self.steps)]
            if id_ in self.steps:
                self.steps[id_].take(place, at, action, activity)

    def cleaned_up(self, place: Place, at: int) -> None:
        """Take over that somebody cleaned up after it."""
        self.state.put((1, *place), ("failed", at, None))

    def rows(self, declared: Sequence[str]) -> list[dict[str, Any]]:
        """Return the rows of all steps in their order, also of those still to come.

        Args:
            declared: names of the steps in order, as the producer announced them.
        """
        by_name = {name: at for at, name in reversed(list(enumerate(declared)))}
        placed: list[tuple[float, str, dict[str, Any]]] = []
        for id_, step in self.steps.items():
            at: float | None = step.index.value
            if at is None:
                at = by_name.get(step.name.value, float("inf"))
            placed.append((at, id_, step.row(id_)))
        taken = {at for at, _, _ in placed}
        placed += (
            (at, "", Step(name=Latest((0,), name)).row(f"step-{at + 1}"))
            for at, name in enumerate(declared)
            if at not in taken
        )
        placed.sort(key=lambda one: one[:2])
        return [{**row, "index": index} for index, (_, _, row) in enumerate(placed)]

    def summary(self, number: int) -> dict[str, Any]:
        """Return what is told of a former attempt."""
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
        failed = [
            (step.state.place, step.name.value or id_, step.state.value[2])
            for id_, step in self.steps.items()
            if step.state.value and step.state.value[0] == "failed"
        ]
        return max(failed, key=lambda one: one[0])[1:] if failed else None


def step_id(step: Mapping[str, Any]) -> str:
    """Return what tells a step from others: its id, else its name, else its index."""
    index = reading.number(step, "index")
    return (
        reading.text(step, "id")
        or reading.text(step, "name")
        or (f"step-{index + 1}" if index is not None else "")
    )


def error_of(activity: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the error of an entry, as long as a process carries it."""
    error = reading.part(activity, "error")
    message = reading.text(error, "message") or reading.text(
        reading.part(activity, "event"), "reason"
    )
    trace = reading.text(error, "stack_trace")
    kind, code = reading.text(error, "type"), reading.text(error, "code")
    if not (message or trace or kind or code):
        return None
    return {
        "message": message[:LONGEST_MESSAGE],
        "type": kind or None,
        "code": code or None,
        "stack_trace": trace[:LONGEST_TRACE] or None,
        "whole": len(message) <= LONGEST_MESSAGE and len(trace) <= LONGEST_TRACE,
    }
