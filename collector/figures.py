"""The values of :data:`collector.metrics.METRICS`, read from a worker's parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from activity_center.streams import shared_stream
from activity_center.vocabulary import retention_classes
from collector.metrics import Values
from collector.receive.counters import ForwardCounters

if TYPE_CHECKING:
    from collector.run import Worker

_ERRORS = {
    "auth": "auth_failures",
    "protocol": "protocol_errors",
    "timeout": "timeouts",
    "truncated": "truncated",
    "undecodable": "broken_records",
    "unreadable": "refused_chunks",
    "unreadable_body": "refused_bodies",
    "failure": "failures",
}
"""Label ``error`` -> attribute of the receivers' counters, where they have it."""


def parked(counts: Mapping[str, int]) -> dict[tuple[str, ...], float]:
    """Return the parked records by shared stream: an organization's name is no label.

    Args:
        counts: by stream.
    """
    found: Counter[tuple[str, ...]] = Counter()
    for stream, count in counts.items():
        found[(shared_stream(stream, retention_classes()),)] += count
    return {key: float(count) for key, count in found.items()}


def figures(worker: Worker) -> Values:
    """Return the current values of all metrics of ``worker``."""
    spool, courier = worker.spool, worker.deliverer.courier
    values: dict[str, float | Counter[tuple[str, ...]] | dict[tuple[str, ...], float]] = {
        "records_total": {key: float(n) for key, n in worker.pipeline.counts.items()},
        "spool_records": spool.records,
        "spool_bytes": spool.bytes,
        "spool_quota_bytes": spool.quota_bytes,
        "spool_oldest_timestamp_seconds": spool.oldest or 0.0,
        "spool_syncs_total": spool.fsyncs,
        "spool_sync_seconds_total": spool.sync_seconds,
        "spool_corrupt_records_total": spool.corrupt,
        "deliver_documents_total": {(key,): float(n) for key, n in courier.outcomes.items()},
        "deliver_requests_total": courier.requests,
        "deliver_request_seconds_total": courier.seconds,
        "deliver_failures_total": {(key,): float(n) for key, n in courier.failures.items()},
        "deliver_parked_records": parked(spool.parking.counts),
        "deliver_duplicates_removed_total": courier.once.removed,
        "deliver_duplicates_left_total": courier.once.left,
        "deliver_rejected_copies_dropped_total": courier.copies_dropped,
        "publish_entries_total": worker.publisher.published,
        "publish_lag_records": worker.publisher.lag,
        "publish_failures_total": worker.publisher.failures,
        "publish_epochs_total": worker.publisher.epochs,
        "rejected_store_bytes": worker.rejected.used_bytes,
        "ready": 0.0 if worker.ready() else 1.0,
    }
    connections: dict[tuple[str, ...], float] = {}
    sizes: dict[tuple[str, ...], float] = {}
    chunks: dict[tuple[str, ...], float] = {}
    held: dict[tuple[str, ...], float] = {}
    errors: dict[tuple[str, ...], float] = {}
    events: dict[tuple[str, ...], float] = {}
    acks: dict[tuple[str, ...], float] = {}
    refused: dict[tuple[str, ...], float] = {}
    for server in worker.servers:
        counters = server.counters
        if isinstance(counters, ForwardCounters):
            key = ("forward", server.listener.bind)
            connections[key], chunks[key] = counters.open_connections, counters.chunks
            acks[key] = counters.acks
        else:
            key = ("http", server.listener.bind)
            connections[key], chunks[key] = counters.open_requests, counters.requests
        sizes[key], held[key] = counters.bytes, counters.held
        events[key], refused[key] = counters.records, counters.refused_connections
        for label, attribute in _ERRORS.items():
            count = getattr(counters, attribute, None)
            if count is not None:
                errors[(*key, label)] = count
    values |= {
        "receiver_connections": connections,
        "receiver_bytes_total": sizes,
        "receiver_chunks_total": chunks,
        "receiver_held_total": held,
        "receiver_events_total": events,
        "receiver_acks_total": acks,
        "receiver_refused_connections_total": refused,
        "receiver_errors_total": errors,
    }
    return {f"activity_center_{name}": value for name, value in values.items()}
