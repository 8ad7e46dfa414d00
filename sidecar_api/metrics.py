"""Prometheus metrics of the sidecar: one tuple names them all.

Names as the collector's: prefix ``activity_center_sidecar_``, base units, ``_total`` on
counters. Labels are closed lists and route patterns, never a user, an organization or an
address. With several worker processes their values meet in files (``PROMETHEUS_MULTIPROC_DIR``,
set by :mod:`sidecar_api.server`): whichever worker is asked answers for all.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import Final, Literal, NamedTuple

from flask import Flask, Response, g, request
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from sidecar_api.logs import route

PREFIX: Final = "activity_center_sidecar_"


class Definition(NamedTuple):
    """A metric: name, kind, what it tells, and its labels."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()


METRICS: Final[tuple[Definition, ...]] = (
    Definition(
        f"{PREFIX}requests_total",
        "counter",
        "Requests answered. 429: held back by a limit; 403: a permission was missing.",
        ("method", "route", "status"),
    ),
    Definition(
        f"{PREFIX}request_seconds",
        "histogram",
        "Time until the head of the answer is sent.",
        ("route",),
    ),
    Definition(
        f"{PREFIX}open_requests",
        "gauge",
        "Requests whose answer is not yet sent in full: live tails and exports count here.",
        ("route",),
    ),
    Definition(
        f"{PREFIX}records_total",
        "counter",
        "The sidecar's own records of reading: accepted or rejected by the collector, dropped;"
        " errors: failed attempts.",
        ("outcome",),
    ),
    Definition(
        f"{PREFIX}process_watchers",
        "gauge",
        "Open connections to live processes.",
    ),
    Definition(
        f"{PREFIX}live_processes",
        "gauge",
        "Processes that this sidecar follows: they run, or ended a while ago.",
    ),
    Definition(
        f"{PREFIX}process_messages_total",
        "counter",
        "Messages about live processes, counted once for each connection that was given one.",
    ),
    Definition(
        f"{PREFIX}process_resets_total",
        "counter",
        "Connections that were given everything anew instead of what had changed.",
    ),
)
"""Every metric of the sidecar; docs/operations.md explains each (a test compares)."""

_BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """The metrics of one application.

    Args:
        records: what became of this process's records so far, by outcome.
    """

    def __init__(self, records: Callable[[], Mapping[str, int]]) -> None:
        self._stats = records
        self._registry = CollectorRegistry()
        requests, seconds, open_, recorded, watchers, live, told, resets = METRICS
        self._requests = Counter(*requests[::2], requests.labels, registry=self._registry)
        self._seconds = Histogram(
            *seconds[::2], seconds.labels, registry=self._registry, buckets=_BUCKETS
        )
        self._open = Gauge(
            *open_[::2], open_.labels, registry=self._registry, multiprocess_mode="livesum"
        )
        self._records = Counter(*recorded[::2], recorded.labels, registry=self._registry)
        self._records_before: dict[str, int] = {}
        self._watchers = Gauge(*watchers[::2], registry=self._registry, multiprocess_mode="livesum")
        self._live = Gauge(*live[::2], registry=self._registry, multiprocess_mode="livemax")
        self._told = Counter(*told[::2], registry=self._registry)
        self._resets = Counter(*resets[::2], registry=self._registry)
        self._processes: Callable[[], Mapping[str, int]] = dict
        self._processes_before: dict[str, int] = {}

    def text(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        self._count_records()
        self.count_processes()
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            together = CollectorRegistry()
            MultiProcessCollector(together)  # type: ignore[no-untyped-call]
            return generate_latest(together)
        return generate_latest(self._registry)

    def _count_records(self) -> None:
        now = dict(self._stats())
        before, self._records_before = self._records_before, now
        for outcome, count in now.items():
            self._records.labels(outcome).inc(max(count - before.get(outcome, 0), 0))

    def watch_processes(self, counts: Callable[[], Mapping[str, int]]) -> None:
        """Tell of live processes too.

        Args:
            counts: ``connections`` and ``processes`` of now; ``delivered`` and ``resets`` so far.
        """
        self._processes = counts

    def count_processes(self) -> None:
        """Take over what there is of live processes now."""
        now = dict(self._processes())
        before, self._processes_before = self._processes_before, now
        self._watchers.set(now.get("connections", 0))
        self._live.set(now.get("processes", 0))
        for counter, name in ((self._told, "delivered"), (self._resets, "resets")):
            counter.inc(max(now.get(name, 0) - before.get(name, 0), 0))

    def init_app(self, app: Flask) -> None:
        """Count what ``app`` answers."""

        @app.before_request
        def begin() -> None:
            g.counted_from = time.monotonic()
            self._open.labels(route()).inc()

        @app.after_request
        def done(response: Response) -> Response:
            if "counted_from" not in g:
                return response
            pattern = route()
            method = request.method if request.method in _METHODS else "other"
            self._requests.labels(method, pattern, str(response.status_code)).inc()
            self._count_records()
            self._seconds.labels(pattern).observe(time.monotonic() - g.counted_from)
            response.call_on_close(self._open.labels(pattern).dec)
            return response
