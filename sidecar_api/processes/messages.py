"""The messages of the protocol (docs/process-stream.md), as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from sidecar_api.search.times import written

if TYPE_CHECKING:
    from sidecar_api.processes.board import Kept

SUBPROTOCOL: Final = "activity-center.processes.v1"
VERSION: Final = 1
HEARTBEAT: Final = 15
"""Seconds between two signs of life, in each direction."""
SILENCE: Final = 45.0
"""Seconds without any after which the other side counts as gone."""

GOING_AWAY: Final = 1001
POLICY: Final = 1008
SIGNED_OUT: Final = 4401
FORBIDDEN: Final = 4403
NO_HEARTBEAT: Final = 4408
PROTOCOL: Final = 4409
TOO_MANY: Final = 4429

MOST_OUTPUT: Final = 2 * 1024 * 1024
"""Bytes of processes in a snapshot that come with their output; further ones without lines."""


class Message(NamedTuple):
    """A message with a place.

    Attributes:
        kind: snapshot, delta or reset.
        epoch, offset: up to where the client is with it; empty in a reset.
        body: JSON, as a WebSocket sends it.
    """

    kind: str
    epoch: str
    offset: str
    body: bytes


def hello(recovered: bool | None, stale_since: datetime | None) -> bytes:
    """The first message.

    Args:
        recovered: whether the client goes on where it was; ``None``: it was nowhere.
        stale_since: since when the bus cannot be read.
    """
    told: dict[str, Any] = {
        "type": "hello",
        "version": VERSION,
        "heartbeat": HEARTBEAT,
        "recovered": recovered,
    }
    if stale_since is not None:
        told["stale_since"] = written(stale_since)
    return orjson.dumps(told)


def snapshot(epoch: str, offset: str, processes: Sequence[Kept]) -> Message:
    """All that is shown, from which deltas go on."""
    return _message("snapshot", epoch, offset, b"processes", _rows(processes))


def _rows(processes: Sequence[Kept]) -> Iterable[bytes]:
    """Processes as JSON, the first ones with the last lines of their output."""
    room = MOST_OUTPUT
    for kept in processes:
        body = kept.body()
        room -= len(body)
        yield body if room >= 0 else kept.without_lines()


def delta(epoch: str, offset: str, changes: Iterable[bytes]) -> Message:
    """Changes, each as JSON; without any, it moves the client's place alone."""
    return _message("delta", epoch, offset, b"changes", changes)


def reset(reason: str) -> Message:
    """What the client has may be less than all; a snapshot follows."""
    return Message("reset", "", "", orjson.dumps({"type": "reset", "reason": reason}))


def ping() -> bytes:
    """A sign of life, which the client answers."""
    return orjson.dumps({"type": "ping", "at": written(datetime.now(UTC))})


PONG: Final = orjson.dumps({"type": "pong"})


def error(code: int, detail: str) -> bytes:
    """Why the connection is about to be closed."""
    return orjson.dumps({"type": "error", "code": code, "detail": detail})


def _message(kind: str, epoch: str, offset: str, name: bytes, rows: Iterable[bytes]) -> Message:
    """Epoch and offset need no escaping: hexadecimal, and base64url."""
    body = b'{"type":"%b","epoch":"%b","offset":"%b","%b":[%b]}' % (
        kind.encode(),
        epoch.encode(),
        offset.encode(),
        name,
        b",".join(rows),
    )
    return Message(kind, epoch, offset, body)
