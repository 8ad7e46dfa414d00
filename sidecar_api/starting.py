"""What is looked at before the sidecar starts, to say clearly what is wrong."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import structlog

from activity_center.connection import resolve
from activity_center.errors import ActivityCenterError

if TYPE_CHECKING:
    from activity_center.config import Config

PATIENCE: Final = 2
"""Seconds that OpenSearch has to take a connection."""

_log = structlog.get_logger("sidecar")


def check_bind(bind: str) -> None:
    """See whether an address can be taken: gunicorn would tell it in ten lines.

    Args:
        bind: ``host:port`` or ``[v6]:port``.

    Raises:
        ActivityCenterError: it cannot.
    """
    host, _, port = bind.rpartition(":")
    try:
        family, _, _, _, place = socket.getaddrinfo(
            host.strip("[]"), int(port), type=socket.SOCK_STREAM
        )[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
    except OSError as wrong:
        raise ActivityCenterError(
            f"this address cannot be taken: {wrong.strerror or wrong}",
            where=bind,
            hint="stop what listens there, or choose another one: --bind or sidecar.bind",
        ) from wrong


def check_opensearch(config: Config) -> None:
    """Warn when nobody listens where OpenSearch should be; it may come later.

    Raises:
        ActivityCenterError: none is named, and no embedded one runs.
    """
    parts = urlsplit(resolve(config.searcher).url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname or "", port), timeout=PATIENCE).close()
    except OSError as wrong:
        _log.warning(
            "OpenSearch cannot be reached",
            address=f"{parts.hostname}:{port}",
            error=wrong.strerror or str(wrong),
            hint="see whether it runs and opensearch.url is right; until then the answer is 503",
        )
