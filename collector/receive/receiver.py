"""What all receivers have in common: an address, its sockets, a clock, a life."""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Final, Generic, TypeVar

import structlog

from activity_center.config import ForwardListener, HttpListener
from activity_center.errors import ConfigError
from activity_center.tls import renewed_context
from collector.decode import DEFAULT_LIMITS, Limits
from collector.receive.address import listen, remove_stale, serve, spell
from collector.receive.budget import Budget
from collector.receive.credentials import Credentials
from collector.receive.limits import DEFAULT_CONNECTION_LIMITS, ConnectionLimits
from collector.records import Accept, AcceptSoon, RejectBytes

_log: Final = structlog.get_logger("collector.receive")

ListenerT = TypeVar("ListenerT", ForwardListener, HttpListener)


class Receiver(ABC, Generic[ListenerT]):
    """Serves one address.

    Args:
        listener: address, TLS and what else the protocol needs.
        credentials: the senders.
        accept: makes a batch durable; the sender is answered after it returned.
        reject_bytes: makes bytes durable that do not decode.
        accept_soon: the same as ``accept`` for all but huge batches, and cheaper; or ``None``.
        limits: of decoding.
        connection_limits: of connections.
        budget: memory in flight, shared with the process's other receivers.
        reuse_port: let several worker processes listen on the same TCP port.

    Attributes:
        address: the address as bound (with the real port), once started.
        credentials: the senders; see :meth:`reload`.
    """

    def __init__(
        self,
        listener: ListenerT,
        credentials: Credentials,
        accept: Accept,
        reject_bytes: RejectBytes,
        *,
        accept_soon: AcceptSoon | None = None,
        limits: Limits = DEFAULT_LIMITS,
        connection_limits: ConnectionLimits = DEFAULT_CONNECTION_LIMITS,
        budget: Budget | None = None,
        reuse_port: bool = False,
    ) -> None:
        self.listener: ListenerT = listener
        self.credentials = credentials
        self.accept = accept
        self.reject_bytes = reject_bytes
        self.accept_soon = accept_soon
        self.limits = limits
        self.connection_limits = connection_limits
        self.budget = budget or Budget(connection_limits.in_flight_memory)
        self.address = listener.bind
        self._reuse_port = reuse_port
        self._servers: list[asyncio.Server] = []
        self._sweeper: asyncio.Task[None] | None = None
        self._set_up()

    @abstractmethod
    def _set_up(self) -> None:
        """Make what the protocol needs; last step of the constructor."""

    @abstractmethod
    def _protocol(self) -> asyncio.BaseProtocol:
        """Return the protocol of a new connection."""

    @abstractmethod
    async def _sweep(self) -> None:
        """Close connections that are too slow, until cancelled."""

    async def start(self) -> None:
        """Bind and serve.

        Raises:
            ConfigError: the address cannot be had, or a TLS file is wrong.
        """
        context = renewed_context(self.listener.tls) if self.listener.tls else None
        sockets = listen(self.listener.bind, reuse_port=self._reuse_port)
        self.address = spell(sockets[0].getsockname())
        timeout = self.connection_limits.handshake_timeout
        self._servers = await serve(sockets, self._protocol, context, timeout)
        self._sweeper = asyncio.create_task(self._sweep())
        _log.info("listening", listener=self.address, tls=context is not None)

    def _close_address(self) -> None:
        """Take no new connections."""
        for server in self._servers:
            server.close()

    async def _end(self) -> None:
        """Stop the clock and tidy up, after the last connection."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.gather(self._sweeper, return_exceptions=True)
        if self._servers and self.listener.bind.startswith("unix:"):
            with contextlib.suppress(OSError, ConfigError):
                remove_stale(Path(self.listener.bind[5:]))
