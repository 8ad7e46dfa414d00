"""A Forward listener: its sockets, its connections, its clock."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final

import structlog

from activity_center.config import ForwardListener
from activity_center.errors import ConfigError
from collector.decode import DEFAULT_LIMITS, Limits
from collector.receive.address import listen, remove_stale, serve, spell
from collector.receive.budget import Budget
from collector.receive.counters import ForwardCounters
from collector.receive.credentials import Credentials
from collector.receive.forward.connection import ForwardConnection
from collector.receive.forward.keeper import Keeper
from collector.receive.limits import DEFAULT_CONNECTION_LIMITS, ConnectionLimits
from collector.receive.tls import server_context
from collector.records import Accept, RejectBytes

_POLL: Final = 0.01
_FLUSH: Final = 1.0
"""Seconds that peers get to read their last acks when we stop."""

_log: Final = structlog.get_logger("collector.receive.forward")


class ForwardServer:
    """Serves one Forward address.

    Args:
        listener: address, TLS, shared key, sender and source.
        credentials: the senders.
        accept: makes a batch durable; a chunk is acknowledged only after it returned.
        reject_bytes: makes bytes durable that do not decode.
        limits: of decoding.
        connection_limits: of connections.
        budget: memory in flight, shared with the process's other receivers.
        reuse_port: let several worker processes listen on the same TCP port.

    Attributes:
        address: the address as bound (with the real port), once started.
        counters: what happened so far.

    Raises:
        ConfigError: the listener names no way to tell who sends.
    """

    def __init__(
        self,
        listener: ForwardListener,
        credentials: Credentials,
        accept: Accept,
        reject_bytes: RejectBytes,
        *,
        limits: Limits = DEFAULT_LIMITS,
        connection_limits: ConnectionLimits = DEFAULT_CONNECTION_LIMITS,
        budget: Budget | None = None,
        reuse_port: bool = False,
    ) -> None:
        self.listener = listener
        self.credentials = credentials
        self.limits = limits
        self.connection_limits = connection_limits
        self.counters = ForwardCounters()
        self.budget = budget or Budget(connection_limits.in_flight_memory)
        self.keeper = Keeper(accept, reject_bytes, listener.source or None, limits, self.counters)
        self.address = listener.bind
        self._reuse_port = reuse_port
        self._loop: asyncio.AbstractEventLoop | None = None
        self._servers: list[asyncio.Server] = []
        self._connections: set[ForwardConnection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._sweeper: asyncio.Task[None] | None = None
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
        context = server_context(self.listener.tls) if self.listener.tls else None
        sockets = listen(self.listener.bind, reuse_port=self._reuse_port)
        if not self.listener.bind.startswith("unix:"):
            self.address = spell(sockets[0].getsockname())
        timeout = self.connection_limits.handshake_timeout
        self._servers = await serve(sockets, self._connection, context, timeout)
        self._sweeper = asyncio.create_task(self._sweep())
        _log.info("listening", listener=self.address, tls=context is not None)

    async def stop(self, timeout: float) -> bool:
        """Take no more, let what has arrived become durable and acknowledged, close.

        Args:
            timeout: seconds to wait for that.

        Returns:
            Whether all of it was.
        """
        for server in self._servers:
            server.close()
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
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.gather(self._sweeper, return_exceptions=True)
        if self.listener.bind.startswith("unix:"):
            self._remove_socket()
        if left:
            _log.warning("stopped with chunks not taken", listener=self.address, chunks=len(left))
        return not left

    def _remove_socket(self) -> None:
        with contextlib.suppress(OSError, ConfigError):
            remove_stale(Path(self.listener.bind[5:]))

    def reload(self, credentials: Credentials) -> None:
        """Use other senders; connections whose sender is gone are closed."""
        self.credentials = credentials
        for connection in list(self._connections):
            if connection.sender is not None:
                connection.sender = credentials.by_name(connection.sender.name)
                if connection.sender is None:
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
        if len(self._connections) >= self.connection_limits.connections:
            now, longest = self.now(), None
            for one in self._connections:
                idle = (
                    one.is_idle() and now - one.last_active >= self.connection_limits.idle_timeout
                )
                if idle and (longest is None or one.last_active < longest.last_active):
                    longest = one
            if longest is None:
                self.counters.refused_connections += 1
                _log.warning(
                    "connection refused: all are taken",
                    listener=self.address,
                    peer=connection.peer,
                    connections=len(self._connections),
                )
                return False
            longest.end()
        self._connections.add(connection)
        self.counters.connections += 1
        self.counters.open_connections = len(self._connections)
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

    def _connection(self) -> ForwardConnection:
        return ForwardConnection(self)

    async def _sweep(self) -> None:
        limits = self.connection_limits
        pause = min(1.0, limits.handshake_timeout / 4, limits.message_timeout / 4)
        while True:
            await asyncio.sleep(pause)
            now = self.now()
            for connection in list(self._connections):
                connection.check_time(now)
