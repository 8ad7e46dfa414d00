"""OTLP over HTTP: forms, limits, answers, and what is made of records."""

from __future__ import annotations

import gzip
import math

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from activity_center.config import SenderConfig
from tests.clients.http import Client
from tests.collector.receive.conftest import SENDERS
from tests.collector.receive.otlp import (
    JSON,
    LOGS,
    PROTOBUF,
    TIME,
    TRACES,
    Sender,
    as_pairs,
    in_json,
    in_protobuf,
    logs,
    varint,
)

TRUSTED = SenderConfig(
    name="app", token_sha256=SENDERS[1].token_sha256, may_assert=frozenset({"approver"})
)


@pytest.fixture
def send(serve):
    """A client of a server with the usual limits."""
    return Sender(serve.http().address)


# -- what comes in -------------------------------------------------------------------


@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "gzip"])
def test_both_forms_and_both_signals(send, sink, zipped):
    """A span and a log record are records with the names of OTLP's JSON, the same from either
    form; attributes are plain objects, ids are in hex; each has the transport's time."""
    scope = {"name": "lib", "version": "1"}
    resource = {"attributes": {"service.name": "agent"}}
    attributes = {
        "text": "a",
        "number": 2**62,
        "float": 1.5,
        "true": True,
        "none": None,
        "list": ["a", 1, None],
        "object": {"inner": {"deep": "b"}},
        "nan": math.nan,
        "infinite": -math.inf,
        "bytes": b"\x00\xff",
        "twice": 1,
    }
    span = {
        "traceId": "4bf92f3577b34da6a3ce929d0e0e4736",
        "spanId": "00f067aa0ba902b7",
        "name": "execute_tool",
        "kind": 1,
        "startTimeUnixNano": TIME,
        "endTimeUnixNano": TIME + 5,
        "attributes": {
            **attributes,
            "nan": "NaN",
            "infinite": "-Infinity",
            "bytes": "AP8=",
            "twice": [1, 2, 3],
        },
        "events": [{"timeUnixNano": TIME + 1, "name": "e"}],
        "links": [{"traceId": "00" * 16, "spanId": "11" * 8}],
        "status": {"message": "no", "code": 2},
    }
    request = ExportTraceServiceRequest()
    outer = request.resource_spans.add(schema_url="https://schema.example/1")
    outer.resource.attributes.extend(in_protobuf(resource["attributes"]))
    inner = outer.scope_spans.add()
    inner.scope.name, inner.scope.version = "lib", "1"
    message = inner.spans.add(
        trace_id=bytes.fromhex(span["traceId"]),
        span_id=bytes.fromhex(span["spanId"]),
        name="execute_tool",
        kind=1,
        start_time_unix_nano=TIME,
        end_time_unix_nano=TIME + 5,
    )
    message.attributes.extend(in_protobuf(attributes))
    message.attributes.extend(in_protobuf({"twice": 2}) + in_protobuf({"twice": 3}))
    message.events.add(time_unix_nano=TIME + 1, name="e")
    message.links.add(trace_id=bytes(16), span_id=b"\x11" * 8)
    message.status.message, message.status.code = "no", 2
    written = {
        **span,
        "spanId": "00F067AA0BA902B7",
        "startTimeUnixNano": str(TIME),
        "droppedAttributesCount": 0,
        "notOfThisVersion": [1],
        "attributes": as_pairs(attributes) + as_pairs({"twice": 2}) + as_pairs({"twice": 3}),
    }
    around = {
        "schemaUrl": "https://schema.example/1",
        "resource": {"attributes": as_pairs(resource["attributes"])},
        "scopeSpans": [{"scope": scope, "spans": [written]}],
    }
    more = {"Content_Encoding": "gzip"} if zipped else {}
    pack = gzip.compress if zipped else bytes
    assert send(pack(request.SerializeToString()), TRACES, **more).status == 200
    assert send(pack(in_json({"resourceSpans": [around]})), TRACES, JSON, **more).status == 200
    expected = {
        "resource": {**resource, "schemaUrl": "https://schema.example/1"},
        "scope": scope,
        "span": span,
    }
    assert sink.records == [expected, expected]
    assert [batch.times for batch in sink.batches] == [[TIME + 5]] * 2


