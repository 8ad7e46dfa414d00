"""A Maven repository on this machine, for tests of the download."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from activity_center.node.artifacts import Artifact


class Mirror:
    """A real HTTP server in the layout of a Maven repository, with faults to order.

    Attributes:
        requests: paths of the files asked for, checksums left out.
        cut: so many answers end half way.
        release: answers wait for it half way.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.cut = 0
        self.release = threading.Event()
        self.release.set()
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                content = mirror.files.get(self.path)
                if content is None:
                    self.send_error(404)
                    return
                mirror.requests.append(self.path)
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                half = len(content) // 2
                self.wfile.write(content[:half])
                self.wfile.flush()
                mirror.release.wait(60)
                if mirror.cut:
                    mirror.cut -= 1
                    return
                self.wfile.write(content[half:])

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/maven"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def offer(self, name: str, content: bytes, served: bytes | None = None) -> Artifact:
        """Serve ``content`` (or ``served`` in its place); return what is pinned for it."""
        self.files[f"/maven/org/example/{name}/1.0/{name}-1.0.jar"] = (
            content if served is None else served
        )
        return Artifact(
            f"org.example:{name}:1.0", len(content), hashlib.sha256(content).hexdigest()
        )

    def close(self) -> None:
        self.release.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Mirror]:
    """The mirror, and a cache of the test's own that knows no other repository."""
    server = Mirror()
    monkeypatch.setenv("ACTIVITY_CENTER_MAVEN_URL", server.url)
    monkeypatch.setenv("ACTIVITY_CENTER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("M2_REPO", str(tmp_path / "local-repository"))
    yield server
    server.close()
