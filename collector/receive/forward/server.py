"""A Forward listener: its sockets, its connections, its clock."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, Final

import structlog

from activity_center.config import ForwardListener
from activity_center.errors import ConfigError
from collector.receive.counters import ForwardCounters
from collector.receive.credentials import Credentials
from collector.receive.forward.connection import ForwardConnection
from collector.receive.forward.keeper import Keeper
from collector.receive.receiver import Receiver
from collector.records import Sender

_READ: Final = 256 * 1024
"""Bytes of one read."""
_POLL: Final = 0.01
_FLUSH: Final = 1.0
"""Seconds that peers get to read their last acks when we stop."""

_log: Final = structlog.get_logger("collector.receive.forward")


class ForwardServer(Receiver[ForwardListener]):
    """Serves one Forward address; arguments as of :class:`Receiver`.

    Attributes:
        counters: what happened so far.
        keeper: what messages are handed to.
        buffer: what connections read into.

    Raises:
        ConfigError: the listener names no way to tell who sends.
    """

    def _set_up(self) -> None:
        source = self.listener.source or None
        self.counters = ForwardCounters()
        self.keeper = Keeper(
            self.accept,
            self.accept_soon,
            self.reject_bytes,
            source,
            self.limits,
            self.counters,
            self.spawn,
        )
        self.buffer = memoryview(bytearray(_READ))
        self._loop: asyncio.AbstractEventLoop | None = None
        self._connections: set[ForwardConnection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._check()

    def _check(self) -> None:
        listener = self.listener
        certificates = listener.tls is not None and bool(listener.tls.client_ca)
        if listener.sender:
            if self.credentials.by_name(listener.sender) is None:
                raise ConfigError(f"no sender is named {listener.sender!r}", where=listener.bind)
        elif not (certificates or (listener.shared_key and self.credentials.has_users)):
            raise ConfigError(
                "nothing tells who sends here",
                where=listener.bind,
                hint="set sender, or shared_key and users, or tls.client_ca",
            )

    # -- life ------------------------------------------------------------------------

    async def start(self) -> None:
        """Bind and serve.

        Raises:
            ConfigError: the address cannot be had, or a TLS file is wrong.
        """
        self._loop = asyncio.get_running_loop()
        await super().start()

    async def stop(self, timeout: float) -> bool:
        """Take no more, let what has arrived become durable and acknowledged, close.

        Args:
            timeout: seconds to wait for that.

        Returns:
            Whether all of it was.
        """
        self._close_address()
        for connection in list(self._connections):
            connection.finish()
        deadline = self.now() + timeout
        while self.now() < deadline and (
            self._tasks or any(one.is_busy for one in self._connections)
        ):
            await asyncio.sleep(_POLL)
        left = list(self._tasks)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        deadline = min(deadline, self.now() + _FLUSH)
        while self._connections and self.now() < deadline:
            await asyncio.sleep(_POLL)
        for connection in list(self._connections):
            connection.abort()
        await self._end()
        if left:
            _log.warning("stopped with chunks not taken", listener=self.address, chunks=len(left))
        return not left

    def reload(self, credentials: Credentials) -> None:
        """Use other senders; close connections that the new ones might not let in.

        Those are connections whose sender is gone or has another credential, and those
        still shaking hands: what they were told belongs to the former senders.
        """
        former, self.credentials = self.credentials, credentials
        for connection in list(self._connections):
            if connection.sender is not None:
                name = connection.sender.name
                connection.sender = credentials.by_name(name)
                if connection.sender is None or not credentials.proves_as(former, name):
                    connection.end()
            elif connection.is_shaking:
                connection.end()

    # -- for connections -------------------------------------------------------------

    def now(self) -> float:
        """The event loop's clock, in seconds."""
        return self._loop.time() if self._loop is not None else 0.0

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run ``work`` as a task that :meth:`stop` waits for."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def admit(self, connection: ForwardConnection) -> bool:
        """Count a new connection in; ``False`` if there is no place for it."""
        if len(self._connections) >= self.connection_limits.connections and not self._end_idle(
            self._connections
        ):
            self.counters.refused_connections += 1
            _log.warning(
                "connection refused: all are taken",
                listener=self.address,
                peer=connection.peer,
                connections=len(self._connections),
            )
            return False
        self._connections.add(connection)
        self.counters.connections += 1
        self.counters.open_connections = len(self._connections)
        return True

    def admit_sender(self, connection: ForwardConnection, sender: Sender) -> bool:
        """Whether ``sender`` may have this connection beside those that it has."""
        own = [
            one
            for one in self._connections
            if one.sender is not None and one.sender.name == sender.name
        ]
        if len(own) < self.connection_limits.sender_connections or self._end_idle(own):
            return True
        self.counters.refused_connections += 1
        _log.warning(
            "connection refused: the sender has too many",
            listener=self.address,
            peer=connection.peer,
            sender=sender.name,
            connections=len(own),
        )
        return False

    def _end_idle(self, connections: Iterable[ForwardConnection]) -> bool:
        """Close the connection that has been idle longest, if that is long enough."""
        latest = self.now() - self.connection_limits.idle_timeout
        idle = [one for one in connections if one.is_idle() and one.last_active <= latest]
        if not idle:
            return False
        min(idle, key=lambda one: one.last_active).end()
        return True

    def forget(self, connection: ForwardConnection) -> None:
        """Count a connection out."""
        self._connections.discard(connection)
        self.counters.open_connections = len(self._connections)

    def check_buffers(self) -> None:
        """Close the connection with the oldest unfinished message if all have too much."""
        unfinished = [one for one in self._connections if one.buffered]
        if sum(one.buffered for one in unfinished) <= self.connection_limits.buffered:
            return
        now = self.now()
        oldest = max(unfinished, key=lambda one: one.age(now))
        self.counters.timeouts += 1
        oldest.reports.gives_way()
        oldest.end()

    # -- clock -----------------------------------------------------------------------

    def _protocol(self) -> ForwardConnection:
        return ForwardConnection(self)

    async def _sweep(self) -> None:
        limits = self.connection_limits
        pause = min(1.0, limits.handshake_timeout / 4, limits.message_timeout / 4)
        while True:
            await asyncio.sleep(pause)
            now = self.now()
            for connection in list(self._connections):
                connection.check_time(now)
