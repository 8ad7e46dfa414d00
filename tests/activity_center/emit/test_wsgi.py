"""The WSGI middleware and Flask, over real sockets."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from typing import Any

import flask
import pytest
from werkzeug.serving import make_server

from activity_center import Emitter
from activity_center.emit.context import current
from activity_center.emit.wsgi import ActivityMiddleware, client_ip, init_flask, networks
from activity_center.errors import ConfigError

Get = Callable[..., tuple[int, bytes]]


@pytest.fixture
def serve() -> Iterator[Callable[[Any], Get]]:
    """Return a function that serves an application and gives a client for it."""
    servers = []

    def start(app: Any) -> Get:
        server = make_server("127.0.0.1", 0, app, threaded=False)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()

        def get(path: str, **headers: str) -> tuple[int, bytes]:
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request("GET", path, headers=named)
            answer = connection.getresponse()
            body = answer.read()
            connection.close()
            return answer.status, body

        return get

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def heard(forward: Any, emitter: Any, until: Any) -> tuple[Emitter, Callable[[int], Any]]:
    """Return an emitter, and a function that gives the first n events."""
    server = forward()
    made: Emitter = emitter(server.url)

    def events(count: int) -> Any:
        until(lambda: len(server.messages) >= count)
        return server.events

    return made, events


def test_flask(heard: Any, serve: Any) -> None:
    """User (known only after the view has found out), address, browser, request id, trace."""
    made, events = heard
    app = flask.Flask(__name__)
    app.secret_key = "x"

    @app.get("/login/<name>")
    def login(name: str) -> str:
        flask.session["user"] = name
        made.emit("user.login", outcome="success")
        return "ok"

    @app.get("/fail")
    def fail() -> str:
        made.emit("user.login", outcome="failure")
        raise LookupError

    init_flask(
        app,
        made,
        user_from=lambda request: {"id": flask.session["user"], "roles": [request.args["role"]]},
        trusted_proxies=["127.0.0.1"],
    )
    get = serve(app)
    status, _ = get(
        "/login/ada?role=admin",
        User_Agent="Mozilla/5.0 (ü)".encode().decode("latin-1"),
        X_Forwarded_For="203.0.113.9, 198.51.100.4",
        X_Request_Id="req-7",
        traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    )
    assert status == 200
    (event,) = events(1)
    assert event["user"] == {"id": "ada", "roles": ["admin"]}
    assert event["source"] == {"ip": "198.51.100.4"}
    assert event["user_agent"] == {"original": "Mozilla/5.0 (ü)"}
    assert event["http"]["request"] == {"id": "req-7"}
    assert event["trace"] == {"id": "4bf92f3577b34da6a3ce929d0e0e4736"}
    status, _ = get("/fail")  # user_from raises: no session
    assert status == 500
    event = events(2)[1]
    assert "user" not in event
    assert event["source"] == {"ip": "127.0.0.1"}
    assert len(event["http"]["request"]["id"]) == 32
    assert made.stats().errors == 1


def test_the_context_ends_with_the_request(heard: Any, serve: Any) -> None:
    """The server's thread is used again; what happens between requests has no user."""
    made, _ = heard
    between: list[Any] = []

    def application(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        assert current()["user"] == {"id": "u1"}
        return [b"x"]

    inner = ActivityMiddleware(application, made, lambda environ: "u1")

    def outer(environ: Any, start_response: Any) -> Any:
        between.append(dict(current()))
        answer = inner(environ, start_response)
        between.append(dict(current()))
        return answer

    get = serve(outer)
    assert get("/")[0] == get("/")[0] == 200
    assert between == [{}] * 4


def test_streamed_answers_have_the_context(heard: Any, serve: Any) -> None:
    """Each piece and the closing know the request; the code between the pieces does not."""
    made, events = heard
    between: list[Any] = []

    class Answer:
        def __iter__(self) -> Iterator[bytes]:
            for piece in (b"a", b"b"):
                made.emit("piece")
                yield piece

        def close(self) -> None:
            made.emit("closed")

    def application(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        return Answer()

    inner = ActivityMiddleware(application, made, lambda environ: environ["HTTP_USER"])

    def outer(environ: Any, start_response: Any) -> Iterator[bytes]:
        answer = inner(environ, start_response)
        try:
            for piece in answer:
                between.append(dict(current()))
                yield piece
        finally:
            answer.close()  # type: ignore[attr-defined]

    get = serve(outer)
    assert get("/", User="ada") == (200, b"ab")
    assert [event["event"]["action"] for event in events(3)] == ["piece", "piece", "closed"]
    assert {event["user"]["id"] for event in events(3)} == {"ada"}
    assert between == [{}, {}]


def test_a_broken_request_never_breaks_the_application(heard: Any, serve: Any) -> None:
    """Odd headers cost their field, not the request."""
    made, events = heard
    app = flask.Flask(__name__)
    app.get("/")(lambda: made.emit("a.b") or "")
    init_flask(app, made, trusted_proxies=["127.0.0.1"])
    get = serve(app)
    assert (
        get("/", X_Forwarded_For="unknown, ,[", X_Request_Id="a b" * 99, traceparent="?")[0] == 200
    )
    (event,) = events(1)
    assert event["source"] == {"ip": "127.0.0.1"}
    assert "trace" not in event


@pytest.mark.parametrize(
    ("peer", "header", "trusted", "expected"),
    [
        ("198.51.100.1", "203.0.113.9", [], "198.51.100.1"),
        ("10.0.0.1", "203.0.113.9", ["10.0.0.0/8"], "203.0.113.9"),
        ("10.0.0.1", "1.1.1.1, 203.0.113.9", ["10.0.0.0/8"], "203.0.113.9"),
        ("10.0.0.1", "203.0.113.9, 10.0.0.2", ["10.0.0.0/8"], "203.0.113.9"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", ["10.0.0.0/8"], "10.0.0.3"),
        ("10.0.0.1", "203.0.113.9:443", ["10.0.0.1"], "203.0.113.9"),
        ("::1", "[2001:db8::9]:443", ["::1"], "2001:db8::9"),
        ("::ffff:10.0.0.1", "203.0.113.9", ["10.0.0.1"], "203.0.113.9"),
        ("10.0.0.1", "for=evil", ["10.0.0.1"], "10.0.0.1"),
        ("10.0.0.1", "", ["10.0.0.1"], "10.0.0.1"),
        ("", "203.0.113.9", [], None),
        ("", "203.0.113.9", ["unix"], "203.0.113.9"),
    ],
)
def test_client_address(peer: str, header: str, trusted: list[str], expected: str | None) -> None:
    """Only what a trusted proxy wrote is believed; the client's own claim never is."""
    found = client_ip(peer, header, networks(trusted), trust_unix="unix" in trusted)
    assert found == expected


def test_a_wrong_proxy_is_refused() -> None:
    """A typo must not silently trust nobody, or everybody."""
    with pytest.raises(ConfigError, match="trusted_proxies"):
        networks(["10.0.0.300"])
