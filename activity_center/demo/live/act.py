"""One operation, told by the emitter as any program would tell it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, Final

from activity_center.demo.live.plays import EFFECTS, Play
from activity_center.demo.workload.cast import Organization
from activity_center.emit import Cancelled, Emitter, Process

LINE: Final = 1.6
"""Seconds that a line of output takes."""
UNTIL_CANCELLED: Final = 25
"""Lines' time that a step which somebody is to cancel takes longer: the person may be slow."""


class StepFailed(Exception):
    """A step of the demo that goes wrong.

    Attributes:
        code: as the other side names it.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Act:
    """An operation of one play.

    Args:
        organization: that it is of; an administrator of it began it.
        pause: waits for some seconds; ``True``: the demo ends.
        lease: seconds.
        process_id: of one that a program has begun which is gone.

    Attributes:
        process: as the emitter has it.
    """

    def __init__(
        self,
        emitter: Emitter,
        play: Play,
        organization: Organization,
        pause: Callable[[float], bool],
        *,
        lease: float = 30.0,
        process_id: str | None = None,
    ) -> None:
        self._play = play
        self._pause = pause
        kind, prefix = play.channel.resource
        person = organization.with_roles("admin")[1]
        id_ = process_id or f"prc_{uuid.uuid4().hex[:12]}"
        self.process = emitter.process(
            play.channel.name,
            play.title,
            target=(kind, f"{prefix}_{id_[-6:]}", play.name),
            steps=play.channel.steps,
            controls=["cancel"],
            effects=EFFECTS,
            on_retry=lambda _: self.run(),
            on_cleanup=self._clean,
            lease=lease,
            process_id=id_,
            user=person.user(),
            organization=organization.group(),
            origin="ui",
        )

    def run(self) -> None:
        """Run an attempt to its end.

        Raises:
            StepFailed: the play has it so, at the first attempt.
            Cancelled: somebody asked for it, or the demo ends.
        """
        play = self._play
        with self.process as process:
            for index, name in enumerate(play.channel.steps):
                with process.step(name) as step:
                    try:
                        self._work(process, step, index)
                    except Cancelled:
                        left = {"left_behind": [play.leaves]} if play.leaves else {}
                        process.receipt(undone=[play.undo], **left)
                        raise

    def _work(self, process: Process, step: Any, index: int) -> None:
        lines = self._play.lines[index]
        for number, line in enumerate(lines):
            if self._pause(LINE):
                raise Cancelled("the demo ends")
            process.check()
            step.output(line.format(name=self._play.name))
            step.progress((number + 1) / len(lines))
        for _ in range(UNTIL_CANCELLED if index == self._play.cancelled else 0):
            process.check()
            if self._pause(LINE):
                raise Cancelled("the demo ends")
        if index == self._play.fails and process.attempt == 1:
            _, code, message = self._play.channel.errors[0]
            step.output(f"error: {message}", stream="stderr")
            raise StepFailed(code, message)

    def _clean(self, process: Process) -> None:
        self._pause(LINE)
        process.receipt(undone=[self._play.undo])
