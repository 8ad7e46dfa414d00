"""Bodies of OTLP, and a client that sends them."""

from __future__ import annotations

import http.client
import json
import math
from base64 import b64encode
from dataclasses import dataclass
from typing import Any

import orjson
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsPartialSuccess,
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

LOGS = "/v1/logs"
TRACES = "/v1/traces"
PROTOBUF = "application/x-protobuf"
JSON = "application/json"
AUTH = {"Authorization": "Bearer token-of-app"}
TIME = 1_795_574_096_000_000_000


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def partial(self) -> tuple[int, str]:
        """Number of rejected records and the message, of an answer in either form."""
        if self.headers["content-type"] == JSON:
            told = orjson.loads(self.body).get("partialSuccess", {})
            number = told.get("rejectedLogRecords", told.get("rejectedSpans", "0"))
            return int(number), told.get("errorMessage", "")
        message = ExportLogsServiceResponse.FromString(self.body).partial_success
        return message.rejected_log_records, message.error_message

    @property
    def message(self) -> str:
        """What google.rpc.Status says, in either form."""
        if self.headers["content-type"] == JSON:
            return str(orjson.loads(self.body)["message"])
        # Another message of the same shape: number 2 is a text.
        return str(ExportLogsPartialSuccess.FromString(self.body).error_message)


class Sender:
    """One keep-alive connection."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._connection = http.client.HTTPConnection(host, int(port), timeout=10)

    def __call__(
        self,
        body: bytes,
        path: str = LOGS,
        kind: str = PROTOBUF,
        method: str = "POST",
        auth: dict[str, str] = AUTH,
        **headers: str,
    ) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._connection.request(method, path, body, {**auth, "Content-Type": kind, **named})
        response = self._connection.getresponse()
        content = response.read()
        found = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, found, content)


def logs(*records: dict[str, Any], **around: Any) -> bytes:
    """A request with log records; values are ``LogRecord``'s, attributes plain texts."""
    request = ExportLogsServiceRequest()
    outer = request.resource_logs.add()
    fill(outer.resource, around)
    inner = outer.scope_logs.add()
    for one in records:
        fill(inner.log_records.add(), one)
    return bytes(request.SerializeToString())


def spans(*records: dict[str, Any]) -> bytes:
    """A request with spans."""
    request = ExportTraceServiceRequest()
    inner = request.resource_spans.add().scope_spans.add()
    for one in records:
        fill(inner.spans.add(), one)
    return bytes(request.SerializeToString())


def fill(message: Any, values: dict[str, Any]) -> None:
    for name, value in values.items():
        if name == "attributes":
            for key, text in value.items():
                message.attributes.add(key=key).value.string_value = text
        elif name == "body":
            message.body.string_value = value
        else:
            setattr(message, name, value)


def in_json(value: Any) -> bytes:
    """Any JSON, also what orjson would not write."""
    return json.dumps(value).encode()


def varint(number: int) -> bytes:
    """A number on the wire of protobuf."""
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)


def in_protobuf(attributes: dict[str, Any]) -> list[KeyValue]:
    """Attributes as protobuf has them."""
    return [KeyValue(key=key, value=_any(value)) for key, value in attributes.items()]


def _any(value: Any) -> AnyValue:
    if value is None:
        return AnyValue()
    if isinstance(value, dict):
        return AnyValue(kvlist_value=KeyValueList(values=in_protobuf(value)))
    if isinstance(value, list):
        return AnyValue(array_value=ArrayValue(values=[_any(one) for one in value]))
    kinds = {bool: "bool", int: "int", float: "double", bytes: "bytes", str: "string"}
    return AnyValue(**{f"{kinds[type(value)]}_value": value})


def as_pairs(attributes: dict[str, Any]) -> list[dict[str, Any]]:
    """Attributes as OTLP's JSON has them."""
    return [{"key": key, "value": _written(value)} for key, value in attributes.items()]


def _written(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if isinstance(value, dict):
        return {"kvlistValue": {"values": as_pairs(value)}}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_written(one) for one in value]}}
    if isinstance(value, bytes):
        return {"bytesValue": b64encode(value).decode()}
    if isinstance(value, float) and not math.isfinite(value):
        return {
            "doubleValue": "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
        }
    kinds = {bool: "bool", float: "double", str: "string"}
    if isinstance(value, int) and not isinstance(value, bool):
        return {"intValue": str(value)}
    return {f"{kinds[type(value)]}Value": value}


def decision(**attributes: str) -> dict[str, Any]:
    """A decision as Claude Code tells it."""
    return {
        "time_unix_nano": TIME,
        "body": "claude_code.tool_decision",
        "attributes": {
            "event.name": "tool_decision",
            "tool_name": "Bash",
            "tool_use_id": "toolu_1",
            "decision": "accept",
            "source": "user_temporary",
            "user.email": "mira@northwind.example",
            **attributes,
        },
    }
