"""What distinguishes traces from logs in OTLP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass(frozen=True, slots=True)
class Signal:
    """One signal. The messages around its records have the same field numbers in all signals.

    Attributes:
        path: of its requests.
        record: name of the record's own part.
        words: what people call a record.
        message: the record in protobuf.
        lists: members of the JSON, from the request inwards, that lead to the records.
        times: members of a record with its time in Unix ns; the first that is set counts.
        rejected: member of a partial success that counts rejected records.
    """

    path: str
    record: str
    words: str
    message: Any
    lists: tuple[str, str, str]
    times: tuple[str, ...]
    rejected: str


TRACES: Final = Signal(
    "/v1/traces",
    "span",
    "span",
    Span,
    ("resourceSpans", "scopeSpans", "spans"),
    # A span tells what has come to its end.
    ("endTimeUnixNano", "startTimeUnixNano"),
    "rejectedSpans",
)
LOGS: Final = Signal(
    "/v1/logs",
    "logRecord",
    "log record",
    LogRecord,
    ("resourceLogs", "scopeLogs", "logRecords"),
    ("timeUnixNano", "observedTimeUnixNano"),
    "rejectedLogRecords",
)
SIGNALS: Final = {one.path: one for one in (TRACES, LOGS)}
"""Path of a request -> its signal. Metrics are no activities."""
