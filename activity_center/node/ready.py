"""Ask a node whether it is ready, and read the end of its log when it is not."""

from __future__ import annotations

import base64
import http.client
import ssl
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from activity_center.node.folders import NodeFolder
from activity_center.node.record import NodeInfo

_TAIL: Final = 12
_READ: Final = 256 * 1024


def is_ready(node: NodeInfo) -> bool:
    """Whether the node answers, lets us in and has its primary shards.

    A direct connection: proxies of the environment do not apply to this machine.
    """
    address = urlsplit(node.url)
    host, port = address.hostname or "127.0.0.1", address.port
    connection: http.client.HTTPConnection
    if node.secure:
        context = ssl.create_default_context(cafile=node.ca)
        connection = http.client.HTTPSConnection(host, port, timeout=10, context=context)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=10)
    headers = {}
    if node.username:
        login = base64.b64encode(f"{node.username}:{node.password}".encode()).decode()
        headers["Authorization"] = f"Basic {login}"
    try:
        connection.request(
            "GET", "/_cluster/health?wait_for_status=yellow&timeout=5s", headers=headers
        )
        answer = connection.getresponse()
        answer.read()
        return answer.status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def tail(folder: NodeFolder, lines: int = _TAIL) -> str:
    """Return the last lines of what the node has to say, the console's after the log's."""
    parts = [_last_lines(path, lines) for path in (folder.log_file, folder.console_file)]
    return "\n".join(part for part in parts if part)


def _last_lines(path: Path, lines: int) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _READ))
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
    kept = [
        line
        for line in text.splitlines()
        # Stack frames fill the screen and say least.
        if line.strip() and not line.lstrip().startswith(("at ", "... "))
    ]
    return "\n".join(kept[-lines:])
