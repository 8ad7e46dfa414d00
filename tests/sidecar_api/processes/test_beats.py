"""Signs of life over real connections: they move the client's place, and say what is not read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.activity_center.bus.servers import Bus
from tests.integration.process import until
from tests.sidecar_api.processes.peer import Peer, Stream
from tests.sidecar_api.processes.stage import Stage


def test_a_heartbeat_moves_the_place(quick_stage: Stage, process: str) -> None:
    """A client that was told nothing for long, because nothing was for it, comes back with the
    place of the last sign of life and goes on; with the place of the last thing that it was told
    it could not, so much has happened since."""
    stage = quick_stage
    other = f"{process}-other"
    for one in (process, other):
        stage.steps.start(one, stage.a)
    until(lambda: stage.sees(other) is not None)
    with Peer(stage, process=process) as peer:
        peer.until(lambda: peer.shows(process) is not None)
        first = peer.offset
        for _ in range(11):
            stage.steps.move(other, stage.a, *range(1000))
        stage.steps.publish(stage.steps.entry(other, "process.failed", stage.a))
        until(lambda: (stage.sees(other) or {})["state"] == "failed")
        peer.say('{"type":"ping"}')
        while peer.next()["type"] != "pong":  # what came until now is taken
            pass
        pings = peer.pings
        peer.until(lambda: peer.pings > pings)
        assert peer.kinds() == ["hello", "snapshot"]
    with Peer(stage, after=peer, process=process) as again:
        assert again.hello["recovered"] is True
        stage.steps.move(process, stage.a, 5)
        again.until(lambda: again.at(process) == 5)
        assert (again.moves, again.kinds()) == ([5], ["hello", "delta"])
    with Peer(stage, epoch=peer.epoch, offset=first, process=process) as again:
        assert again.hello["recovered"] is False


@pytest.mark.parametrize("kind", ["embedded", "redis"])
def test_a_bus_that_is_away_is_told_to_who_watches(
    make_stage: Callable[..., Stage], tmp_path: Path, kind: str, process: str
) -> None:
    """Who is connected when the bus goes away hears since when, and when it is back that it is;
    who comes meanwhile, or polls, is told at the beginning. Nothing begins anew, and nothing is
    missing."""
    bus = Bus(kind, tmp_path / "bus")
    own = make_stage(bus=bus.config())
    own.steps.start(process, own.a)
    own.start()
    with Peer(own) as peer, Stream(own) as stream:
        for one in (peer, stream):
            one.until(lambda one=one: one.shows(process) is not None)
            assert one.stale_since is None
        assert "stale_since" not in own.poll()
        with bus.away():
            for one in (peer, stream):
                one.until(lambda one=one: one.stale_since is not None)
            with Stream(own) as late, Peer(own) as new:
                late.until(lambda: late.stale_since is not None)
                assert late.kinds() == ["snapshot"]
                polled = own.poll()["stale_since"]
                assert new.hello["stale_since"] == polled
                new.until(lambda: new.shows(process) is not None)
            assert {one.stale_since for one in (peer, stream, late)} == {polled}
        for one in (peer, stream):
            one.until(lambda one=one: one.stale_since is None)
        assert "stale_since" not in own.poll()
        own.steps.close()
        own.steps.move(process, own.a, 1, 2, 3)
        for one in (peer, stream):
            one.until(lambda one=one: one.at(process) == 3)
            assert (one.moves, one.resets) == ([1, 2, 3], [])
    bus.close()


def test_a_part_of_the_bus_that_cannot_be_read_is_told(
    make_stage: Callable[..., Stage], process: str
) -> None:
    """One stream's file is damaged: what the others bring comes, and in the midst of it is said
    since when not all can be read, and that it can again."""
    own = make_stage()
    own.steps.start(process, own.a)
    own.start()
    bad = Path(own.bus.folder) / "bad.db"
    number = 0
    with Peer(own) as peer, Stream(own) as stream:
        for one in (peer, stream):
            one.until(lambda one=one: one.shows(process) is not None)

        def goes_on() -> bool:
            """Something comes, so that no silence has to be filled."""
            nonlocal number
            number += 1
            own.steps.move(process, own.a, number)
            for one in (peer, stream):
                one.until(lambda one=one: one.at(process) == number)
            return True

        bad.write_bytes(b"no database" * 1000)
        until(lambda: goes_on() and peer.stale_since is not None and stream.stale_since is not None)
        assert peer.stale_since == stream.stale_since == own.poll()["stale_since"]
        bad.unlink()
        until(lambda: goes_on() and peer.stale_since is None and stream.stale_since is None)
        assert "stale_since" not in own.poll()
        for one in (peer, stream):
            assert (one.moves, one.resets) == ([*range(1, number + 1)], [])
