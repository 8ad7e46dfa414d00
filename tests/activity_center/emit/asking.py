"""A sidecar of one's own, for what persons ask of a process."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Asking(ThreadingHTTPServer):
    """Answers the long poll of controls as the sidecar does.

    Attributes:
        asked: what is open now.
        status: of the answers.
        paths, tokens: of the requests so far.
    """

    daemon_threads = True

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.status = 200
        self.paths: list[str] = []
        self.tokens: list[str | None] = []
        self.changed = threading.Condition()
        super().__init__(("127.0.0.1", 0), _Answer)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def ask(self, kind: str, id_: str, reason: str | None = None, **more: Any) -> None:
        """Somebody asks."""
        by = {"id": "usr_mk", "name": "mira"}
        with self.changed:
            self.asked.append({"id": id_, "kind": kind, "by": by, "reason": reason, **more})
            self.changed.notify_all()


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Asking

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        self.server.tokens.append(self.headers["Authorization"])
        with self.server.changed:
            if self.server.status == 200 and not self.server.asked:
                self.server.changed.wait(5)
            body = json.dumps({"controls": self.server.asked}).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Keep quiet."""
