"""The reader of the bus: what is silence and what is not."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from activity_center.bus import Gap, Place, Published, Reader, open_reader
from activity_center.errors import BusUnavailable
from sidecar_api.processes import Hub, listening
from sidecar_api.processes.overdue import Overdue
from tests.integration.process import until
from tests.sidecar_api.processes.stage import Steps, at


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader looks at the time, tries again and takes the bus for whole sooner than usual."""
    monkeypatch.setattr(listening, "SETTLES", 1.0)
    monkeypatch.setattr(listening, "_WAIT", 0.2)
    monkeypatch.setattr(listening, "_BACK_OFF", (0.05, 0.5))


class Line:
    """A reader of the bus on a line that can be cut, and that can bring little at a time.

    Attributes:
        cut: the bus is away.
        held_back: it has more to tell than it has told; the last read gets the first entry.
        reads: how many there were.
        trouble: see :class:`activity_center.bus.Reader`.
    """

    def __init__(self, reader: Reader) -> None:
        self.trouble: BusUnavailable | None = None
        self.cut = self.held_back = False
        self.reads = 0
        self._reader = reader

    def first(self) -> dict[str, Place]:
        """See :class:`activity_center.bus.Reader`."""
        return self._reader.first()

    def read(self, after: Mapping[str, Place], wait: float) -> list[Published | Gap]:
        """See :class:`activity_center.bus.Reader`."""
        self.reads += 1
        if self.cut:
            raise BusUnavailable("the line is cut")
        found = self._reader.read(after, min(wait, 0.02))
        self.trouble = self._reader.trouble
        return found[:1] if self.held_back else found

    def close(self) -> None:
        """See :class:`activity_center.bus.Reader`."""
        self._reader.close()


class Looked:
    """What a hub recorded as overdue, and how often it looked.

    Attributes:
        calm: at each look, the seconds since all of the bus could last not be read.
    """

    def __init__(self, line: Line) -> None:
        self.times = 0
        self.calm: list[float] = []
        self.made: list[str] = []
        self._look = Overdue(lambda action, **_: self.made.append(action), b"s" * 32)
        self.hub = Hub(lambda: line, lambda _seen: (), bytes(32), tick=self._tick)

    def _tick(self, held: Any, now: datetime) -> None:
        self.times += 1
        self.calm.append(time.monotonic() - self.hub._listening._deaf_until + listening.SETTLES)
        self._look(held, now)


def test_a_bus_that_is_away_is_no_silence(steps: Steps) -> None:
    """Nothing is recorded of a lease that passed meanwhile: its producer goes on, and only we do
    not hear it. When the bus is back, what it has is heard first; real silence is recorded."""
    line = Line(open_reader(steps.config))
    looked = Looked(line)
    steps.start("alive", "acme", activity__process__lease=at(2))
    looked.hub.ready()
    until(lambda: looked.times > 0)
    line.cut = True
    until(lambda: looked.hub.stale_since is not None)
    steps.publish(
        steps.entry("alive", "process.heartbeat", "acme", activity__process__lease=at(600)),
        steps.entry("silent", "process.started", "acme", activity__process__lease=at(-60)),
    )
    times, reads = looked.times, line.reads
    until(lambda: line.reads >= reads + 4)  # further apart each time
    assert looked.times == times
    line.cut = False
    until(lambda: bool(looked.made))
    assert looked.made == ["process.stalled"]
    assert [one["stalled"] for one in looked.hub.named("alive")] == [False]
    looked.hub.stop()


def test_a_part_that_cannot_be_read_is_no_silence(steps: Steps) -> None:
    """One stream is damaged: what the others bring is shown, and since when not all can be read
    is said. Nothing is recorded of anybody's silence meanwhile, nor in the seconds after, in
    which the stream may get what its collector kept for it; then real silence is."""
    line = Line(open_reader(steps.config))
    looked = Looked(line)
    steps.start("first", "acme")
    looked.hub.ready()
    until(lambda: looked.times > 0)
    bad = Path(steps.config.folder) / "bad.db"
    bad.write_bytes(b"no database" * 1000)
    until(lambda: looked.hub.stale_since is not None)
    since, times, reads = looked.hub.stale_since, looked.times, line.reads
    steps.start("silent", "acme", activity__process__lease=at(-60))
    until(lambda: bool(looked.hub.named("silent")))
    until(lambda: line.reads >= reads + 50)
    assert (looked.times, looked.hub.stale_since) == (times, since)
    bad.unlink()
    until(lambda: looked.hub.stale_since is None)
    until(lambda: bool(looked.made))
    assert looked.made == ["process.stalled"]
    assert min(looked.calm) > listening.SETTLES
    looked.hub.stop()


def test_a_clock_that_jumped_is_no_silence(steps: Steps) -> None:
    """After it was set, or the machine slept, all leases seem to have passed: nothing is recorded
    until programs have had the time to give a sign of life again."""
    line = Line(open_reader(steps.config))
    looked = Looked(line)
    looked.hub.ready()
    until(lambda: looked.times > 0)
    wall, monotonic = looked.hub._listening._looked
    looked.hub._listening._looked = (wall - 3600, monotonic)
    steps.start("alive", "acme", activity__process__lease=at(-60))
    until(lambda: bool(looked.hub.named("alive")))
    times, reads = looked.times, line.reads
    until(lambda: line.reads >= reads + 50)
    assert (looked.times - times <= 1, looked.made) == (True, [])
    looked.hub._listening._deaf_until = float("-inf")  # the time has passed
    until(lambda: looked.made == ["process.stalled"])
    looked.hub.stop()


def test_a_backlog_is_read_before_silence_counts(steps: Steps) -> None:
    """While the bus has more to tell, nothing is said of what it has not told yet."""
    line = Line(open_reader(steps.config))
    looked = Looked(line)
    looked.hub.ready()
    until(lambda: looked.times > 0)
    line.held_back = True
    steps.start("alive", "acme", activity__process__lease=at(-60))
    for number in range(200):
        steps.print("alive", "acme", "a line\n", offset=7 * number)
    steps.publish(steps.entry("alive", "process.completed", "acme"))
    until(lambda: [one["state"] for one in looked.hub.named("alive")] == ["done"])
    assert looked.made == []
    looked.hub.stop()
