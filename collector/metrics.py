"""Prometheus metrics: one tuple names them all; values are read when they are asked for.

Names follow the Prometheus conventions: prefix ``activity_center_``, base units,
``_total`` on counters. Labels are closed lists and configured names, never a user, an
organization or a client's address.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, Literal, NamedTuple

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


class Definition(NamedTuple):
    """A metric: name, kind, what it tells, and its labels."""

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    labels: tuple[str, ...] = ()


METRICS: Final[tuple[Definition, ...]] = (
    Definition(
        "activity_center_records_total",
        "counter",
        "Records received, by what became of them: accepted, ignored, or a reason of rejection.",
        ("sender", "source", "outcome"),
    ),
    Definition(
        "activity_center_receiver_connections",
        "gauge",
        "Connections or requests open now.",
        ("receiver", "bind"),
    ),
    Definition(
        "activity_center_receiver_bytes_total",
        "counter",
        "Bytes received, before decompression.",
        ("receiver", "bind"),
    ),
    Definition(
        "activity_center_receiver_chunks_total",
        "counter",
        "Forward messages and HTTP requests with events.",
        ("receiver", "bind"),
    ),
    Definition(
        "activity_center_receiver_events_total",
        "counter",
        "Records decoded.",
        ("receiver", "bind"),
    ),
    Definition(
        "activity_center_receiver_acks_total",
        "counter",
        "Forward chunks acknowledged.",
        ("receiver", "bind"),
    ),
    Definition(
        "activity_center_receiver_refused_connections_total",
        "counter",
        "Connections turned away because all, or all of their sender, were taken.",
        ("receiver", "bind"),
    ),
    Definition(
        "activity_center_receiver_errors_total",
        "counter",
        "What went wrong at the door: auth, protocol, timeout, truncated (connection ended inside"
        " a message), undecodable (a record), unreadable (a Forward message), unreadable_body"
        " (an HTTP body), failure (answered 500).",
        ("receiver", "bind", "error"),
    ),
    Definition(
        "activity_center_receiver_held_total",
        "counter",
        "Times that a sender had to wait: no room in the spool or in memory, or too many requests.",
        ("receiver", "bind"),
    ),
    Definition(
        "activity_center_spool_records",
        "gauge",
        "Activities acknowledged and not yet delivered.",
    ),
    Definition("activity_center_spool_bytes", "gauge", "Bytes of them on disk."),
    Definition("activity_center_spool_quota_bytes", "gauge", "Bytes that the spool may take."),
    Definition(
        "activity_center_spool_oldest_timestamp_seconds",
        "gauge",
        "Unix time at which the oldest undelivered activity was accepted; 0 when there is none.",
    ),
    Definition("activity_center_spool_syncs_total", "counter", "fdatasync calls."),
    Definition("activity_center_spool_sync_seconds_total", "counter", "Time spent in them."),
    Definition(
        "activity_center_spool_corrupt_records_total",
        "counter",
        "Damaged stretches found on disk; their bytes are quarantined.",
    ),
    Definition(
        "activity_center_deliver_documents_total",
        "counter",
        "Documents sent, by what became of them: created, existed, rejected, conflict, retried.",
        ("outcome",),
    ),
    Definition("activity_center_deliver_requests_total", "counter", "Bulk requests sent."),
    Definition(
        "activity_center_deliver_request_seconds_total", "counter", "Time spent waiting for them."
    ),
    Definition(
        "activity_center_deliver_failures_total",
        "counter",
        "Requests to OpenSearch that failed as a whole, by cause.",
        ("cause",),
    ),
    Definition(
        "activity_center_deliver_parked_records",
        "gauge",
        "Activities that wait because their stream refuses writes; streams of an organization's own"
        " count with the shared one.",
        ("stream",),
    ),
    Definition(
        "activity_center_deliver_duplicates_removed_total",
        "counter",
        "Second copies that came to be in a rollover and were removed.",
    ),
    Definition(
        "activity_center_deliver_duplicates_left_total",
        "counter",
        "Second copies that could not be removed: configure opensearch.maintain.",
    ),
    Definition(
        "activity_center_deliver_rejected_copies_dropped_total",
        "counter",
        "Searchable copies of rejected records that OpenSearch refused; the store has them all.",
    ),
    Definition(
        "activity_center_publish_entries_total",
        "counter",
        "Entries of processes that the step bus confirmed.",
    ),
    Definition(
        "activity_center_publish_lag_records",
        "gauge",
        "Activities accepted since the oldest that may wait for the step bus; 0: none waits.",
    ),
    Definition(
        "activity_center_publish_failures_total",
        "counter",
        "Tries to reach the step bus that failed.",
    ),
    Definition(
        "activity_center_publish_epochs_total",
        "counter",
        "Times that the stream on the step bus began anew: its readers may have missed entries.",
    ),
    Definition("activity_center_rejected_store_bytes", "gauge", "Bytes of the rejected store."),
    Definition("activity_center_ready", "gauge", "1 when events can be made durable."),
)
"""Every metric of the collector; docs/operations.md explains each (a test compares)."""

Values = Mapping[str, float | Mapping[tuple[str, ...], float]]
"""Metric name -> value, or label values -> value."""


class _Reader(Collector):
    """Hands the values of ``read`` to Prometheus in the order of :data:`METRICS`."""

    def __init__(self, read: Callable[[], Values]) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        values = self._read()
        for one in METRICS:
            family = (CounterMetricFamily if one.kind == "counter" else GaugeMetricFamily)(
                one.name, one.help, labels=one.labels
            )
            value = values.get(one.name, {} if one.labels else 0.0)
            if isinstance(value, Mapping):
                for labels, number in value.items():
                    family.add_metric(labels, number)
            else:
                family.add_metric((), value)
            yield family


def registry(read: Callable[[], Values]) -> CollectorRegistry:
    """Return a registry whose values come from ``read`` at each scrape."""
    made = CollectorRegistry(auto_describe=False)
    made.register(_Reader(read))
    return made
