"""A collector to which a sidecar records, and that keeps what came."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class Recorder(ThreadingHTTPServer):
    """Accepts everything.

    Args:
        folder: for the sidecar's token.
        before: called with the events of a request before it is answered.

    Attributes:
        section: of the sidecar's configuration that records here.
        events: all that came, also what came twice.
    """

    daemon_threads = True

    def __init__(
        self, folder: Path, before: Callable[[list[dict[str, Any]]], None] = lambda _: None
    ) -> None:
        self.events: list[dict[str, Any]] = []
        self.before = before
        super().__init__(("127.0.0.1", 0), _Record)
        token = folder / "token"
        token.write_text("token-of-the-sidecar")
        token.chmod(0o600)
        url = f"http://127.0.0.1:{self.server_address[1]}"
        self.section = {"url": url, "token_file": str(token)}
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def of(self, process: str) -> list[dict[str, Any]]:
        """What came of a process."""
        return [one for one in list(self.events) if _process(one) == process]

    def actions(self, process: str) -> list[str]:
        """The actions of that, in the order of their names."""
        return sorted(one["event"]["action"] for one in self.of(process))

    def close(self) -> None:
        """Stop."""
        self.shutdown()
        self.server_close()


def _process(event: dict[str, Any]) -> Any:
    return event.get("activity", {}).get("process", {}).get("id")


class _Record(BaseHTTPRequestHandler):
    server: Recorder
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        events = json.loads(body)
        self.server.events += events
        self.server.before(events)
        items = [{"status": "accepted"} for _ in events]
        data = json.dumps({"accepted": len(events), "rejected": 0, "ignored": 0, "items": items})
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data.encode())

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""
