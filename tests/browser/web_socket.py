"""A WebSocket of the stand-ins that says nothing after its close."""

from __future__ import annotations

import threading
from typing import Any

from simple_websocket import Server


class WebSocket(Server):
    """Of simple-websocket, whose thread answers a close while another one sends.

    What was about to be sent came after that answer, which no browser takes (RFC 6455, section
    5.5.1: "Data frame received after close").
    """

    def __init__(self, environ: dict[str, Any], **options: Any) -> None:
        self._order = threading.RLock()
        super().__init__(environ, **options)

    def send(self, data: Any) -> None:
        """Send a message; raise ConnectionClosed after a close."""
        with self._order:
            super().send(data)

    def close(self, reason: int | None = None, message: str | None = None) -> None:
        """Close it; raise ConnectionClosed where it is."""
        with self._order:
            super().close(reason, message)

    def _handle_events(self) -> bool:
        with self._order:
            going: bool = super()._handle_events()
            return going
