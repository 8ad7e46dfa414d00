"""What is answered to requests of OTLP, in the form of the request.

https://opentelemetry.io/docs/specs/otlp/#otlphttp-response
"""

from __future__ import annotations

from collections import Counter
from typing import Final

import orjson
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

from collector.decode import Decoded
from collector.receive.otlp.signals import Signal
from collector.records import Receipt

PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"
_MESSAGE: Final = b"\x12"
"""Tag of ``message`` in google.rpc.Status: number 2, a text."""


def success(signal: Signal, decoded: Decoded, receipt: Receipt, *, is_json: bool) -> bytes:
    """Return the body of 200: everything is durable, as an activity or in the rejected store.

    With rejected records it is a partial success, after which nothing is sent again.
    """
    reasons = Counter(one.reason for one in receipt.rejected.values())
    reasons.update(one.reason for one in decoded.broken)
    rejected = reasons.total()
    told = ", ".join(f"{reason} ({number})" for reason, number in sorted(reasons.items()))
    words = f"kept as rejected: {told}; see activity-center rejected list" if rejected else ""
    if is_json:
        partial = {signal.rejected: str(rejected), "errorMessage": words}
        return orjson.dumps({"partialSuccess": partial} if rejected else {})
    # The answers of all signals have the same field numbers.
    message = ExportLogsServiceResponse()
    if rejected:
        message.partial_success.rejected_log_records = rejected
        message.partial_success.error_message = words
    body: bytes = message.SerializeToString()
    return body


def status(words: str, *, is_json: bool) -> bytes:
    """Return the body of an error: google.rpc.Status, which is what OTLP has for it."""
    if is_json:
        return orjson.dumps({"message": words})
    text = words.encode()
    length, left = bytearray(), len(text)
    while left > 0x7F:
        length.append(left & 0x7F | 0x80)
        left >>= 7
    length.append(left)
    return _MESSAGE + length + text
