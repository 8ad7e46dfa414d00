"""From a decoded message to something durable."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol

from activity_center.errors import SpoolFull
from collector.decode import Decoded, ForwardMessage, Limits, decode_message
from collector.receive.broken import as_rejects
from collector.receive.counters import ForwardCounters
from collector.records import Accept, Batch, RejectBytes, Sender


class Patience(Protocol):
    """Who waits with a message while there is no room."""

    def hold(self, full: SpoolFull) -> None:
        """Stop reading from the sender."""

    def release(self) -> None:
        """Go on reading."""


class Keeper:
    """Hands messages to the pipeline, and waits with them while there is no room.

    Args:
        accept: makes decoded records durable.
        reject_bytes: makes bytes durable that do not decode.
        source: the source mapping that the listener names, or ``None``.
        limits: of decoding.
        counters: of the listener.
    """

    def __init__(
        self,
        accept: Accept,
        reject_bytes: RejectBytes,
        source: str | None,
        limits: Limits,
        counters: ForwardCounters,
    ) -> None:
        self._accept = accept
        self._reject_bytes = reject_bytes
        self._source = source
        self._limits = limits
        self._counters = counters

    async def keep(
        self, sender: Sender, raw: bytes, message: ForwardMessage, patience: Patience
    ) -> None:
        """Return when everything in the message is durable, or stored as rejected.

        Args:
            sender: who sent it.
            raw: the message as received.
            message: the same, decoded.
            patience: told when the sender must wait.

        Raises:
            SpoolFailed: the disk failed.
        """
        if message.refused is not None:
            if message.keep or message.chunk is None:
                await self.reject(sender, [(raw, message.refused.message)], patience)
            return
        received = time.time_ns()
        decoded = message.decoded
        if decoded.records:
            try:
                await self._accept(self._batch(sender, message.tag, decoded, received))
            except SpoolFull as full:
                # The stages behind may have changed the records, and they take memory.
                decoded.records.clear()
                again = partial(self._decode_and_accept, sender, raw, received)
                await self._wait(full, again, patience)
        if decoded.broken:
            place = f"tag {message.tag[:200]!r}, entry"
            rejects = as_rejects(decoded.broken, self._limits.broken, place)
            await self.reject(sender, rejects, patience)

    async def reject(
        self, sender: Sender, broken: list[tuple[bytes, str]], patience: Patience
    ) -> None:
        """Return when bytes that do not decode are in the rejected store.

        Args:
            sender: who sent them.
            broken: pairs of bytes and detail.
            patience: told when the sender must wait.

        Raises:
            SpoolFailed: the disk failed.
        """
        try:
            await self._reject_bytes(sender, broken)
        except SpoolFull as full:
            await self._wait(full, partial(self._reject_bytes, sender, broken), patience)

    def _batch(self, sender: Sender, tag: str, decoded: Decoded, received: int) -> Batch:
        return Batch(
            sender=sender,
            records=decoded.records,
            times=decoded.times,
            source=self._source,
            tag=tag,
            received=received,
            size=decoded.size,
        )

    async def _decode_and_accept(self, sender: Sender, raw: bytes, received: int) -> None:
        message = decode_message(raw, self._limits)
        if message is not None:
            await self._accept(self._batch(sender, message.tag, message.decoded, received))

    async def _wait(
        self, full: SpoolFull, call: Callable[[], Awaitable[None]], patience: Patience
    ) -> None:
        patience.hold(full)
        try:
            while True:
                self._counters.held += 1
                await asyncio.sleep(full.retry_after)
                try:
                    return await call()
                except SpoolFull as again:
                    full = again
        finally:
            patience.release()
