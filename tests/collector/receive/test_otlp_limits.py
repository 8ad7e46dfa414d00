"""OTLP over HTTP: limits, back-pressure, and partial success."""

from __future__ import annotations

import contextlib
import gzip
import threading

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from collector.decode import Limits, Unreadable
from collector.receive.limits import ConnectionLimits
from collector.receive.otlp import SIGNALS, Body, decode
from tests.collector.receive.otlp import (
    JSON,
    PROTOBUF,
    TIME,
    TRACES,
    Sender,
    as_pairs,
    in_json,
    logs,
    spans,
)


@pytest.fixture
def send(serve):
    """A client of a server with the usual limits."""
    return Sender(serve.http().address)


# -- limits --------------------------------------------------------------------------


def test_sizes(serve, sink):
    """A record that is too large with its resource is rejected alone; a body that is too large,
    or would be with its resource at each record, is answered with 413."""
    limits = Limits(event_bytes=1000, chunk_bytes=20_000, inflated_bytes=10_000, records=50)
    send = Sender(serve.http(limits=limits).address)
    answer = send(logs({}, {"body": "x" * 1000}, {}))
    assert answer.partial == (
        1,
        "kept as rejected: too_large (1); see activity-center rejected list",
    )
    around = {"attributes": {"a": "x" * 900}}
    assert send(logs(*[{"body": "y" * 50}] * 10, **around)).status == 200
    refused = [
        send(logs(*[{"body": "y" * 50}] * 11, **around)),
        send(logs({"body": "x" * 20_000})),
        send(gzip.compress(logs({"body": "x" * 11_000})), Content_Encoding="gzip"),
        send(logs(*[{}] * 51)),
        send(b"\x0a\x00" * 200),
        send(b"\x08\x01" * 200),
        send(logs({}, attributes={"a": "x" * 1000})),
    ]
    assert [one.status for one in refused] == [413] * len(refused)
    assert all(one.message for one in refused)
    assert sink.rejects == 1


def test_number_of_values(serve):
    """Few bytes can hold many values: they are counted, in both forms."""
    send = Sender(serve.http(limits=Limits(values=1000)).address)
    value = AnyValue()
    for _ in range(1000):
        value.array_value.values.add()
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.add().attributes.add().value.CopyFrom(
        value
    )
    assert send(request.SerializeToString(), TRACES).status == 413
    many = [{}] * 1000
    body = in_json({"resourceSpans": [{"scopeSpans": [{"spans": [{"attributes": many}]}]}]})
    assert send(body, TRACES, JSON).status == 413
    assert send(spans({"name": "a"}), TRACES).status == 200


_MANY = Limits().records * 3 + 1


def _groups(text: bytes) -> bytes:
    return b'{"resourceLogs":[' + text + b"]}"


