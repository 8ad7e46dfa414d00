"""OTLP over HTTP: ``POST /v1/traces`` and ``/v1/logs``, in protobuf and in JSON.

https://opentelemetry.io/docs/specs/otlp/#otlphttp. Each span and each log record becomes one
record, with the names of OTLP's JSON and attributes as plain objects::

    {"resource": {"attributes": {...}}, "scope": {"name": ...}, "span": {...} or "logRecord": {...}}
"""

from collector.receive.otlp.answer import JSON, PROTOBUF, status, success
from collector.receive.otlp.decode import Body, decode
from collector.receive.otlp.signals import SIGNALS, Signal

__all__ = [
    "JSON",
    "PROTOBUF",
    "SIGNALS",
    "Body",
    "Signal",
    "decode",
    "status",
    "success",
]
