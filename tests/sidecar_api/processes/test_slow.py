"""Clients that take little or nothing, by a real sidecar: nothing is queued for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sidecar_api.processes.hub import PER_READER
from sidecar_api.processes.sockets import CATCHING_UP
from tests.sidecar_api.processes.peer import Peer, Stream
from tests.sidecar_api.processes.stage import Stage


@pytest.mark.parametrize(
    ("way", "takes"), [(Peer, {"receive": 8192}), (Stream, {})], ids=["websocket", "sse"]
)
def test_who_takes_nothing_gets_it_all_at_once(
    stage: Stage, process: str, way: Callable[..., Any], takes: dict[str, int]
) -> None:
    """A client that does not read is not queued for: later it gets a reset and a snapshot, in
    place of what it did not take and the connection itself does not hold, and goes on from there;
    others notice nothing."""
    stage.steps.start(process, stage.a)
    with way(stage, process=process, **takes) as slow, way(stage, process=process) as fast:
        for one in (slow, fast):
            one.until(lambda one=one: one.shows(process) is not None)
        before, size = stage.metric("process_resets_total"), 16_384
        for number in range(1, 1501):
            stage.steps.print(process, stage.a, "x" * (size - 1) + "\n", (number - 1) * size)
            if number % 20 == 0:  # so fast as one that reads can take it
                fast.until(lambda number=number: fast.shows(process)["output"]["total"] == number)
        stage.steps.publish(stage.steps.entry(process, "process.completed", stage.a))
        for one in (slow, fast):
            one.until(lambda one=one: one.shows(process)["state"] == "done")
        assert fast.resets == []
        assert slow.resets and set(slow.resets) == {"slow"}
        assert slow.kinds()[slow.kinds().index("reset") + 1] == "snapshot"
        if takes:  # else the connection itself may hold much
            assert len(slow.raw) < len(fast.raw) / 2
        assert slow.shows(process) == fast.shows(process)
        assert stage.metric("process_resets_total") == before + len(slow.resets)
        stage.steps.print(process, stage.a, "late\n", 1500 * size)
        slow.until(lambda: slow.shows(process)["output"]["lines"][-1]["text"] == "late")


def test_who_takes_nothing_holds_up_nobody(make_stage: Callable[..., Stage]) -> None:
    """More sockets than are sent much at a time take nothing of a large snapshot: another reader
    is told all there is at once, and what changes."""
    stage = make_stage()
    for number in range(100):
        stage.steps.start(f"big-{number}", stage.a, activity__workspace="lab")
        stage.steps.print(f"big-{number}", stage.a, f"{'x' * 1000}\n" * 20)
    stage.steps.start("theirs", stage.b)
    stage.start()
    people = [who for who in ("owner", "second", "admin", "limited") for _ in range(PER_READER)]
    idle = [Peer(stage, who, receive=4096) for who in people]
    assert len(idle) > CATCHING_UP
    with Peer(stage, "other") as peer:
        peer.sock.settimeout(15)  # half of what those have until they are cut off
        peer.until(lambda: peer.shows("theirs") is not None)
        stage.steps.move("theirs", stage.b, 7)
        peer.until(lambda: peer.at("theirs") == 7)
    for one in idle:
        one.break_off()


def test_a_gap_while_nothing_is_taken(stage: Stage, process: str) -> None:
    """Something is missing from the bus while a client has yet to take what came before: when it
    has caught up it is told of the gap and gets a snapshot, and then it goes on."""
    stage.steps.start(process, stage.a)
    with Peer(stage, receive=8192, process=process) as slow, Peer(stage, process=process) as fast:
        for peer in (slow, fast):
            peer.until(lambda peer=peer: peer.shows(process) is not None)
        size = 16_384
        for number in range(40):  # more than the connection holds, less than is told again
            stage.steps.print(process, stage.a, "x" * (size - 1) + "\n", number * size)
        fast.until(lambda: fast.shows(process)["output"]["total"] == 40)
        assert slow.on_its_way() < 30 * size  # the rest of it, no one has sent it
        stage.steps.begin()
        stage.steps.move(process, stage.a, 7)
        fast.until(lambda: fast.at(process) == 7)
        slow.until(lambda: slow.at(process) == 7)
        for peer in (slow, fast):
            assert peer.resets == ["gap"]
            assert peer.kinds()[peer.kinds().index("reset") + 1] == "snapshot"
        assert slow.shows(process) == fast.shows(process)
        stage.steps.move(process, stage.a, 8)
        slow.until(lambda: slow.at(process) == 8)
        assert (slow.moves[-1:], slow.resets) == ([8], ["gap"])
