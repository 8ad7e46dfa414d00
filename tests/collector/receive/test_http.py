"""POST /v1/activities: what comes in, what is answered, what is refused."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from typing import Any

import pytest

from activity_center.config import SenderConfig
from collector.decode import Limits
from collector.receive.credentials import Credentials
from collector.receive.limits import ConnectionLimits

PATH = "/v1/activities"
AUTH = {"Authorization": "Bearer token-of-app"}


@dataclass
class Answer:
    """Status, header fields and JSON body of an answer."""

    status: int
    headers: dict[str, str]
    body: Any


class Client:
    """One keep-alive connection."""

    def __init__(self, address: str, context: ssl.SSLContext | None = None) -> None:
        host, _, port = address.rpartition(":")
        if context is None:
            self.connection = http.client.HTTPConnection(host.strip("[]"), int(port), timeout=10)
        else:
            self.connection = http.client.HTTPSConnection(
                "localhost", int(port), timeout=10, context=context
            )

    def __call__(
        self,
        body: Any = b"",
        path: str = PATH,
        method: str = "POST",
        auth: dict[str, str] = AUTH,
        **headers: str,
    ) -> Answer:
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection.request(method, path, body, {**auth, **names})
        response = self.connection.getresponse()
        content = response.read()
        return Answer(
            response.status,
            {name.lower(): value for name, value in response.getheaders()},
            json.loads(content) if content else None,
        )


@pytest.fixture
def post(serve):
    """A client of a server with the usual limits."""
    return Client(serve.http().address)


def problem(answer: Answer, status: int, kind: str) -> dict[str, Any]:
    """Every error is a problem document (RFC 9457) without a traceback."""
    assert answer.status == status
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert answer.body["type"] == f"urn:activity-center:problem:{kind}"
    assert answer.body["status"] == status
    assert answer.body["title"] and answer.body["detail"]
    assert "Traceback" not in json.dumps(answer.body)
    return answer.body


# -- what comes in -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"n": 1}', "application/json"),
        (b' \n{"n":\n 1}\n', "application/json; charset=utf-8"),
        (b'{"n": 1}', ""),
        (b'\xef\xbb\xbf{"n": 1}', "text/plain"),
        (b'[{"n": 1}]', "application/json"),
        (b'{"n": 1}\n', "application/x-ndjson"),
        (b'\r\n{"n": 1}\r\n\r\n', "application/jsonl"),
        (b'{"n": 1}', "application/cloudevents+json"),
    ],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_forms(post, sink, body, kind, zipped):
    """One object, an array or lines; by type or found out; gzip or plain; one connection."""
    headers = {"Content_Type": kind} if kind else {}
    if zipped:
        body, headers["Content_Encoding"] = gzip.compress(body), "gzip"
    for _ in range(2):
        answer = post(body, **headers)
        assert answer.status == 200
        assert answer.body == {
            "accepted": 1,
            "rejected": 0,
            "ignored": 0,
            "items": [{"status": "accepted", "id": "id-1"}],
        }
    assert sink.records == [{"n": 1}] * 2
    assert sink.batches[0].sender.name == "app"
    assert sink.batches[0].received > 1_700_000_000 * 10**9


def test_source_and_answer_per_event(post, sink):
    """The query names the source; the answer says of each event what became of it, in the
    order sent."""
    events = [{"n": 1}, 5, {"ignore": True}, {"n": 2}]
    answer = post(events, PATH + "?source=native")
    assert sink.batches[0].source == "native"
    assert answer.body == {
        "accepted": 2,
        "rejected": 1,
        "ignored": 1,
        "items": [
            {"status": "accepted", "id": "id-1"},
            {
                "status": "rejected",
                "reason": "not_an_object",
                "detail": "not an object",
                "path": "",
            },
            {"status": "ignored", "detail": "not wanted"},
            {"status": "accepted", "id": "id-2"},
        ],
    }


LINES = [
    (b'{"n": 1}', None),
    (b'{"n":', "undecodable"),
    (b'{"n": "\xff"}', "bad_text"),
    (b'{"n": "\\ud800"}', "bad_text"),
    (b'{"n": NaN}', "bad_number"),
    (b'{"n": 1e999}', "bad_number"),
    (b'{"n": ' + b"9" * 5000 + b"}", "bad_number"),
    (b'{"a":' * 3000 + b"1" + b"}" * 3000, "too_deep"),
    (b'{"n": "' + b"x" * 1_100_000 + b'"}', "too_large"),
    (b'{"n": 2}', None),
]


@pytest.mark.parametrize("form", ["ndjson", "sniffed", "array"])
def test_a_broken_event_costs_itself(post, sink, form):
    """In lines and in arrays alike the others are accepted; the broken ones are kept as
    bytes, and the answer has them in their places."""
    lines = LINES
    if form == "array":  # its brackets must be found: an element must be JSON at least loosely
        lines = [one for one in LINES if one[1] not in ("undecodable", "too_deep")]
        body = b"[" + b",".join(line for line, _ in lines) + b"]"
    else:
        body = b"\n".join(line for line, _ in lines)
    kind = {"Content_Type": "application/x-ndjson"} if form == "ndjson" else {}
    answer = post(body, **kind)
    assert answer.status == 200
    assert [item.get("reason") for item in answer.body["items"]] == [why for _, why in lines]
    assert (answer.body["accepted"], answer.body["rejected"]) == (2, len(lines) - 2)
    assert sink.records == [{"n": 1}, {"n": 2}]
    assert [raw for _, raw, _ in sink.rejected] == [line for line, why in lines if why]
    assert [detail.split(":")[0] for *_, detail in sink.rejected] == [
        why for _, why in lines if why
    ]


def test_what_json_can_say(post, sink):
    """80-bit integers stay what they are; dotted keys, dates far off and 10,000 keys too."""
    big = 2**80
    record = {
        "big": big,
        "a.b": {"": 1},
        "when": "9999-12-31",
        **{f"k{n}": n for n in range(10000)},
    }
    assert post(record).status == 200
    assert sink.records == [record]


def test_certificate_instead_of_a_token(serve, sink, pki):
    """A client certificate tells the sender too."""
    senders = (SenderConfig(name="shipper", certificate_sha256=pki.fingerprints["shipper"]),)
    server = serve.http(tls=pki.server(client_ca=True), senders=senders)
    client = Client(server.address, pki.context("shipper"))
    assert client({"n": 1}, auth={}).status == 200
    stranger = Client(server.address, pki.context("stranger"))
    problem(stranger({"n": 1}, auth={}), 401, "unauthorized")
    assert [batch.sender.name for batch in sink.batches] == ["shipper"]


def test_expect_continue(serve, sink):
    """A client that asks first (curl does, for larger bodies) is told to go on."""
    with _raw(serve.http().address) as raw:
        raw.sendall(_head(b"8", b"Expect: 100-continue\r\n"))
        assert raw.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        raw.sendall(b'{"n": 1}')
        assert raw.recv(1000).startswith(b"HTTP/1.1 200 OK")
    assert len(sink.records) == 1


# -- who ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "field",
    [None, "Bearer wrong", "Bearer ", "Bearer", "Basic YTpi", "bearer  wrong", "Bearer \xff\xfe"],
)
def test_wrong_token(post, sink, capsys, field):
    """401 with a challenge (RFC 6750); the token is in no log; others go on."""
    auth = {} if field is None else {"Authorization": field}
    answer = post({"n": 1}, auth=auth)
    problem(answer, 401, "unauthorized")
    assert answer.headers["www-authenticate"].startswith("Bearer realm=")
    assert sink.batches == []
    assert post({"n": 1}).status == 200
    log = capsys.readouterr().out
    assert "request refused" in log and "wrong" not in log.replace("what is wrong", "")


def test_source_not_allowed(post, sink):
    """403 for a source that the sender may not use; nothing is taken."""
    problem(post({"n": 1}, PATH + "?source=kubernetes-audit"), 403, "source-not-allowed")
    assert sink.batches == []


def test_reload(serve, sink):
    """Other senders from the next request on, on the same connection."""
    server = serve.http()
    client = Client(server.address)
    assert client({"n": 1}).status == 200
    server.reload(Credentials(()))
    problem(client({"n": 1}), 401, "unauthorized")


# -- what is refused -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "status", "kind"),
    [
        ({"path": "/"}, 404, "not-found"),
        ({"path": "/v1/activities/1"}, 404, "not-found"),
        ({"method": "GET"}, 405, "method-not-allowed"),
        ({"method": "DELETE"}, 405, "method-not-allowed"),
        ({"path": PATH + "?sourc=native"}, 400, "unknown-parameter"),
        ({"Content_Type": "application/x-www-form-urlencoded"}, 415, "unsupported-media-type"),
        ({"Content_Type": "application/xml"}, 415, "unsupported-media-type"),
        ({"Content_Encoding": "br"}, 415, "unsupported-encoding"),
        ({"Content_Encoding": "zstd"}, 415, "unsupported-encoding"),
    ],
)
def test_form_of_the_request(post, sink, request_, status, kind):
    """Errors of form are 4xx problems that name the next step."""
    answer = post({"n": 1}, **request_)
    problem(answer, status, kind)
    if status == 405:
        assert answer.headers["allow"] == "POST"
    if kind == "unsupported-encoding":
        assert answer.headers["accept-encoding"] == "gzip"
    assert sink.batches == [] and sink.rejected == []
    assert post({"n": 1}).status == 200


@pytest.mark.parametrize(
    ("body", "headers", "reason"),
    [
        (b"", {}, "undecodable"),
        (b"  \n ", {}, "undecodable"),
        (b"no json", {}, "undecodable"),
        (b'{"n": 1', {}, "undecodable"),
        (b'[{"n": 1}', {}, "undecodable"),
        (b'[{"n": 1} {"n": 2}]', {}, "undecodable"),
        (b"[" * 5000, {}, "too_deep"),
        (b'{"n": 1}', {"Content_Encoding": "gzip"}, "undecodable"),
        (gzip.compress(b'{"n": 1}')[:-4], {"Content_Encoding": "gzip"}, "undecodable"),
    ],
)
def test_unreadable_body(post, sink, body, headers, reason):
    """400 only for a body of which nothing can be read; its bytes are kept."""
    answer = post(body, **headers)
    assert problem(answer, 400, "unreadable")["reason"] == reason
    (kept,) = sink.rejected
    assert kept[:2] == ("app", body) and kept[2].startswith(reason)
    assert post({"n": 1}).status == 200


def test_too_large(serve, sink):
    """413 for bodies beyond the limit: announced, streamed, or a gzip bomb."""
    server = serve.http(limits=Limits(chunk_bytes=1_000_000))
    problem(Client(server.address)(b" " * 1_000_001), 413, "too-large")
    bomb = gzip.compress(bytes(100_000_000))
    problem(Client(server.address)(bomb, Content_Encoding="gzip"), 413, "too-large")
    with _raw(server.address) as raw:
        raw.sendall(_head(None, b"Transfer-Encoding: chunked\r\n"))
        chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
        try:
            for _ in range(100):
                raw.sendall(chunk)
        except OSError:
            pass
        assert b"413" in raw.recv(1000)
    assert Client(server.address)({"n": 1}).status == 200
    assert len(sink.records) == 1


def test_too_many_values(serve, sink):
    """A body whose values would take too much memory is refused before it is decoded."""
    server = serve.http(limits=Limits(values=10_000))
    problem(Client(server.address)(b"[" + b"[]," * 10_000 + b"1]"), 413, "too-large")
    server = serve.http(limits=Limits(records=100))
    problem(Client(server.address)(b"[" + b"1," * 100 + b"1]"), 413, "too-large")
    lines = Client(server.address)(b"{}\n" * 101, Content_Type="application/x-ndjson")
    problem(lines, 413, "too-large")


# -- must wait -----------------------------------------------------------------------


def test_full_spool(post, sink):
    """503 with Retry-After; the same request works when there is room."""
    sink.full, sink.retry_after = 1, 7
    answer = post({"n": 1})
    problem(answer, 503, "spool-full")
    assert answer.headers["retry-after"] == "7"
    assert post({"n": 1}).status == 200


def test_full_spool_for_bytes(post, sink):
    """Bytes that cannot be kept now are not answered as kept."""
    sink.full = 1
    problem(post(b"no json"), 503, "spool-full")
    assert sink.rejected == []


def test_failed_spool(post, sink):
    """503, and nothing is called accepted."""
    sink.broken = True
    answer = post({"n": 1})
    problem(answer, 503, "spool-failed")
    assert "retry-after" in answer.headers
    sink.broken = False
    assert post({"n": 1}).status == 200


def test_too_many_requests_of_one_sender(serve, sink, until):
    """429 beyond the bound of one sender; the ones under way are answered."""
    sink.blocked = threading.Event()
    server = serve.http(connection_limits=ConnectionLimits(requests=2))
    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda: answers.append(Client(server.address)({"n": 1}).status))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    until(lambda: sink.under_way == 2)
    answer = Client(server.address)({"n": 1})
    problem(answer, 429, "too-many-requests")
    assert answer.headers["retry-after"] == "1"
    sink.blocked.set()
    for thread in threads:
        thread.join()
    assert answers == [200, 200]


def test_memory_budget(serve, sink, until):
    """503 while too much is under way in the process."""
    sink.blocked = threading.Event()
    server = serve.http(connection_limits=ConnectionLimits(in_flight_memory=1000))
    thread = threading.Thread(target=lambda: Client(server.address)({"text": "x" * 1000}))
    thread.start()
    until(lambda: sink.under_way == 1)
    problem(Client(server.address)({"n": 1}), 503, "busy")
    sink.blocked.set()
    thread.join()
    assert Client(server.address)({"n": 1}).status == 200


def test_error_in_the_collector(serve, sink, capsys):
    """500 without a traceback in the answer; it is in the log, and the process goes on."""

    async def broken(batch: object) -> None:
        raise ZeroDivisionError("secret detail")

    server = serve.http()
    server._accept = broken
    answer = Client(server.address)({"n": 1})
    body = problem(answer, 500, "internal")
    assert "secret" not in json.dumps(body)
    assert "ZeroDivisionError" in capsys.readouterr().out
    server._accept = sink.accept
    assert Client(server.address)({"n": 1}).status == 200
    assert server.counters.failures == 1


# -- connections ---------------------------------------------------------------------


def _raw(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=10)


def _head(length: bytes | None, more: bytes = b"") -> bytes:
    size = b"" if length is None else b"Content-Length: " + length + b"\r\n"
    return (
        b"POST /v1/activities HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer token-of-app\r\n"
        + size
        + more
        + b"\r\n"
    )


@pytest.mark.parametrize(
    "begun", [b"", b"POST /v1/activ", b"POST /v1/activities HTTP/1.1\r\nHost: x\r\nX: "]
)
def test_slow_head(serve, sink, begun):
    """A connection that does not finish a request's head is closed; others go on."""
    server = serve.http(connection_limits=ConnectionLimits(idle_timeout=0.3))
    with _raw(server.address) as raw:
        raw.sendall(begun)
        started = time.monotonic()
        try:
            while raw.recv(1000):
                pass
        except ConnectionResetError:
            pass
        assert time.monotonic() - started < 9
    assert Client(server.address)({"n": 1}).status == 200


