"""``activity-center serve`` ends while clients keep connections open for later."""

from __future__ import annotations

import http.client
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from tests.integration.sidecar import Sidecar
from tests.sidecar_api.search.log import put_templates

if TYPE_CHECKING:
    from tests.conftest import Node

SOON = 10.0
"""Seconds; each of the connections may be silent for 15."""


def test_the_end_closes_connections_that_wait(opensearch: Node, tmp_path: Path) -> None:
    """As a browser keeps some: they are closed in good order, and hold nobody up."""
    put_templates(opensearch.client)
    with Sidecar(tmp_path / "sidecar", opensearch.cluster) as sidecar:
        sidecar.start()
        idle = [
            http.client.HTTPConnection("127.0.0.1", sidecar.port, timeout=SOON) for _ in range(3)
        ]
        for one in idle:
            one.request("GET", "/healthz")
            assert one.getresponse().read()
        sidecar.signal(signal.SIGTERM)
        for one in idle:
            assert one.sock is not None and one.sock.recv(1) == b""
        assert sidecar.process is not None and sidecar.process.wait(SOON) == 0
