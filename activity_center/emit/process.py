"""A long-running operation, told step by step while the code that does it runs.

::

    pending ─→ running ─→ done
                  ├─────→ failed ────┬─→ entered again: the next attempt
                  └─────→ cancelled ─┴─→ cleaned up

Each activity is complete in itself: whoever reads only the last one knows the state of the
process, and of its step. All of them go through the emitter's queue, so nothing here waits for
the network. What persons ask of the process comes by :mod:`activity_center.emit.controls`.
"""

from __future__ import annotations

import math
import threading
import time
import uuid
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from activity_center.emit.context import Context, Fields
from activity_center.emit.controls import Cancelled, Control, listener_of
from activity_center.emit.declared import Declared
from activity_center.emit.ended import end_of
from activity_center.emit.event import whole_failure
from activity_center.emit.output import PIECE, STREAMS, Held, written
from activity_center.emit.step import Step, Steps, bounded

if TYPE_CHECKING:
    from activity_center.emit.emitter import Emitter

GATHER: Final = 0.1
"""Seconds of output, or progress, that go as one activity: a program that prints a million
lines must not fill the queue."""
LISTENS: Final = 3600.0
"""Seconds for which a process that ended early can be tried again or cleaned up."""
EARLY: Final = frozenset({"failed", "cancelled"})


