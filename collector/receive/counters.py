"""What receivers count; plain numbers, read by the metrics."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class ForwardCounters:
    """Counts of one Forward listener since it started (``open_connections``: now).

    Attributes:
        connections: connections taken.
        open_connections: connections open now.
        refused_connections: turned away because all were taken, or all of their sender.
        bytes: bytes received, after TLS.
        chunks: messages with events.
        records: records decoded.
        broken_records: records of readable chunks that did not decode.
        refused_chunks: messages of which nothing could be read.
        acks: acknowledgements sent.
        auth_failures: handshakes or certificates refused.
        protocol_errors: connections closed because the bytes made no sense.
        timeouts: connections closed because they were too slow, or gave way to others.
        truncated: connections that ended inside a message.
        held: times that a chunk had to wait for room in the spool.
    """

    connections: int = 0
    open_connections: int = 0
    refused_connections: int = 0
    bytes: int = 0
    chunks: int = 0
    records: int = 0
    broken_records: int = 0
    refused_chunks: int = 0
    acks: int = 0
    auth_failures: int = 0
    protocol_errors: int = 0
    timeouts: int = 0
    truncated: int = 0
    held: int = 0


@dataclass(slots=True)
class HttpCounters:
    """Counts of one HTTP listener since it started (``open_requests``: now).

    Attributes:
        requests: requests read.
        open_requests: requests being worked on now.
        refused_connections: turned away with 503 because all were taken.
        bytes: body bytes received, as sent.
        records: records decoded.
        broken_records: records that did not decode, in bodies that did.
        refused_bodies: bodies of which nothing could be read.
        auth_failures: requests without a valid credential.
        protocol_errors: requests answered with another 4xx than 401, 408 and 429; so also
            those whose body counts under ``refused_bodies``, and bytes that are no HTTP.
        timeouts: requests (408) or connections that were too slow.
        held: requests answered 503 or 429: the spool, the memory or the sender's share of
            requests has no room.
        failures: requests answered 500.
    """

    requests: int = 0
    open_requests: int = 0
    refused_connections: int = 0
    bytes: int = 0
    records: int = 0
    broken_records: int = 0
    refused_bodies: int = 0
    auth_failures: int = 0
    protocol_errors: int = 0
    timeouts: int = 0
    held: int = 0
    failures: int = 0
