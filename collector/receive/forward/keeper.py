"""From a decoded message to something durable."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, Protocol

from activity_center.errors import SpoolFull
from collector.decode import Decoded, ForwardMessage, Limits, decode_message
from collector.receive.broken import as_rejects
from collector.receive.counters import ForwardCounters
from collector.records import Accept, AcceptSoon, Batch, RejectBytes, Sender


class Waiting(Protocol):
    """Who waits for a message to be kept."""

    def hold(self, full: SpoolFull) -> None:
        """Stop reading from the sender: there is no room."""

    def release(self) -> None:
        """Go on reading."""

    def over(self, wrong: BaseException | None, *, durable: bool) -> None:
        """The message is kept and may be acknowledged, or what went wrong."""


class Keeper:
    """Hands messages to the pipeline, and waits with them while there is no room.

    Args:
        accept: makes decoded records durable.
        accept_soon: the same for all but huge messages, or ``None``.
        reject_bytes: makes bytes durable that do not decode.
        source: the source mapping that the listener names, or ``None``.
        limits: of decoding.
        counters: of the listener.
        spawn: runs a coroutine as a task.
    """

    def __init__(
        self,
        accept: Accept,
        accept_soon: AcceptSoon | None,
        reject_bytes: RejectBytes,
        source: str | None,
        limits: Limits,
        counters: ForwardCounters,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._accept = accept
        self._accept_soon = accept_soon
        self._reject_bytes = reject_bytes
        self._source = source
        self._limits = limits
        self._counters = counters
        self._spawn = spawn

    def start(self, sender: Sender, raw: bytes, message: ForwardMessage, one: Waiting) -> None:
        """Have everything in a message made durable, or stored as rejected.

        Args:
            sender: who sent it.
            raw: the message as received.
            message: the same, decoded.
            one: told when the sender must wait, and when it is over.
        """
        decoded, received = message.decoded, time.time_ns()
        if self._accept_soon is not None and decoded.records and not decoded.broken:
            batch = self._batch(sender, message.tag, decoded, received)
            if self._accept_soon(batch, partial(self._taken, sender, raw, received, one)):
                return
        durable = message.refused is None or message.keep
        self._spawn(_tell(self._keep(sender, raw, message, received, one), one, durable=durable))

    def start_rejecting(self, sender: Sender, raw: bytes, detail: str, one: Waiting) -> None:
        """Have bytes that are no message stored as rejected; ``detail`` says why they are."""
        self._spawn(_tell(self._reject(sender, [(raw, detail)], one), one, durable=True))

    def _taken(
        self, sender: Sender, raw: bytes, received: int, one: Waiting, wrong: Exception | None
    ) -> None:
        """A message is durable, or is not."""
        if isinstance(wrong, SpoolFull):
            again = partial(self._decode_and_accept, sender, raw, received)
            self._spawn(_tell(self._wait(wrong, again, one), one, durable=True))
        else:
            one.over(wrong, durable=wrong is None)

    async def _keep(
        self, sender: Sender, raw: bytes, message: ForwardMessage, received: int, one: Waiting
    ) -> None:
        if message.refused is not None:
            if message.keep or message.chunk is None:
                await self._reject(sender, [(raw, message.refused.message)], one)
            return
        decoded = message.decoded
        if decoded.records:
            try:
                await self._accept(self._batch(sender, message.tag, decoded, received))
            except SpoolFull as full:
                # The stages behind may have changed the records, and they take memory.
                decoded.records.clear()
                again = partial(self._decode_and_accept, sender, raw, received)
                await self._wait(full, again, one)
        if decoded.broken:
            place = f"tag {message.tag[:200]!r}, entry"
            rejects = as_rejects(decoded.broken, self._limits.broken, place)
            await self._reject(sender, rejects, one)

    async def _reject(self, sender: Sender, broken: list[tuple[bytes, str]], one: Waiting) -> None:
        try:
            await self._reject_bytes(sender, broken)
        except SpoolFull as full:
            await self._wait(full, partial(self._reject_bytes, sender, broken), one)

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
        self, full: SpoolFull, call: Callable[[], Awaitable[None]], one: Waiting
    ) -> None:
        one.hold(full)
        try:
            while True:
                self._counters.held += 1
                await asyncio.sleep(full.retry_after)
                try:
                    return await call()
                except SpoolFull as again:
                    full = again
        finally:
            one.release()


async def _tell(work: Coroutine[Any, Any, None], one: Waiting, *, durable: bool) -> None:
    """Do ``work``, and tell who waits for it how it ended."""
    try:
        await work
    except BaseException as wrong:
        one.over(wrong, durable=False)
        if not isinstance(wrong, Exception):
            raise
    else:
        one.over(None, durable=durable)
