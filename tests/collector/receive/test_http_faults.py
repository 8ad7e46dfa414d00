"""POST /v1/activities: what is refused, what must wait, and connections that misbehave."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import socket
import threading
import time

import pytest

from collector.decode import Limits
from collector.receive.limits import ConnectionLimits
from tests.clients.http import PATH, Answer, Client, head, problem, raw_connection


@pytest.fixture
def post(serve):
    """A client of a server with the usual limits."""
    return Client(serve.http().address)


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
        assert answer.body["detail"] == f"POST to {PATH}"
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
        (gzip.compress(b'{"n": 1}', mtime=0)[:-4], {"Content_Encoding": "gzip"}, "undecodable"),
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
    with raw_connection(server.address) as raw:
        raw.sendall(head(None, b"Transfer-Encoding: chunked\r\n"))
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


def test_many_broken_lines(serve, sink):
    """Broken lines become durable in one call, the first ones alone, the rest together;
    each is answered, and whole ones between them are taken."""
    server = serve.http(limits=Limits(broken=3))
    body = b"\n".join([b"{%d" % n for n in range(9)] + [b'{"n": 1}', b"{last"])
    answer = Client(server.address)(body, Content_Type="application/x-ndjson")
    statuses = [item["status"] for item in answer.body["items"]]
    assert statuses == ["rejected"] * 9 + ["accepted", "rejected"]
    assert sink.rejects == 1
    rest = b"\n".join([b"{%d" % n for n in range(3, 9)] + [b"{last"])
    assert [kept[1] for kept in sink.rejected] == [b"{0", b"{1", b"{2", rest]
    assert sink.rejected[3][2] == "undecodable: 7 more broken records (event 3 and later)"
    assert server.counters.broken_records == 10


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
    server = serve.http()
    sink.crash = True
    answer = Client(server.address)({"n": 1})
    body = problem(answer, 500, "internal")
    assert "secret" not in json.dumps(body)
    assert "ZeroDivisionError" in capsys.readouterr().out
    sink.crash = False
    assert Client(server.address)({"n": 1}).status == 200
    assert server.counters.failures == 1


# -- connections ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "begun", [b"", b"POST /v1/activ", b"POST /v1/activities HTTP/1.1\r\nHost: x\r\nX: "]
)
def test_slowhead(serve, sink, begun):
    """A connection that does not finish a request's head is closed; others go on."""
    server = serve.http(connection_limits=ConnectionLimits(idle_timeout=0.3))
    with raw_connection(server.address) as raw:
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
    with raw_connection(server.address) as raw:
        raw.sendall(head(b"100") + b'{"n"')
        assert raw.recv(1000).startswith(b"HTTP/1.1 408 ")
    assert server.counters.timeouts == 1
    assert Client(server.address)({"n": 1}).status == 200


def test_body_cut_short(serve, sink, until):
    """A body that ends early is not taken."""
    server = serve.http()
    with raw_connection(server.address) as raw:
        raw.sendall(head(b"100") + b'{"n": 1}')
    until(lambda: server.counters.requests == 1 and server.counters.open_requests == 0)
    assert sink.batches == []
    assert Client(server.address)({"n": 1}).status == 200


@pytest.mark.parametrize("nonsense", [b"\x16\x03\x01\x00\x00", b"\x92\xa1a\x90", b"NO\r\n\r\n"])
def test_no_http(serve, sink, nonsense):
    """What is no HTTP is answered with 400 without a traceback; others go on."""
    server = serve.http()
    with raw_connection(server.address) as raw:
        raw.sendall(nonsense + b"\r\n\r\n")
        raw.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := raw.recv(1000):
            answer += piece
    assert b"Traceback" not in answer
    assert not answer or b" 400 " in answer
    assert Client(server.address)({"n": 1}).status == 200


@pytest.mark.parametrize(
    "bytes_",
    [
        b"POST /v1/activities HTTP/1.1\r\nHost: x\r\nAuthorization : Bearer SECRET\r\n\r\n",
        b"POST /v1/activities HTTP/1.1\r\nHost: x\r\nAuthorization: SECRET\x00\r\n\r\n",
        b"SECRET\r\n\r\n",
        b"POST /v1/activities SECRET\r\n\r\n",
        b"GET / HTTP/1.1\r\nSECRET: " + b"SECRET" * 5000 + b"\r\n\r\n",
    ],
)
def test_malformed_requests_are_not_quoted(serve, sink, capfd, bytes_):
    """What is not HTTP is counted and told in one line; neither the log nor the answer has
    bytes of it: a mistyped header field holds a token."""
    server = serve.http()
    with raw_connection(server.address) as raw:
        raw.sendall(bytes_)
        answer = b""
        while piece := raw.recv(1000):
            answer += piece
    assert b" 400 " in answer[:15] and b"problem:not-http" in answer
    written = "".join(capfd.readouterr())
    assert b"SECRET" not in answer and "SECRET" not in written
    assert "Traceback" not in written and written.count("not HTTP") == 1
    assert server.counters.protocol_errors == 1
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


def test_bodies_that_never_become_whole_are_not_left_behind(serve, sink, until):
    """stop() is content with bodies that their senders drip: nothing of them was taken. What is
    whole and not yet durable is told as before."""
    server = serve.http()
    dripping = []
    for _ in range(5):
        made = raw_connection(server.address)
        made.sendall(head(b"100000") + b"[")
        dripping.append(made)
    until(lambda: server.counters.open_requests == 5)
    assert serve.loop.run(server.stop(0.2)) is True
    assert sink.batches == [] and sink.rejected == []
    for one in dripping:
        one.close()

    sink.blocked = threading.Event()
    held = serve.http()
    thread = threading.Thread(target=lambda: _ask_and_forget(held.address))
    thread.start()
    until(lambda: sink.under_way == 1)
    assert serve.loop.run(held.stop(0.2)) is False
    sink.blocked.set()
    thread.join()


def _ask_and_forget(address: str) -> None:
    """Send, whatever becomes of it."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        Client(address)({"n": 1})
