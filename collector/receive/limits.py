"""What connections may take of time and memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Bounds on connections; times in seconds, sizes in bytes.

    Attributes:
        connections: open connections of one listener.
        sender_connections: those of one sender on one Forward listener.
        in_flight: messages of one Forward connection that are made durable at a time.
        requests: HTTP requests of one sender that are worked on at a time.
        in_flight_memory: estimated memory of all those of one process, with HTTP bodies
            from their first byte on. One that is larger than this alone is still taken
            when it is the only one.
        buffered: bytes of all unfinished messages or bodies of one listener; beyond it the
            oldest gives way.
        handshake_timeout: for TLS, and again for HELO, PING and PONG.
        message_timeout: for a message or body that has begun, plus the time that its
            bytes take at ``slowest`` bytes per second.
        slowest: the slowest sender that is waited for.
        idle_timeout: HTTP connections without a request are closed after it. Forward
            connections may idle: a logger keeps one open for days. When all are taken
            (or all of a sender), the one idle longest, at least this long, gives way to a new one.
    """

    connections: int = 1024
    sender_connections: int = 512
    in_flight: int = 32
    requests: int = 256
    in_flight_memory: int = 128 * 1024**2
    buffered: int = 64 * 1024**2
    handshake_timeout: float = 10.0
    message_timeout: float = 30.0
    slowest: int = 16 * 1024
    idle_timeout: float = 60.0


DEFAULT_CONNECTION_LIMITS: Final = ConnectionLimits()