@pytest.mark.parametrize(
    "body",
    [
        _groups(b",".join([b"{}"] * _MANY)),
        _groups(b'{"scopeLogs":[' + b",".join([b'{"scope":{}}'] * _MANY) + b"]}"),
        _groups(b",".join([b'{"scopeLogs":[{}]}'] * (_MANY // 2 + 1))),
    ],
    ids=["resources", "scopes", "both"],
)
def test_groups_count_as_records_do(body: bytes) -> None:
    """A body that holds no record, and groups for records without number, is refused; until
    then others get their turns, and no turn is longer than that of a few hundred groups."""
    turns = 0
    with pytest.raises(Unreadable, match="parts in one body"):
        for _ in decode(Body(body, True), SIGNALS["/v1/logs"], Limits()):
            turns += 1
    assert turns > _MANY // 300


@pytest.mark.parametrize("is_json", [True, False], ids=["json", "protobuf"])
def test_turns_are_by_work(is_json: bool) -> None:
    """After each record with thousands of values others get a turn, not only after hundreds."""
    request = ExportTraceServiceRequest()
    scoped = request.resource_spans.add().scope_spans.add()
    for _ in range(8):
        span = scoped.spans.add()
        for number in range(6000):
            span.attributes.add(key="k").value.int_value = number
    pair = {"key": "k", "value": {"intValue": "1"}}
    held = {"spans": [{"attributes": [pair] * 6000}] * 8}
    body = in_json({"resourceSpans": [{"scopeSpans": [held]}]})
    plain = body if is_json else request.SerializeToString()
    assert len(list(decode(Body(plain, is_json), SIGNALS["/v1/traces"], Limits()))) >= 7


def test_values_of_resources_count() -> None:
    """Resources without records hold no more values than records may."""
    pairs = [{"key": "a"}] * 300
    groups = [{"resource": {"attributes": pairs}}] * 4
    body = in_json({"resourceLogs": groups})
    request = Body(body, True)
    for limit, refused in ((5000, False), (1000, True)):
        with pytest.raises(Unreadable) if refused else contextlib.nullcontext():
            for _ in decode(request, SIGNALS["/v1/logs"], Limits(values=limit)):
                pass


def _decoded(body: Body) -> None:
    """Run the decoder to its end."""
    for _ in decode(body, SIGNALS["/v1/logs"], Limits()):
        pass


_BODIES = {
    False: logs({"body": "x", "time_unix_nano": TIME}, {"body": "ü"}, attributes={"a": "b"}),
    True: in_json(
        {
            "resourceLogs": [
                {
                    "resource": {"attributes": as_pairs({"a": 1})},
                    "scopeLogs": [
                        {"logRecords": [{"body": {"stringValue": "x"}, "timeUnixNano": "5"}]}
                    ],
                }
            ]
        }
    ),
}


@given(st.booleans(), st.integers(0), st.integers(0, 12), st.binary(max_size=6))
@settings(max_examples=500, deadline=None)
def test_whatever_the_bytes(is_json: bool, at: int, gone: int, instead: bytes) -> None:
    """A body that was changed anywhere is decoded, or refused as a whole; nothing else."""
    body = _BODIES[is_json]
    at %= len(body)
    changed = body[:at] + instead + body[at + gone :]
    with contextlib.suppress(Unreadable):
        _decoded(Body(changed, is_json))


# -- what must wait ------------------------------------------------------------------


@pytest.mark.parametrize("kind", [PROTOBUF, JSON])
def test_back_pressure(serve, sink, kind):
    """A full spool, a broken disk and a defect are answered with 503, which makes a sender of
    OTLP come again; nothing was taken, and nothing is said that is not for strangers."""
    send = Sender(serve.http().address)
    body = (
        logs({})
        if kind == PROTOBUF
        else in_json({"resourceLogs": [{"scopeLogs": [{"logRecords": [{}]}]}]})
    )
    sink.full, sink.retry_after = 1, 7
    answer = send(body, kind=kind)
    assert (answer.status, answer.headers["retry-after"]) == (503, "7")
    assert answer.message == "no room"
    sink.broken = True
    answer = send(body, kind=kind)
    assert (answer.status, answer.headers["retry-after"]) == (503, "30")
    sink.broken, sink.crash = False, True
    answer = send(body, kind=kind)
    assert answer.status == 503
    assert "ZeroDivision" not in answer.message
    assert "secret" not in answer.message
    sink.crash = False
    assert sink.batches == []
    assert send(body, kind=kind).status == 200


def test_the_answer_waits_until_all_is_durable(serve, sink, until):
    """Nothing is acknowledged before; requests of one sender beyond its share must wait."""
    limits = ConnectionLimits(requests=1)
    server = serve.http(connection_limits=limits)
    sink.blocked = threading.Event()
    answers = []
    first = threading.Thread(target=lambda: answers.append(Sender(server.address)(logs({}))))
    first.start()
    until(lambda: sink.under_way)
    second = Sender(server.address)(logs({}))
    assert (second.status, second.headers["retry-after"]) == (429, "1")
    assert answers == []
    sink.blocked.set()
    first.join(10)
    assert [one.status for one in answers] == [200]


def test_others_get_a_turn_while_a_large_body_is_decoded(serve, sink):
    """What is decoded bit by bit comes whole and in order."""
    send = Sender(serve.http().address)
    assert send(logs(*({"time_unix_nano": TIME + n} for n in range(1000)))).status == 200
    assert sink.batches[0].times == [TIME + n for n in range(1000)]
    assert [one["logRecord"]["timeUnixNano"] for one in sink.records] == sink.batches[0].times


def test_the_partial_success_of_traces(send):
    """It has the shape of the trace service's own answer."""
    bad = b"\x12\x05\x2a\x03\xff\xff\xff"
    outer = b"\x12" + bytes([len(bad)]) + bad
    answer = send(b"\x0a" + bytes([len(outer)]) + outer, TRACES)
    told = ExportTraceServiceResponse.FromString(answer.body).partial_success
    assert told.rejected_spans == 1
    assert told.error_message.startswith("kept as rejected: undecodable (1)")
    body = {"resourceSpans": [{"scopeSpans": [{"spans": [5]}]}]}
    answer = send(in_json(body), TRACES, JSON)
    assert orjson.loads(answer.body)["partialSuccess"]["rejectedSpans"] == "1"