class Process:
    """One operation; made by :meth:`Emitter.process`, entered with ``with``.

    Entered again after it ended, it is the next attempt. Its methods may be called from any
    thread, and raise nothing but :class:`Cancelled`.

    Attributes:
        id: the same for all attempts.
        attempt: counted from 1.
        state: ``pending``, ``running``, ``done``, ``failed`` or ``cancelled``.
    """

    def __init__(
        self,
        emitter: Emitter,
        around: Fields,
        declared: Declared,
        process_id: str | None,
        attempt: int,
    ) -> None:
        self.id = process_id or f"prc_{uuid.uuid4().hex}"
        self.attempt = max(1, attempt)
        self.state = "pending"
        self._emitter = emitter
        self._around = Context(around)
        self._declared = declared
        self._handlers = declared.handlers
        self._lock = threading.RLock()
        source = emitter.controls if declared.controls else None
        self._listener = listener_of(source, self.id, around, self._take)
        self._late: Control | None = None
        self._begin()

    def _begin(self) -> None:
        """Forget all of an attempt."""
        self._steps = Steps(self, self._declared.steps)
        self._share: float | None = None
        self._asked: Control | None = None
        self._receipt: dict[str, list[str]] = {}
        self._began = time.perf_counter_ns()
        self._spoke = self._told = -math.inf
        self._held = Held()
        self._offsets = dict.fromkeys(STREAMS, 0)
        self._moved: dict[Step | None, None] = {}
        self._ours = True

    # What the program says

    def step(self, name: str) -> Step:
        """Return the step of that name, to be entered with ``with``; a new one goes last."""
        with self._lock:
            return self._steps.of(name)

    def skip(self, name: str, reason: str | None = None) -> None:
        """Say that a step is left out."""
        with self._lock:
            step = self.step(name)
            step.state = "skipped"
            self._tell("process.step.skipped", step, said={"reason": reason})

    def progress(self, share: float) -> None:
        """Say how much of all is done, 0 to 1, where the steps do not tell it."""
        self.move(None, share)

    def output(self, text: str | bytes, stream: str = "stdout") -> None:
        """Add output that belongs to no step; see :meth:`Step.output`."""
        self.print(None, text, stream)

    def check(self) -> None:
        """Go on only when nobody asked to cancel.

        Raises:
            Cancelled: somebody did. Undo what has to be undone, say so by :meth:`receipt`,
                and let it leave the block.
        """
        asked = self._asked
        if asked is not None:
            raise Cancelled(asked.words)

    def receipt(
        self,
        *,
        undone: Iterable[str] | None = None,
        left_behind: Iterable[str] | None = None,
        needs_person: Iterable[str] | None = None,
    ) -> None:
        """Say what an early end leaves; several calls add up, and an empty list says: nothing.

        Args:
            undone: what was undone.
            left_behind: what is still there; by default the steps that began.
            needs_person: what only a person can put right.
        """
        told = {"undone": undone, "left_behind": left_behind, "needs_person": needs_person}
        with self._lock:
            for name, more in told.items():
                if more is not None:
                    listed = [more] if isinstance(more, str) else more
                    self._receipt.setdefault(name, []).extend(listed)

    def __enter__(self) -> Process:
        with self._lock:
            if self.state == "running":
                raise RuntimeError(f"the process {self.id} is running")
            if self.state != "pending":
                self.attempt += 1
                self._begin()
            self.state = "running"
            self._tell("process.started" if self.attempt == 1 else "process.retried")
            if self._late is not None and self._late.kind == "retry":
                asked, self._late = self._late, None
                self._answer(asked, "done")
        self._emitter.pulse.add(self)
        if self._listener is not None:
            self._listener.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            self._flush()
            self.state, said = end_of(error, self._asked, breaks_off="cancel" in self._handlers)
            action = "process.completed"
            if self.state in EARLY:
                action = f"process.{self.state}"
                left = (self._steps.left or {}) | self._receipt
                said |= {"activity.receipt": left} if left else {}
            said["event.duration"] = time.perf_counter_ns() - self._began
            self._tell(action, said=said)
            asked, self._asked = self._asked, None
            if asked is not None and self.state == "cancelled":
                self._answer(asked, "done")
            elif asked is not None:
                self._answer(asked, "failed", f"it ended before: {self.state}")
        self._emitter.pulse.discard(self)
        self._hear_late()

    def take_over(self) -> None:
        """Answer for an attempt that a program has left which is gone, as after it failed.

        What persons ask of it, ``on_cleanup`` and ``on_retry`` do; of the attempt nothing is said.
        A program that starts again makes the process with the id and the attempt of then.

        Raises:
            RuntimeError: the process runs, or ran, here.
        """
        with self._lock:
            if self.state != "pending":
                raise RuntimeError(f"the process {self.id} is {self.state} here")
            self.state, self._ours = "failed", False
        if self._listener is not None:
            self._listener.start()
        self._hear_late()

    def _hear_late(self) -> None:
        if self._listener is not None:
            late = self.state in EARLY and self._handlers.keys() & {"retry", "cleanup"}
            self._listener.stop(after=LISTENS if late else 0.0)

    # For its steps and the pulse

    def begin(self, step: Step) -> None:
        """A step begins.

        Raises:
            Cancelled: somebody asked to cancel, and no ``on_cancel`` takes care of it.
        """
        if "cancel" not in self._handlers:
            self.check()
        with self._lock:
            step.state, step.share = "running", 0.0
            self._tell("process.step.started", step)

    def end(self, step: Step, error: BaseException | None, duration: int) -> None:
        """A step ends; nanoseconds."""
        with self._lock:
            self._flush()
            step.state, said = end_of(error, self._asked, breaks_off="cancel" in self._handlers)
            action = f"process.step.{step.state}"
            if step.state == "done":
                step.share, action = 1.0, "process.step.completed"
            self._tell(action, step, said={**said, "event.duration": duration})

    def move(self, step: Step | None, share: float) -> None:
        """The share of a step, or of all, that is done."""
        known = bounded(share)
        with self._lock:
            if step is None:
                self._share = known
            else:
                step.share = known
            self._moved[step] = None
            self._soon()

    def print(self, step: Step | None, text: str | bytes, stream: str) -> None:
        """Output."""
        data = written(text)
        if not data:
            return
        known = stream if stream in STREAMS else "log"
        with self._lock:
            held = self._held
            if held.parts and (held.step is not step or held.stream != known):
                self._flush()
                held = self._held
            held.step, held.stream = step, known
            held.parts.append(data)
            held.size += len(data)
            self._soon()

    def beat(self, now: float) -> float:
        """Say what is due; return when to come again (monotonic seconds)."""
        with self._lock:
            if self.state != "running":
                return math.inf
            due = self._told + GATHER
            if self._held.parts or self._moved:
                if now < due:
                    return due
                self._flush()
            if now >= self._spoke + self._declared.lease / 3:
                self._tell("process.heartbeat", whole=False)
            return self._spoke + self._declared.lease / 3

    # The words

    def _soon(self) -> None:
        """Tell what is held now, or, when something was told just now, a little later."""
        if self._held.size >= PIECE or time.monotonic() >= self._told + GATHER:
            self._flush()
        else:
            self._emitter.pulse.hurry()

    def _flush(self) -> None:
        """Tell all output and progress that is held."""
        moved, self._moved = self._moved, {}
        held, self._held = self._held, Held()
        if not (moved or held.parts):
            return
        for step in moved:
            if step is None:
                self._tell("process.progress")
            elif step.state == "running":
                self._tell("process.step.progress", step)
        for output in held.cut(self._offsets):
            self._tell("process.output", held.step, whole=False, said={"activity.output": output})
        self._told = time.monotonic()

    def _tell(
        self,
        action: str,
        step: Step | None = None,
        *,
        whole: bool = True,
        said: Mapping[str, Any] = {},
    ) -> None:
        """Emit one activity; called under the lock, so that their order is what happened.

        Args:
            whole: with what only who hears of the process for the first time needs.
        """
        declared = self._declared
        process = {"id": self.id, "attempt": self.attempt, **declared.as_fields(self.state)}
        share = self._steps.share if self._share is None else self._share
        if self.state == "done" or (share is not None and self._ours):
            process["progress"] = 1.0 if self.state == "done" else round(share or 0.0, 4)
        if whole and self._ours:
            process["steps"] = [one.name for one in self._steps]
            process["effects"] = declared.effects
        fields = {**declared.said, **said, "activity.process": process}
        if step is not None:
            fields["activity.step"] = step.as_fields()
        with self._around:
            # Never waits for the record, whatever the emitter does for other activities.
            self._emitter.emit(action, **{**fields, "require_record": False})
        self._spoke = time.monotonic()

    # What persons ask

    def _take(self, control: Control) -> bool:
        """Do what a person asked of this attempt; ``False`` when it cannot be taken."""
        offered = self._declared.controls
        with self._lock:
            if control.attempt not in (None, self.attempt):
                return False
            if control.kind == "cancel":
                if self.state != "running" or self._asked or "cancel" not in offered:
                    return False
                self._asked = control
            else:
                if self.state not in EARLY or self._late or control.kind not in self._handlers:
                    return False
                self._late = control
            self._answer(control, "taken")
        if control.kind not in self._handlers:
            return True  # check() tells the program
        # A thread of its own: the listener must hear of a cancel meanwhile.
        name = "activity-center-control"
        threading.Thread(target=self._work, args=(control,), name=name, daemon=True).start()
        return True

    def _work(self, control: Control) -> None:
        if control.kind == "cancel":
            self._emitter.guarded(self._handlers["cancel"], self)
        elif control.kind == "retry":
            self._retry(control)
        else:
            self._clean(control)

    def _retry(self, control: Control) -> None:
        wrong = None
        try:
            self._handlers["retry"](self)
        except BaseException as error:  # of the attempt, which has told it; else of the handler
            wrong = whole_failure(error)
        with self._lock:
            if self._late is control:
                self._late = None
                self._answer(control, "failed", "no attempt was begun", wrong)

    def _clean(self, control: Control) -> None:
        self._receipt, attempt, wrong = {}, self.attempt, None
        try:
            self._handlers["cleanup"](self)
        except BaseException as error:
            wrong = whole_failure(error)
        with self._lock:
            self._late = None
            if wrong is not None or attempt != self.attempt:
                why = "cleaning up failed" if wrong else "the next attempt began meanwhile"
                self._answer(control, "failed", why, wrong)
                return
            told = {"activity.receipt": self._receipt} if self._receipt else {}
            said = {"user": control.by, "outcome": "success", **told}
            self._tell("process.cleaned_up", said=said)
            self._answer(control, "done")

    def _answer(
        self,
        control: Control,
        state: str,
        reason: str | None = None,
        error: dict[str, Any] | None = None,
    ) -> None:
        """Say what became of a control; the deed is of the person who asked."""
        said: dict[str, Any] = {
            "activity.control": {"id": control.id, "kind": control.kind, "state": state},
            "outcome": {"done": "success", "failed": "failure"}.get(state),
            "reason": reason,
            "user": control.by or None,
            **({} if error is None else {"error": error}),
        }
        action = "process.control_taken" if state == "taken" else "process.control_done"
        self._tell(action, whole=False, said=said)
