"""Fluent Forward in (Forward Protocol Specification v1 and 1.5).

Event modes, acknowledgements, the HELO/PING/PONG handshake, TLS. Left out: UDP heartbeats
(Fluentd's default has been TCP since 1.0; Fluent Bit has none) and zstd.
"""

from collector.receive.forward.server import ForwardServer

__all__ = ["ForwardServer"]
