"""What a sidecar holds of live processes, and which of it a snapshot has."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

from sidecar_api.processes.board import SHOWN_AFTER, Board

NOW = datetime(2026, 11, 24, 13, 0, tzinfo=UTC)


def test_what_ended_long_ago_is_in_no_snapshot() -> None:
    """Also before it is let go of: what a sidecar reads at its start is as old as its bus. What
    runs is in it however old it is."""
    board = Board()
    long_ago, lately = NOW - SHOWN_AFTER - timedelta(seconds=1), NOW - SHOWN_AFTER
    for process, at, *actions in (
        ("ended", long_ago, "process.started", "process.completed"),
        ("running", long_ago, "process.started"),
        ("just ended", lately, "process.started", "process.failed"),
    ):
        for number, action in enumerate(actions):
            board.take(
                {
                    "@timestamp": at.isoformat(),
                    "event": {"id": uuid.uuid4().hex, "action": action, "sequence": number},
                    "organization": {"id": "acme"},
                    "activity": {"lens": "process", "process": {"id": process, "channel": "ssl"}},
                }
            )
    assert len(board) == 3
    assert {key[1] for key, _ in board.newest(NOW)} == {"running", "just ended"}
    board.prune(NOW)
    assert {key[1] for key, _ in board} == {"running", "just ended"}
