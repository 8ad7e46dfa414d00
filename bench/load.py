"""The sender of the benches, in a process of its own: ``python -m bench.load``.

Encodes all chunks before the clock starts, says so on standard output, waits for a line on
standard input, sends, and prints what it saw as one JSON object. Each connection has one
chunk in flight, as Fluent Bit's workers have: the next goes out when the ack is there.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections import deque
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any, Final

import msgpack

from bench.events import AUDIT, WORKLOADS, chunks

TIMEOUT: Final = 120.0
"""Seconds for all acks."""


def encoded(tag: str, records: list[dict[str, Any]], chunk: str) -> bytes:
    """Return one message as Fluent Bit sends it: Forward mode, with an ack asked for.

    One event alone is in Message mode, as loggers in programs send it.
    """
    now = time.time_ns()
    when = msgpack.ExtType(0, (now // 10**9).to_bytes(4, "big") + (now % 10**9).to_bytes(4, "big"))
    if len(records) == 1:
        return bytes(msgpack.packb([tag, when, records[0], {"chunk": chunk}]))
    option = {"chunk": chunk, "size": len(records)}
    return bytes(msgpack.packb([tag, [[when, record] for record in records], option]))


@dataclass(slots=True)
class Sent:
    """What a sender saw; times are those of the monotonic clock, in seconds.

    Attributes:
        latencies: seconds from the first byte of a chunk to its ack, one a chunk.
    """

    begun: float
    acked: float
    latencies: list[float]


class _Connection(asyncio.Protocol):
    """Takes chunks from a common queue, one after the other."""

    def __init__(
        self,
        waiting: deque[tuple[bytes, bytes]],
        latencies: list[float],
        done: asyncio.Future[None],
    ) -> None:
        self._waiting = waiting
        self._latencies = latencies
        self._done = done
        self._expected = b""
        self._got = b""
        self._begun = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def next(self) -> None:
        """Send the next chunk, if there is one."""
        if not self._waiting:
            if not self._done.done():
                self._done.set_result(None)
            return
        message, self._expected = self._waiting.popleft()
        self._begun = time.monotonic()
        self._transport.write(message)

    def data_received(self, data: bytes) -> None:
        self._got += data
        if len(self._got) < len(self._expected):
            return
        if self._got != self._expected:
            self._fail(f"{self._got[:80]!r} instead of the ack")
            return
        self._latencies.append(time.monotonic() - self._begun)
        self._got = b""
        self.next()

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(f"the collector closed the connection: {exc}")

    def _fail(self, why: str) -> None:
        if not self._done.done():
            self._done.set_exception(RuntimeError(why))


async def send(port: int, messages: list[tuple[bytes, bytes]], connections: int) -> Sent:
    """Send (message, expected ack) pairs over loopback and wait for all acks."""
    waiting, latencies = deque(messages), list[float]()
    loop = asyncio.get_running_loop()
    made, endings = [], []
    for _ in range(min(connections, len(messages))):
        done: asyncio.Future[None] = loop.create_future()
        factory = partial(_Connection, waiting, latencies, done)
        _, protocol = await loop.create_connection(factory, "127.0.0.1", port)
        made.append(protocol)
        endings.append(done)
    begun = time.monotonic()
    for protocol in made:
        protocol.next()
    await asyncio.wait_for(asyncio.gather(*endings), TIMEOUT)
    return Sent(begun, time.monotonic(), latencies)


def prepared(workload: str, seed: int, events: int, chunk: int) -> list[tuple[bytes, bytes]]:
    """Return the messages of a load, each with the ack that is due for it."""
    names = (f"{seed:016x}{number:016x}" for number in count())
    return [
        (encoded(tag, some, name), msgpack.packb({"ack": name}))
        for (tag, some), name in zip(chunks(workload, seed, events, chunk), names, strict=False)
    ]


def main() -> int:
    """Prepare, wait, send, report."""
    parser = argparse.ArgumentParser(prog="python -m bench.load", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workload", choices=WORKLOADS, default=AUDIT)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--events", type=int, required=True)
    parser.add_argument("--chunk", type=int, required=True)
    parser.add_argument("--connections", type=int, required=True)
    options = parser.parse_args()
    messages = prepared(options.workload, options.seed, options.events, options.chunk)
    print("ready", flush=True)
    if not sys.stdin.readline():
        return 1
    sent = asyncio.run(send(options.port, messages, options.connections))
    print(
        json.dumps({"begun": sent.begun, "acked": sent.acked, "latencies": sent.latencies}),
        flush=True,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
