"""A watch that is refused: recorded, and not more often than any other refusal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sidecar_api.limits import REFUSALS
from sidecar_api.recording import TOO_OFTEN
from tests.integration.process import until
from tests.sidecar_api.processes.peer import Peer
from tests.sidecar_api.processes.recorder import Recorder
from tests.sidecar_api.processes.stage import Stage


def test_a_denied_watch_is_recorded(make_stage: Callable[..., Stage], tmp_path: Path) -> None:
    """Who asked to watch an organization of others, or one that cannot be, stands in the audit
    trail, with which one and what was missing; who may watch does not."""
    recorder = Recorder(tmp_path)
    own = make_stage(recording=recorder.section).start()
    with Peer(own, "other", organization=own.b) as peer:
        assert peer.hello["version"] == 1
    with Peer(own, "owner", organization=own.b) as peer:
        assert peer.end().code == 4403
    until(lambda: bool(recorder.events))
    with Peer(own, "owner", organization="no organization") as peer:
        assert peer.end().code == 4403
    until(lambda: len({one["event"]["id"] for one in recorder.events}) == 2)
    found = {one["event"]["id"]: one for one in recorder.events}
    denied, unknown = found.values()
    assert unknown["metadata"]["asked_for"] == "no organization"
    assert (denied["event"]["action"], denied["event"]["outcome"]) == (
        "activity_log.denied",
        "failure",
    )
    assert (denied["user"]["id"], denied["organization"]["id"]) == (own.id("owner"), own.b)
    assert denied["metadata"]["permission"] == "process:view"
    recorder.close()


def test_a_watch_is_denied_so_often_and_then_has_to_wait(
    make_stage: Callable[..., Stage], tmp_path: Path
) -> None:
    """As by every other way: what is refused stands in the trail of whoever was asked for."""
    recorder = Recorder(tmp_path)
    own = make_stage(recording=recorder.section).start()
    codes: list[int] = []
    while 4429 not in codes and len(codes) < 10 * REFUSALS:  # one more is free every second
        with Peer(own, "owner", organization=f"x{len(codes)}") as peer:
            codes.append(peer.end().code)
    assert codes == [4403] * (len(codes) - 1) + [4429]
    assert len(codes) > REFUSALS
    until(lambda: len(recorder.events) == len(codes))
    details = [one["metadata"].get("detail") for one in recorder.events]
    assert details.count(TOO_OFTEN) == 1
    recorder.close()
