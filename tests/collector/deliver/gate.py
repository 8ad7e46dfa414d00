"""A reverse proxy before OpenSearch that a test can make fail as proxies and networks do."""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@dataclass(slots=True)
class Answer:
    """An HTTP answer."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Request:
    """A request on its way; :meth:`forward` sends it to OpenSearch."""

    method: str
    path: str
    body: bytes
    forward: Callable[[], Answer]

    @property
    def is_bulk(self) -> bool:
        """Whether it brings documents."""
        return self.path.startswith("/_bulk")


Rule = Callable[[Request], Answer | None]
"""Answers a request; ``None`` closes the connection without an answer."""


class Gate:
    """Listens on a port of its own and treats each request by ``rule``."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        host, port = parts.hostname or "127.0.0.1", parts.port or 80
        self.rule: Rule = lambda request: request.forward()
        self.requests: list[tuple[str, str]] = []
        gate = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Say nothing."""

            def handle_one(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))

                def forward() -> Answer:
                    upstream = http.client.HTTPConnection(host, port, timeout=120)
                    upstream.request(
                        self.command,
                        self.path,
                        body,
                        {"Content-Type": self.headers.get("Content-Type", "application/json")},
                    )
                    answer = upstream.getresponse()
                    content = answer.read()
                    upstream.close()
                    return Answer(
                        answer.status, content, {"Content-Type": answer.headers["Content-Type"]}
                    )

                gate.requests.append((self.command, self.path))
                try:
                    answer = gate.rule(Request(self.command, self.path, body, forward))
                except OSError:  # OpenSearch is not there
                    answer = None
                if answer is None:
                    self.close_connection = True
                    self.connection.close()
                    return
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = handle_one

            def finish(self) -> None:
                """Close; the connection may be closed already."""
                with contextlib.suppress(OSError, ValueError):
                    super().finish()

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def asked(self, part: str) -> int:
        """Return how many requests had ``part`` in their path."""
        return sum(part in path for _, path in self.requests)

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


def cut_first(count: int, before_cut: Callable[[], None] = lambda: None) -> Rule:
    """Let the first ``count`` bulk requests through, and their answers not."""
    left = [count]

    def rule(request: Request) -> Answer | None:
        if request.is_bulk and left[0] > 0:
            left[0] -= 1
            request.forward()
            before_cut()
            return None
        return request.forward()

    return rule


def answer_first(count: int, answer: Answer) -> Rule:
    """Answer the first ``count`` bulk requests in OpenSearch's place."""
    left = [count]

    def rule(request: Request) -> Answer | None:
        if request.is_bulk and left[0] > 0:
            left[0] -= 1
            return answer
        return request.forward()

    return rule
