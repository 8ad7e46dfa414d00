"""Figures that rules ask for, read from what the collector's workers serve."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from activity_center.config import load
from collector.alerts.own_figures import own_figures

METRICS = b"""
activity_center_spool_bytes 835.0
activity_center_spool_quota_bytes 1000.0
activity_center_spool_oldest_timestamp_seconds 0.0
"""


class Worker(BaseHTTPRequestHandler):
    """A worker's health address."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/metrics" else 404)
        self.end_headers()
        self.wfile.write(METRICS)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def worker() -> Iterator[str]:
    """The address of a worker."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Worker)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_the_spool_is_told_in_percent(worker: str, tmp_path: Path) -> None:
    """What is stored of a figure is a whole number, so a share is counted in percent."""
    file = tmp_path / "activity-center.yml"
    file.write_text(f"collector: {{data_dir: '{tmp_path}/data', health: '{worker}'}}\n")
    assert own_figures(load(str(file), {})) == {"backlog_seconds": 0.0, "spool_percent": 83.5}
