"""One step of a process."""

from __future__ import annotations

import logging
import math
import re
import time
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from activity_center.emit.process import Process

BROKEN: Final = " (broken off)"
"""Marks a step that began and was not done."""
log = logging.getLogger("activity_center.emit")
MOST_STEPS: Final = 500
"""Of an attempt, as who watches sees them (activity_center.processes.attempt.MOST_STEPS)."""
_NOT_ID: Final = re.compile(r"[^a-z0-9]+")


def bounded(share: float) -> float:
    """Return a share between 0 and 1; what is no number is none."""
    try:
        return min(1.0, max(0.0, share)) if math.isfinite(share) else 0.0
    except (TypeError, ValueError, OverflowError):
        return 0.0


class Step:
    """A step; made by :meth:`Process.step`, entered with ``with``.

    An error that leaves the block fails the step, and goes on.

    Attributes:
        id: made of the name: ``create-instance``; no other step of the attempt has it.
        index: position among the process's steps, from 0.
        state: ``pending``, ``running``, ``done``, ``failed``, ``skipped`` or ``cancelled``.
        share: share that is done, 0 to 1.
    """

    def __init__(self, process: Process, name: str, index: int, id_: str) -> None:
        self.name = name
        self.index = index
        self.id = id_
        self.state = "pending"
        self.share = 0.0
        self._process = process
        self._began = 0

    def progress(self, share: float) -> None:
        """Say how much of the step is done, 0 to 1."""
        self._process.move(self, share)

    def output(self, text: str | bytes, stream: str = "stdout") -> None:
        """Add what the step printed.

        Args:
            text: any number of lines; a line end is added where the last has none.
            stream: ``stdout``, ``stderr`` or ``log``.
        """
        self._process.print(self, text, stream)

    def as_fields(self) -> dict[str, Any]:
        """Return the group ``activity.step``."""
        return {
            "id": self.id,
            "name": self.name,
            "index": self.index,
            "state": self.state,
            "progress": round(self.share, 4),
        }

    def __enter__(self) -> Step:
        self._began = time.perf_counter_ns()
        self._process.begin(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.end(self, error, time.perf_counter_ns() - self._began)


class Steps(list[Step]):
    """The steps of one attempt, in order."""

    def __init__(self, process: Process, names: Iterable[str]) -> None:
        super().__init__()
        self._process = process
        self._ids: set[str] = set()
        for name in names:
            self._add(name)

    def of(self, name: str) -> Step:
        """Return the step of a name; a new one goes last."""
        for step in self:
            if step.name == name:
                return step
        return self._add(str(name))

    def _add(self, name: str) -> Step:
        index = len(self)
        id_ = plain = _NOT_ID.sub("-", name.lower()).strip("-")[:200] or f"step-{index + 1}"
        number = 1
        while id_ in self._ids:  # "Build C" and "Build C++" are two steps
            number += 1
            id_ = f"{plain}-{number}"
        self._ids.add(id_)
        self.append(Step(self._process, name, index, id_))
        if index == MOST_STEPS:
            log.warning(
                "process %s has more than %d steps: those beyond are recorded and not shown",
                self._process.id,
                MOST_STEPS,
            )
        return self[-1]

    @property
    def left(self) -> dict[str, list[str]] | None:
        """What an early end leaves, as far as they tell; ``None``: none of them began."""
        marks = {"done": "", "running": BROKEN, "failed": BROKEN, "cancelled": BROKEN}
        begun = [step.name + marks[step.state] for step in self if step.state in marks]
        return {"left_behind": begun} if begun else None

    @property
    def share(self) -> float | None:
        """Share of all of them that is done, 0 to 1; ``None``: there are none."""
        told = {"done": 1.0, "skipped": 1.0, "pending": 0.0}
        shares = [told.get(step.state, step.share) for step in self]
        return sum(shares) / len(shares) if shares else None
