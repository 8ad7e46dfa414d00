"""The messages of the protocol (docs/process-stream.md), as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import orjson

from activity_center.processes.errors import beginning_of
from sidecar_api.moments import written

if TYPE_CHECKING:
    from sidecar_api.processes.board import Kept

SUBPROTOCOL: Final = "activity-center.processes.v1"
VERSION: Final = 1
Reason = Literal["gap", "history", "rights", "room", "slow"]
"""Why a client must begin anew, as the protocol names it."""
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
MOST_BYTES: Final = 16 * 1024 * 1024
SHARE: Final = 32 * 1024
"""Bytes of a snapshot; where they are used up, those of a process that still comes as it is. So
no snapshot is larger than what a client takes (:data:`activity_center.websocket.LONGEST`), and
large processes leave no room only to other large ones."""


class Message(NamedTuple):
    """A message with a place.

    Attributes:
        kind: snapshot, delta, reset, or a ping of server-sent events.
        epoch, offset: up to where the client is with it; empty in a reset, and in a ping while
            something waits to be read.
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
    return orjson.dumps({**told, **as_of_now(stale_since)})


def snapshot(epoch: str, offset: str, processes: Sequence[Kept], *, cut: bool = False) -> Message:
    """All that is shown, from which deltas go on; ``cut``: there are more."""
    made = _message("snapshot", epoch, offset, b"processes", _rows(processes))
    return made._replace(body=made.body[:-1] + b',"cut":true}') if cut else made


def _rows(processes: Sequence[Kept]) -> Iterable[bytes]:
    """Processes as JSON, the first ones with the last lines of their output."""
    output, room = MOST_OUTPUT, MOST_BYTES
    for kept in processes:
        body = kept.body()
        output -= len(body)
        if output < 0:
            body = kept.without_lines()
        for shorter in (_without_traces, _bare):
            if len(body) > max(room, SHARE):
                body = orjson.dumps(shorter(kept.process.as_dict()))
                kept.left_out |= shorter is _bare  # so that its next delta is whole
        room -= len(body)
        yield body


def _without_traces(shown: dict[str, Any]) -> dict[str, Any]:
    """A process without lines, and with the beginnings of its errors, which say so."""
    return {
        **shown,
        "error": beginning_of(shown["error"]),
        "steps": [{**row, "error": beginning_of(row["error"])} for row in shown["steps"]],
        "output": {**shown["output"], "lines": []},
    }


def _bare(shown: dict[str, Any]) -> dict[str, Any]:
    """The same without its lists, of which each may be long."""
    empty: dict[str, Any] = {
        "steps": [],
        "requests": [],
        "attempts": [],
        "effects": {},
        "receipt": None,
    }
    return {**_without_traces({**shown, "steps": []}), **empty}


def delta(epoch: str, offset: str, changes: Iterable[bytes]) -> Message:
    """Changes, each as JSON; without any, it moves the client's place alone."""
    return _message("delta", epoch, offset, b"changes", changes)


def answer(message: Message, recovered: bool | None, wait: float, of_now: dict[str, str]) -> bytes:
    """A snapshot or a delta as the answer to who polls, joined from the bytes that it has already.

    Args:
        wait: seconds after which to ask again.
        of_now: see :func:`as_of_now`.
    """
    other: dict[str, Any] = {"changes": []} if message.kind == "snapshot" else {"processes": None}
    told = orjson.dumps({"recovered": recovered, **other, "wait": wait, **of_now})
    return told[:-1] + b"," + message.body.removeprefix(_opening(message.kind))


def reset(reason: Reason) -> Message:
    """What the client has may be less than all; a snapshot follows."""
    return Message("reset", "", "", orjson.dumps({"type": "reset", "reason": reason}))


def ping(stale_since: datetime | None) -> bytes:
    """A sign of life, which the client of a WebSocket answers.

    Args:
        stale_since: as in :func:`hello`.
    """
    return orjson.dumps({"type": "ping", **as_of_now(stale_since)})


def as_of_now(stale_since: datetime | None) -> dict[str, str]:
    """Return the server's time, and whether what it tells is old by then."""
    told = {"at": written(datetime.now(UTC))}
    return told if stale_since is None else {**told, "stale_since": written(stale_since)}


PONG: Final = orjson.dumps({"type": "pong"})


def error(code: int, detail: str) -> bytes:
    """Why the connection is about to be closed."""
    return orjson.dumps({"type": "error", "code": code, "detail": detail})


def _message(kind: str, epoch: str, offset: str, name: bytes, rows: Iterable[bytes]) -> Message:
    """Epoch and offset need no escaping: hexadecimal, and base64url."""
    body = b'%b"epoch":"%b","offset":"%b","%b":[%b]}' % (
        _opening(kind),
        epoch.encode(),
        offset.encode(),
        name,
        b",".join(rows),
    )
    return Message(kind, epoch, offset, body)


def _opening(kind: str) -> bytes:
    return b'{"type":"%b",' % kind.encode()
