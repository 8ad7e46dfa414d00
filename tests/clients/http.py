"""A small HTTP client for ``POST /v1/activities``, and raw connections for worse."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from dataclasses import dataclass
from typing import Any

PATH = "/v1/activities"
AUTH = {"Authorization": "Bearer token-of-app"}


@dataclass
class Answer:
    """Status, header fields and JSON body of an answer."""

    status: int
    headers: dict[str, str]
    body: Any


class Client:
    """One keep-alive connection."""

    def __init__(self, address: str, context: ssl.SSLContext | None = None) -> None:
        host, _, port = address.rpartition(":")
        if context is None:
            self.connection = http.client.HTTPConnection(host.strip("[]"), int(port), timeout=10)
        else:
            self.connection = http.client.HTTPSConnection(
                "localhost", int(port), timeout=10, context=context
            )

    def __call__(
        self,
        body: Any = b"",
        path: str = PATH,
        method: str = "POST",
        auth: dict[str, str] = AUTH,
        **headers: str,
    ) -> Answer:
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection.request(method, path, body, {**auth, **names})
        response = self.connection.getresponse()
        content = response.read()
        return Answer(
            response.status,
            {name.lower(): value for name, value in response.getheaders()},
            json.loads(content) if content else None,
        )


def problem(answer: Answer, status: int, kind: str) -> dict[str, Any]:
    """Every error is a problem document (RFC 9457) without a traceback."""
    assert answer.status == status
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert answer.body["type"] == f"urn:activity-center:problem:{kind}"
    assert answer.body["status"] == status
    assert answer.body["title"] and answer.body["detail"]
    assert "Traceback" not in json.dumps(answer.body)
    return answer.body


def raw_connection(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=10)


def head(length: bytes | None, more: bytes = b"") -> bytes:
    size = b"" if length is None else b"Content-Length: " + length + b"\r\n"
    return (
        b"POST /v1/activities HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer token-of-app\r\n"
        + size
        + more
        + b"\r\n"
    )
