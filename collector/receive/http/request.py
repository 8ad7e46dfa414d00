"""From a request to the sender and the bytes it sent."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Final

from aiohttp import StreamReader, web

from collector.decode import Limits
from collector.receive.credentials import Credentials
from collector.receive.http.problems import Problem
from collector.receive.limits import ConnectionLimits
from collector.receive.tls import peer_certificate
from collector.records import Sender

PATH: Final = "/v1/activities"

_LINES: Final = frozenset(
    {
        "application/x-ndjson",
        "application/ndjson",
        "application/jsonl",
        "application/x-jsonlines",
        "application/json-lines",
    }
)
_JSON: Final = frozenset({"application/json", "text/json", "text/plain", ""})
_UNTYPED: Final = "application/octet-stream"
_ACCEPT: Final = {"Accept": "application/json, application/x-ndjson"}
_CHALLENGE: Final = 'Bearer realm="activity-center"'


def route(request: web.BaseRequest) -> str | None:
    """Check path, method and query; return the source that the query names.

    Raises:
        Problem: 400, 404 or 405.
    """
    if request.path != PATH:
        raise Problem(
            HTTPStatus.NOT_FOUND, "not-found", "no such path", hint=f"post to {PATH}", close=True
        )
    if request.method != "POST":
        raise Problem(
            HTTPStatus.METHOD_NOT_ALLOWED,
            "method-not-allowed",
            f"{request.method[:20]} is not served here",
            headers={"Allow": "POST"},
            close=True,
        )
    query = request.query
    for name in query:
        if name != "source":
            raise Problem(
                HTTPStatus.BAD_REQUEST,
                "unknown-parameter",
                f"no query parameter is named {name[:50]!r}",
                hint="source=NAME is the only one",
                close=True,
            )
    return query.get("source") or None


def authenticate(request: web.BaseRequest, credentials: Credentials) -> Sender:
    """Return who sends, by bearer token (RFC 6750), else by client certificate.

    Raises:
        Problem: 401.
    """
    field = request.headers.get("Authorization")
    if field is None:
        transport = request.transport
        tls = transport.get_extra_info("ssl_object") if transport is not None else None
        certificate = peer_certificate(tls)
        sender = credentials.by_certificate(certificate) if certificate else None
        if sender is not None:
            return sender
        raise _unauthorized("a bearer token is due", _CHALLENGE)
    scheme, _, token = field.partition(" ")
    if scheme.lower() != "bearer":
        raise _unauthorized("only bearer tokens are taken", _CHALLENGE)
    sender = credentials.by_token(token.strip())
    if sender is None:
        raise _unauthorized("no sender has this token", f'{_CHALLENGE}, error="invalid_token"')
    return sender


def _unauthorized(detail: str, challenge: str) -> Problem:
    return Problem(
        HTTPStatus.UNAUTHORIZED,
        "unauthorized",
        detail,
        hint="Authorization: Bearer TOKEN, with the token of a sender in activity-center.yml",
        headers={"WWW-Authenticate": challenge},
        close=True,
    )


def is_lines(request: web.BaseRequest) -> bool:
    """Whether the body is NDJSON by its type.

    Raises:
        Problem: 415, for a type that is no JSON.
    """
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind in _LINES:
        return True
    if kind in _JSON or kind == _UNTYPED or kind.endswith("+json"):
        return False
    raise Problem(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "unsupported-media-type",
        f"{kind[:80]!r} is not taken",
        hint="Content-Type: application/json, or application/x-ndjson for lines",
        headers=_ACCEPT,
        close=True,
    )


def is_gzip(request: web.BaseRequest) -> bool:
    """Whether the body is compressed.

    Raises:
        Problem: 415, for another coding than gzip.
    """
    coding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if coding in ("gzip", "x-gzip"):
        return True
    if coding in ("identity", ""):
        return False
    raise Problem(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "unsupported-encoding",
        f"content coding {coding[:40]!r} is not taken",
        hint="gzip or none",
        headers={"Accept-Encoding": "gzip"},
        close=True,
    )


def too_large(detail: str) -> Problem:
    """Return 413."""
    return Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "too-large",
        detail,
        hint="send fewer activities per request",
        close=True,
    )


async def read_body(
    request: web.BaseRequest, limits: Limits, connection_limits: ConnectionLimits
) -> bytes:
    """Return the body as sent.

    Raises:
        Problem: 413 if too large, 408 if too slow, 400 if cut short.
    """
    announced = request.content_length
    if announced is not None and announced > limits.chunk_bytes:
        raise too_large(f"a body of {announced} bytes; {limits.chunk_bytes} are allowed")
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0
    content = request.content
    if content.is_eof():
        body = content.read_nowait(-1)
        if len(body) > limits.chunk_bytes:
            raise too_large(f"a body of {len(body)} bytes; {limits.chunk_bytes} are allowed")
        return body
    return await _read_slowly(content, limits, connection_limits)


async def _read_slowly(
    content: StreamReader, limits: Limits, connection_limits: ConnectionLimits
) -> bytes:
    loop = asyncio.get_running_loop()
    started = loop.time()
    pieces: list[bytes] = []
    size = 0
    try:
        while True:
            due = started + connection_limits.message_timeout + size / connection_limits.slowest
            async with asyncio.timeout_at(due):
                piece = await content.readany()
            if not piece:
                return b"".join(pieces)
            pieces.append(piece)
            size += len(piece)
            if size > limits.chunk_bytes:
                raise too_large(f"a body of {size} bytes or more; {limits.chunk_bytes} are allowed")
    except TimeoutError as slow:
        raise Problem(
            HTTPStatus.REQUEST_TIMEOUT, "too-slow", "the body took too long", close=True
        ) from slow
    except (web.RequestPayloadError, ConnectionError) as cut:
        raise Problem(
            HTTPStatus.BAD_REQUEST, "cut-short", "the body ended early", close=True
        ) from cut
