"""What metrics tell of the live stream."""

from __future__ import annotations

from tests.integration.process import until
from tests.sidecar_api.processes.peer import Peer
from tests.sidecar_api.processes.stage import Stage


def test_what_is_counted(stage: Stage, process: str) -> None:
    """Watchers, processes and messages show in the metrics, and a socket's end too."""
    before = {
        name: stage.metric(name)
        for name in ("process_messages_total", "live_processes", "process_watchers")
    }
    with Peer(stage, process=process) as one, Peer(stage, process=process) as two:
        for peer in (one, two):
            peer.until(lambda peer=peer: "snapshot" in peer.kinds())
        assert stage.metric("process_watchers") == before["process_watchers"] + 2
        stage.steps.start(process, stage.a)
        stage.steps.move(process, stage.a, 5)
        for peer in (one, two):
            peer.until(lambda peer=peer: peer.at(process) == 5)
        told = stage.metric("process_messages_total") - before["process_messages_total"]
        assert told in (2, 4)  # both entries in one message, or each in its own
        assert stage.metric("live_processes") == before["live_processes"] + 1
    until(lambda: stage.metric("process_watchers") == before["process_watchers"])