def test_times_of_log_records(send, sink):
    """The event's own time, else when it was observed; what is no time is none."""
    body = logs(
        {"time_unix_nano": TIME, "observed_time_unix_nano": TIME + 1},
        {"observed_time_unix_nano": TIME + 1},
        {},
        {"time_unix_nano": 2**64 - 1},
    )
    assert send(body).status == 200
    assert sink.batches[0].times == [TIME, TIME + 1, None, None]
    assert [set(record) for record in sink.records] == [{"logRecord"}] * 4


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", PROTOBUF),
        (b"{}", JSON),
        (b'{"resourceLogs": [{"resource": null, "scopeLogs": [{}]}]}', "application/json; a=b"),
    ],
    ids=["empty", "object", "no-records"],
)
def test_nothing_to_do_is_a_success(send, sink, body, kind):
    """A request without records is well-formed, and so is one without a resource."""
    answer = send(body, LOGS, kind)
    assert (answer.status, answer.partial) == (200, (0, ""))
    assert sink.batches == []


def test_parts_of_a_resource_are_put_together(send, sink):
    """A message that comes in pieces is their sum, and fields of later versions are passed over
    (protobuf's rules of encoding)."""
    attribute = AnyValue(string_value="x").SerializeToString()
    piece = b"\x0a" + bytes([6 + len(attribute)]) + b"\x0a\x02k%d\x12" + bytes([len(attribute)])
    resource = [piece % n + attribute for n in (1, 2)]
    record = b"\x12\x02\x12\x00"  # one scope with one empty record
    odd = b"\x50\x01" + b"\x59" + bytes(8) + b"\x65" + bytes(4)
    outer = odd + b"".join(b"\x0a" + bytes([len(one)]) + one for one in resource) + record
    assert send(b"\x0a" + bytes([len(outer)]) + outer).status == 200
    assert sink.records == [{"resource": {"attributes": {"k1": "x", "k2": "x"}}, "logRecord": {}}]


# -- who may send, and as whom -------------------------------------------------------


def test_senders_by_token(send, sink):
    """A token is due, as for /v1/activities; the refusal is a google.rpc.Status."""
    for kind in (PROTOBUF, JSON):
        answer = send(logs({}), kind=kind, auth={"Authorization": "Bearer wrong"})
        assert answer.status == 401
        assert "www-authenticate" in answer.headers
        assert "no sender has this token" in answer.message
        assert send(logs({}), kind=kind, auth={}).status == 401
    assert sink.batches == []


def test_what_otlp_says_of_an_approver_is_not_believed(serve, sink):
    """Nobody has authenticated that person, whatever the sender may assert elsewhere."""
    address = serve.http(senders=(TRUSTED,)).address
    assert Sender(address)(logs({})).status == 200
    assert Client(address)({"n": 1}).status == 200
    otlp, ours = sink.batches
    assert (otlp.sender.name, otlp.sender.may_assert) == ("app", frozenset())
    assert ours.sender.may_assert == {"approver"}


def test_a_source_can_be_named(send, sink):
    """As elsewhere: by the query, within the sender's rights."""
    assert send(logs({}), LOGS + "?source=native").status == 200
    assert sink.batches[0].source == "native"
    answer = send(logs({}), LOGS + "?source=kubernetes-audit")
    assert answer.status == 403
    assert "may not send for source" in answer.message


# -- what is refused -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ({"path": LOGS + "?form=replay"}, 400),
        ({"method": "GET"}, 405),
        ({"method": "PUT"}, 405),
        ({"kind": "application/x-ndjson"}, 415),
        ({"kind": "application/grpc"}, 415),
        ({"kind": ""}, 415),
        ({"Content_Encoding": "zstd"}, 415),
        ({"body": b"\xff"}, 400),
        ({"body": b"\x0a\x7f"}, 400),
        ({"body": b"\x0b\x0c"}, 400),
        ({"body": b"\x0a\x04\x0a\x02\x0a\x09"}, 400),
        ({"body": b"\x80" * 20}, 400),
        ({"body": b"no json", "kind": JSON}, 400),
        ({"body": b"[]", "kind": JSON}, 400),
        ({"body": b'{"resourceLogs": {}}', "kind": JSON}, 200),
        ({"body": b'{"resourceLogs": 1}', "kind": JSON}, 400),
        ({"body": b'{"resourceLogs": [1]}', "kind": JSON}, 400),
        ({"body": b'{"resourceLogs": [{"resource": 1}]}', "kind": JSON}, 400),
        (
            {"body": b'{"resourceLogs": [{"scopeLogs": [{"scope": {"name": 5}}]}]}', "kind": JSON},
            400,
        ),
        ({"body": b'{"a": NaN}', "kind": JSON}, 400),
        ({"body": b'{"a":' * 5000, "kind": JSON}, 400),
    ],
    ids=range(21),
)
def test_form_of_the_request(send, sink, request_, status):
    """What is no request of OTLP is answered with 4xx, after which nothing is sent again."""
    request_ = {"body": logs({}), **request_}
    answer = send(**request_)
    assert answer.status == status
    if status != 200:
        assert answer.message
        assert answer.headers["content-type"] == (
            JSON if request_.get("kind") == JSON else PROTOBUF
        )
    kept = status == 400 and "path" not in request_
    assert [detail[:11] for _, _, detail in sink.rejected] == ["undecodable"] * kept
    assert send(logs({})).status == 200


