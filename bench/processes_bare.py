"""``python -m bench.processes_bare``: the yardstick, a bare ``websockets`` broadcast server.

The path of a connection is its group. Lines of standard input, ``GROUP MESSAGE``, are broadcast
as they come. No rights, no state, nothing that is kept: what fanning out costs by itself.
"""

from __future__ import annotations

import asyncio
import sys

import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.typing import Subprotocol

_groups: dict[str, set[ServerConnection]] = {}


async def _watch(connection: ServerConnection) -> None:
    assert connection.request is not None
    group = _groups.setdefault(connection.request.path.strip("/"), set())
    group.add(connection)
    try:
        await connection.wait_closed()
    finally:
        group.discard(connection)


async def _main() -> None:
    lines = asyncio.StreamReader(limit=1 << 20)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(lines), sys.stdin
    )
    protocol = Subprotocol("activity-center.processes.v1")
    async with serve(_watch, "127.0.0.1", 0, subprotocols=[protocol], compression=None) as server:
        print(next(one.getsockname()[1] for one in server.sockets), flush=True)
        while line := await lines.readline():
            group, _, message = line.decode().rstrip("\n").partition(" ")
            broadcast(_groups.get(group, ()), message)


if __name__ == "__main__":
    uvloop.run(_main())
