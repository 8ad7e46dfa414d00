"""Who plays what when: every channel at first, then one after the other as long as the demo runs.

Three go wrong, as they do: a certificate whose first attempt fails and that somebody tries again,
a deployment that somebody cancels, and a transfer whose program is killed, which somebody cleans
up after.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from itertools import count
from typing import Any, Final

from activity_center.demo.live import upload
from activity_center.demo.live.act import LINE, Act, StepFailed
from activity_center.demo.live.people import Person
from activity_center.demo.live.plays import PLAYS, Play
from activity_center.demo.workload.cast import organizations
from activity_center.demo.workload.dice import Dice
from activity_center.emit import Cancelled, Emitter

FIRST: Final = 3.0
LATER: Final = 25.0
"""Seconds between two operations that begin: in the first round, and afterwards."""
NOTICED: Final = 12.0
"""Seconds until somebody does something about one that failed."""
PATIENCE: Final = 120.0
"""Seconds that a person waits for what should come."""
END: Final = 10.0


class Stage:
    """Plays, in threads of its own, against a running collector and sidecar.

    Args:
        url: of the collector.
        page: of the sidecar.
        token: of a sender that may send for all organizations.
        persons: organization -> API token of somebody who may control its processes.
        pace: how long everything takes; 1: as people can follow it.
        rounds: how often each play is played; 0: until :meth:`close`.
    """

    def __init__(
        self,
        url: str,
        page: str,
        token: str,
        persons: Mapping[str, str],
        *,
        pace: float = 1.0,
        rounds: int = 0,
    ) -> None:
        self._url, self._token = url, token
        self._pace, self._rounds = pace, rounds
        self._over = threading.Event()
        self._organizations = organizations(Dice("demo"), 3)
        self._persons = {
            organization: Person(page, one, self._over.wait)
            for organization, one in persons.items()
        }
        self._emitter = Emitter(url, token=token, service="platform", controls_url=page)
        self._running: set[threading.Thread] = set()
        self._killed: list[subprocess.Popen[str]] = []
        self._director = threading.Thread(target=self._direct, name="demo-stage", daemon=True)

    def __enter__(self) -> Stage:
        self._director.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def wait(self, seconds: float) -> bool:
        """Wait until all rounds are played; whether they are."""
        self._director.join(seconds)
        return not self._director.is_alive()

    def close(self) -> None:
        """End what runs, and send what waits."""
        self._over.set()
        self._director.join(END)
        for process in self._killed:
            with suppress(OSError):
                process.kill()
            process.wait()
        self._emitter.close()

    def _direct(self) -> None:
        for number in count():
            if self._rounds and number == self._rounds:
                break
            for play in PLAYS:
                thread = threading.Thread(target=self._perform, args=(play,), daemon=True)
                self._running.add(thread)
                thread.start()
                if self._pause(LATER if number else FIRST):
                    break
            if self._over.is_set():
                break
            self._running = {one for one in self._running if one.is_alive()}
        for thread in self._running:
            thread.join()

    def _pause(self, seconds: float) -> bool:
        """Wait at the pace of the demo; ``True``: it ends."""
        return self._over.wait(seconds * self._pace)

    def _perform(self, play: Play) -> None:
        organization = self._organizations[play.organization]
        person = self._persons.get(organization.id)
        if play.silent:
            self._fall_silent(play, person)
            return
        act = Act(self._emitter, play, organization, self._pause)
        if play.cancelled >= 0 and person is not None:
            arguments = (act, play, person)
            threading.Thread(target=self._cancel, args=arguments, daemon=True).start()
        try:
            act.run()
        except Cancelled:
            return
        except StepFailed:
            if person is not None:
                self._try_again(act, person)

    def _cancel(self, act: Act, play: Play, person: Person) -> None:
        """Somebody sees what is deployed, and cancels it."""
        step = play.channel.steps[play.cancelled]

        def begun(process: dict[str, Any]) -> bool:
            return any(
                one["name"] == step and one["state"] == "running" for one in process["steps"]
            )

        if person.wait(act.process.id, begun, PATIENCE):
            person.ask(act.process.id, "cancel", "Wrong revision: the fix is not in it")

    def _try_again(self, act: Act, person: Person) -> None:
        """Somebody sees that it failed, mends the cause, and has it tried again."""
        if self._pause(NOTICED):
            return
        id_ = act.process.id
        if person.wait(id_, lambda one: "retry" in one["controls"], PATIENCE):
            person.ask(id_, "retry", "Port 80 is open now")
            person.wait(id_, lambda one: one["attempt"] > 1 and one["state"] == "done", PATIENCE)

    def _fall_silent(self, play: Play, person: Person | None) -> None:
        """A program is killed; somebody sees that it stalled, and has it cleaned up by the same
        program, which was started again."""
        process = subprocess.Popen(
            [sys.executable, "-m", upload.__name__, self._url, str(self._pace)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, upload.TOKEN: self._token},
            start_new_session=True,
        )
        self._killed = [*(one for one in self._killed if one.poll() is None), process]
        assert process.stdout is not None  # noqa: S101 - a pipe
        id_ = process.stdout.readline().strip()
        process.wait()
        if not id_ or person is None:
            return
        organization = self._organizations[play.organization]
        again = Act(self._emitter, play, organization, self._pause, process_id=id_)
        again.process.take_over()
        if person.wait(id_, lambda one: one["stalled"], PATIENCE) and not self._pause(LINE):
            person.ask(id_, "cleanup", "The upload host was rebooted")
            person.wait(id_, lambda one: one["cleaned"], PATIENCE)