def test_metrics_are_no_activities(send):
    """Their path is not there, and the answer names those that are."""
    answer = send(b"", "/v1/metrics")
    assert answer.status == 404
    assert b"/v1/logs or /v1/traces" in answer.body


def test_a_broken_record_costs_itself(send, sink):
    """The others are kept; the answer counts it, says why, and says where it is. No value of
    it is in the answer."""
    good, bad = b"\x12\x02\x08\x05", b"\x12\x05\x32\x03\xff\xff\xff"
    inner = good + bad + good
    outer = b"\x12" + bytes([len(inner)]) + inner
    answer = send(b"\x0a" + bytes([len(outer)]) + outer)
    assert answer.status == 200
    assert answer.partial == (
        1,
        "kept as rejected: undecodable (1); see activity-center rejected list",
    )
    assert [raw for _, raw, _ in sink.rejected] == [bad[2:]]
    assert len(sink.records) == 2


WRONG = [
    {"timeUnixNano": "secret"},
    {"timeUnixNano": "9" * 30},
    {"timeUnixNano": 1.5},
    {"timeUnixNano": True},
    {"severityNumber": "SEVERITY_NUMBER_INFO"},
    {"severityText": 5},
    {"traceId": "secret"},
    {"traceId": 5},
    {"attributes": {"secret": 1}},
    {"attributes": ["secret"]},
    {"attributes": [{"key": 1}]},
    {"attributes": [{"key": "a", "value": "secret"}]},
    {"attributes": [{"key": "a", "value": {"boolValue": "true"}}]},
    {"attributes": [{"key": "a", "value": {"arrayValue": []}}]},
    {"attributes": [{"key": "a", "value": {"kvlistValue": {"values": 5}}}]},
    {"attributes": [{"key": "a", "value": {"doubleValue": "secret"}}]},
    {"attributes": [{"key": "a", "value": {"doubleValue": None}}]},
    {"attributes": [{"key": "a", "value": {"intValue": 2**70}}]},
    {"attributes": [{"key": "a", "value": {"doubleValue": 10**400}}]},
    {"attributes": [{"key": "a", "value": {"bytesValue": "se cret"}}]},
    {"body": "secret"},
    None,
    5,
    [],
]


def test_odd_values_in_json(send, sink):
    """Whatever stands where another kind of value should, only that record is rejected."""
    body = {"resourceLogs": [{"scopeLogs": [{"logRecords": [{}, *WRONG, {"flags": 1}]}]}]}
    answer = send(in_json(body), kind=JSON)
    assert answer.status == 200
    assert answer.partial[0] == len(WRONG)
    assert b"secret" not in answer.body
    assert sink.records == [{"logRecord": {}}, {"logRecord": {"flags": 1}}]
    assert len(sink.rejected) == len(WRONG)


def test_deep_values(send, sink):
    """Depth costs the record, not the collector."""
    for depth, status in ((50, 200), (300, 200), (400, 400)):
        deep = b'{"arrayValue":{"values":[' * depth + b"{}" + b"]}}" * depth
        body = b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":%s},{}]}]}]}' % deep
        answer = send(body, kind=JSON)
        assert answer.status == status
        assert {} in [one["logRecord"] for one in sink.records]
    assert "nested deeper" in answer.message
    sink.batches.clear()
    value = AnyValue(string_value="x")
    for _ in range(300):
        outer = AnyValue()
        outer.array_value.values.add().CopyFrom(value)
        value = outer
    body = value.SerializeToString()
    body = b"\x2a" + varint(len(body)) + body
    body = b"\x12" + varint(len(body)) + body + b"\x12\x00"
    for tag in (b"\x12", b"\x0a"):
        body = tag + varint(len(body)) + body
    assert send(body).partial[0] == 1
    assert sink.records == [{"logRecord": {}}]
