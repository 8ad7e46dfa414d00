"""One HTTP request with events, whatever comes of it."""

from __future__ import annotations

import http.client
import json
from typing import Any

from tests.integration.process import TOKEN, Collector


def post(
    collector: Collector,
    body: Any,
    *,
    token: str = TOKEN,
    source: str = "native",
    timeout: float = 30.0,
    **headers: str,
) -> tuple[int, dict[str, str], Any]:
    """POST ``body`` (bytes as they are, else as JSON); return status, headers and answer."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    connection = http.client.HTTPConnection("127.0.0.1", collector.http_port, timeout=timeout)
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        connection.request(
            "POST",
            f"/v1/activities?source={source}",
            data,
            {"Authorization": f"Bearer {token}", "Content-Type": "application/json", **names},
        )
        answer = connection.getresponse()
        content = answer.read()
        return answer.status, dict(answer.headers), json.loads(content) if content else None
    finally:
        connection.close()