def test_slow_body(serve, sink):
    """A body that does not get on is answered 408 and the connection closed."""
    server = serve.http(connection_limits=ConnectionLimits(message_timeout=0.3))
    with _raw(server.address) as raw:
        raw.sendall(_head(b"100") + b'{"n"')
        assert raw.recv(1000).startswith(b"HTTP/1.1 408 ")
    assert server.counters.timeouts == 1
    assert Client(server.address)({"n": 1}).status == 200


def test_body_cut_short(serve, sink, until):
    """A body that ends early is not taken."""
    server = serve.http()
    with _raw(server.address) as raw:
        raw.sendall(_head(b"100") + b'{"n": 1}')
    until(lambda: server.counters.requests == 1 and server.counters.open_requests == 0)
    assert sink.batches == []
    assert Client(server.address)({"n": 1}).status == 200


@pytest.mark.parametrize("nonsense", [b"\x16\x03\x01\x00\x00", b"\x92\xa1a\x90", b"NO\r\n\r\n"])
def test_no_http(serve, sink, nonsense):
    """What is no HTTP is answered with 400 without a traceback; others go on."""
    server = serve.http()
    with _raw(server.address) as raw:
        raw.sendall(nonsense + b"\r\n\r\n")
        raw.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := raw.recv(1000):
            answer += piece
    assert b"Traceback" not in answer
    assert not answer or b" 400 " in answer
    assert Client(server.address)({"n": 1}).status == 200


def test_connection_limit(serve, sink):
    """Beyond the limit of connections the answer is 503."""
    server = serve.http(connection_limits=ConnectionLimits(connections=1))
    first = Client(server.address)
    assert first({"n": 1}).status == 200
    answer = Client(server.address)({"n": 1})
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    assert first({"n": 1}).status == 200


def test_stop_answers_what_is_under_way(serve, sink, until):
    """stop() waits for requests under way, then closes."""
    sink.blocked = threading.Event()
    server = serve.http()
    answers: list[Answer] = []
    thread = threading.Thread(target=lambda: answers.append(Client(server.address)({"n": 1})))
    thread.start()
    until(lambda: sink.under_way == 1)
    stopped: list[bool] = []
    stopping = threading.Thread(target=lambda: stopped.append(serve.loop.run(server.stop(5))))
    stopping.start()
    sink.blocked.set()
    thread.join()
    stopping.join()
    assert answers[0].status == 200 and stopped == [True]
    with pytest.raises(OSError):
        Client(server.address)({"n": 1})
